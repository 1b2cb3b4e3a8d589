package app

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate makes a file larger, with its place on the disk, so that the disk has that many bytes left.
func allocate(path string, leave int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return unix.Fallocate(int(f.Fd()), 0, 0, info.Size()+int64(st.Bavail)*st.Bsize-leave)
}
