package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newProfile() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile FILE",
		Short: "Write where the running platform spends its time, or its memory, for `go tool pprof`",
		Args:  cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	kind := cmd.Flags().String("kind", "cpu", "cpu, or what the runtime knows at this moment: heap, allocs, goroutine, block, mutex, threadcreate")
	span := cmd.Flags().Duration("for", 10*time.Second, "how long the processor is watched")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		a, err := openAdmin(cmd.Context(), *data, true)
		if err != nil {
			return err
		}
		defer a.close()
		var out bytes.Buffer // a profile is small; an answer that was cut off leaves no file
		query := url.Values{"kind": {*kind}, "for": {span.String()}}
		if err := a.stream(cmd.Context(), "/profile?"+query.Encode(), &out); err != nil {
			return err
		}
		if err := os.WriteFile(args[0], out.Bytes(), 0o600); err != nil {
			return fmt.Errorf("write the profile: %w", err)
		}
		return nil
	})
	return cmd
}
