package doctor

import (
	"os"

	"golang.org/x/sys/windows"
)

// FreeSpace is what this user may still use on the disk of dir. Windows has no limit of files.
func FreeSpace(dir string) (bytes, files uint64, err error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(p, &bytes, nil, nil)
	return bytes, 1 << 62, err
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
