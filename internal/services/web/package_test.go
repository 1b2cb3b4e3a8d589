package web

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

type entry struct {
	name, body string
	mode       fs.FileMode
}

func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testPackages(t testing.TB) packages {
	dir := t.TempDir()
	return packages{blobs: filepath.Join(dir, "data", "blobs"), sites: filepath.Join(dir, "data", "sites")}
}

func TestPackages_KeepAndUnpack(t *testing.T) {
	t.Parallel()
	p := testPackages(t)
	body := makeZip(t, entry{"run", "#!/bin/sh\n", 0o755}, entry{"sub/data.txt", "hello", 0o644}, entry{`win\dows.txt`, "hi", 0})
	hash, size, err := p.keep(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if size != int64(len(body)) || len(hash) != 64 {
		t.Errorf("got %s, %d bytes", hash, size)
	}
	if st, err := os.Stat(p.blob(hash)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("blob: %v %v", st.Mode(), err)
	}
	if again, _, err := p.keep(bytes.NewReader(body)); again != hash || err != nil {
		t.Errorf("kept again: %s %v", again, err)
	}
	dir, err := p.unpack("site", hash, p.blob(hash))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"run": "#!/bin/sh\n", "sub/data.txt": "hello", "win/dows.txt": "hi"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if st, _ := os.Stat(filepath.Join(dir, "run")); st.Mode().Perm() != 0o700 {
		t.Errorf("run: %v", st.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(p.blobs, ".upload-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnpack_Attacks(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"parent":          makeZip(t, entry{"../evil", "x", 0}),
		"deep parent":     makeZip(t, entry{"a/../../evil", "x", 0}),
		"inner parent":    makeZip(t, entry{"a/../evil", "x", 0}),
		"absolute":        makeZip(t, entry{"/evil", "x", 0}),
		"backslashes":     makeZip(t, entry{`..\evil`, "x", 0}),
		"drive":           makeZip(t, entry{`C:\evil`, "x", 0}),
		"symlink":         makeZip(t, entry{"link", "/etc/passwd", fs.ModeSymlink | 0o777}),
		"through symlink": makeZip(t, entry{"link", "..", fs.ModeSymlink | 0o777}, entry{"link/evil", "x", 0}),
		"device":          makeZip(t, entry{"dev", "", fs.ModeDevice | 0o666}),
		"twice":           makeZip(t, entry{"a", "x", 0}, entry{"a", "y", 0}),
		"below a file":    makeZip(t, entry{"a", "x", 0}, entry{"a/b", "y", 0}),
		"bomb":            makeZip(t, entry{"zeros", strings.Repeat("\x00", 20<<20), 0}, entry{"more", strings.Repeat("\x00", 20<<20), 0}),
		"not a zip":       []byte("PK\x03\x04 not really"),
		"empty":           nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPackages(t)
			hash, _, err := p.keep(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			dir, err := p.unpack("site", hash, p.blob(hash))
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("unpacked to %s: %v", dir, err)
			}
			var found []string
			_ = filepath.WalkDir(filepath.Dir(filepath.Dir(p.sites)), func(path string, d fs.DirEntry, _ error) error {
				if d != nil && !d.IsDir() && path != p.blob(hash) {
					found = append(found, path)
				}
				return nil
			})
			if len(found) > 0 {
				t.Errorf("left behind: %v", found)
			}
		})
	}
}

func FuzzEntryName(f *testing.F) {
	for _, s := range []string{"a/b", "../a", `a\..\..\b`, "/a", "C:/a", "a//b/", ".", "a/./b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, err := entryName(name)
		if err != nil {
			return
		}
		if !filepath.IsLocal(n) || strings.Contains(n, `\`) || strings.HasPrefix(filepath.Join("/root/dir", n), "/root/dir") == false {
			t.Fatalf("%q became %q", name, n)
		}
	})
}
