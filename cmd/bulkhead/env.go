package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/proc"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/spf13/cobra"
)

func newEnv() *cobra.Command {
	var as, format string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment that points clients at the platform",
		Example: `  eval "$(bulkhead env)"
  bulkhead env --format dotenv >.env`,
		Args: cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&as, "as", "", "client id of an application, instead of the administrator")
	cmd.Flags().StringVar(&format, "format", "sh", "sh (exports) or dotenv")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		line, ok := map[string]string{"sh": "export %s=%s\n", "dotenv": "%s=%s\n"}[format]
		if !ok {
			return fmt.Errorf("--format %q: want sh or dotenv", format)
		}
		return action(func(cmd *cobra.Command, _ []string) error {
			env, err := environment(cmd.Context(), *data, as)
			if err != nil {
				return err
			}
			for _, v := range env.Vars() {
				fmt.Fprintf(cmd.OutOrStdout(), line, v.Name, quote(v.Value))
			}
			return nil
		})(cmd, nil)
	}
	return cmd
}

// quote writes s as one word of a POSIX shell, which dotenv readers take too.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func environment(ctx context.Context, data, as string) (reach.Environment, error) {
	var env reach.Environment
	a, err := openAdmin(ctx, data, true)
	if err != nil {
		return env, err
	}
	defer a.close()
	err = a.call(ctx, "GET", "/environment?as="+url.QueryEscape(as), nil, &env)
	return env, err
}

func newExec() *cobra.Command {
	var as, identity string
	var isolated bool
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG...]",
		Short: "Run a command whose Azure clients reach the platform, with Azure's own host names",
		Long: `Run a command with the proxy, CA and sign-in variables of the platform. The command has proxy credentials of its
own; they end with it. Its exit code is exec's.

With --isolate (Linux) it gets no proxy variables: it runs in namespaces of its own in which Azure's host names lead to
the platform and nothing else is reachable. For clients that ignore proxies, such as @azure/cosmos on Node. What the command
started ends with it.`,
		Example: `  bulkhead exec -- az group list
  bulkhead exec --as CLIENT_ID -- python app.py
  bulkhead exec --isolate -- node app.mjs`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().SetInterspersed(false)
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&as, "as", "", "client id of an application, instead of the administrator")
	cmd.Flags().StringVar(&identity, "identity", "", "resource id whose managed identity the command runs as")
	cmd.Flags().BoolVar(&isolated, "isolate", false, "run it in a network of its own where Azure's names lead to the platform (Linux)")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		return execute(cmd, *data, processRequest{As: as, Identity: identity}, isolated, args)
	})
	return cmd
}

// processRequest is the body of the admin route POST /processes.
type processRequest struct {
	As       string `json:"as"`
	Identity string `json:"identity"`
}

func execute(cmd *cobra.Command, data string, req processRequest, isolated bool, args []string) error {
	a, err := openAdmin(cmd.Context(), data, true)
	if err != nil {
		return err
	}
	defer a.close()
	var env reach.Environment
	if err := a.call(cmd.Context(), "POST", "/processes", req, &env); err != nil {
		return err
	}
	// The credentials end with the command, also when this one was interrupted.
	defer func() {
		_ = a.call(context.WithoutCancel(cmd.Context()), "DELETE", "/processes/"+env.Credential.User, nil, nil)
	}()
	if isolated {
		return executeIsolated(cmd, a.data, inherited(req), env, args)
	}
	child := exec.Command(args[0], args[1:]...)
	child.Env = append(inherited(req), env.Environ()...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr()
	return runChild(child)
}

// inherited is this process's environment. What runs as an identity gets none of the shell's own ways to sign in: clients would take them first.
func inherited(req processRequest) []string {
	env := os.Environ()
	if req.Identity == "" || req.As != "" {
		return env
	}
	return slices.DeleteFunc(env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		for _, own := range []string{"AZURE_CLIENT_", "AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_", "MSI_"} {
			if strings.HasPrefix(name, own) {
				return true
			}
		}
		return false
	})
}

// runChild runs c to its end and passes signals on to it. The terminal sends an interrupt to both of us: what it means is for the command to say.
func runChild(c *exec.Cmd) error {
	signals := make(chan os.Signal, 8)
	if passed := proc.Passed(); len(passed) > 0 { // none would mean all
		signal.Notify(signals, passed...)
		defer signal.Stop(signals)
	}
	if err := c.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-signals:
				_ = c.Process.Signal(s)
			case <-done:
				return
			}
		}
	}()
	err := c.Wait()
	if c.ProcessState != nil && !c.ProcessState.Success() {
		return &childError{code: exitCode(c.ProcessState)}
	}
	return err
}
