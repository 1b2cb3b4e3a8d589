package host

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	niceness       = 10
	ioprioWhoPID   = 1 // IOPRIO_WHO_PROCESS
	ioprioBestLow  = 2<<13 | 7
	ioprioSyscall  = unix.SYS_IOPRIO_SET
	ownThreadsPath = "/proc/self/task"
)

// Yield lets everything else on the machine go first, as far as the kernel allows: for the CPU and for disks. Threads that are started later inherit it.
func Yield() error {
	tasks, err := filepath.Glob(filepath.Join(ownThreadsPath, "*"))
	if err != nil || len(tasks) == 0 {
		return os.ErrNotExist
	}
	var first error
	for _, t := range tasks {
		tid, err := strconv.Atoi(filepath.Base(t))
		if err != nil {
			continue
		}
		// Linux keeps both by thread.
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, niceness); err != nil && first == nil {
			first = err
		}
		if _, _, errno := unix.Syscall(ioprioSyscall, ioprioWhoPID, uintptr(tid), ioprioBestLow); errno != 0 && first == nil {
			first = errno
		}
	}
	return first
}
