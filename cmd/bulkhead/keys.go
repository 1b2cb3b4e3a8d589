package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/seal"
)

func newMasterKey() *cobra.Command {
	var to string
	rotate := adminCommand("rotate", "Make a new master key, while everything goes on", "POST", "/master-key/rotate", func() (any, error) {
		return masterRotation(to)
	}, cobra.NoArgs)
	rotate.Long = `Make a new master key, while everything goes on. No data is encrypted anew: the keys it is encrypted with are.

The new key goes into the present key file, or where --to says: file:PATH (a new key is made there), passphrase-file:PATH or
passphrase-fd:N (the passphrase is read from there). With a passphrase the old master key goes on opening the data
until the platform was started with the new one.`
	rotate.Flags().StringVar(&to, "to", "", "where the new master key is: file:PATH, passphrase-file:PATH or passphrase-fd:N")
	return group("master-key", "The key that opens all others", rotate)
}

// masterRotation reads what --to names.
func masterRotation(to string) (any, error) {
	var in app.MasterRotation
	source, err := seal.ParseSource(to)
	if err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(to, "file:"); ok {
		in.File, err = filepath.Abs(path)
		return in, err
	}
	if source.File("x") != "" {
		return in, nil
	}
	m, err := source.Read("")
	if err != nil {
		return nil, err
	}
	if in.Passphrase = m.Words(); in.Passphrase == nil {
		return nil, errors.New("--to takes file:PATH, passphrase-file:PATH or passphrase-fd:N; a systemd credential is a file first: " +
			"rotate to file:PATH, then name that file in LoadCredential=")
	}
	return in, nil
}

func newStoreKey() *cobra.Command {
	return group("store-key", "The key that new files of the store are encrypted with",
		adminCommand("rotate", "Encrypt new files with a new key", "POST", "/store-key/rotate", nil, cobra.NoArgs))
}

func newEncrypt() *cobra.Command {
	cmd := &cobra.Command{
		Use: "encrypt", Args: cobra.NoArgs,
		Short: "Encrypt the store of a data folder from before stores were encrypted",
		Long: `Encrypt the store of a data folder from before stores were encrypted. The platform must not run on it. It needs as much
room as the store once more. The plain files are removed, but a disk may keep what was in them: see docs/encryption.md.`,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		cfg := app.Defaults()
		cfg.Data, cfg.MasterKey = *data, os.Getenv("BULKHEAD_MASTER_KEY")
		if err := cfg.Check(); err != nil {
			return err
		}
		if err := app.Encrypt(cfg, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "The store in %s is encrypted.\n", cfg.Data)
		return err
	})
	return cmd
}
