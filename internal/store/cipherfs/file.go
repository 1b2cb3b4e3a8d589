package cipherfs

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is an open file. Read and Write share one position, as they do in the file below.
type file struct {
	vfs.File
	content *content      // nil: a file that ends inside its header, which reads as empty
	stream  cipher.Stream // stands at pos
	pos     int64
	broken  bool // a write failed
}

// Read implements vfs.File.
func (f *file) Read(p []byte) (int, error) {
	if f.content == nil {
		return 0, io.EOF
	}
	n, err := f.File.Read(p)
	f.stream.XORKeyStream(p[:n], p[:n])
	f.pos += int64(n)
	return n, err
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("cipherfs: read at %d", off)
	}
	if f.content == nil {
		return 0, io.EOF
	}
	n, err := f.File.ReadAt(p, off+HeaderSize)
	f.content.xor(p[:n], off)
	return n, err
}

// Write implements vfs.File. It encrypts in p, which vfs.File allows.
func (f *file) Write(p []byte) (int, error) {
	if f.content == nil || f.broken {
		return 0, ErrOverwrite
	}
	f.stream.XORKeyStream(p, p)
	n, err := f.File.Write(p)
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	f.pos += int64(n)
	// What of p is missing may lie on the disk all the same. The same place could be tried again with the same bytes only, and nobody can
	// promise that: the file takes no more.
	f.broken = err != nil
	return n, err
}

// WriteAt implements vfs.File: only a file of OpenReadWrite has it.
func (f *file) WriteAt([]byte, int64) (int, error) {
	return 0, fmt.Errorf("cipherfs: WriteAt needs a file of OpenReadWrite: %w", errors.ErrUnsupported)
}

// Preallocate implements vfs.File.
func (f *file) Preallocate(offset, length int64) error {
	if offset == 0 {
		return f.File.Preallocate(0, length+HeaderSize)
	}
	return f.File.Preallocate(offset+HeaderSize, length)
}

// SyncTo implements vfs.File.
func (f *file) SyncTo(length int64) (bool, error) { return f.File.SyncTo(length + HeaderSize) }

// Prefetch implements vfs.File.
func (f *file) Prefetch(offset, length int64) error {
	return f.File.Prefetch(offset+HeaderSize, length)
}

// Stat implements vfs.File.
func (f *file) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	return contentInfo(info), err
}

// appendFile is a file of OpenReadWrite: it takes bytes at its end only, and none if it had content before.
type appendFile struct {
	file
	end int64 // -1: read only
}

// Write implements vfs.File.
func (f *appendFile) Write(p []byte) (int, error) {
	if f.pos != f.end {
		return 0, ErrOverwrite
	}
	n, err := f.file.Write(p)
	f.end += int64(n)
	return n, err
}

// WriteAt implements vfs.File.
func (f *appendFile) WriteAt(p []byte, off int64) (int, error) {
	if off != f.end || f.content == nil {
		return 0, ErrOverwrite
	}
	f.content.xor(p, off)
	n, err := f.File.WriteAt(p, off+HeaderSize)
	f.end += int64(n)
	if err != nil {
		f.end = -1
	}
	return n, err
}

// info is a file's with the size of its content.
type info struct{ vfs.FileInfo }

func contentInfo(i vfs.FileInfo) vfs.FileInfo {
	if i == nil || i.IsDir() {
		return i
	}
	return info{i}
}

// Size implements fs.FileInfo.
func (i info) Size() int64 { return max(0, i.FileInfo.Size()-HeaderSize) }
