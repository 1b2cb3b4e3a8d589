package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of what users' folders may hold. What is beyond is named and left out.
const (
	maxFile      = 1 << 20 // bytes of one file
	maxFiles     = 50_000
	maxDocuments = 1_000 // in one file
	maxValues    = 10_000
	maxText      = 64 << 10 // bytes of one value
	maxRegexp    = 4 << 10  // bytes of one regular expression
	maxNodes     = 20_000   // of one rule's expression
	maxNesting   = 100      // of parentheses in a condition
)

// Options are what rules need besides their own text.
type Options struct {
	// Placeholders are the lists for |expand, by name without the percent signs. Their values may hold wildcards. A rule that names a list that isn't
	// here is left out.
	Placeholders map[string][]string
}

// Load reads every .yml and .yaml file below the root of files. What can't be used is told in the problems, one each, and doesn't end the load; the error is
// only about the folder itself.
func Load(files fs.FS, o Options) (*Collection, []Problem, error) {
	all, problems, n := &Collection{}, []Problem(nil), 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			problems = append(problems, Problem{File: name, Reason: err.Error()})
			return nil
		}
		if ext := strings.ToLower(path.Ext(name)); d.IsDir() || ext != ".yml" && ext != ".yaml" {
			return nil
		}
		if n++; n > maxFiles {
			problems = append(problems, Problem{File: name, Reason: fmt.Sprintf("more than %d files", maxFiles)})
			return fs.SkipAll
		}
		text, err := readBounded(files, name)
		if err != nil {
			problems = append(problems, Problem{File: name, Reason: err.Error()})
			return nil
		}
		c, bad := Parse(name, text, o)
		all.add(c)
		problems = append(problems, bad...)
		return nil
	})
	return all, problems, err
}

func readBounded(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return text, err
}

// Parse reads the documents of one file. name is how the file is called in what is returned. Where the YAML itself is broken, the documents before that
// place are kept.
func Parse(name string, text []byte, o Options) (*Collection, []Problem) {
	out, problems := &Collection{}, []Problem(nil)
	if len(text) > maxFile {
		return out, []Problem{{File: name, Reason: fmt.Sprintf("larger than %d bytes", maxFile)}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for n := 0; ; n++ {
		var doc yaml.Node
		err := decodeNode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return out, problems
		}
		if err == nil && n >= maxDocuments {
			err = fmt.Errorf("more than %d documents in a file", maxDocuments)
		}
		if err != nil {
			return out, append(problems, Problem{File: name, Line: yamlLine(err), Reason: "not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")})
		}
		if len(doc.Content) == 0 || isNull(doc.Content[0]) {
			continue
		}
		m := Meta{File: name, Line: doc.Content[0].Line}
		if err := parseDocument(doc.Content[0], &m, o, out); err != nil {
			p := Problem{File: name, Line: m.Line, Rule: m.Key(), Reason: err.Error()}
			if at := (*positioned)(nil); errors.As(err, &at) {
				p.Line, p.Column, p.Reason = at.line, at.column, at.reason
			}
			problems = append(problems, p)
		}
	}
}

// decodeNode turns a panic of the YAML reader into an error: files are foreign.
func decodeNode(dec *yaml.Decoder, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return dec.Decode(doc)
}

var lineOf = regexp.MustCompile(`line (\d+)`)

func yamlLine(err error) int {
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 0
}
