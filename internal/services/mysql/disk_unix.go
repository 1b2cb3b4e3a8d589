//go:build linux || darwin

package mysql

import "syscall"

// diskFree is how many bytes an ordinary user may still write below the folder, -1 if nobody knows.
func diskFree(folder string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(folder, &st) != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
