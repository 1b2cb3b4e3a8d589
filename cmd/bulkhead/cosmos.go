package main

import (
	"github.com/spf13/cobra"
)

// newCosmos is what the data plane of Cosmos DB has no call for.
func newCosmos() *cobra.Command {
	return group("cosmos", "Containers of Cosmos DB: split a range", newCosmosSplit())
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
