// Package encryption looks into the data folder of a running, killed and stopped platform: nothing that clients stored can be read there,
// and its master key changes while they go on storing.
package encryption

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func search(t *testing.T, dir string, known []string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(p)
		for _, k := range known {
			if bytes.Contains(b, []byte(k)) {
				t.Errorf("%s shows %q", strings.TrimPrefix(p, dir), k)
			}
		}
		return err
	})
	if err != nil || files < 8 {
		t.Fatalf("searched %d files: %v", files, err)
	}
}

func TestDataFolder(t *testing.T) {
	p := harness.Start(t, harness.Options{})
	way := p.SuffixWay(t)
	app := p.CreateApp(t, "", "Payments-daemon-zq71")
	group := p.PutGroup(t)
	vault := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All})
	account := p.PutAccount(t, group)
	known := []string{
		"Payments-daemon-zq71", app.AppID, app.Principal, app.Secret.SecretText, group, vault, account, p.Key(t, group, account, "primaryMasterKey"),
		"correct-horse-", "connection-string-",
	}
	token := way.AppToken(t, app, way.VaultAudience())
	url := func(i int) string {
		return fmt.Sprintf("%s/secrets/connection-string-%d?api-version=7.4", way.Vault(vault), i)
	}
	stored := 0
	store := func(n int) {
		t.Helper()
		for range n {
			a := way.Do(t, "PUT", url(stored), harness.Bearer(token), map[string]string{"value": fmt.Sprint("correct-horse-", stored)})
			if a.Status != http.StatusOK {
				t.Fatalf("set: %d %s", a.Status, a.Body)
			}
			stored++
		}
	}
	check := func() {
		t.Helper()
		for i := range stored {
			if a := way.Do(t, "GET", url(i), harness.Bearer(token), nil); a.Status != http.StatusOK || a.JSON()["value"] != fmt.Sprint("correct-horse-", i) {
				t.Fatalf("secret %d: %d %s", i, a.Status, a.Body)
			}
		}
	}
	master := func() string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(p.Data, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	store(10)
	search(t, p.Data, known)
	before := master()
	p.Output(t, "master-key", "rotate")
	store(10)
	p.Output(t, "store-key", "rotate")
	store(10)
	if master() == before {
		t.Error("master.key is the same after the rotation")
	}
	p.Kill9(t)
	search(t, p.Data, known)
	p.Restart(t)
	check()
	store(10)
	p.Stop(t)
	search(t, p.Data, known)

	// Offline the same command works on the folder itself; the old key is refused with a message that says what to do.
	p.Output(t, "master-key", "rotate")
	if err := os.WriteFile(filepath.Join(p.Data, "master.key"), []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := p.Command("tenant", "list").CombinedOutput(); err == nil || !strings.Contains(string(out), "put that file back") {
		t.Errorf("with the first master key: %v %s", err, out)
	}
}
