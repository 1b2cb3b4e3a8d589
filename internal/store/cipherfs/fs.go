package cipherfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS encrypts what lies in the file system below it. Safe for concurrent use, as far as that one is.
type FS struct {
	vfs.FS // names, folders, links and locks are its business
	keys   *Keys
}

var _ vfs.FS = (*FS)(nil)

// New returns a file system whose files' contents are encrypted in the one below.
func New(below vfs.FS, keys *Keys) *FS { return &FS{FS: below, keys: keys} }

// Unwrap implements vfs.FS.
func (s *FS) Unwrap() vfs.FS { return s.FS }

// Create implements vfs.FS.
func (s *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return s.begin(f)
}

// ReuseForWrite implements vfs.FS. The file gets a key of its own again.
func (s *FS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(oldname, newname, c)
	if err != nil {
		return nil, err
	}
	return s.begin(f)
}

// begin writes a new header into f, which stands at its start, and makes it durable.
func (s *FS) begin(f vfs.File) (vfs.File, error) {
	h, c, err := s.keys.newHeader()
	if err == nil {
		_, err = f.Write(h)
	}
	if err == nil {
		err = f.SyncData()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write file header: %w", err), f.Close())
	}
	return &file{File: f, content: c, stream: c.stream(0)}, nil
}

// Open implements vfs.FS.
func (s *FS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	if _, dir, err := look(f); err != nil {
		return nil, err
	} else if dir {
		return f, nil
	}
	return s.resume(f, name)
}

// look returns the raw size of f, and whether it is a folder. It closes f if it can't tell.
func look(f vfs.File) (size int64, dir bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, false, errors.Join(err, f.Close())
	}
	return info.Size(), info.IsDir(), nil
}

// OpenReadWrite implements vfs.FS. A file with content can be read only: see ErrOverwrite.
func (s *FS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, opts...)
	if err != nil {
		return nil, err
	}
	size, dir, err := look(f)
	if err != nil {
		return nil, err
	}
	if dir {
		return f, nil
	}
	if size > HeaderSize {
		r, err := s.resume(f, name)
		if err != nil {
			return nil, err
		}
		return &appendFile{file: *r.(*file), end: -1}, nil
	}
	w, err := s.begin(f)
	if err != nil {
		return nil, err
	}
	return &appendFile{file: *w.(*file)}, nil
}

// resume reads the header of f, which stands at its start.
func (s *FS) resume(f vfs.File, name string) (vfs.File, error) {
	h := make([]byte, HeaderSize)
	n, err := io.ReadFull(f, h)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &file{File: f}, nil // cut off before anything was written
	case err != nil:
		return nil, errors.Join(fmt.Errorf("read header of %s: %w", name, err), f.Close())
	}
	if allZero(h[:n]) {
		if info, err := f.Stat(); err == nil && info.Size() == HeaderSize {
			return &file{File: f}, nil
		}
	}
	c, err := s.keys.openHeader(h)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return &file{File: f, content: c, stream: c.stream(0)}, nil
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// Stat implements vfs.FS.
func (s *FS) Stat(name string) (vfs.FileInfo, error) {
	info, err := s.FS.Stat(name)
	return contentInfo(info), err
}

// State is what a folder of store files holds.
type State int

// States of a folder.
const (
	Absent    State = iota // no folder, or no file with content
	Plain                  // files that are not encrypted
	Encrypted              // files of this package
)

// Detect tells whether the files in dir are encrypted, by the first one it finds that has content.
func Detect(below vfs.FS, dir string) (State, error) {
	names, err := below.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Absent, nil
	}
	if err != nil {
		return Absent, err
	}
	for _, name := range names {
		path := below.PathJoin(dir, name)
		if info, err := below.Stat(path); err != nil || info.IsDir() || info.Size() == 0 {
			continue
		}
		b := make([]byte, len(magic))
		n, err := readStart(below, path, b)
		switch {
		case err != nil:
			return Absent, err
		case [8]byte(b) == magic:
			return Encrypted, nil
		case n == len(b) && !allZero(b):
			return Plain, nil
		}
	}
	return Absent, nil
}

func readStart(below vfs.FS, path string, b []byte) (int, error) {
	f, err := below.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}
