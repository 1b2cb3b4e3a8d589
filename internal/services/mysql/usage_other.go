//go:build !linux

package mysql

import (
	"errors"
	"runtime"
	"time"
)

// processUsage is only known on Linux.
func processUsage(int) (time.Duration, int64, error) { return 0, 0, errors.ErrUnsupported }

func machineMemory() int64 { return 0 }

func processors() int { return runtime.NumCPU() }
