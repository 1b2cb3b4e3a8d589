package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/slack"
)

const (
	analyzeLongest = 16 << 20 // a line
	analyzeBatch   = 512      // lines that are worked on at a time
	analyzeLarge   = 1 << 20  // from this size on progress is shown
)

func newAnalyze() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "analyze FILE|-",
		Short: "Print language, sentiment and key phrases of each line of a file",
		Long: `Print language, sentiment and key phrases of each line of a file, or of what comes on the standard input.

The columns are, separated by tabs: the line's number, its language and how sure that is, its sentiment and how sure that is, its key phrases. A "-" stands for what isn't
known: a language that can't be told, or one there is no model of. Nothing leaves this machine.`,
		Example: `  bulkhead cognitive analyze reviews.txt
  tail -f feedback.log | bulkhead cognitive analyze - --json`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object for each line")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		in, size, err := openInput(args[0], cmd.InOrStdin())
		if err != nil {
			return err
		}
		defer in.Close()
		defer slack.Bound(containerSlack)()
		a := &analysis{service: text.New(app.Engines()), out: bufio.NewWriter(cmd.OutOrStdout()), json: asJSON}
		missing, err := a.service.Missing()
		if err != nil {
			return err
		}
		if missing != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), missing)
		}
		if size >= analyzeLarge && isTerminal(cmd.ErrOrStderr()) {
			a.bar = &bar{out: cmd.ErrOrStderr(), size: size}
		}
		return a.run(in)
	})
	return cmd
}

// openInput opens a file, or the standard input for "-"; size is 0 where it isn't known.
func openInput(name string, stdin io.Reader) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a folder", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// isTerminal tells whether somebody watches.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// analysis is one run of the command.
type analysis struct {
	service *text.Service
	out     *bufio.Writer
	json    bool
	bar     *bar
	line    int
}

// run works through the input in batches. A batch is as much as is there at once: lines that come one by one are answered one by one.
func (a *analysis) run(in io.Reader) error {
	reader := bufio.NewReaderSize(in, 256<<10)
	scanner := bufio.NewScanner(reader)
	scanner.Buffer(make([]byte, 64<<10), analyzeLongest)
	lines := make([]string, 0, analyzeBatch)
	for scanner.Scan() {
		lines = append(lines, strings.ToValidUTF8(scanner.Text(), "\ufffd"))
		a.bar.add(len(scanner.Bytes()) + 1)
		if len(lines) == analyzeBatch || a.bar == nil && reader.Buffered() == 0 {
			if err := a.batch(lines); err != nil {
				return err
			}
			lines = lines[:0]
		}
	}
	err := a.batch(lines)
	a.bar.end()
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return errors.Join(err, fmt.Errorf("line %d is longer than %d MiB", a.line+1, analyzeLongest>>20))
	}
	return errors.Join(err, scanner.Err())
}

// batch analyzes lines beside each other and prints them in order.
func (a *analysis) batch(lines []string) error {
	found, errs := make([]text.Line, len(lines)), make([]error, len(lines))
	workers := min(runtime.GOMAXPROCS(0), len(lines))
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < len(lines); i += workers {
				found[i], errs[i] = a.service.Line(lines[i])
			}
		})
	}
	wg.Wait()
	for i := range found {
		a.line++
		if errs[i] != nil {
			return fmt.Errorf("line %d: %w", a.line, errs[i])
		}
		if err := a.print(found[i]); err != nil {
			return err
		}
	}
	return a.out.Flush()
}

func (a *analysis) print(l text.Line) error {
	if a.json {
		b, err := json.Marshal(struct {
			Number int `json:"line"`
			text.Line
		}{a.line, l})
		if err == nil {
			_, err = a.out.Write(append(b, '\n'))
		}
		return err
	}
	language, sentiment, phrases := "-", "-", "-"
	switch {
	case l.Skipped != "":
		language = "(" + l.Skipped + ")"
	case l.Language != "":
		language = fmt.Sprintf("%s %.2f", l.Language, l.Score)
	}
	if l.Sentiment != "" {
		sentiment = fmt.Sprintf("%s %.2f", l.Sentiment, max(l.Positive, l.Neutral, l.Negative))
	}
	if len(l.Phrases) > 0 {
		phrases = strings.Join(l.Phrases, ", ")
	}
	_, err := fmt.Fprintf(a.out, "%d\t%s\t%s\t%s\n", a.line, language, sentiment, phrases)
	return err
}

// bar shows on a terminal how far a file is read. A nil one shows nothing.
type bar struct {
	out   io.Writer
	size  int64
	done  int64
	drawn time.Time
}

func (p *bar) add(n int) {
	if p == nil {
		return
	}
	p.done += int64(n)
	if time.Since(p.drawn) >= 100*time.Millisecond {
		p.draw()
	}
}

func (p *bar) draw() {
	const width = 40
	p.drawn = time.Now()
	share := min(float64(p.done)/float64(max(p.size, 1)), 1)
	full := int(share * width)
	fmt.Fprintf(p.out, "\r[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", width-full), share*100)
}

// end takes the bar away.
func (p *bar) end() {
	if p != nil {
		fmt.Fprintf(p.out, "\r%s\r", strings.Repeat(" ", 50))
	}
}
