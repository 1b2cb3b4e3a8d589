package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// OpenOrCreate reads master keys from the file at path, or makes one there, readable by its owner alone. The file holds
// one or more keys of KeySize bytes, the one that seals first. Without it, sealed records are lost for good.
func OpenOrCreate(path string) (*Sealer, error) {
	keys, err := readKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil {
			return nil, fmt.Errorf("create master key: %w", err)
		}
		keys, err = readKeys(path) // another process may have been first
	}
	if err != nil {
		return nil, fmt.Errorf("open master key: %w", err)
	}
	return New(keys[0], keys[1:]...)
}

func readKeys(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s can be read or written by others (mode %04o); run: chmod 600 %s", path, perm, path)
	}
	const most = 64
	b := make([]byte, most*KeySize+1)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if n == 0 || n%KeySize != 0 || n > most*KeySize {
		return nil, fmt.Errorf("%s has %d bytes; a master key file has %d for each key, 1 to %d keys", path, info.Size(), KeySize, most)
	}
	var keys [][]byte
	for b = b[:n]; len(b) > 0; b = b[KeySize:] {
		keys = append(keys, b[:KeySize])
	}
	return keys, nil
}

// createKey makes the file whole or not at all, and never replaces one.
func createKey(path string) (err error) {
	key := make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return d.Close() // has no sync of folders
	}
	return errors.Join(d.Sync(), d.Close())
}
