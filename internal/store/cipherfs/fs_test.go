package cipherfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
)

func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, cipherfs.KeySize) }

func keys(t testing.TB, all ...byte) *cipherfs.Keys {
	t.Helper()
	var older [][]byte
	for _, b := range all[1:] {
		older = append(older, keyOf(b))
	}
	k, err := cipherfs.NewKeys(keyOf(all[0]), older...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const category = vfs.WriteCategoryUnspecified

func write(t testing.TB, f vfs.FS, name string, parts ...[]byte) {
	t.Helper()
	w, err := f.Create(name, category)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if n, err := w.Write(bytes.Clone(p)); err != nil || n != len(p) {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func readAll(f vfs.FS, name string) ([]byte, error) {
	r, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// raw writes the bytes below the encryption.
func raw(t testing.TB, below vfs.FS, name string, b []byte) { t.Helper(); write(t, below, name, b) }

func TestRoundTrip_EveryOffset(t *testing.T) {
	t.Parallel()
	below := vfs.NewMem()
	f := cipherfs.New(below, keys(t, 1))
	plain := make([]byte, 700)
	for i := range plain {
		plain[i] = byte(i * 7)
	}
	write(t, f, "a", plain[:1], plain[1:17], plain[17:400], plain[400:])
	if got, err := readAll(f, "a"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("sequential read differs: %v", err)
	}
	r, err := f.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, size := range []int{1, 15, 16, 17, 128, 129, 300} {
		for off := range len(plain) - size {
			got := make([]byte, size)
			if _, err := r.ReadAt(got, int64(off)); err != nil || !bytes.Equal(got, plain[off:off+size]) {
				t.Fatalf("ReadAt(%d bytes, %d): differs (%v)", size, off, err)
			}
		}
	}
	got := make([]byte, 100)
	if n, err := r.ReadAt(got, 650); n != 50 || err != io.EOF || !bytes.Equal(got[:n], plain[650:]) {
		t.Errorf("ReadAt over the end: got %d, %v; want 50, EOF", n, err)
	}
	for name, size := range map[string]func() (vfs.FileInfo, error){"file": r.Stat, "fs": func() (vfs.FileInfo, error) { return f.Stat("a") }} {
		if i, err := size(); err != nil || i.Size() != 700 {
			t.Errorf("%s Stat: got %v, %v; want 700 bytes", name, i, err)
		}
	}
	b, err := readAll(below, "a")
	if err != nil || len(b) != 700+cipherfs.HeaderSize || bytes.Contains(b, plain[:8]) {
		t.Errorf("below: %d bytes, plain found %v, %v", len(b), bytes.Contains(b, plain[:8]), err)
	}
}

// The same random operations on an encrypted and on a plain file system give the same answers.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			m := &model{
				t: t, rng: rng, want: vfs.Default, got: cipherfs.New(vfs.Default, keys(t, 1)),
				wantDir: t.TempDir(), gotDir: t.TempDir(),
			}
			for range 150 {
				m.step()
			}
			m.compareAll()
		})
	}
}

type model struct {
	t               *testing.T
	rng             *rand.Rand
	want, got       vfs.FS
	wantDir, gotDir string
}

func (m *model) name() string { return fmt.Sprintf("f%d", m.rng.IntN(6)) }

// both runs op on either side and compares what it says, and whether it failed for the same reason.
func (m *model) both(what string, op func(f vfs.FS, at func(string) string) (any, error)) {
	m.t.Helper()
	want, wantErr := op(m.want, func(n string) string { return filepath.Join(m.wantDir, n) })
	got, gotErr := op(m.got, func(n string) string { return filepath.Join(m.gotDir, n) })
	if (wantErr == nil) != (gotErr == nil) || errors.Is(wantErr, fs.ErrNotExist) != errors.Is(gotErr, fs.ErrNotExist) ||
		errors.Is(wantErr, io.EOF) != errors.Is(gotErr, io.EOF) {
		m.t.Fatalf("%s: got error %v, want %v", what, gotErr, wantErr)
	}
	if d := cmp.Diff(want, got); d != "" {
		m.t.Fatalf("%s: (-want +got)\n%s", what, d)
	}
}

func (m *model) parts() [][]byte {
	var parts [][]byte
	for range m.rng.IntN(5) {
		p := make([]byte, m.rng.IntN(5000))
		for i := range p {
			p[i] = byte(m.rng.Uint32())
		}
		parts = append(parts, p)
	}
	return parts
}

func writeParts(w vfs.File, parts [][]byte) error {
	for i, p := range parts {
		if _, err := w.Write(bytes.Clone(p)); err != nil {
			return err
		}
		if i == 1 {
			if _, err := w.SyncTo(int64(len(p))); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.Preallocate(0, 8192), w.SyncData(), w.Sync(), w.Close())
}

func (m *model) step() {
	a, b, parts := m.name(), m.name(), m.parts()
	off, size := int64(m.rng.IntN(12000)), m.rng.IntN(6000)
	switch m.rng.IntN(9) {
	case 0, 1:
		m.both("create "+a, func(f vfs.FS, at func(string) string) (any, error) {
			w, err := f.Create(at(a), category)
			if err != nil {
				return nil, err
			}
			return nil, writeParts(w, parts)
		})
	case 2:
		m.both("link", func(f vfs.FS, at func(string) string) (any, error) { return nil, f.Link(at(a), at(b)) })
	case 3:
		m.both("rename", func(f vfs.FS, at func(string) string) (any, error) { return nil, f.Rename(at(a), at(b)) })
	case 4:
		m.both("remove", func(f vfs.FS, at func(string) string) (any, error) { return nil, f.Remove(at(a)) })
	case 5:
		m.reuse(a, parts)
	case 6:
		m.both("read at", func(f vfs.FS, at func(string) string) (any, error) {
			r, err := f.Open(at(a))
			if err != nil {
				return nil, err
			}
			defer r.Close()
			p := make([]byte, size)
			n, err := r.ReadAt(p, off)
			return p[:n], errors.Join(err, r.Prefetch(off, int64(size)))
		})
	case 7:
		m.both("open read write", func(f vfs.FS, at func(string) string) (any, error) {
			r, err := f.OpenReadWrite(at(a), category)
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		})
	case 8:
		m.compareAll()
	}
}

// reuse writes at least as much as was there: what lies behind is the old content on a plain disk and noise on an encrypted one.
func (m *model) reuse(a string, parts [][]byte) {
	if i, err := m.want.Stat(filepath.Join(m.wantDir, a)); err == nil {
		parts = append(parts, make([]byte, i.Size()))
	}
	m.both("reuse", func(f vfs.FS, at func(string) string) (any, error) {
		w, err := f.ReuseForWrite(at(a), at("reused"), category)
		if err != nil {
			return nil, err
		}
		return nil, errors.Join(writeParts(w, parts), f.Rename(at("reused"), at(a)))
	})
}

func (m *model) compareAll() {
	m.both("list", func(f vfs.FS, at func(string) string) (any, error) {
		names, err := f.List(at(""))
		slices.Sort(names)
		all := map[string][]byte{}
		for _, n := range names {
			b, err := readAll(f, at(n))
			if err != nil {
				return nil, err
			}
			i, err := f.Stat(at(n))
			if err != nil || i.Size() != int64(len(b)) {
				return nil, fmt.Errorf("stat %s: %v, %w", n, i, err)
			}
			all[n] = b
		}
		return all, err
	})
}

func TestOpenReadWrite_Appends(t *testing.T) {
	t.Parallel()
	f := cipherfs.New(vfs.NewMem(), keys(t, 1))
	w, err := f.OpenReadWrite("a", category)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range []string{"one", "two", "three"} {
		if _, err := w.WriteAt([]byte(part), int64([]int{0, 3, 6}[i])); err != nil {
			t.Fatal(err)
		}
	}
	for _, off := range []int64{0, 3, 12} {
		if n, err := w.WriteAt([]byte("x"), off); n != 0 || !errors.Is(err, cipherfs.ErrOverwrite) {
			t.Errorf("WriteAt(%d) at end 11: got %d, %v", off, n, err)
		}
	}
	if got, err := readAll(f, "a"); err != nil || string(got) != "onetwothree" {
		t.Errorf("got %q, %v", got, err)
	}
	again, err := f.OpenReadWrite("a", category)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Write([]byte("x")); !errors.Is(err, cipherfs.ErrOverwrite) {
		t.Errorf("Write into a file with content: %v", err)
	}
	c, err := f.Create("b", category)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteAt([]byte("x"), 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteAt on a created file: %v", err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	below := vfs.NewMem()
	ring := keys(t, 1)
	f := cipherfs.New(below, ring)
	write(t, f, "old", []byte("old"))
	first := ring.ActiveID()
	if err := ring.Use(keyOf(2)); err != nil || ring.ActiveID() == first {
		t.Fatalf("Use: %v, active key %s as before", err, first)
	}
	write(t, f, "new", []byte("new"))
	for _, c := range []struct {
		keys      *cipherfs.Keys
		file      string
		want      string
		wantError error
	}{
		{ring, "old", "old", nil},
		{ring, "new", "new", nil},
		{keys(t, 2, 1), "old", "old", nil},
		{keys(t, 1), "old", "old", nil},
		{keys(t, 1), "new", "", cipherfs.ErrKey},
		{keys(t, 3), "old", "", cipherfs.ErrKey},
	} {
		got, err := readAll(cipherfs.New(below, c.keys), c.file)
		if string(got) != c.want || !errors.Is(err, c.wantError) {
			t.Errorf("%s with %s: got %q, %v; want %q, %v", c.file, c.keys.ActiveID(), got, err, c.want, c.wantError)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s %x", ring, ring, ring, ring, ring); s != "[redacted] [redacted] [redacted] [redacted] [redacted]" {
		t.Errorf("keys print as %s", s)
	}
	if _, err := cipherfs.NewKeys(keyOf(1)[:31]); err == nil {
		t.Error("a short key was taken")
	}
}

func TestHeader_CutOrDamaged(t *testing.T) {
	t.Parallel()
	below := vfs.NewMem()
	f := cipherfs.New(below, keys(t, 1))
	write(t, f, "a", []byte("content"))
	whole, err := readAll(below, "a")
	if err != nil {
		t.Fatal(err)
	}
	for n := range cipherfs.HeaderSize { // cut off: nothing was written yet
		raw(t, below, "b", whole[:n])
		if got, err := readAll(f, "b"); err != nil || len(got) != 0 {
			t.Errorf("%d bytes of header: got %q, %v; want empty", n, got, err)
		}
		if i, err := f.Stat("b"); err != nil || i.Size() != 0 {
			t.Errorf("%d bytes of header: size %v, %v", n, i, err)
		}
	}
	raw(t, below, "b", make([]byte, cipherfs.HeaderSize))
	if got, err := readAll(f, "b"); err != nil || len(got) != 0 {
		t.Errorf("a header of zeros alone: got %q, %v; want empty", got, err)
	}
	raw(t, below, "b", make([]byte, cipherfs.HeaderSize+1))
	if _, err := readAll(f, "b"); !errors.Is(err, cipherfs.ErrHeader) {
		t.Errorf("zeros, longer than a header: %v", err)
	}
	for i := range cipherfs.HeaderSize {
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		raw(t, below, "b", bad)
		if got, err := readAll(f, "b"); !errors.Is(err, cipherfs.ErrHeader) && !errors.Is(err, cipherfs.ErrKey) {
			t.Errorf("byte %d changed: got %q, %v", i, got, err)
		}
	}
	raw(t, below, "b", bytes.Repeat([]byte("plain "), 40))
	if _, err := readAll(f, "b"); !errors.Is(err, cipherfs.ErrHeader) {
		t.Errorf("a plain file: %v", err)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	below := vfs.NewMem()
	check := func(dir string, want cipherfs.State) {
		t.Helper()
		if got, err := cipherfs.Detect(below, dir); err != nil || got != want {
			t.Errorf("Detect(%s) = %d, %v; want %d", dir, got, err, want)
		}
	}
	check("none", cipherfs.Absent)
	for _, d := range []string{"plain", "enc"} {
		if err := below.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		raw(t, below, d+"/LOCK", nil)
		check(d, cipherfs.Absent)
	}
	raw(t, below, "plain/OPTIONS-000001", []byte("[Version] and so on"))
	check("plain", cipherfs.Plain)
	write(t, cipherfs.New(below, keys(t, 1)), "enc/marker", nil)
	check("enc", cipherfs.Encrypted)
}

// A write that fails by half ends the file: trying the same place with other bytes would use its keystream twice.
func TestWrite_FailsOnce(t *testing.T) {
	t.Parallel()
	f := cipherfs.New(shortFS{vfs.NewMem()}, keys(t, 1))
	w, err := f.Create("a", category)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("a longer piece of text")); n != 4 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := w.Write([]byte("b")); !errors.Is(err, cipherfs.ErrOverwrite) {
		t.Errorf("after it: %v", err)
	}
}

type shortFS struct{ vfs.FS }

func (s shortFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	return &shortFile{File: f}, err
}

type shortFile struct {
	vfs.File
	writes int
}

func (f *shortFile) Write(p []byte) (int, error) {
	if f.writes++; f.writes > 1 {
		return f.File.Write(p[:4])
	}
	return f.File.Write(p)
}

func FuzzHeader(f *testing.F) {
	below := vfs.NewMem()
	c := cipherfs.New(below, keys(f, 1))
	write(f, c, "a", []byte("content"))
	whole, err := readAll(below, "a")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:63])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		below := vfs.NewMem()
		raw(t, below, "x", b)
		got, err := readAll(cipherfs.New(below, keys(t, 1)), "x")
		if err == nil && len(got) != max(0, len(b)-cipherfs.HeaderSize) {
			t.Errorf("%d bytes read as %d", len(b), len(got))
		}
		if _, err := cipherfs.Detect(below, ""); err != nil {
			t.Error(err)
		}
	})
}
