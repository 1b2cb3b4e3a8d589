package packed

import (
	"os"
	"syscall"
)

// identity tells a file from another of its name, size and time: those can be set by whoever owns it, the time of its last change can't.
type identity struct {
	device, inode, changed uint64
}

func identityOf(info os.FileInfo) (id identity) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		id = identity{uint64(s.Dev), s.Ino, uint64(s.Ctim.Sec)*1e9 + uint64(s.Ctim.Nsec)} //nolint:unconvert // their types differ by architecture
	}
	return id
}
