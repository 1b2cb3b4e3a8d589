package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newLogLevel() *cobra.Command {
	cmd := &cobra.Command{
		Use:       "log-level [debug|info|warn|error]",
		Short:     "Change the log level of the running platform until its next start, or print it",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"debug", "info", "warn", "error"},
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		a, err := openAdmin(cmd.Context(), *data, true)
		if err != nil {
			return err
		}
		defer a.close()
		var level struct {
			Level string `json:"level"`
		}
		if len(args) == 0 {
			err = a.call(cmd.Context(), "GET", "/log-level", nil, &level)
		} else {
			level.Level = args[0]
			err = a.call(cmd.Context(), "PUT", "/log-level", level, &level)
		}
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), level.Level)
		}
		return err
	})
	return cmd
}
