// Command bulkhead runs Azure services on one's own machine. See `bulkhead help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
)

// Exit codes, a contract: scripts tell a refused command line from a failed action by them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == scripts.WorkerArg { // started by the platform itself, to run its databases' scripts
		os.Exit(scripts.Serve(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var failed *actionError
	var child *childError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &child):
		return child.code
	case errors.As(err, &failed):
		fmt.Fprintln(stderr, "bulkhead:", err)
		return exitFailed
	default:
		fmt.Fprintln(stderr, "bulkhead:", err)
		fmt.Fprintln(stderr, "See bulkhead help.")
		return exitUsage
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "bulkhead",
		Short:         "Azure services on your own machine, for unmodified clients",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newUp(), newExec(), newEnv(), newTrust(), newDoctor(), newLogLevel())
	root.AddCommand(newTenant(), newSubscription(), newApp(), newUser(), newARMClient(), newTrace(), newAlert(), newAudit())
	root.AddCommand(newBackup(), newRestore(), newVerify(), newExport(), newConfig(), newMasterKey(), newStoreKey(), newEncrypt(), newMan(), newInside())
	root.AddCommand(newKeys(), newSignIns(), newCosmos(), newScan(), newHoneypot(), newIndicators(), newProfile(), newPortal(), newAgent(), newMySQL(), newCognitive())
	root.AddCommand(newTrain(), newImages())
	return root
}

// actionError is a failure of what was asked, as opposed to a command line that makes no sense.
type actionError struct{ err error }

func (e *actionError) Error() string { return e.err.Error() }
func (e *actionError) Unwrap() error { return e.err }

// childError carries the exit code of a command run by exec.
type childError struct{ code int }

func (e *childError) Error() string { return fmt.Sprintf("the command ended with code %d", e.code) }

// action adapts a function whose errors are failures, not wrong usage.
func action(fn func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := fn(cmd, args)
		var child *childError
		if err == nil || errors.As(err, &child) {
			return err
		}
		return &actionError{err}
	}
}
