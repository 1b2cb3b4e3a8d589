package main

import (
	"bufio"
	"bytes"
	"context"
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
	"golang.org/x/term"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/slack"
)

const (
	analyzeLongest = 1 << 20 // bytes of a line; one that has more is skipped
	analyzeBatch   = 512     // lines that are worked on at a time
	analyzeRoom    = 4 << 20 // bytes of those lines
	analyzeLarge   = 1 << 20 // from this size on progress is shown
)

func newAnalyze() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "analyze FILE|-",
		Short: "Print language, sentiment and key phrases of each line of a file",
		Long: `Print language, sentiment and key phrases of each line of a file, or of what comes on the standard input.

The columns are, separated by tabs: the line's number, its language and how sure that is, its sentiment and how sure that is, its key phrases. A "-" stands for what isn't
known: a language that can't be told, or one there is no model of. A line of nothing but blanks is "(empty)", one with more than 5,120 characters "(too long)". Text is UTF-8, or
UTF-16 with a byte order mark; what isn't text is replaced. Nothing leaves this machine.`,
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
		// On the terminal that the results are printed on they are progress enough.
		if size >= analyzeLarge && isTerminal(cmd.ErrOrStderr()) && !isTerminal(cmd.OutOrStdout()) {
			a.bar = &bar{out: cmd.ErrOrStderr(), size: size}
		}
		return a.run(cmd.Context(), in)
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
	return ok && term.IsTerminal(int(f.Fd()))
}

// analysis is one run of the command.
type analysis struct {
	service *text.Service
	out     *bufio.Writer
	json    bool
	bar     *bar
	line    int
}

// line is one of the input.
type line struct {
	text string
	long bool // it had more than analyzeLongest; text is empty
}

// run works through the input in batches, until it ends or ctx does. A batch is as much as is there at once: lines that come one by one are answered one by one.
func (a *analysis) run(ctx context.Context, in io.Reader) error {
	lines, failed := make(chan line, analyzeBatch), make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	// Its end is not waited for: reading a terminal can't be called off.
	go func() { failed <- streamLines(io.TeeReader(in, a.bar), lines, stop) }()
	defer a.bar.end()
	for {
		batch, more, err := collect(ctx, lines)
		if err != nil {
			return fmt.Errorf("stopped after line %d: %w", a.line, err)
		}
		if err := a.batch(batch); err != nil {
			return err
		}
		if !more {
			return <-failed
		}
	}
}

// collect waits for a line and takes with it those that are there. more is false at the input's end.
func collect(ctx context.Context, lines <-chan line) (batch []line, more bool, err error) {
	size := 0
	take := func(l line, ok bool) bool {
		if ok {
			batch, size = append(batch, l), size+len(l.text)
		}
		return ok
	}
	select {
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case l, ok := <-lines:
		if !take(l, ok) {
			return nil, false, nil
		}
	}
	for len(batch) < analyzeBatch && size < analyzeRoom {
		select {
		case l, ok := <-lines:
			if !take(l, ok) {
				return batch, false, nil
			}
		default:
			return batch, true, nil
		}
	}
	return batch, true, nil
}

// streamLines sends the lines of in, as valid UTF-8, and closes lines at the end.
func streamLines(in io.Reader, lines chan<- line, stop <-chan struct{}) error {
	defer close(lines)
	r := bufio.NewReaderSize(transform.NewReader(in, unicode.BOMOverride(encoding.Nop.NewDecoder())), 64<<10)
	for {
		l, err := readLine(r)
		if err == nil || err == io.EOF && (l.text != "" || l.long) {
			select {
			case lines <- l:
			case <-stop:
				return nil
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// readLine reads a line without its end. The error is io.EOF where it ends with the input.
func readLine(r *bufio.Reader) (l line, err error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if !l.long {
			text = append(text, part...)
		}
		if len(text) > analyzeLongest {
			text, l.long = nil, true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		l.text = strings.ToValidUTF8(string(text), "\ufffd")
		return l, err
	}
}

// batch analyzes lines beside each other and prints them in order.
func (a *analysis) batch(lines []line) error {
	found, errs := make([]text.Line, len(lines)), make([]error, len(lines))
	workers := min(runtime.GOMAXPROCS(0), len(lines))
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < len(lines); i += workers {
				if lines[i].long {
					found[i].Skipped = "too long"
					continue
				}
				found[i], errs[i] = a.service.Line(lines[i].text)
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
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Number int `json:"line"`
			text.Line
		}{a.line, l})
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

// bar shows on a terminal how far a file is read. A nil one shows nothing. Safe for concurrent use.
type bar struct {
	out   io.Writer
	size  int64
	mu    sync.Mutex
	done  int64
	drawn time.Time
	ended bool
}

// Write counts what was read of the file.
func (p *bar) Write(b []byte) (int, error) {
	if p == nil {
		return len(b), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(len(b))
	if time.Since(p.drawn) >= 100*time.Millisecond && !p.ended {
		p.draw()
	}
	return len(b), nil
}

// draw draws it. The caller holds p.mu.
func (p *bar) draw() {
	const width = 40
	p.drawn = time.Now()
	share := min(float64(p.done)/float64(max(p.size, 1)), 1)
	full := int(share * width)
	fmt.Fprintf(p.out, "\r[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", width-full), share*100)
}

// end takes the bar away.
func (p *bar) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	fmt.Fprintf(p.out, "\r%s\r", strings.Repeat(" ", 50))
}
