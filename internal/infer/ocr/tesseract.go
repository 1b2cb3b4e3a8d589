package ocr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// pageTime is how long one pass over a page may take.
	pageTime = 60 * time.Second
	// outputMax bounds what a pass may print: a page of 20,000 words takes two megabytes.
	outputMax = 16 << 20
	// small is the longer side of pages in pixels below which they are read enlarged: Tesseract wants letters of 20 pixels and more.
	small = 1300
	// sure is the mean confidence from which a page counts as read the right way up, if there are letters enough to tell.
	sure, sureLetters = 0.7, 6
)

// Tesseract reads by Debian's tesseract, a process for each pass over a page. The zero value is ready, with the program found in PATH.
type Tesseract struct {
	// Path is the program; "" means tesseract in PATH.
	Path string
	// Workers is how many passes run at a time; 0 means one a core.
	Workers int

	once      sync.Once
	turns     chan struct{} // one for each pass that may run
	mu        sync.Mutex
	languages []string // guarded by mu; nil until the program has told them
}

// Read implements [Engine]. A page is read as it lies first; only where that gives little sense its right way up is looked for, so that most pages take
// one pass.
func (t *Tesseract) Read(ctx context.Context, page *image.Gray, language string) (Page, error) {
	code, err := t.code(ctx, language)
	if err != nil {
		return Page{}, err
	}
	lay := layOf(page)
	if lay == nil {
		return Page{Width: page.Rect.Dx(), Height: page.Rect.Dy()}, nil
	}
	var best reading
	var trust float64
	for _, way := range lay {
		r, more, err := t.read(ctx, page, way, code)
		if err != nil {
			return Page{}, err
		}
		if more > trust || way == lay[0] {
			best, trust = r, more
		}
		if best.mean >= sure && trust >= sureLetters*sure {
			break
		}
	}
	return best.Page, nil
}

// reading is a page with how sure the engine was of it.
type reading struct {
	Page
	mean float64 // of the words, by letters, 0 to 1
}

// read reads the page as if it lay that way, and tells how far the reading is to be trusted: the letters, by the confidence in them.
func (t *Tesseract) read(ctx context.Context, page *image.Gray, way lay, code string) (reading, float64, error) {
	w, h := page.Rect.Dx(), page.Rect.Dy()
	n, scale := way.quarters, 1.0
	if side := max(w, h); side < small {
		scale = min(3, small/float64(side))
	}
	up := turn(quarters(page, n), way.lean, scale)
	out, err := t.run(ctx, up.page, "-l", code, "--psm", "3", "-c", "tessedit_create_tsv=1")
	if err != nil {
		return reading{}, 0, err
	}
	r := reading{Page: Page{Width: w, Height: h, Angle: way.lean - 90*float64(n)}}
	if r.Angle <= -180 {
		r.Angle += 360
	}
	rows, err := parseTSV(out)
	if err != nil {
		return reading{}, 0, err
	}
	var letters, sum float64
	place := func(b box) Quad { return unquarter(up.quad(b.left, b.top, b.width, b.height), n, w, h) }
	for _, l := range rows {
		line := Line{Box: place(l.box)}
		for i, word := range l.words {
			if i > 0 {
				line.Text += " "
			}
			line.Text += word.text
			line.Words = append(line.Words, Word{Box: place(word.box), Text: word.text, Confidence: word.confidence / 100})
			size := float64(len([]rune(word.text)))
			letters += size
			sum += size * word.confidence / 100
		}
		r.Lines = append(r.Lines, line)
	}
	if letters > 0 {
		r.mean = sum / letters
	}
	return r, sum * r.mean, nil
}

// run runs one pass. The page goes in, and what is found comes out, by pipes: nothing of it is written anywhere.
func (t *Tesseract) run(ctx context.Context, page *image.Gray, args ...string) ([]byte, error) {
	t.once.Do(func() {
		n := t.Workers
		if n <= 0 {
			n = runtime.GOMAXPROCS(0)
		}
		t.turns = make(chan struct{}, n)
	})
	select {
	case t.turns <- struct{}{}:
		defer func() { <-t.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	header := fmt.Sprintf("P5\n%d %d\n255\n", page.Rect.Dx(), page.Rect.Dy())
	return tool{path: t.path(), hint: "apt-get install tesseract-ocr", time: pageTime, max: outputMax}.
		run(ctx, io.MultiReader(strings.NewReader(header), bytes.NewReader(page.Pix)), append([]string{"stdin", "stdout"}, args...)...)
}

func (t *Tesseract) path() string {
	if t.Path == "" {
		return "tesseract"
	}
	return t.Path
}

// Check implements [Engine].
func (t *Tesseract) Check(ctx context.Context, language string) error {
	_, err := t.code(ctx, language)
	return err
}

// Languages are the codes of the installed languages, Tesseract's own (deu, chi_sim), in order.
func (t *Tesseract) Languages(ctx context.Context) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.languages != nil {
		return t.languages, nil
	}
	out, err := tool{path: t.path(), hint: "apt-get install tesseract-ocr", time: 10 * time.Second, max: 64 << 10}.run(ctx, nil, "--list-langs")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, " ") && line != "osd" {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: tesseract has no languages (apt-get install tesseract-ocr-eng)", ErrMissing)
	}
	slices.Sort(all)
	t.languages = all
	return all, nil
}

// code is the -l argument for a language.
func (t *Tesseract) code(ctx context.Context, language string) (string, error) {
	all, err := t.Languages(ctx)
	if err != nil {
		return "", err
	}
	if language == "" {
		if i := slices.Index(all, "eng"); i > 0 { // the first one given is the one it leans to
			all = append([]string{"eng"}, slices.Delete(slices.Clone(all), i, i+1)...)
		}
		return strings.Join(all, "+"), nil
	}
	want, ok := codes[strings.ToLower(language)]
	if !ok || !slices.Contains(all, want) {
		return "", fmt.Errorf("%w: %s", ErrLanguage, language)
	}
	return want, nil
}

// tool is a program that takes bytes and prints some.
type tool struct {
	path, hint string
	time       time.Duration
	max        int
}

func (t tool) run(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	path, err := exec.LookPath(t.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s (%s)", ErrMissing, t.path, t.hint)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.time, fmt.Errorf("%s took more than %s", t.path, t.time))
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH")}
	if prefix, ok := os.LookupEnv("TESSDATA_PREFIX"); ok {
		cmd.Env = append(cmd.Env, "TESSDATA_PREFIX="+prefix)
	}
	cmd.Stdin, cmd.WaitDelay = in, time.Second
	out, said := limited{max: t.max}, limited{max: 4 << 10, cut: true}
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Start()
	if err == nil {
		bound(cmd.Process.Pid)
		err = cmd.Wait()
	}
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errTooMuch):
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	return nil, fmt.Errorf("%s: %w: %s", t.path, err, firstLine(said.Bytes()))
}

var errTooMuch = errors.New("it printed more than is taken")

// limited takes so many bytes; what is more ends the program, or is left out.
type limited struct {
	bytes.Buffer
	max int
	cut bool
}

func (l *limited) Write(b []byte) (int, error) {
	if room := l.max - l.Len(); len(b) > room {
		if !l.cut {
			return 0, errTooMuch
		}
		l.Buffer.Write(b[:max(room, 0)])
		return len(b), nil
	}
	return l.Buffer.Write(b)
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}
