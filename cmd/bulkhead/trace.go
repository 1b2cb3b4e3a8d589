package main

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/spf13/cobra"
)

func newTrace() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "trace CORRELATION_ID",
		Short: "Tell what one request caused, hop by hop: who did what, allowed by what",
		Args:  cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "the records themselves")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		var records []audit.Record
		if err := a.call(cmd.Context(), "GET", "/trace/"+url.PathEscape(args[0]), nil, &records); err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(records)
		}
		if len(records) == 0 {
			return fmt.Errorf("nothing is recorded under correlation id %s", args[0])
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), audit.Story(records))
		return err
	})
	return cmd
}
