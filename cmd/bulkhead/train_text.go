package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/infer/keyphrase"
	"github.com/bulkheadhq/bulkhead/internal/infer/sentiment"
)

// says tells how a training gets on.
type says func(format string, args ...any)

func newTrainSentiment() *cobra.Command {
	return newTrainTexts(&cobra.Command{
		Use:   "sentiment DATA...",
		Short: "Train the sentiment model on folders of labelled texts and lexicons",
		Long: `Train the sentiment model on folders of labelled texts and lexicons; docs/models/sentiment.md tells which files are read.
The same files and seed make the same bytes.`,
	}, "sentiment.bin", func(paths []string, seed uint64, say says) ([]byte, error) {
		c, err := sentiment.ReadCorpus(paths...)
		if err != nil {
			return nil, err
		}
		if len(c.Train) == 0 {
			return nil, fmt.Errorf("no training texts under %v; docs/models/sentiment.md names the files", paths)
		}
		say("%d texts, %d held out, %d words of lexicons\n", len(c.Train), len(c.Held), len(c.Entries))
		return sentiment.Train(c.Train, c.Entries, sentiment.Options{Seed: seed, Report: say}).Encode()
	})
}

func newTrainKeyphrase() *cobra.Command {
	return newTrainTexts(&cobra.Command{
		Use:   "keyphrase DATA...",
		Short: "Train the key phrase models on treebanks and documents with their phrases",
		Long: `Train the key phrase models on folders of treebanks (CoNLL-U) and archives of documents with their phrases; docs/models/keyphrase.md
tells which. The same files and seed make the same bytes.`,
	}, "keyphrase.bin", func(paths []string, seed uint64, say says) ([]byte, error) {
		c, err := keyphrase.ReadCorpus(paths...)
		if err != nil {
			return nil, err
		}
		if len(c.Train) == 0 {
			return nil, fmt.Errorf("no documents with phrases under %v; docs/models/keyphrase.md names the files", paths)
		}
		return keyphrase.Train(c, keyphrase.Options{Seed: seed, Report: say}).Encode()
	})
}

// newTrainTexts completes a command that makes a model's file of the texts under its arguments.
func newTrainTexts(cmd *cobra.Command, out string, train func(paths []string, seed uint64, say says) ([]byte, error)) *cobra.Command {
	cmd.Flags().StringVarP(&out, "out", "o", out, "the model's file")
	seed := cmd.Flags().Uint64("seed", 0, "seed of everything random (0: the shipped model's)")
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		say := func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format, args...) }
		raw, err := train(args, *seed, say)
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, raw, 0o644); err != nil {
			return err
		}
		say("%s: %d bytes\n", out, len(raw))
		return nil
	})
	return cmd
}
