package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

func openWith(t *testing.T, dir, source string) (*Platform, error) {
	t.Helper()
	cfg := Defaults()
	cfg.Data, cfg.MasterKey = dir, source
	return Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{Proxy: "127.0.0.1:1"})
}

func mustClose(t *testing.T, p *Platform) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func adminPost(t testing.TB, p *Platform, path string, in, out any) {
	t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: reach.InProcess{Handler: p.Admin()}}).Post("http://admin"+path, "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var e any
		_ = json.NewDecoder(resp.Body).Decode(&e)
		t.Fatalf("POST %s = %d %v", path, resp.StatusCode, e)
	}
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
}

// oldFolder makes a data folder as releases before encryption left it: a plain store, and records sealed with the master key itself.
func oldFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := seal.OpenOrCreate(filepath.Join(dir, masterKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	e, err := pebble.Open(filepath.Join(dir, storeFolder), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Update(t.Context(), platformShard, func(tx store.Tx) error { return tx.Put([]byte("k|master"), []byte(s.KeyID())) }); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill writes known names and secrets, and returns them.
func fill(t *testing.T, p *Platform) []string {
	t.Helper()
	var env reach.Environment
	adminGet(t, p, "/environment", &env)
	adminPost(t, p, "/tenants", map[string]string{"displayName": "Contoso Bank Zürich", "domain": "contosobank.example"}, nil)
	var app struct {
		Secret struct{ SecretText string }
	}
	adminPost(t, p, "/apps", map[string]any{"tenant": "contosobank.example", "displayName": "Payments daemon", "secret": true}, &app)
	known := []string{env.ClientSecret, app.Secret.SecretText, "Contoso Bank", "contosobank.example", "Payments daemon", p.install.SubscriptionID}
	for _, k := range known {
		if len(k) < 8 {
			t.Fatalf("%q is too short to be searched for", k)
		}
	}
	return known
}

// search returns which of the known strings stand in which file of the folder.
func search(t *testing.T, dir string, known []string) []string {
	t.Helper()
	var found []string
	files := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(p)
		for _, k := range known {
			if bytes.Contains(b, []byte(k)) {
				found = append(found, d.Name()+": "+k)
			}
		}
		return err
	})
	if err != nil || files < 8 {
		t.Fatalf("searched %d files: %v", files, err)
	}
	return found
}

func TestNothingReadable(t *testing.T) {
	dir := t.TempDir()
	p := openPlatform(t, dir)
	known := fill(t, p)
	if found := search(t, dir, known); len(found) > 0 {
		t.Errorf("while it runs: %v", found)
	}
	mustClose(t, p)
	if found := search(t, dir, known); len(found) > 0 {
		t.Errorf("once stopped: %v", found)
	}
	// The same search finds the names, though not the secret, in a folder that is not encrypted.
	dir = oldFolder(t)
	p = openPlatform(t, dir)
	known = fill(t, p)
	found := search(t, dir, known)
	if len(found) < 3 || slices.ContainsFunc(found, func(s string) bool { return strings.HasSuffix(s, known[0]) || strings.HasSuffix(s, known[1]) }) {
		t.Errorf("in a plain folder the search finds %v; it proves nothing, or a secret is readable", found)
	}
	mustClose(t, p)
}

func TestOpen_RefusesWithoutTheRightKeys(t *testing.T) {
	newFolder := func(t *testing.T) string {
		dir := t.TempDir()
		mustClose(t, openPlatform(t, dir))
		return dir
	}
	other := newFolder(t)
	for _, c := range []struct {
		name   string
		make   func(*testing.T) string
		damage func(dir string) error
		want   []string
	}{
		{"no master key", newFolder, func(dir string) error { return os.Remove(filepath.Join(dir, "master.key")) }, []string{"master.key is missing", "put that file back"}},
		{"another master key", newFolder, func(dir string) error {
			return errors2(os.Remove(filepath.Join(dir, "master.key")), os.Link(filepath.Join(other, "master.key"), filepath.Join(dir, "master.key")))
		}, []string{"wrong master key", "put that file back"}},
		{"no keyring", newFolder, func(dir string) error { return os.Remove(filepath.Join(dir, "keyring")) }, []string{"keyring is missing", "put that file back"}},
		{"neither", newFolder, func(dir string) error {
			return errors2(os.Remove(filepath.Join(dir, "keyring")), os.Remove(filepath.Join(dir, "master.key")))
		}, []string{"keyring is missing", "put that file back"}},
		{"keys of another folder", newFolder, func(dir string) error {
			for _, f := range []string{"keyring", "master.key"} {
				if err := errors2(os.Remove(filepath.Join(dir, f)), os.Link(filepath.Join(other, f), filepath.Join(dir, f))); err != nil {
					return err
				}
			}
			return nil
		}, []string{"data key that is not in the keyring"}},
		{"a plain store put in its place", newFolder, func(dir string) error {
			if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
				return err
			}
			return os.CopyFS(filepath.Join(dir, "store"), os.DirFS(filepath.Join(oldFolder(t), "store")))
		}, []string{"is not encrypted", "put the right one back"}},
		{"plain, no master key", oldFolder, func(dir string) error { return os.Remove(filepath.Join(dir, "master.key")) }, []string{"master.key is missing", "put that file back"}},
		{"plain, keys of another folder", oldFolder, func(dir string) error {
			return errors2(os.Remove(filepath.Join(dir, "master.key")), os.Link(filepath.Join(other, "master.key"), filepath.Join(dir, "master.key")))
		}, []string{"was sealed with"}},
		{"a passphrase", newFolder, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "words"), []byte("correct horse"), 0o600)
		}, []string{"wrong master key", "passphrase"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.make(t)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			source := ""
			if c.name == "a passphrase" {
				source = "passphrase-file:" + filepath.Join(dir, "words")
			}
			before := listing(t, dir)
			p, err := openWith(t, dir, source)
			if err == nil {
				p.Close()
				t.Fatal("it was opened")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if after := listing(t, dir); slices.Contains(after, "master.key") && !slices.Contains(before, "master.key") {
				t.Error("a refused start made a new master key")
			}
		})
	}
}

func errors2(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func clientSecretOf(t *testing.T, p *Platform) string {
	t.Helper()
	var env reach.Environment
	adminGet(t, p, "/environment", &env)
	if env.ClientSecret == "" {
		t.Fatal("no client secret")
	}
	return env.ClientSecret
}

func TestRotateMasterKey_Online(t *testing.T) {
	dir := t.TempDir()
	p := openPlatform(t, dir)
	secret := clientSecretOf(t, p)
	file := filepath.Join(dir, masterKeyFile)
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var said keyAnswer
	adminPost(t, p, "/master-key/rotate", MasterRotation{}, &said)
	if now, err := os.ReadFile(file); err != nil || bytes.Equal(now, old) || said.MasterKey != file || said.Pending {
		t.Errorf("after rotation: same key %v, %+v, %v", bytes.Equal(now, old), said, err)
	}
	adminPost(t, p, "/store-key/rotate", MasterRotation{}, &said)
	if got := clientSecretOf(t, p); got != secret {
		t.Error("the running platform lost its secrets")
	}
	adminPost(t, p, "/tenants", map[string]string{"displayName": "After", "domain": "after.example"}, nil)
	mustClose(t, p)
	p = openPlatform(t, dir)
	if clientSecretOf(t, p) != secret {
		t.Error("another secret after the rotation")
	}
	mustClose(t, p)
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := openWith(t, dir, ""); err == nil || !strings.Contains(err.Error(), "wrong master key") {
		if p != nil {
			p.Close()
		}
		t.Errorf("the old master key after rotation: %v", err)
	}
}

func TestRotateMasterKey_ToPassphraseAndBack(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	words := filepath.Join(elsewhere, "words")
	if err := os.WriteFile(words, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := openPlatform(t, dir)
	secret := clientSecretOf(t, p)
	var said keyAnswer
	adminPost(t, p, "/master-key/rotate", MasterRotation{Passphrase: []byte("correct horse battery")}, &said)
	if !said.Pending {
		t.Error("nobody has shown yet that they have the passphrase, but the old key is gone")
	}
	mustClose(t, p)
	mustClose(t, openPlatform(t, dir)) // the old key still does
	p, err := openWith(t, dir, "passphrase-file:"+words)
	if err != nil {
		t.Fatal(err)
	}
	if clientSecretOf(t, p) != secret {
		t.Error("another secret")
	}
	next := filepath.Join(elsewhere, seal.CredentialName)
	adminPost(t, p, "/master-key/rotate", MasterRotation{File: next}, &said)
	mustClose(t, p)
	for _, source := range []string{"", "passphrase-file:" + words} {
		if p, err := openWith(t, dir, source); err == nil {
			p.Close()
			t.Errorf("source %q opens after two rotations away from it", source)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", elsewhere)
	if p, err = openWith(t, dir, "credential"); err != nil {
		t.Fatal(err)
	}
	if clientSecretOf(t, p) != secret {
		t.Error("another secret with the credential")
	}
	mustClose(t, p)
}

func TestNewFolder_WithPassphraseHasNoKeyFile(t *testing.T) {
	dir := t.TempDir()
	words := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(words, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p, err := openWith(t, dir, "passphrase-file:"+words)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, p)
	}
	if slices.Contains(listing(t, dir), masterKeyFile) {
		t.Error("a key file was made all the same")
	}
}

// A folder from before opens as it is, is converted, and holds the same; cut off between the two renames, the next start goes on.
func TestEncrypt(t *testing.T) {
	for _, cut := range []string{"", "amid the copy", "between the renames", "before the keyring knows"} {
		t.Run(cut, func(t *testing.T) {
			dir := oldFolder(t)
			p := openPlatform(t, dir)
			known := fill(t, p)
			cfg := Defaults()
			cfg.Data = dir
			quiet := slog.New(slog.DiscardHandler)
			if err := Encrypt(cfg, quiet); err == nil || !strings.Contains(err.Error(), "does a bulkhead run on it") {
				t.Fatalf("while it runs: %v", err)
			}
			mustClose(t, p)
			at := func(name string) string { return filepath.Join(dir, name) }
			halfway := func() {
				k, err := cfg.openKeys(quiet)
				if err == nil {
					err = cipherfs.Copy(vfs.Default, cipherfs.New(vfs.Default, k.data), at(storeFolder), at(convertFolder))
				}
				if err == nil {
					err = os.Rename(at(storeFolder), at(plainFolder))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			switch cut {
			case "amid the copy":
				if err := os.Mkdir(at(convertFolder), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at(convertFolder)+"/000001.sst", []byte("half a"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := Encrypt(cfg, quiet); err != nil {
					t.Fatal(err)
				}
			case "between the renames":
				halfway()
			case "before the keyring knows":
				halfway()
				if err := os.Rename(at(convertFolder), at(storeFolder)); err != nil {
					t.Fatal(err)
				}
			default:
				if err := Encrypt(cfg, quiet); err != nil {
					t.Fatal(err)
				}
			}
			p = openPlatform(t, dir)
			if got := clientSecretOf(t, p); got != known[0] {
				t.Error("another installation than before")
			}
			mustClose(t, p)
			if found := search(t, dir, known); len(found) > 0 {
				t.Errorf("readable after the conversion: %v", found)
			}
			for _, name := range listing(t, dir) {
				if name == plainFolder || name == convertFolder {
					t.Errorf("%s was left", name)
				}
			}
			if k, err := cfg.openKeys(quiet); err != nil || !k.ring.Encrypted() {
				t.Errorf("the keyring does not know (%v)", err)
			}
			if err := Encrypt(cfg, quiet); err == nil || !strings.Contains(err.Error(), "no plain store") {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	for _, k := range p.keys.ring.StoreKeys() {
		for _, s := range []string{fmt.Sprintf("%v", p.keys.ring), fmt.Sprintf("%+v", p.keys.data), fmt.Sprintf("%#v", p.keys.data)} {
			if s != "[redacted]" || strings.Contains(s, string(k)) {
				t.Errorf("prints as %s", s)
			}
		}
	}
}
