//go:build !linux

package slack

// Trim does nothing here.
func Trim() {}
