package main

import (
	"fmt"
	"os"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/app/doctor"
	"github.com/bulkheadhq/bulkhead/internal/reach/isolate"
	"github.com/spf13/cobra"
)

func newDoctor() *cobra.Command {
	cfg := app.Defaults()
	var file string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with clock, folder, permissions, disk, ports, certificates, and how to mend it",
		Long: `Look for what keeps the platform or its clients from working here: clock, data folder, permissions, disk space, what a
crash left, ports, certificate authority, namespaces, variables of this shell. Nothing is changed. The platform may run or not. The exit
code is 1 when something is wrong.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Data, "data", cfg.Data, "data folder; also BULKHEAD_DATA")
	f.StringVar(&cfg.Listen, "listen", cfg.Listen, "front door that up shall have")
	f.StringVar(&cfg.Proxy, "proxy", cfg.Proxy, "proxy that up shall have")
	f.StringVar(&cfg.Identity, "identity", cfg.Identity, "identity endpoint that up shall have")
	f.StringVar(&cfg.CosmosEmulator, "cosmos-emulator", cfg.CosmosEmulator, "Cosmos DB emulator's address that up shall have")
	f.Lookup("cosmos-emulator").NoOptDefVal = app.DefaultCosmosEmulator
	f.StringVar(&file, "config", os.Getenv("BULKHEAD_CONFIG"), "YAML file of bulkhead up")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settle(&cfg, f, file); err != nil {
			return err
		}
		return action(func(cmd *cobra.Command, _ []string) error {
			inside, err := insideCommand()
			if err != nil {
				return err
			}
			text, wrong := doctor.Print(doctor.Examine(doctor.Patient{
				Config: cfg, Environ: os.Environ(), Now: time.Now, Free: doctor.FreeSpace, Synced: doctor.ClockSynced,
				Probe: func() error { return isolate.Probe(inside) },
			}))
			fmt.Fprint(cmd.OutOrStdout(), text)
			if wrong > 0 {
				return fmt.Errorf("%d wrong", wrong)
			}
			return nil
		})(cmd, nil)
	}
	return cmd
}
