package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/reach/trust"
	"github.com/spf13/cobra"
)

func newTrust() *cobra.Command {
	var remove, yes bool
	m := trust.Machine{Find: exec.LookPath}
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Add the platform's root certificate to the stores of the system and of browsers, or remove it; asks first",
		Long: `Add the platform's root certificate to the system's store (as root) and to the databases of Chromium and Firefox in your
home folder, or remove it with --remove. What will change is printed, and nothing is before you say yes.

bulkhead exec needs none of this. The root's own key was thrown away when it was made; the issuer under it may sign for the platform's
names and for nothing else.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	data := addDataFlag(f)
	f.BoolVar(&remove, "remove", false, "take it out of the stores again")
	f.BoolVar(&yes, "yes", false, "do not ask")
	f.StringVar(&m.Root, "root", "", "folder that stands for /")
	_ = f.MarkHidden("root") // for tests: the machine's own stores are not theirs to touch
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		dir, err := filepath.Abs(*data)
		if err != nil {
			return err
		}
		m.Home, _ = os.UserHomeDir()
		m.Run = func(name string, args ...string) error {
			out, err := exec.CommandContext(cmd.Context(), name, args...).CombinedOutput()
			if err != nil && len(out) > 0 {
				err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
			}
			return err
		}
		plan := m.Add
		if remove {
			plan = m.Remove
		}
		p, err := plan(pki.RootPath(filepath.Join(dir, "ca")))
		if err != nil {
			return err
		}
		return carryOut(cmd, p, yes)
	})
	return cmd
}

// carryOut shows the plan, asks, and does it.
func carryOut(cmd *cobra.Command, p trust.Plan, yes bool) error {
	out := cmd.OutOrStdout()
	if len(p.Steps) == 0 {
		fmt.Fprintf(out, "There is nothing to change.\n%s", p)
		return nil
	}
	fmt.Fprintf(out, "This will change:\n%s", p)
	if !yes {
		fmt.Fprint(out, "Go on? [y/N] ")
		line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
			return errors.New("nothing was changed")
		}
	}
	err := p.Do()
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: the system's store is root's (sudo)", err)
	}
	if err == nil {
		fmt.Fprintln(out, "Done. Running programs read it at their next start.")
	}
	return err
}
