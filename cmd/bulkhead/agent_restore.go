package main

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/agent/source/kernel"
)

// kernelState is where an agent with a folder notes what it changed in the kernel.
func kernelState(state string) string { return filepath.Join(state, "kernel.json") }

func newAgentRestore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put the kernel's audit system back to what it was before an agent that was killed",
		Long: `Put the kernel's audit system back to what it was before an agent that ran with --kernel and was killed: its rules go, and auditing is off again
if it was off. An agent that is stopped does this itself, and the next one that starts does it first; the systemd unit does it after every end.
While the agent runs, this is refused. Where there is nothing to put back, nothing is done.`,
		Args: cobra.NoArgs,
	}
	state := addStateFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		done, err := kernel.Restore(kernelState(*state), slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)))
		if err != nil {
			return err
		}
		if !done {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "There is nothing to put back: %s isn't there.\n", kernelState(*state))
			return err
		}
		now, rules, err := kernel.Look()
		if err != nil {
			return err
		}
		is := "off"
		if now.Enabled != 0 {
			is = "on"
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "The audit system is as it was before the agent: %s, with %d rules.\n", is, len(rules))
		return err
	})
	return cmd
}
