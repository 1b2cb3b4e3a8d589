package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/infer/keyphrase"
	"github.com/bulkheadhq/bulkhead/internal/infer/sentiment"
)

func newTrainSentiment() *cobra.Command {
	var out string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "sentiment DATA...",
		Short: "Train the sentiment model on folders of labelled texts and lexicons",
		Long: `Train the sentiment model on folders of labelled texts and lexicons; docs/models/sentiment.md tells which files are read.
The same files and seed make the same bytes.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := sentiment.ReadCorpus(args...)
			if err != nil {
				return &actionError{err}
			}
			if len(c.Train) == 0 {
				return &actionError{fmt.Errorf("no training texts under %v; docs/models/sentiment.md names the files", args)}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d texts, %d to calibrate by, %d words of lexicons\n", len(c.Train), len(c.Dev), len(c.Entries))
			raw, err := sentiment.Train(c.Train, c.Dev, c.Entries, sentiment.Options{Seed: seed}).Encode()
			if err != nil {
				return &actionError{err}
			}
			return writeModel(cmd, out, raw)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "sentiment.bin", "the model's file")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the shuffles (0: the shipped model's)")
	return cmd
}

func newTrainKeyphrase() *cobra.Command {
	var out string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "keyphrase DATA...",
		Short: "Train the key phrase models on treebanks and documents with their phrases",
		Long: `Train the key phrase models on folders of treebanks (CoNLL-U) and archives of documents with their phrases; docs/models/keyphrase.md
tells which. The same files and seed make the same bytes.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := keyphrase.ReadCorpus(args...)
			if err != nil {
				return &actionError{err}
			}
			if len(c.Train) == 0 {
				return &actionError{fmt.Errorf("no documents with phrases under %v; docs/models/keyphrase.md names the files", args)}
			}
			report := func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format, args...) }
			raw, err := keyphrase.Train(c, keyphrase.Options{Seed: seed, Report: report}).Encode()
			if err != nil {
				return &actionError{err}
			}
			return writeModel(cmd, out, raw)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "keyphrase.bin", "the models' file")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the shuffles (0: the shipped models')")
	return cmd
}

func writeModel(cmd *cobra.Command, path string, raw []byte) error {
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		return &actionError{err}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes\n", path, len(raw))
	return nil
}
