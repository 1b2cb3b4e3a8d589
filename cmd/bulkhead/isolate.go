package main

import (
	"fmt"
	"os"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/reach/isolate"
	"github.com/spf13/cobra"
)

// insideName is the hidden command that is the first process of an isolated command's namespaces.
const insideName = "isolated-init"

func newInside() *cobra.Command {
	return &cobra.Command{
		Use: insideName, Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := isolate.Inside(args); code != 0 {
				return &childError{code: code}
			}
			return nil
		},
	}
}

// insideCommand calls the command above in this same program.
func insideCommand() ([]string, error) {
	self, err := os.Executable()
	return []string{self, insideName}, err
}

func executeIsolated(cmd *cobra.Command, data string, inherited []string, env reach.Environment, args []string) error {
	r, err := app.ReadRun(data)
	if err != nil {
		return err
	}
	inside, err := insideCommand()
	if err != nil {
		return err
	}
	o := isolate.Options{
		Command: args, Inside: inside, Hosts: runHosts(r), Proxy: env.Proxy, Credential: env.Credential, Bundle: env.Bundle,
		Stdin: os.Stdin, Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(),
		Failed: func(err error) { fmt.Fprintln(cmd.ErrOrStderr(), "bulkhead:", err) },
	}
	env.Proxy, env.Credential = "", reach.Credential{}
	o.Env = append(isolate.Environ(inherited), env.Environ()...)
	code, err := isolate.Run(o)
	if err == nil && code != 0 {
		err = &childError{code: code}
	}
	return err
}
