package cipherfs_test

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
)

// taps is a file system that shows every byte written into it.
type taps struct {
	vfs.FS
	mu    sync.Mutex
	bytes [][]byte // one for each write
}

func (s *taps) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	return &tapFile{f, s}, err
}

func (s *taps) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(old, name, c)
	return &tapFile{f, s}, err
}

func (s *taps) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, o...)
	return &tapFile{f, s}, err
}

func (s *taps) add(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes = append(s.bytes, append([]byte(nil), p...))
}

type tapFile struct {
	vfs.File
	s *taps
}

func (f *tapFile) Write(p []byte) (int, error) { f.s.add(p); return f.File.Write(p) }

func (f *tapFile) WriteAt(p []byte, off int64) (int, error) {
	f.s.add(p)
	return f.File.WriteAt(p, off)
}

// Zeros are written by every way there is; what arrives below is the keystream itself, of which no block may ever come twice.
func TestKeystreamIsNeverReused(t *testing.T) {
	t.Parallel()
	below := &taps{FS: vfs.NewMem()}
	ring := keys(t, 1)
	f := cipherfs.New(below, ring)
	const size = 64 * 16
	put := func(w vfs.File, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	contents := 0
	for i := range 20 {
		put(f.Create("a", category)) // over an older one of the same name
		if err := f.Link("a", "b"); err != nil {
			t.Fatal(err)
		}
		put(f.ReuseForWrite("a", "c", category))
		put(f.ReuseForWrite("c", "d", category)) // again, under another name
		put(f.OpenReadWrite("e", category))
		for _, n := range []string{"b", "d", "e"} {
			if w, err := f.OpenReadWrite(n, category); err == nil { // has content: must refuse
				_, _ = w.Write(make([]byte, size))
				_, _ = w.WriteAt(make([]byte, size), 0)
				_, _ = w.WriteAt(make([]byte, size), 2*size)
				w.Close()
			}
			if err := f.Remove(n); err != nil {
				t.Fatal(err)
			}
		}
		contents += 4
		if i%5 == 4 {
			if err := ring.Use(keyOf(byte(10 + i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[[16]byte]bool{}
	heads, blocks := map[string]bool{}, 0
	for _, b := range below.bytes {
		if len(b) == cipherfs.HeaderSize {
			heads[string(b)] = true
			continue
		}
		for ; len(b) >= 16; b = b[16:] {
			at := [16]byte(b)
			if seen[at] {
				t.Fatalf("keystream block %x was used twice", at)
			}
			seen[at] = true
			blocks++
		}
	}
	if len(heads) != contents || blocks != contents*2*size/16 {
		t.Errorf("saw %d headers and %d blocks, want %d and %d", len(heads), blocks, contents, contents*2*size/16)
	}
}
