package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func masterOf(t testing.TB, b byte) Master {
	t.Helper()
	m, err := MasterKey(bytes.Repeat([]byte{b}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func passphrase(t testing.TB, s string) Master {
	t.Helper()
	m, err := Passphrase([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// folder makes a key file and a ring that it opens.
func folder(t testing.TB) (keyFile, ringFile string, r *Ring) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ring-*") // these tests sync thousands of times
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	keyFile, ringFile = filepath.Join(dir, "master.key"), filepath.Join(dir, "keyring")
	if err := os.WriteFile(keyFile, bytes.Repeat([]byte{1}, KeySize), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err = CreateRing(ringFile, masterOf(t, 1), [][]byte{bytes.Repeat([]byte{9}, KeySize)}, true)
	if err != nil {
		t.Fatal(err)
	}
	r.cost = argon2id{Time: 1, Memory: 8 << 10, Threads: 1}
	return keyFile, ringFile, r
}

// start does what a start does: the master from its file opens the ring.
func start(keyFile, ringFile string) (*Ring, error) {
	m, err := Source{}.Read(keyFile)
	if err != nil {
		return nil, err
	}
	return OpenRing(ringFile, m)
}

func TestRing(t *testing.T) {
	t.Parallel()
	_, path, r := folder(t)
	s, err := r.Sealer()
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := New(bytes.Repeat([]byte{9}, KeySize)); s.KeyID() != want.KeyID() {
		t.Errorf("seals with %s, want the root given", s.KeyID())
	}
	keys := r.StoreKeys()
	added, err := r.AddStoreKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenRing(path, masterOf(t, 1))
	if err != nil || !again.Encrypted() {
		t.Fatalf("opened again: %v", err)
	}
	if d := cmp.Diff([][]byte{added, keys[0]}, again.StoreKeys()); d != "" {
		t.Errorf("store keys (-want +got):\n%s", d)
	}
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := OpenRingCopy(copied, "elsewhere", masterOf(t, 1)); err != nil || !bytes.Equal(kept.SealKeys(), bytes.Repeat([]byte{9}, KeySize)) {
		t.Errorf("a copy of the file: %v, or other keys", err)
	}
	if _, err := OpenRing(path, masterOf(t, 2)); !errors.Is(err, ErrMaster) || !strings.Contains(err.Error(), masterOf(t, 1).id()) {
		t.Errorf("another key: %v; want ErrMaster that names both", err)
	}
	if _, err := OpenRing(path, passphrase(t, "correct horse")); !errors.Is(err, ErrMaster) {
		t.Errorf("a passphrase: %v", err)
	}
	if _, err := OpenRing(path+"x", masterOf(t, 1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{keys[0], added, bytes.Repeat([]byte{9}, KeySize)} {
		if j, _ := json.Marshal(secret); bytes.Contains(b, secret) || bytes.Contains(b, j[1:20]) {
			t.Error("the file shows a key")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info, err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", r, masterOf(t, 1), masterOf(t, 1), r); s != "[redacted] [redacted] [redacted] [redacted]" {
		t.Errorf("prints as %s", s)
	}
}

// Every byte of the file counts: changed, the ring does not open, or is the same.
func TestRing_Damaged(t *testing.T) {
	t.Parallel()
	_, path, r := folder(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 4
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := OpenRing(path, masterOf(t, 1)); err == nil && !cmp.Equal(got.keys, r.keys) {
			t.Errorf("byte %d changed: opens with other keys", i)
		}
		if err := os.WriteFile(path, whole[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRing(path, masterOf(t, 1)); err == nil && i < len(whole)-1 {
			t.Errorf("cut at %d: opens", i)
		}
	}
}

var errCrash = errors.New("crash")

// crashAt returns a disk that does n steps and nothing after.
func crashAt(n int) disk {
	return disk{step: func(string) error {
		if n--; n < 0 {
			return errCrash
		}
		return nil
	}}
}

// A rotation that crashes at any step, and a start that crashes at any step of cleaning up after it, leave a folder that the key file
// opens, with the same keys; once a start has settled it, one master opens it and nothing lies about.
func TestRotateFile_CrashAtEachStep(t *testing.T) {
	t.Parallel()
	done := false
	for n := 0; !done; n++ {
		for m := 0; ; m++ {
			keyFile, ringFile, r := folder(t)
			want := r.keys
			r.disk = crashAt(n)
			err := r.RotateFile(keyFile)
			if err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			done = err == nil
			next, err := start(keyFile, ringFile)
			if err != nil {
				t.Fatalf("crash at step %d: %v", n, err)
			}
			next.disk = crashAt(m)
			settleErr := next.Settle(keyFile)
			if settleErr != nil && !errors.Is(settleErr, errCrash) {
				t.Fatal(settleErr)
			}
			last, err := start(keyFile, ringFile)
			if err != nil {
				t.Fatalf("crash at step %d, then at step %d of settling: %v", n, m, err)
			}
			if err := last.Settle(keyFile); err != nil {
				t.Fatal(err)
			}
			checkSettled(t, keyFile, ringFile, want, done)
			if t.Failed() {
				t.Fatalf("crash at step %d, then at step %d of settling", n, m)
			}
			if settleErr == nil {
				break
			}
		}
		if n > 100 {
			t.Fatal("a rotation never ends")
		}
	}
}

func checkSettled(t *testing.T, keyFile, ringFile string, want ringKeys, rotated bool) {
	t.Helper()
	r, err := start(keyFile, ringFile)
	if err != nil {
		t.Error(err)
		return
	}
	if !cmp.Equal(r.keys, want) || len(r.file.Slots) != 1 {
		t.Errorf("same keys: %v; %d slots, want 1", cmp.Equal(r.keys, want), len(r.file.Slots))
	}
	_, oldErr := OpenRing(ringFile, masterOf(t, 1))
	if b, err := os.ReadFile(keyFile); err != nil || (oldErr == nil) != bytes.Equal(b, bytes.Repeat([]byte{1}, KeySize)) {
		t.Errorf("the old key opens: %v, though the key file changed (%v)", oldErr == nil, err)
	}
	if rotated && !errors.Is(oldErr, ErrMaster) {
		t.Errorf("the old master key after rotation: %v", oldErr)
	}
	entries, err := os.ReadDir(filepath.Dir(keyFile))
	for _, e := range entries {
		if e.Name() != "master.key" && e.Name() != "keyring" && e.Name() != "keyring.new" {
			t.Errorf("%s lies about (%v)", e.Name(), err)
		}
	}
}

// A disk that fails, not a crash: the same process goes on, rotates again, and what it did opens.
func TestRotateFile_AgainAfterFailure(t *testing.T) {
	t.Parallel()
	for n := range 30 {
		keyFile, ringFile, r := folder(t)
		r.disk = crashAt(n)
		failed := r.RotateFile(keyFile) != nil
		for m := range 30 {
			r.disk = crashAt(m)
			again := r.RotateFile(keyFile)
			if _, err := start(keyFile, ringFile); err != nil {
				t.Fatalf("failed at step %d, then at %d: %v", n, m, err)
			}
			if again == nil || len(r.file.Slots) == maxSlots {
				break
			}
		}
		if !failed {
			return
		}
	}
}

func TestRotate_ToPassphrase(t *testing.T) {
	t.Parallel()
	keyFile, ringFile, r := folder(t)
	words := passphrase(t, "correct horse battery\r\n")
	if err := r.Rotate(words); err != nil {
		t.Fatal(err)
	}
	// Before a start with the passphrase, either opens.
	for _, m := range []Master{masterOf(t, 1), words} {
		if _, err := OpenRing(ringFile, m); err != nil {
			t.Error(err)
		}
	}
	old, err := start(keyFile, ringFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Settle(keyFile); err != nil {
		t.Fatal(err)
	}
	next, err := OpenRing(ringFile, passphrase(t, "correct horse battery"))
	if err != nil {
		t.Fatalf("settled by the old master: %v", err)
	}
	if err := next.Settle(""); err != nil {
		t.Fatal(err)
	}
	if _, err := start(keyFile, ringFile); !errors.Is(err, ErrMaster) || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("the key file after a start with the passphrase: %v", err)
	}
	if _, err := OpenRing(ringFile, passphrase(t, "correct horse batterx")); !errors.Is(err, ErrMaster) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if err := next.RotateFile(keyFile); err != nil {
		t.Fatal(err)
	}
	if back, err := start(keyFile, ringFile); err != nil || !cmp.Equal(back.keys, r.keys) {
		t.Errorf("back to a key file: %v", err)
	}
}

func TestSource(t *testing.T) {
	dir := t.TempDir()
	put := func(name, s string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(s), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	key := strings.Repeat("k", KeySize)
	file, words, open := put("file", key, 0o600), put("words", "correct horse\n", 0o600), put("open", key, 0o644)
	put(CredentialName, key, 0o400)
	for _, c := range []struct {
		source, credentials string
		want                Master
		err                 string
	}{
		{"", "", Master{key: []byte(key)}, ""},
		{"file", "", Master{key: []byte(key)}, ""},
		{"file:" + file, "", Master{key: []byte(key)}, ""},
		{"file:" + open, "", Master{}, "chmod 600"},
		{"file:" + dir + "/none", "", Master{}, "no such file"},
		{"credential", dir, Master{key: []byte(key)}, ""},
		{"credential", "", Master{}, "CREDENTIALS_DIRECTORY is not set"},
		{"credential", dir + "/none", Master{}, "no such file"},
		{"passphrase-file:" + words, "", Master{passphrase: []byte("correct horse")}, ""},
		{"passphrase-file:" + put("short", "1234567\n", 0o600), "", Master{}, "7 bytes"},
		{"passphrase-file:" + open, "", Master{}, "chmod 600"},
		{"passphrase-fd:x", "", Master{}, "no file descriptor"},
		{"passphrase", "", Master{}, "want file"},
		{"correct horse", "", Master{}, "want file"},
	} {
		t.Setenv("CREDENTIALS_DIRECTORY", c.credentials)
		s, err := ParseSource(c.source)
		var got Master
		if err == nil {
			got, err = s.Read(file)
		}
		if c.err == "" && (err != nil || !bytes.Equal(got.key, c.want.key) || !bytes.Equal(got.passphrase, c.want.passphrase)) {
			t.Errorf("%q: %v, or another master", c.source, err)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: got %v, want %q", c.source, err, c.err)
		}
	}
}

func FuzzRing(f *testing.F) {
	_, path, _ := folder(f)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"bulkheadKeyring":1,"slots":[{"kind":"passphrase","argon2id":{"salt":"AAAAAAAAAAAAAAAAAAAAAA==","time":1,"memoryKiB":8192,"threads":1}}],"keys":""}`))
	f.Add([]byte(`{"bulkheadKeyring":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ring, err := parseRing(b)
		if err != nil {
			return
		}
		for _, s := range ring.Slots {
			if s.Kind == kindKey && s.open(masterOf(t, 1)) != nil && !bytes.Contains(whole, []byte(s.ID)) {
				t.Errorf("a forged slot opens")
			}
		}
	})
}
