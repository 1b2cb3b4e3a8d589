package web

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// TestPackages_Full: a package that finds no room leaves nothing, and says it was for want of room.
func TestPackages_Full(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(strings.Repeat("text ", 1000))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	left := 0
	p := packages{blobs: filepath.Join(dir, "blobs"), sites: filepath.Join(dir, "sites"), room: func() error {
		if left--; left < 0 {
			return store.ErrFull
		}
		return nil
	}}
	if _, _, err := p.keep(bytes.NewReader(b.Bytes())); !store.IsFull(err) {
		t.Errorf("keep: got %v, want ErrFull", err)
	}
	if entries, _ := os.ReadDir(p.blobs); len(entries) != 0 {
		t.Errorf("keep left %v", entries)
	}
	left = 10
	hash, _, err := p.keep(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	left = 0
	if _, err := p.unpack("guid", hash, p.blob(hash)); !store.IsFull(err) {
		t.Errorf("unpack: got %v, want ErrFull", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(p.folder("guid"), "packages")); len(entries) != 0 {
		t.Errorf("unpack left %v", entries)
	}
	left = 10
	if _, err := p.unpack("guid", hash, p.blob(hash)); err != nil {
		t.Error(err)
	}
}
