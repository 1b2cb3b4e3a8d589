package slack

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// Trim gives back what the heap has no use for, and the pages of the program's own file that are in memory: a large program's start touches many that its work never does again. Those that are needed
// are read again, from the page cache. It is for a process that shall stay small and is done with its start.
func Trim() {
	debug.FreeOSMemory()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		if from, to, ok := ownReadOnly(line, exe); ok {
			trim(from, to)
		}
	}
}

// ownReadOnly takes the range of a line of /proc/self/maps that maps the program's file without a way to write: such pages are as the file has them.
func ownReadOnly(line []byte, exe string) (from, to uint64, ok bool) {
	f := bytes.Fields(line)
	if len(f) != 6 || string(f[5]) != exe || len(f[1]) != 4 || f[1][1] != '-' {
		return 0, 0, false
	}
	a, b, found := bytes.Cut(f[0], []byte("-"))
	from, err1 := strconv.ParseUint(string(a), 16, 64)
	to, err2 := strconv.ParseUint(string(b), 16, 64)
	return from, to, found && err1 == nil && err2 == nil && from < to
}

func trim(from, to uint64) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED) // advice only: what isn't taken changes nothing
}
