//go:build !linux

package ocr

// bound does nothing: only Linux lets one process bound another's memory.
func bound(int) {}
