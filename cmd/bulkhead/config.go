package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func newConfig() *cobra.Command {
	check := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say what is wrong with a configuration file, or with what up would use",
		Long: `Say what is wrong with a configuration file (FILE, else BULKHEAD_CONFIG) and the BULKHEAD_* environment on top of it: keys
nobody knows, with their line, and values that cannot work. Nothing is started.`,
		Args: cobra.MaximumNArgs(1),
	}
	check.RunE = action(func(cmd *cobra.Command, args []string) error {
		file := os.Getenv("BULKHEAD_CONFIG")
		if len(args) == 1 {
			file = args[0]
		}
		if _, err := effective(file); err != nil {
			return err
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "ok")
		return err
	})
	show := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print the configuration up would use: defaults, file, environment. There are no secrets in it",
		Args:  cobra.MaximumNArgs(1),
	}
	show.RunE = action(func(cmd *cobra.Command, args []string) error {
		file := os.Getenv("BULKHEAD_CONFIG")
		if len(args) == 1 {
			file = args[0]
		}
		cfg, err := effective(file)
		if err != nil {
			return err
		}
		enc := yaml.NewEncoder(cmd.OutOrStdout())
		return errors.Join(enc.Encode(cfg), enc.Close())
	})
	return group("config", "Configuration file", check, show)
}

// effective is the configuration of `bulkhead up --config FILE` in this environment.
func effective(file string) (app.Config, error) {
	cfg := app.Defaults()
	var name string
	flags := upFlags(&cfg, &name)
	err := settle(&cfg, flags, file)
	return cfg, err
}
