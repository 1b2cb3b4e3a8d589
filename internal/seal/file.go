package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// maxKeys is how many keys a key file may hold.
const maxKeys = 64

// OpenOrCreate reads sealing keys from the file at path, or makes one there, readable by its owner alone. The file holds
// one or more keys of KeySize bytes, the one that seals first. Without it, sealed records are lost for good.
func OpenOrCreate(path string) (*Sealer, error) {
	keys, err := ReadOrCreateKeys(path)
	if err != nil {
		return nil, err
	}
	return New(keys[0], keys[1:]...)
}

// ReadOrCreateKeys returns the keys of the file at path, of which there is at least one; it makes the file if it is not there.
func ReadOrCreateKeys(path string) ([][]byte, error) {
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
	return keys, nil
}

// readPrivate reads a regular file that nobody but its owner may read or write, at most most+1 bytes of it.
func readPrivate(path string, most int64) ([]byte, error) {
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
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

func readKeys(path string) ([][]byte, error) {
	b, err := readPrivate(path, maxKeys*KeySize)
	if err != nil {
		return nil, err
	}
	if n := len(b); n == 0 || n%KeySize != 0 || n > maxKeys*KeySize {
		return nil, fmt.Errorf("%s has %d bytes; a master key file has %d for each key, 1 to %d keys", path, n, KeySize, maxKeys)
	}
	var keys [][]byte
	for ; len(b) > 0; b = b[KeySize:] {
		keys = append(keys, b[:KeySize])
	}
	return keys, nil
}

// NewKey draws a key of KeySize bytes.
func NewKey() ([]byte, error) {
	k := make([]byte, KeySize)
	_, err := rand.Read(k)
	return k, err
}

// createKey makes the file whole or not at all, and never replaces one.
func createKey(path string) error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	return disk{}.create(path, key)
}
