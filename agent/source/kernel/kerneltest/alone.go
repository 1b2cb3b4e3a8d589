//go:build unix

// Package kerneltest is for tests that use the kernel's audit system. That is the whole machine's: what one test switches on, another would find changed, and one's records are the other's too.
package kerneltest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Alone has the audit system to a test until it ends, whatever other tests' processes run on the machine: it waits for its turn. Who isn't root, and so can't use it, skips.
func Alone(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not root: the kernel's audit system can't be tried")
	}
	// In the machine's own folder: a test that is given another TMPDIR is on the same machine.
	f, err := os.OpenFile(filepath.Join("/tmp", "bulkhead-kernel-audit.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // which gives the lock back
}
