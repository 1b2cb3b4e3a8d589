//go:build unix

package packed

import (
	"os"
	"syscall"
)

// openFile opens a file to be read and never waits: what is a file now may be a pipe when it is opened.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}
