package operate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// small mounts a file system of some megabytes of the test's own.
func small(t *testing.T, megabytes int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("bulkhead-test", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes)); err != nil {
		t.Skipf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// keepFull fills the file system, and again whenever something frees room (the store drops old logs when it likes), until the function it returns
// is called, which makes room of all.
func keepFull(t *testing.T, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	first := make(chan struct{})
	wg.Go(func() {
		block := make([]byte, 256<<10)
		for filled := false; ctx.Err() == nil; {
			if _, err := f.Write(block); err != nil { // no space left: what is wanted
				if !filled {
					filled = true
					close(first)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	<-first
	return sync.OnceFunc(func() {
		stop()
		wg.Wait()
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Error(err)
		}
	})
}

// fill writes a file until no more than leave bytes are left.
func fill(t *testing.T, dir string, leave uint64) (name string) {
	t.Helper()
	name = filepath.Join(dir, "nearly")
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, make([]byte, st.Bavail*uint64(st.Bsize)-leave), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// refusedSoon wants a write refused as full, within seconds: room that the store itself frees is taken by the filler a moment later.
func refusedSoon(t *testing.T, what string, write func() (refused bool, got any)) {
	t.Helper()
	var got any
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var refused bool
		if refused, got = write(); refused {
			return
		}
	}
	t.Errorf("%s: %v, not refused as full", what, got)
}

// full tells whether err is the answer 507.
func full(err error) bool {
	var e *azcore.ResponseError
	return errors.As(err, &e) && e.StatusCode == http.StatusInsufficientStorage
}

// TestFull: while the disk is full every plane's writes say 507 and reads go on; once room is made everything goes on, with nothing acknowledged lost.
func TestFull(t *testing.T) {
	dir := small(t, 400)
	f := newFixture(t, harness.Options{Data: filepath.Join(dir, "data")})
	p, way := f.p, f.p.SuffixWay(t)
	site := p.PutSite(t, f.group, "", map[string]string{"A": "1"})
	value := "before"
	if _, err := f.secrets.SetSecret(t.Context(), "kept", azsecrets.SetSecretParameters{Value: &value}, nil); err != nil {
		t.Fatal(err)
	}

	// Writers meet the full disk while they work.
	var mu sync.Mutex
	acknowledged := map[string]int{}
	refused := 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("i-%d-%d", w, n)
				_, err := f.items.CreateItem(t.Context(), partition, item(id, n), nil)
				mu.Lock()
				switch {
				case err == nil:
					acknowledged[id] = n
				case full(err):
					refused++
				default:
					t.Errorf("item %s: %v", id, err)
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	free := keepFull(t, dir)
	defer func() { free() }()
	time.Sleep(500 * time.Millisecond)
	stop()
	wg.Wait()
	mu.Lock()
	t.Logf("%d items acknowledged, then %d refused", len(acknowledged), refused)
	if len(acknowledged) == 0 || refused == 0 {
		t.Error("the writers did not meet both an empty and a full disk")
	}
	mu.Unlock()

	// Each plane's write is refused in the plane's own words.
	graph := harness.Bearer(p.AdminToken(t, "https://graph.microsoft.com"))
	arm := harness.Bearer(p.AdminToken(t, harness.ARMResource))
	vault := harness.Bearer(way.AppToken(t, f.app, way.VaultAudience()))
	zip := arm.Clone()
	zip.Set("Content-Type", "application/zip")
	for name, c := range map[string]struct {
		method, target string
		header         http.Header
		body           any
	}{
		"ARM":     {"PUT", way.ARM() + "/subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/full?api-version=2021-04-01", arm, map[string]any{"location": "westeurope"}},
		"vault":   {"PUT", way.Vault(f.vault) + "/secrets/full?api-version=7.4", vault, map[string]any{"value": "x"}},
		"Graph":   {"POST", way.Graph() + "/v1.0/applications", graph, map[string]any{"displayName": "full"}},
		"package": {"POST", way.SCM(site.Name) + "/api/zipdeploy", zip, []byte(strings.Repeat("no matter what", 100))},
		"setting": {"PUT", way.ARM() + site.ID + "/config/appsettings?api-version=2022-03-01", arm, map[string]any{"properties": map[string]string{"A": "2"}}},
	} {
		refusedSoon(t, name+" while full", func() (bool, any) {
			a := way.Do(t, c.method, c.target, c.header, c.body)
			return a.Status == http.StatusInsufficientStorage && strings.Contains(string(a.Body), "no room left"), fmt.Sprintf("%d %s", a.Status, a.Body)
		})
	}
	document := func() (bool, any) {
		_, err := f.items.UpsertItem(t.Context(), partition, item("full", 1), nil)
		return full(err), err
	}
	refusedSoon(t, "document while full", document)

	// Reads go on, tokens too, refusals are refusals, and probes know.
	check := func(when string) {
		t.Helper()
		got, err := f.secrets.GetSecret(t.Context(), "kept", "", nil)
		if err != nil || *got.Value != value {
			t.Errorf("%s: secret: %v", when, err)
		}
		items := f.numbers(t)
		for id, n := range acknowledged {
			if items[id] != n {
				t.Errorf("%s: item %s was acknowledged and is gone", when, id)
			}
		}
		if len(items) < len(acknowledged) {
			t.Errorf("%s: %d items of %d", when, len(items), len(acknowledged))
		}
		settings := p.ARM(t, "POST", site.ID+"/config/appsettings/list?api-version=2022-03-01", nil)
		if got := fmt.Sprint(settings["properties"]); got != "map[A:1]" {
			t.Errorf("%s: settings %s", when, got)
		}
		way.AppToken(t, f.app, way.VaultAudience())
		stranger := p.SuffixWay(t).Do(t, "GET", way.ARM()+site.ID+"?api-version=2022-03-01", harness.Bearer(way.AppToken(t, f.app, harness.ARMResource)), nil)
		if stranger.Status != http.StatusForbidden {
			t.Errorf("%s: a stranger's read: %d", when, stranger.Status)
		}
	}
	check("while full")
	unready := func() (bool, any) {
		status, body := probe(t, p, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), `"name":"space","ok":false`), fmt.Sprintf("%d %s", status, body)
	}
	refusedSoon(t, "readyz while full", unready)
	if status, _ := probe(t, p, "/livez"); status != 200 {
		t.Errorf("livez while full: %d", status)
	}
	refusedSoon(t, "metrics while full", func() (bool, any) {
		_, body := probe(t, p, "/metrics")
		return strings.Contains(string(body), "bulkhead_store_writable 0"), "no bulkhead_store_writable 0"
	})

	// A crash while the disk is full: what was acknowledged is read, writes are still refused.
	p.Kill9(t)
	free()
	nearly := fill(t, dir, 12<<20) // a start needs a little room
	p.Restart(t)
	free = keepFull(t, dir)
	check("after a crash while full")
	refusedSoon(t, "document after a crash while full", document)
	refusedSoon(t, "readyz after a crash while full", unready)

	// Room is made: all goes on, in the same process.
	free()
	if err := os.Remove(nearly); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if status, body := probe(t, p, "/readyz"); status != 200 {
		t.Errorf("readyz after room was made: %d %s", status, body)
	}
	for n := range 5 {
		id := "after-" + strconv.Itoa(n)
		if _, err := f.items.CreateItem(t.Context(), partition, item(id, n), nil); err != nil {
			t.Errorf("after room was made: %v", err)
		}
		acknowledged[id] = n
	}
	check("after room was made")
	// What was refused while the disk was full is in the trace all the same, and nothing waits any more.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, body := probe(t, p, "/metrics")
		if strings.Contains(string(body), "bulkhead_audit_buffered_records 0\n") && strings.Contains(string(body), "bulkhead_outbox_rows 0\n") {
			break
		}
		if time.Now().After(end) {
			t.Error("audit records or effects still wait 10s after room was made")
			break
		}
	}
	// And after a crash.
	p.Kill9(t)
	p.Restart(t)
	check("after a crash")
}
