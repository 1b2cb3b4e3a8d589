package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newUser() *cobra.Command {
	return group("user", "Users of a directory", newUserCreate())
}

func newUserCreate() *cobra.Command {
	var in struct {
		UPN           string `json:"userPrincipalName"`
		DisplayName   string `json:"displayName,omitempty"`
		Password      string `json:"password,omitempty"`
		ForceChange   bool   `json:"forceChangePasswordNextSignIn,omitempty"`
		Administrator bool   `json:"administrator,omitempty"`
	}
	var stdin bool
	cmd := &cobra.Command{
		Use: "create UPN", Short: "Make a user; a password that is not given is drawn and shown once", Args: cobra.ExactArgs(1),
		Example: "  bulkhead user create alice@default.onmicrosoft.com --name 'Alice Adams'",
	}
	data := addDataFlag(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&in.DisplayName, "name", "", "display name; default the part before the @")
	f.BoolVar(&stdin, "password-stdin", false, "read the password from the first line of the standard input")
	f.BoolVar(&in.ForceChange, "force-change", false, "the user has to change the password at the next sign-in")
	f.BoolVar(&in.Administrator, "administrator", false, "may manage the tenant's directory through Microsoft Graph")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		in.UPN = args[0]
		if stdin {
			var err error
			if in.Password, err = readPassword(cmd.InOrStdin()); err != nil {
				return err
			}
		}
		return printAdminCall(cmd, *data, "POST", "/users", in)
	})
	return cmd
}

// readPassword reads one line.
func readPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from the standard input: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("--password-stdin: the standard input has no password in its first line")
	}
	return line, nil
}
