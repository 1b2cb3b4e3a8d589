package honeypot

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
)

// sftp serves the visitor's files over a channel, and keeps what is put there.
func (v *visit) sftp(ch io.ReadWriter) int {
	v.event(record.Event{Kind: "exec", Text: "sftp"})
	a := v.account(v.user)
	f := &sftpFiles{v: v, user: a.User}
	home := a.Home
	if _, err := v.fs.Stat(a.User, home); err != nil {
		home = "/"
	}
	s := sftp.NewRequestServer(unclosed{ch}, sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f}, sftp.WithStartDirectory(home))
	_ = s.Serve() // however the client leaves
	_ = s.Close()
	f.flush()
	return 0
}

// sftpFiles answers sftp's requests from the visitor's file system.
type sftpFiles struct {
	v    *visit
	user memfs.User
	mu   sync.Mutex
	open []*upload
}

// unclosed keeps the library from closing a channel on which the exit status is still to be sent.
type unclosed struct{ io.ReadWriter }

// Close implements io.Closer.
func (unclosed) Close() error { return nil }

func sftpError(err error) error {
	switch {
	case errors.Is(err, memfs.ErrNotExist):
		return os.ErrNotExist
	case errors.Is(err, memfs.ErrPermitted):
		return os.ErrPermission
	case err != nil:
		return sftp.ErrSSHFxFailure
	}
	return nil
}

// Fileread implements sftp.FileReader.
func (f *sftpFiles) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	b, err := f.v.fs.Read(f.user, r.Filepath, 1<<20)
	if err != nil {
		return nil, sftpError(err)
	}
	f.v.event(record.Event{Kind: "note", How: "sftp-get", Path: r.Filepath})
	return bytes.NewReader(b), nil
}

// upload is a file that is being written. It grows in place, within the limits, and is put into the file system when it is closed.
type upload struct {
	f     *sftpFiles
	path  string
	mode  fs.FileMode
	limit int64
	mu    sync.Mutex
	data  []byte
	done  bool
}

// WriteAt implements io.WriterAt.
func (u *upload) WriteAt(b []byte, off int64) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if off < 0 || off > u.limit || off+int64(len(b)) > u.limit {
		return 0, sftp.ErrSSHFxFailure
	}
	if need := int(off) + len(b); need > len(u.data) {
		u.data = append(u.data, make([]byte, need-len(u.data))...)
	}
	copy(u.data[off:], b)
	return len(b), nil
}

// Close implements io.Closer.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return nil
	}
	u.done = true
	u.f.v.Kept("sftp", u.path, u.data)
	return sftpError(u.f.v.fs.Write(u.f.user, u.path, u.data, false, u.mode))
}

// Filewrite implements sftp.FileWriter.
func (f *sftpFiles) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	if err := f.v.fs.Write(f.user, r.Filepath, nil, true, 0o644); err != nil {
		return nil, sftpError(err)
	}
	u := &upload{f: f, path: r.Filepath, mode: 0o644, limit: f.v.h.cfg.Limits.Written}
	if flags := r.Pflags(); !flags.Trunc && !flags.Creat || flags.Append {
		if b, err := f.v.fs.Read(f.user, r.Filepath, 1<<20); err == nil {
			u.data = append([]byte(nil), b...)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open = append(f.open, u); len(f.open) > maxKept {
		return nil, sftp.ErrSSHFxFailure
	}
	return u, nil
}

// flush ends uploads that a visitor left open.
func (f *sftpFiles) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.open {
		_ = u.Close()
	}
}

// Filecmd implements sftp.FileCmder.
func (f *sftpFiles) Filecmd(r *sftp.Request) error {
	f.v.event(record.Event{Kind: "note", How: "sftp-" + r.Method, Path: r.Filepath, Text: r.Target})
	switch r.Method {
	case "Setstat":
		attrs, flags := r.Attributes(), r.AttrFlags()
		if !flags.Permissions {
			return nil
		}
		return sftpError(f.v.fs.Change(f.user, r.Filepath, func(n *memfs.Node) { n.Mode = attrs.FileMode().Perm() }))
	case "Rename", "PosixRename":
		return sftpError(f.v.fs.Rename(f.user, r.Filepath, r.Target))
	case "Rmdir", "Remove":
		return sftpError(f.v.fs.Remove(f.user, r.Filepath))
	case "Mkdir":
		return sftpError(f.v.fs.Mkdir(f.user, r.Filepath, 0o755))
	case "Symlink":
		return sftpError(f.v.fs.Symlink(f.user, r.Filepath, r.Target))
	}
	return sftp.ErrSSHFxOpUnsupported
}

// Filelist implements sftp.FileLister.
func (f *sftpFiles) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	switch r.Method {
	case "List":
		names, err := f.v.fs.ReadDir(f.user, r.Filepath)
		if err != nil {
			return nil, sftpError(err)
		}
		var out entries
		for _, n := range names {
			if i, err := f.v.fs.Lstat(f.user, path.Join(r.Filepath, n)); err == nil {
				out = append(out, fileInfo{n, i})
			}
		}
		return out, nil
	case "Stat":
		i, err := f.v.fs.Stat(f.user, r.Filepath)
		if err != nil {
			return nil, sftpError(err)
		}
		return entries{fileInfo{path.Base(r.Filepath), i}}, nil
	}
	i, err := f.v.fs.Lstat(f.user, r.Filepath)
	if err != nil {
		return nil, sftpError(err)
	}
	if r.Method == "Readlink" {
		return entries{fileInfo{i.Target, i}}, nil
	}
	return entries{fileInfo{path.Base(r.Filepath), i}}, nil
}

// LookupUserName implements sftp.NameLookupFileLister: without it the host would be asked.
func (f *sftpFiles) LookupUserName(uid string) string {
	for _, u := range f.v.h.persona.Users {
		if strconv.FormatUint(uint64(u.UID), 10) == uid {
			return u.Name
		}
	}
	return uid
}

// LookupGroupName implements sftp.NameLookupFileLister.
func (f *sftpFiles) LookupGroupName(gid string) string { return f.LookupUserName(gid) }

// Lstat implements sftp.LstatFileLister.
func (f *sftpFiles) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	i, err := f.v.fs.Lstat(f.user, r.Filepath)
	if err != nil {
		return nil, sftpError(err)
	}
	return entries{fileInfo{path.Base(r.Filepath), i}}, nil
}

type entries []fs.FileInfo

// ListAt implements sftp.ListerAt.
func (e entries) ListAt(to []fs.FileInfo, off int64) (int, error) {
	if off >= int64(len(e)) {
		return 0, io.EOF
	}
	n := copy(to, e[off:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

type fileInfo struct {
	name string
	info memfs.Info
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.info.Size() }
func (i fileInfo) Mode() fs.FileMode  { return i.info.Mode }
func (i fileInfo) ModTime() time.Time { return i.info.Modified }
func (i fileInfo) IsDir() bool        { return i.info.Mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }

// Uid and Gid implement sftp.FileInfoUidGid.
func (i fileInfo) Uid() uint32 { return i.info.UID } //nolint:revive // the interface's name
func (i fileInfo) Gid() uint32 { return i.info.GID } //nolint:revive // the interface's name
