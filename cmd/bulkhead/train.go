package main

import "github.com/spf13/cobra"

// newTrain holds the trainers of the models that the program embeds: `bulkhead train sentiment DATA...`.
func newTrain() *cobra.Command {
	cmd := &cobra.Command{Use: "train", Short: "Make the models that this program carries, from data", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newTrainSentiment(), newTrainKeyphrase())
	return cmd
}
