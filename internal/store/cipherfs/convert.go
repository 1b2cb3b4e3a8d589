package cipherfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Copy copies the files of folder from, which are read through src, into folder to, which must not be there, writing them through dst. It
// reads each back and compares it. When it returns, the copy is durable. The file LOCK is left out, and so are folders below.
func Copy(src, dst vfs.FS, from, to string) error {
	if err := dst.MkdirAll(to, 0o700); err != nil {
		return err
	}
	names, err := src.List(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		a, b := src.PathJoin(from, name), dst.PathJoin(to, name)
		if info, err := src.Stat(a); err != nil {
			return err
		} else if info.IsDir() || name == "LOCK" {
			continue
		}
		if err := copyFile(src, dst, a, b); err != nil {
			return fmt.Errorf("copy %s: %w", a, err)
		}
		if err := sameContent(src, dst, a, b); err != nil {
			return fmt.Errorf("check copy of %s: %w", a, err)
		}
	}
	d, err := dst.OpenDir(to)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func copyFile(src, dst vfs.FS, a, b string) error {
	r, err := src.Open(a)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := dst.Create(b, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{r})
	return errors.Join(err, w.Sync(), w.Close())
}

func sameContent(src, dst vfs.FS, a, b string) error {
	x, err := src.Open(a)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := dst.Open(b)
	if err != nil {
		return err
	}
	defer y.Close()
	p, q := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(x, p)
		m, err2 := io.ReadFull(y, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return errors.New("it differs")
		}
		if n < len(p) {
			if atEnd(err) && atEnd(err2) {
				return nil
			}
			return errors.Join(err, err2)
		}
	}
}

func atEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
