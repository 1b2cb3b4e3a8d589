package store

import (
	"errors"
	"syscall"
)

// isQuota also knows Windows' own codes of a full disk: ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
func isQuota(err error) bool {
	return errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112))
}
