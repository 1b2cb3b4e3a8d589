package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"
)

// newCosmos is what the data plane of Cosmos DB has no call for.
func newCosmos() *cobra.Command {
	return group("cosmos", "Containers of Cosmos DB: ranges, their splits and merges, export and import documents", newCosmosRanges(), newCosmosSplit(), newCosmosMerge(), newCosmosExport(), newCosmosImport())
}

func newCosmosRanges() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ranges ACCOUNT DATABASE CONTAINER", Args: cobra.ExactArgs(3),
		Short: "List the partition key ranges of a container",
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		return printAdminCall(cmd, *data, http.MethodGet, "/cosmos/ranges"+containerQuery(args), nil)
	})
	return cmd
}

func newCosmosSplit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "split ACCOUNT DATABASE CONTAINER RANGE", Args: cobra.ExactArgs(4),
		Short: "Split a partition key range of a container into two",
		Long: `Split a partition key range of a container into two, while the container stays in use. RANGE is its id, as the container's pkranges
say it: 0 in a container that was never split. The command returns when the split is done, and prints the ranges there are then.`,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		return printAdminCall(cmd, *data, "POST", "/cosmos/split", map[string]string{"account": args[0], "database": args[1], "container": args[2], "range": args[3]})
	})
	return cmd
}

func newCosmosMerge() *cobra.Command {
	cmd := &cobra.Command{
		Use: "merge ACCOUNT DATABASE CONTAINER RANGE RANGE", Args: cobra.ExactArgs(5),
		Short: "Merge two neighbouring partition key ranges of a container into one",
		Long: `Merge two partition key ranges of a container that lie side by side into one, while the container stays in use. The ranges are named by their
ids, as "bulkhead cosmos ranges" lists them in their order. The command returns when the merge is done, and prints the ranges there are then.`,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		return printAdminCall(cmd, *data, "POST", "/cosmos/merge", map[string]string{"account": args[0], "database": args[1], "container": args[2], "range": args[3], "with": args[4]})
	})
	return cmd
}

// containerQuery names a container to the admin socket.
func containerQuery(args []string) string {
	return "?" + url.Values{"account": {args[0]}, "database": {args[1]}, "container": {args[2]}}.Encode()
}

func newCosmosExport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export ACCOUNT DATABASE CONTAINER", Args: cobra.ExactArgs(3),
		Short: "Write all documents of a container as JSON lines",
		Long: `Write all documents of a container to standard output, one JSON object a line, while the container stays in use. Each partition key range is
written as it was at one moment, with every transaction whole or not at all; the moments of different ranges lie a little
apart. Documents have their system properties, which an import replaces by new ones.`,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		if err := a.stream(cmd.Context(), "/cosmos/export"+containerQuery(args), cmd.OutOrStdout()); err != nil {
			return fmt.Errorf("what was written is not whole: %w", err)
		}
		return nil
	})
	return cmd
}

func newCosmosImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import ACCOUNT DATABASE CONTAINER [FILE]", Args: cobra.RangeArgs(3, 4),
		Short: "Write JSON lines into a container",
		Long: `Write the documents of FILE (standard input without one), one JSON object a line, into a container that is there. A document whose id its
logical partition has is replaced, so that an import may run again. Documents get new resource ids, etags and times. Lines that are refused are listed; the others
are written all the same.`,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		in := cmd.InOrStdin()
		if len(args) > 3 {
			f, err := os.Open(args[3])
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		var out struct {
			Created     int             `json:"created"`
			Replaced    int             `json:"replaced"`
			Failed      json.RawMessage `json:"failed,omitempty"`
			FailedCount int             `json:"failedCount"`
		}
		if err := a.send(cmd.Context(), http.MethodPost, "/cosmos/import"+containerQuery(args), in, &out); err != nil {
			return err
		}
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(out); err != nil || out.FailedCount == 0 {
			return err
		}
		return fmt.Errorf("%d documents were refused", out.FailedCount)
	})
	return cmd
}
