//go:build unix

package scripts

import "golang.org/x/sys/unix"

// confine takes from a worker what it never needs: files to write, cores, more than a few descriptors.
func confine() {
	for resource, limit := range map[int]uint64{unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: 32} {
		_ = unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit})
	}
}
