package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/infer/fasttext"
	"github.com/bulkheadhq/bulkhead/internal/infer/lang"
)

// newTrain holds the trainers of the models that the program embeds.
func newTrain() *cobra.Command {
	cmd := &cobra.Command{Use: "train", Short: "Train a model from texts of your own, and measure one", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newTrainLanguage(), newTrainMeasure(), newTrainSentiment(), newTrainKeyphrase())
	return cmd
}

func newTrainLanguage() *cobra.Command {
	o := lang.Options{Options: fasttext.Defaults()}
	o.Rate, o.Windows = 0.6, 0.6
	var out, loss string
	var lists []string
	cmd := &cobra.Command{
		Use:   "language --out FILE FOLDER|FILE...",
		Short: "Train the model that tells languages",
		Long: "Train the model that tells languages. A file is named LANGUAGE.SOURCE.txt (or LANGUAGE.txt) and has one text a line; a folder is searched for such files.\n" +
			"The same texts and options give the same model. `bulkhead train measure --model` takes the file.",
		Args: cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "language.bin", "where to write the model")
	f.StringVar(&loss, "loss", "softmax", "softmax or hs (hierarchical softmax)")
	f.IntVar(&o.Dim, "dim", 24, "numbers a row has; an even one")
	f.IntVar(&o.MinN, "minn", 3, "characters of the shortest n-grams")
	f.IntVar(&o.MaxN, "maxn", 4, "characters of the longest n-grams")
	f.IntVar(&o.Bucket, "bucket", o.Bucket, "buckets n-grams are hashed into")
	f.IntVar(&o.MaxWords, "words", o.MaxWords, "most frequent words looked at as a whole")
	f.Float64Var(&o.Rate, "rate", o.Rate, "learning rate at the beginning")
	f.IntVar(&o.Steps, "steps", 6_000_000, "texts looked at")
	f.IntVar(&o.Keep, "keep", 213_000, "rows kept of the trained ones; 0: all, not coded")
	f.IntVar(&o.Retrain, "retrain", 900_000, "texts looked at again with the rows kept")
	f.Float64Var(&o.Windows, "windows", o.Windows, "share of texts of which only one to five words are looked at")
	f.Float64Var(&o.Rare, "rare", o.Rare, "0 to 1: how much rows rarely used count less when some are kept")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of everything random")
	f.IntVar(&o.PerLanguage, "texts", 15_000, "texts of a language")
	f.StringSliceVar(&lists, "lists", []string{"hunspell", "tesseract", "dict", "stopwords"}, "sources that are lists of words")
	f.StringToStringVar(new(map[string]string), "weights", nil, "how much a source counts, SOURCE=NUMBER; 1 where not said")
	f.StringToStringVar(new(map[string]string), "priors", nil, "what is added to a language's logit over the square root of letters, LANGUAGE=NUMBER; the shipped ones where not said")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.Loss = fasttext.Softmax; loss == "hs" {
			o.Loss = fasttext.HierarchicalSoftmax
		} else if loss != "softmax" {
			return fmt.Errorf("--loss %q is neither softmax nor hs", loss)
		}
		given, err := numbers(cmd, "weights")
		if err != nil {
			return err
		}
		o.Weights = map[string]float64{"cldr": 0.5, "dict": 0.5}
		maps.Copy(o.Weights, given)
		given, err = numbers(cmd, "priors")
		if err != nil {
			return err
		}
		o.Priors = lang.DefaultPriors()
		maps.Copy(o.Priors, given)
		o.Lists = map[string]bool{}
		for _, l := range lists {
			o.Lists[l] = true
		}
		begun := time.Now()
		o.Progress = func(done, total int, loss float64) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%3d %%, loss %.3f, %s\n", 100*done/total, loss, time.Since(begun).Round(time.Second))
		}
		return action(func(_ *cobra.Command, args []string) error { return trainLanguage(cmd.ErrOrStderr(), out, o, args) })(cmd, args)
	}
	return cmd
}

func numbers(cmd *cobra.Command, flag string) (map[string]float64, error) {
	given, err := cmd.Flags().GetStringToString(flag)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for k, v := range given {
		var x float64
		if _, err := fmt.Sscan(v, &x); err != nil {
			return nil, fmt.Errorf("--%s %s=%s: no number", flag, k, v)
		}
		out[k] = x
	}
	return out, nil
}

func trainLanguage(say io.Writer, out string, o lang.Options, args []string) error {
	var c lang.Corpus
	files, err := textFiles(args)
	if err != nil {
		return err
	}
	for _, name := range files {
		lines, err := readLines(name)
		if err != nil {
			return err
		}
		language, source, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txt"), ".")
		c.Add(language, cmp.Or(source, "text"), lines)
	}
	t, err := lang.Train(&c, o)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.Write(f); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	fmt.Fprintf(say, "%s: %d languages, %d bytes\n", out, len(t.Detector().Languages()), size)
	return f.Close()
}

func textFiles(args []string) ([]string, error) {
	var all []string
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			all = append(all, a)
			continue
		}
		in, err := filepath.Glob(filepath.Join(a, "*.txt"))
		if err != nil {
			return nil, err
		}
		all = append(all, in...)
	}
	slices.Sort(all)
	return all, nil
}

func readLines(name string) ([]string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func newTrainMeasure() *cobra.Command {
	var model string
	var detail, plain bool
	cmd := &cobra.Command{
		Use:   "measure FOLDER...",
		Short: "Measure the shipped model, or one of a file, on folders of files LANGUAGE.txt with one text a line",
		Args:  cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVar(&model, "model", "", "a model's file; the shipped one where absent")
	cmd.Flags().BoolVar(&detail, "detail", false, "each language, with what it was mistaken for")
	cmd.Flags().BoolVar(&plain, "strict", false, "Norwegian's two forms are two languages")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		d, err := lang.Default()
		if model != "" {
			d, err = lang.Open(model)
		}
		if err != nil {
			return err
		}
		for _, dir := range args {
			m, err := measure(d, dir, plain)
			if err != nil {
				return err
			}
			showMeasurement(cmd.OutOrStdout(), dir, m, detail)
		}
		return nil
	})
	return cmd
}

func measure(d *lang.Detector, dir string, strict bool) (lang.Measurement, error) {
	x := lang.Measurer{Detect: func(text string) (string, float64) {
		r := d.Detect(text, "")
		return r.ISO, r.Score
	}}
	if !strict {
		x.Same = func(want, got string) bool {
			return (want == "nb" || want == "nn" || want == "no") && (got == "nb" || got == "nn" || got == "no") || want == "tl" && got == "fil"
		}
	}
	files, err := textFiles([]string{dir})
	if err != nil {
		return lang.Measurement{}, err
	}
	for _, name := range files {
		lines, err := readLines(name)
		if err != nil {
			return lang.Measurement{}, err
		}
		x.Add(strings.TrimSuffix(filepath.Base(name), ".txt"), lines)
	}
	return x.Result(), nil
}

func showMeasurement(out io.Writer, dir string, m lang.Measurement, detail bool) {
	good := 0
	for _, a := range m.Languages {
		if float64(a.Right) >= 0.8*float64(a.Texts) {
			good++
		}
	}
	fmt.Fprintf(out, "%s: macro accuracy %.4f over %d languages, %d of them at least 0.80, calibration error %.4f\n", dir, m.Macro, len(m.Languages), good, m.ECE)
	if !detail {
		return
	}
	slices.SortStableFunc(m.Languages, func(a, b lang.Accuracy) int { return cmp.Compare(a.Right*b.Texts, b.Right*a.Texts) })
	for _, a := range m.Languages {
		type wrong struct {
			iso string
			n   int
		}
		var most []wrong
		for iso, n := range a.Wrong {
			most = append(most, wrong{cmp.Or(iso, "none"), n})
		}
		slices.SortFunc(most, func(a, b wrong) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.iso, b.iso)) })
		fmt.Fprintf(out, "  %-4s %.3f of %d", a.Language, float64(a.Right)/float64(max(a.Texts, 1)), a.Texts)
		for _, w := range most[:min(len(most), 6)] {
			fmt.Fprintf(out, "  %s %d", w.iso, w.n)
		}
		fmt.Fprintln(out)
	}
}
