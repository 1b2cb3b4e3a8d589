package ocr

import "golang.org/x/sys/unix"

// memoryMax bounds what a child process may map: a page of 100 megapixels takes Tesseract less.
const memoryMax = 3 << 30

// bound keeps a child that foreign bytes drive from taking the machine's memory.
func bound(pid int) {
	_ = unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: memoryMax, Max: memoryMax}, nil)
}
