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
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text/texttest"
)

// analyze runs the command on what comes on the standard input.
func analyze(t *testing.T, in io.Reader, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := newAnalyze()
	cmd.SetArgs(append(args, "-"))
	cmd.SetIn(in)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

func TestAnalyze_Columns(t *testing.T) {
	in := "The staff was wonderful and the food was delicious.\r\n\n   \nDas Essen war leider kalt und das Personal unfreundlich.\n12345\n" + strings.Repeat("word ", 2000) + "\nlast line without an end, in English of course"
	out, errs, err := analyze(t, strings.NewReader(in))
	if err != nil || errs != "" {
		t.Fatalf("%v; said %q", err, errs)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 7 {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	for i, want := range [][]string{{"en ", "positive "}, {"(empty)", "-"}, {"(empty)", "-"}, {"de ", "negative "}, {"-", "-"}, {"(too long)", "-"}, {"en ", ""}} {
		cells := strings.Split(lines[i], "\t")
		if len(cells) != 4 || cells[0] != fmt.Sprint(i+1) || !strings.HasPrefix(cells[1], want[0]) || !strings.HasPrefix(cells[2], want[1]) {
			t.Errorf("line %d: %q, want %q", i+1, cells, want)
		}
	}
	if !strings.Contains(lines[0], "staff") || strings.HasSuffix(lines[1], "staff") {
		t.Errorf("key phrases: %q", lines[0])
	}
}

func TestAnalyze_JSON(t *testing.T) {
	out, _, err := analyze(t, strings.NewReader("The R&D staff was wonderful.\n\n"), "--json")
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Line                         int
		Language, Sentiment, Skipped string
		LanguageScore, Positive      float64
		KeyPhrases                   []string
	}
	var rows []row
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var r row
		if err := d.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		rows = append(rows, r)
	}
	if len(rows) != 2 || rows[0].Line != 1 || rows[0].Language != "en" || rows[0].Sentiment != "positive" || rows[0].LanguageScore <= 0 || len(rows[0].KeyPhrases) == 0 || rows[1].Skipped != "empty" {
		t.Errorf("%+v", rows)
	}
	if strings.Contains(out, `\u0026`) {
		t.Errorf("readable characters are escaped: %s", out)
	}
}

// TestAnalyze_Encodings: bytes that aren't text don't stop it, byte order marks are no part of the text.
func TestAnalyze_Encodings(t *testing.T) {
	const words = "Il personale è gentile e la cucina è ottima."
	little := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(words + "\r\n")) {
		little = append(little, byte(u), byte(u>>8))
	}
	for name, in := range map[string]string{
		"plain": words + "\n", "mark": "\ufeff" + words + "\n", "UTF-16": string(little), "not UTF-8": "\xff\xfe\xfd " + words, "Latin 1": strings.ReplaceAll(words, "è", "\xe8") + "\n",
		"a zero": words + "\x00\n",
	} {
		if name == "not UTF-8" {
			in = "\xe8\xe8 " + words
		}
		out, errs, err := analyze(t, strings.NewReader(in))
		if err != nil || errs != "" || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "1\tit ") {
			t.Errorf("%s: %q %q %v", name, out, errs, err)
		}
	}
}

// TestAnalyze_HugeLine: a line of any length is told to be too long, in bounded memory, and what follows is read.
func TestAnalyze_HugeLine(t *testing.T) {
	in := io.MultiReader(strings.NewReader("Good morning to all of you\n"), io.LimitReader(endless('x'), 24<<20), strings.NewReader("\nGood night to all of you\n"))
	out, _, err := analyze(t, in)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "1\ten ") || lines[1] != "2\t(too long)\t-\t-" || !strings.HasPrefix(lines[2], "3\ten ") {
		t.Errorf("%q", lines)
	}
}

type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}

// TestAnalyze_Answers: lines that come one by one are answered one by one, before the input ends.
func TestAnalyze_Answers(t *testing.T) {
	in, typed := io.Pipe()
	seen, printed := io.Pipe()
	a := newAnalysis(printed)
	done := make(chan error, 1)
	go func() {
		err := a.run(t.Context(), in)
		_ = printed.Close()
		done <- err
	}()
	answers := bufio.NewReader(seen)
	for i := range 3 {
		if _, err := io.WriteString(typed, "good\n"); err != nil {
			t.Fatal(err)
		}
		got, err := answers.ReadString('\n')
		if err != nil || !strings.HasPrefix(got, fmt.Sprint(i+1)+"\t") {
			t.Fatalf("line %d: %q %v", i+1, got, err)
		}
	}
	_ = typed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// newAnalysis is one with small engines.
func newAnalysis(out io.Writer) *analysis {
	return &analysis{service: text.New(texttest.Engines()), out: bufio.NewWriter(out)}
}

// TestAnalyze_Ends: it ends when it is interrupted, when nobody reads any more, and when the input breaks, saying so.
func TestAnalyze_Ends(t *testing.T) {
	in, _ := io.Pipe() // on which nothing comes
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newAnalysis(io.Discard).run(ctx, in); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "after line 0") {
		t.Errorf("interrupted: %v", err)
	}
	if err := newAnalysis(full{}).run(t.Context(), strings.NewReader(strings.Repeat("good\n", 5000))); !errors.Is(err, os.ErrClosed) {
		t.Errorf("nobody reads: %v", err)
	}
	var out bytes.Buffer
	broken := io.MultiReader(strings.NewReader("good\nbad"), failing{})
	if err := newAnalysis(&out).run(t.Context(), broken); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(out.String(), "1\t") {
		t.Errorf("the input breaks: %v, printed %q", err, out.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestAnalyze_Bar: the bar reaches its end and is taken away.
func TestAnalyze_Bar(t *testing.T) {
	content := strings.Repeat("good\n", 1000)
	var shown bytes.Buffer
	a := newAnalysis(io.Discard)
	a.bar = &bar{out: &shown, size: int64(len(content))}
	if err := a.run(t.Context(), strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if a.bar.done != a.bar.size {
		t.Errorf("the bar counted %d of %d bytes", a.bar.done, a.bar.size)
	}
	if s := shown.String(); !strings.HasPrefix(s, "\r[") || !strings.Contains(s, " %") || !strings.HasSuffix(s, "\r"+strings.Repeat(" ", 50)+"\r") {
		t.Errorf("shown: %q", s)
	}
	half := &bar{out: &shown, size: 200}
	shown.Reset()
	_, _ = half.Write(make([]byte, 100))
	if s := shown.String(); s != "\r["+strings.Repeat("#", 20)+strings.Repeat(".", 20)+"]  50 %" {
		t.Errorf("half: %q", s)
	}
}

// TestAnalyze_Codes: exit codes, and no bar where nobody watches.
func TestAnalyze_Codes(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.txt")
	if err := os.WriteFile(large, bytes.Repeat([]byte("\n"), analyzeLarge), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{large}, exitDone, ""},
		{[]string{filepath.Join(dir, "nothing.txt")}, exitFailed, "nothing.txt"},
		{[]string{dir}, exitFailed, "is a folder"},
		{nil, exitUsage, "accepts 1 arg"},
		{[]string{large, large}, exitUsage, "accepts 1 arg"},
		{[]string{"--frob", large}, exitUsage, "frob"},
	} {
		_, errs, code := bulkhead(t, append([]string{"cognitive", "analyze"}, tt.args...)...)
		if code != tt.code || !strings.Contains(errs, tt.says) || code == 0 && errs != "" {
			t.Errorf("%q = %d %q; want %d and %q", tt.args, code, errs, tt.code, tt.says)
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{"", "\n", "a\r\nb", "\xff\xfe", "\xfe\xff\x00", "\xef\xbb\xbf\n\n", "\xff\xfea"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		a := newAnalysis(&out)
		if err := a.run(t.Context(), bytes.NewReader(in)); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != a.line {
			t.Fatalf("%d lines were printed, %d analyzed", n, a.line)
		}
	})
}
