//go:build !linux

package proc

import "os/exec"

// await returns when the child has ended. It is reaped already, so its group is signalled once more under an id that was just given back.
func await(cmd *exec.Cmd) (reap func() error) {
	err := cmd.Wait()
	return func() error { return err }
}
