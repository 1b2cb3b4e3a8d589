//go:build unix

package proc

import (
	"os"
	"os/signal"
	"syscall"
)

// Passed are the signals that a program which runs one command for its user passes on to it. Those of the keyboard reach the command by themselves where there is a
// terminal, and would come twice; those the user had ignored (nohup) stay so.
func Passed() []os.Signal {
	out := []os.Signal{syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}
	more := []os.Signal{syscall.SIGHUP}
	if tty, err := os.Open("/dev/tty"); err == nil {
		tty.Close()
	} else {
		more = append(more, syscall.SIGINT, syscall.SIGQUIT)
	}
	for _, s := range more {
		if !signal.Ignored(s) {
			out = append(out, s)
		}
	}
	return out
}
