//go:build unix

package tail

import (
	"io/fs"
	"syscall"
)

// idOf is what the system knows a file by, whatever it is called.
func idOf(info fs.FileInfo) fileID {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{Dev: uint64(s.Dev), Inode: uint64(s.Ino)} //nolint:unconvert // of other widths elsewhere
	}
	return fileID{}
}
