package slack

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// piece is how much of the program's file is mapped around a page that is touched. Where the page cache holds a file in large folios (as it does one that was just written or
// copied), Linux since 6.18 maps the whole folio, up to 2 MiB of which nobody asked for; before, it mapped 64 KiB. It never goes beyond a mapping's end.
const piece = 32 << 10

// Trim gives back what the heap has no use for, and the pages of the program's own file that are in memory: a large program's start touches many that its work never does again. Those that are needed
// are mapped again, from the page cache, by pieces. It is for a process that shall stay small and is done with its start.
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
	for _, r := range ownReadOnlyRanges(maps, exe) {
		cut(r)
		advise(r, unix.MADV_DONTNEED)
	}
}

// area is a part of the process's addresses.
type area struct{ from, to uint64 }

// ownReadOnlyRanges are the parts of the process that are the program's file and can't be written, neighbours as one.
func ownReadOnlyRanges(maps []byte, exe string) (all []area) {
	for line := range bytes.Lines(maps) {
		from, to, ok := ownReadOnly(line, exe)
		switch n := len(all); {
		case !ok:
		case n > 0 && all[n-1].to == from:
			all[n-1].to = to
		default:
			all = append(all, area{from, to})
		}
	}
	return all
}

// cut makes a mapping into many of a piece each, by giving every other one an advice of its own. The advice itself, to leave it out of dumps of the process, changes nothing: what is in a
// file isn't in one anyway.
func cut(r area) {
	for from := r.from; from < r.to; from += 2 * piece {
		advise(area{from, min(from+piece, r.to)}, unix.MADV_DONTDUMP)
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

func advise(r area, advice uintptr) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(r.from), uintptr(r.to-r.from), advice) // advice only: what isn't taken changes nothing
}
