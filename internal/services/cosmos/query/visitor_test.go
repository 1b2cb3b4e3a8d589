package query

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sameTree compares syntax trees: positions, the text and whether ASC was written are no part of the meaning.
var sameTree = cmp.Options{
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmp.Comparer(func(Span, Span) bool { return true }),
	cmp.Comparer(func(a, b Value) bool {
		return a.Kind() == b.Kind() && string(appendKey(nil, a)) == string(appendKey(nil, b))
	}),
	cmp.FilterPath(func(p cmp.Path) bool {
		name := p.Last().String()
		return name == ".Text" || name == ".Explicit"
	}, cmp.Ignore()),
}

// visitorCase is a piece of a query as the .NET client's printers write it.
type visitorCase struct {
	Description string `xml:"Input>Description"`
	Text        string `xml:"Output>TextOutput"`
	Pretty      string `xml:"Output>PrettyPrint"`
	Obfuscated  string `xml:"Output>ObfusctedQuery"`
}

// whole makes a query of a piece. The cases have an alias with a blank in it, which only that client's printer lets pass.
func (c visitorCase) whole(piece string) string {
	piece = strings.TrimSpace(strings.ReplaceAll(piece, "some alias", "someAlias"))
	word, _, _ := strings.Cut(piece, " ")
	switch {
	case word == "SELECT":
		return piece
	case c.Description == "SqlOffsetSpec":
		return "SELECT * FROM c " + piece + " LIMIT 0"
	case c.Description == "SqlLimitSpec":
		return "SELECT * FROM c OFFSET 0 " + piece
	case word == "WHERE", word == "GROUP", word == "ORDER", word == "OFFSET":
		return "SELECT * FROM c " + piece
	case strings.Contains(c.Description, "CollectionExpression"):
		return "SELECT * FROM " + piece
	}
	return "SELECT VALUE " + piece
}

// notTheLanguage are cases that client prints though no query can hold them.
var notTheLanguage = map[string]string{
	"ARRAY": "ARRAY takes a subquery, the case has ARRAY(42)",
	"LIKE":  "LIKE is an operator, the case calls it as a function",
}

// TestParse_VisitorBaselines: what the .NET client prints of a syntax tree, on one line, over several and with its values hidden, parses; the
// first two are the same tree, and our print is that client's.
func TestParse_VisitorBaselines(t *testing.T) {
	_ = baselines(t, "SqlObjectVisitorBaselineTests.SqlQueries.xml") // skips where there are none
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	files, _ := filepath.Glob(filepath.Join(root, "cosmos", "SqlObjectVisitorBaselineTests.*.xml"))
	total, passed := 0, 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Results []visitorCase `xml:"Result"`
		}
		if err := xml.Unmarshal([]byte(strings.TrimPrefix(string(raw), "\ufeff")), &doc); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, c := range doc.Results {
			total++
			why, except := visitor(c), notTheLanguage[c.Description]
			switch {
			case why == "" && except != "":
				t.Errorf("%s %s passes now; it was listed: %s", filepath.Base(f), c.Description, except)
			case why == "":
				passed++
			case except == "":
				t.Errorf("%s %s: %s", filepath.Base(f), c.Description, why)
			}
		}
	}
	t.Logf("%d of %d visitor baselines", passed, total)
	if want := total - len(notTheLanguage); passed != want {
		t.Errorf("visitor baselines: %d of %d pass, want %d", passed, total, want)
	}
}

func visitor(c visitorCase) string {
	text := c.whole(c.Text)
	q, err := Parse(text)
	if err != nil {
		return text + ": " + err.Error()
	}
	if got := squeeze(q.String()); got != squeeze(text) {
		return text + " prints as " + got
	}
	pretty, err := Parse(c.whole(c.Pretty))
	if err != nil {
		return c.whole(c.Pretty) + ": " + err.Error()
	}
	if d := cmp.Diff(q, pretty, sameTree); d != "" {
		return text + " over several lines: " + d
	}
	if _, err := Parse(c.whole(c.Obfuscated)); err != nil {
		return c.whole(c.Obfuscated) + ": " + err.Error()
	}
	return ""
}
