package wiretest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Contract is what playing a folder of contract files found out.
type Contract struct {
	Fit   []string // examples whose request is taken, and whose answer has the shape that is documented
	Unfit []string // examples that are refused, as their files say
}

// PlayContract plays each *.txtar file of dir against a Target of its own. A section's name is that of an example of a public specification; it holds the request, rebuilt with names of our own,
// and after a line "=> STATUS" the shape of the answer (see Missing). "=> STATUS given" demands, too, that all of the request's body is given back. A section
// whose name begins with "unfit " is an example that is refused: instead of a shape, a part of the error's message. One that begins with "before " is no example; it prepares.
func PlayContract(t *testing.T, dir string, open func(t *testing.T) Target) Contract {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts in %s: %v", dir, err)
	}
	var c Contract
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		target := open(t)
		for _, f := range ar.Files {
			problems, answer := target.contract(f.Name, string(f.Data))
			name, unfit := strings.CutPrefix(f.Name, "unfit ")
			switch {
			case len(problems) > 0:
				t.Errorf("%s: %s:\n  %s\nanswer: %s", filepath.Base(file), f.Name, strings.Join(problems, "\n  "), answer)
			case unfit:
				c.Unfit = append(c.Unfit, name)
			case !strings.HasPrefix(name, "before "):
				c.Fit = append(c.Fit, name)
			}
		}
	}
	slices.Sort(c.Fit)
	slices.Sort(c.Unfit)
	for _, list := range [][]string{c.Fit, c.Unfit} {
		if len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("an example is there twice: %v", list)
		}
	}
	return c
}

// contract plays one section.
func (target Target) contract(name, text string) (problems []string, answer string) {
	ask, want, ok := strings.Cut(text, "\n=> ")
	line, shape, _ := strings.Cut(want, "\n")
	status, given := strings.CutSuffix(line, " given")
	code, err := strconv.Atoi(status)
	if !ok || err != nil {
		return []string{`it has no line "=> STATUS"`}, ""
	}
	req, _, err := parseRequest(ask, target.Vars)
	if err != nil {
		return []string{err.Error()}, ""
	}
	sent, _, err := parseRequest(ask, target.Vars)
	if err != nil {
		return []string{err.Error()}, ""
	}
	w := httptest.NewRecorder()
	target.Handler.ServeHTTP(w, req)
	answer = fmt.Sprintf("%d %s", w.Code, w.Body)
	if w.Code != code {
		problems = append(problems, fmt.Sprintf("status %d, want %d", w.Code, code))
	}
	if strings.HasPrefix(name, "unfit ") {
		if want := strings.TrimSpace(shape); want == "" || !strings.Contains(w.Body.String(), want) {
			problems = append(problems, fmt.Sprintf("the error does not say %q", want))
		}
		return problems, answer
	}
	var got, demanded, body any
	if strings.TrimSpace(shape) == "" {
		return problems, answer
	}
	for _, in := range []struct {
		what, text string
		to         *any
	}{{"the answer", w.Body.String(), &got}, {"the shape", shape, &demanded}} {
		if err := json.Unmarshal([]byte(in.text), in.to); err != nil {
			return append(problems, in.what+": "+err.Error()), answer
		}
	}
	problems = append(problems, Missing(demanded, got)...)
	if given {
		if err := json.NewDecoder(sent.Body).Decode(&body); err != nil {
			return append(problems, "the request: "+err.Error()), answer
		}
		problems = append(problems, NotGivenBack(body, got)...)
	}
	return problems, answer
}

// CheckPage demands that a page of documentation names each example that does not fit, and says how many do.
func (c Contract) CheckPage(t *testing.T, page string) {
	t.Helper()
	b, err := os.ReadFile(page) //nolint:gosec // a test's own data
	if err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf("%d of the %d examples fit", len(c.Fit), len(c.Fit)+len(c.Unfit))
	if !strings.Contains(string(b), says) {
		t.Errorf("%s does not say that %s", page, says)
	}
	for _, name := range c.Unfit {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("%s does not name `%s`, which does not fit", page, name)
		}
	}
}
