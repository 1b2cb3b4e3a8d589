//go:build !linux

package isolate

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrUnsupported is answered where there are no namespaces.
var ErrUnsupported = errors.New("--isolate needs Linux namespaces")

// Run needs Linux.
func Run(Options) (int, error) {
	return 0, fmt.Errorf("%w, and this is %s: use bulkhead exec without it, or own names", ErrUnsupported, runtime.GOOS)
}

// Probe needs Linux.
func Probe([]string) error { return ErrUnsupported }

// Inside is never called here.
func Inside([]string) int { return 1 }
