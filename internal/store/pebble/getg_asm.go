//go:build amd64 || arm64

package pebble

// getg returns a number that identifies the calling goroutine for as long as it lives.
func getg() uintptr
