//go:build !amd64 && !arm64

package pebble

import (
	"bytes"
	"runtime"
	"strconv"
)

// getg returns a number that identifies the calling goroutine for as long as it lives. Reading it out of a stack trace
// costs microseconds, which is why the common processors have a faster way.
func getg() uintptr {
	var buf [64]byte
	b := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(b, ' '); i > 0 {
		b = b[:i]
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0
	}
	return uintptr(n)
}
