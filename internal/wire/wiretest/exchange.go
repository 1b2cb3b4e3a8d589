package wiretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the responses in testdata/*.txtar from what is answered")

// Target is what a file of exchanges is played against.
type Target struct {
	Handler http.Handler
	Vars    map[string]string // of ${name} in requests; Run adds to a copy
}

// Run plays each *.txtar file of dir as a subtest of its own, against a Target of its own. No file is a failure.
func Run(t *testing.T, dir string, open func(t *testing.T) Target) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchanges in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			play(t, file, open(t))
		})
	}
}

func play(t *testing.T, file string, target Target) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for k, v := range target.Vars {
		vars[k] = v
	}
	if len(ar.Files) == 0 || len(ar.Files)%2 != 0 {
		t.Fatalf("%s: sections must be pairs of request and response, got %d", file, len(ar.Files))
	}
	for i := 0; i < len(ar.Files); i += 2 {
		in, out := ar.Files[i], &ar.Files[i+1]
		if in.Name != "request" || out.Name != "response" {
			t.Fatalf("%s: sections %d and %d are %q and %q, want request and response", file, i, i+1, in.Name, out.Name)
		}
		req, line, err := parseRequest(string(in.Data), vars)
		if err != nil {
			t.Fatalf("%s: request %d: %v", file, i/2+1, err)
		}
		w := httptest.NewRecorder()
		target.Handler.ServeHTTP(w, req)
		want, err := parseResponse(string(out.Data))
		if err != nil && !*update {
			t.Fatalf("%s: response %d (%s): %v", file, i/2+1, line, err)
		}
		problems := want.compare(w, vars)
		switch {
		case len(problems) == 0:
		case *update:
			out.Data = []byte(want.rewritten(w, vars))
		default:
			t.Fatalf("%s: response %d (%s):\n  %s\nanswer: %d\n%s", file, i/2+1, line, strings.Join(problems, "\n  "), w.Code, w.Body)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil { //nolint:gosec // a test's own data
			t.Fatal(err)
		}
	}
}

// parseRequest reads "METHOD target", header lines, an empty line, the body.
func parseRequest(text string, vars map[string]string) (*http.Request, string, error) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, target, ok := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
	if !ok {
		return nil, "", fmt.Errorf("first line %q is not METHOD TARGET", lines[0])
	}
	for _, s := range []*string{&target, &body} {
		v, err := expand(*s, vars)
		if err != nil {
			return nil, "", err
		}
		*s = v
	}
	// The section's final line break is the file's, not the body's.
	body = strings.TrimSuffix(body, "\n")
	req := httptest.NewRequest(method, target, io.NopCloser(strings.NewReader(body)))
	req.ContentLength = int64(len(body))
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return nil, "", fmt.Errorf("header line %q has no colon", l)
		}
		value, err := expand(strings.TrimSpace(value), vars)
		if err != nil {
			return nil, "", err
		}
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Add(name, value)
	}
	return req, lines[0], nil
}

// expand puts variables into s. One that isn't set is an error.
func expand(s string, vars map[string]string) (string, error) {
	var missing error
	out := os.Expand(escapeBare(s), func(name string) string {
		if name == "$" {
			return "$"
		}
		v, ok := vars[name]
		if !ok {
			missing = fmt.Errorf("variable ${%s} is not set", name)
		}
		return v
	})
	return out, missing
}

// escapeBare protects the dollar signs that don't begin a ${name}, as in "$skiptoken".
func escapeBare(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteByte(s[i])
		if s[i] == '$' && (i+1 == len(s) || s[i+1] != '{') {
			b.WriteString("$")
		}
	}
	return b.String()
}

// response is what a file demands of an answer.
type response struct {
	status  int
	headers [][2]string
	body    string
}

func parseResponse(text string) (response, error) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	r := response{body: strings.TrimRight(body, "\n")}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return r, fmt.Errorf("header line %q has no colon", l)
		}
		r.headers = append(r.headers, [2]string{name, strings.TrimSpace(value)})
	}
	var err error
	if r.status, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil {
		return r, errors.New("the first line is not a status")
	}
	return r, nil
}

func (r response) compare(w *httptest.ResponseRecorder, vars map[string]string) []string {
	var out []string
	if w.Code != r.status {
		out = append(out, fmt.Sprintf("status: got %d, want %d", w.Code, r.status))
	}
	for _, h := range r.headers {
		got, present := w.Header()[http.CanonicalHeaderKey(h[0])]
		switch {
		case h[1] == "<absent>":
			if present {
				out = append(out, fmt.Sprintf("header %s: got %q, want none", h[0], got))
			}
		case !present || !matchText(h[1], strings.Join(got, ", "), vars):
			out = append(out, fmt.Sprintf("header %s: got %q, want %q", h[0], got, h[1]))
		}
	}
	return append(out, compareBody(r.body, w.Body.String(), vars)...)
}

func compareBody(want, got string, vars map[string]string) []string {
	wantJSON, ok1 := decode(want)
	gotJSON, ok2 := decode(got)
	switch {
	case want == "<any>":
		return nil
	case ok1 && ok2:
		return diff("body", wantJSON, gotJSON, vars)
	case matchText(want, strings.TrimRight(got, "\n"), vars):
		return nil
	}
	return []string{fmt.Sprintf("body: got %q, want %q", got, want)}
}

func decode(s string) (any, bool) {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, false
	}
	_, err := dec.Token()
	return v, errors.Is(err, io.EOF)
}

// rewritten is the section that the answer w satisfies, as close to r as it can be.
func (r response) rewritten(w *httptest.ResponseRecorder, vars map[string]string) string {
	var b strings.Builder
	fmt.Fprintln(&b, w.Code)
	for _, h := range r.headers {
		got, present := w.Header()[http.CanonicalHeaderKey(h[0])]
		joined := strings.Join(got, ", ")
		switch {
		case !present:
			joined = "<absent>"
		case matchText(h[1], joined, vars):
			joined = h[1]
		default:
			joined = generalize(joined, vars)
		}
		fmt.Fprintf(&b, "%s: %s\n", h[0], joined)
	}
	if w.Body.Len() == 0 {
		b.WriteString("\n")
		return b.String()
	}
	b.WriteString("\n")
	got, ok := decode(w.Body.String())
	if !ok {
		b.WriteString(generalize(strings.TrimRight(w.Body.String(), "\n"), vars) + "\n\n")
		return b.String()
	}
	want, _ := decode(r.body)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(merge(want, got, vars)); err != nil {
		b.WriteString(w.Body.String() + "\n")
		return b.String()
	}
	b.Write(buf.Bytes())
	b.WriteString("\n")
	return b.String()
}
