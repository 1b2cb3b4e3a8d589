//go:build unix

package doctor

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// FreeSpace is what an ordinary user may still use on the disk of dir.
func FreeSpace(dir string) (bytes, files uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	files = uint64(s.Ffree)
	if s.Files == 0 { // a file system without a number of files, such as btrfs
		files = 1 << 62
	}
	return uint64(s.Bavail) * uint64(s.Bsize), files, nil
}

// alive tells whether a process has that number.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
