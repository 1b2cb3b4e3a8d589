//go:build unix

package main

import (
	"os"
	"syscall"
)

// exitCode is the code a shell would show: 128 + n for a command ended by signal n.
func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}
