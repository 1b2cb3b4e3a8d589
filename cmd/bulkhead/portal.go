package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newPortal() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "portal",
		Short: "Print a link to the running platform's pages that signs a browser in as the administrator, once",
		Long: "The browser has to know the platform's certificates (bulkhead trust) and to resolve names under its suffix, which all do for localhost. Users sign in with their own\n" +
			"names at the same address without the part behind the first slash.",
		Args: cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		a, err := openAdmin(cmd.Context(), *data, true)
		if err != nil {
			return err
		}
		defer a.close()
		var link struct {
			URL string `json:"url"`
		}
		if err := a.call(cmd.Context(), "POST", "/portal/links", struct{}{}, &link); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), link.URL)
		return nil
	})
	return cmd
}
