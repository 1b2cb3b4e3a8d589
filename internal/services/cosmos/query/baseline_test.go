package query

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// baselineCase is a query and what the service's own parser and planner made of it.
type baselineCase struct {
	File        string
	Description string `xml:"Input>Description"`
	Query       string `xml:"Input>Query"`
	Parsed      string `xml:"Output>ParsedQuery"`
	Exception   string `xml:"Output>Exception"`
}

// baselines reads the shared answers; the test is skipped where they are absent.
func baselines(t testing.TB, pattern string) []baselineCase {
	t.Helper()
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	files, _ := filepath.Glob(filepath.Join(root, "cosmos", pattern))
	if len(files) == 0 {
		t.Skipf("no %s under %s; set BULKHEAD_TESTDATA", pattern, root)
	}
	var out []baselineCase
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Results []baselineCase `xml:"Result"`
		}
		if err := xml.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), &doc); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, c := range doc.Results {
			c.File = filepath.Base(f)
			out = append(out, c)
		}
	}
	return out
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestParse_SQLBaselines compares acceptance and canonical print with the .NET client's parser.
func TestParse_SQLBaselines(t *testing.T) {
	cases := baselines(t, "*SqlParserBaselineTests.*.xml")
	passed := 0
	for _, c := range cases {
		q, err := Parse(c.Query)
		switch {
		case c.Exception != "" && err == nil:
			t.Logf("%s %s: %q accepted as %s, want an error", c.File, c.Description, c.Query, q)
		case c.Exception == "" && err != nil:
			t.Logf("%s %s: %q got %v", c.File, c.Description, c.Query, err)
		case c.Exception == "" && squeeze(q.String()) != squeeze(c.Parsed):
			t.Logf("%s %s: %q printed %s, want %s", c.File, c.Description, c.Query, q, c.Parsed)
		default:
			passed++
		}
	}
	t.Logf("%d of %d parser baselines", passed, len(cases))
	// The other four are all of ScalarExpressionSqlParserBaselineTests.StringLiteral: that client keeps \b, \n, \u1234 in a
	// string as they are written, where the language, and the service, read JSON escapes.
	if floor := len(cases) - 4; passed < floor {
		t.Errorf("parser baselines: %d of %d pass, want at least %d", passed, len(cases), floor)
	}
}

// TestParse_PlanBaselines: whatever the planner accepts parses, and prints to something that parses to the same print.
func TestParse_PlanBaselines(t *testing.T) {
	cases := baselines(t, "QueryPlanBaselineTests.*.xml")
	passed, accepted := 0, 0
	for _, c := range cases {
		if c.Exception != "" {
			continue
		}
		accepted++
		q, err := Parse(c.Query)
		if err != nil {
			t.Logf("%s %s: %q got %v", c.File, c.Description, c.Query, err)
			continue
		}
		again, err := Parse(q.String())
		if err != nil || again.String() != q.String() {
			t.Logf("%s %s: %q prints as %s, which reads as %v, %v", c.File, c.Description, c.Query, q, again, err)
			continue
		}
		passed++
	}
	t.Logf("%d of %d planner queries", passed, accepted)
	if passed < accepted {
		t.Errorf("planner queries: %d of %d pass", passed, accepted)
	}
}

// TestCompile_PlanBaselines: what the planner accepts compiles, or is refused as not implemented; what it refuses is
// refused with the same text, where that has a code.
func TestCompile_PlanBaselines(t *testing.T) {
	cases := baselines(t, "QueryPlanBaselineTests.*.xml")
	compiled, lacking, refused, wrong := 0, 0, 0, 0
	params := map[string]json.RawMessage{}
	for _, name := range []string{"@LIKEPATTERN", "@p", "@param"} {
		params[name] = json.RawMessage(`"x"`)
	}
	params["@vectorEmbedding"] = json.RawMessage(`[1]`)
	for _, name := range []string{"@TOPCOUNT", "@OFFSETCOUNT", "@LIMITCOUNT", "@topcount", "@offsetcount", "@limitcount", "@top", "@offset", "@limit"} {
		params[name] = json.RawMessage(`3`)
	}
	for _, c := range cases {
		q, err := Parse(c.Query)
		if err == nil {
			_, err = Compile(q, params)
		}
		want := ""
		if i := strings.Index(c.Exception, `{"errors":`); i >= 0 {
			want, _, _ = strings.Cut(c.Exception[i:], "\n")
		}
		switch {
		case want != "":
			if fault.Is(err, fault.NotImplemented) {
				lacking++
			} else if got := fault.As(err); err == nil || got.Message != strings.TrimSpace(want) {
				wrong++
				t.Logf("%s %s: %q\n got %v\nwant %s", c.File, c.Description, c.Query, err, want)
			} else {
				refused++
			}
		case c.Exception != "": // a limit of the planner, not of the language
		case err == nil:
			compiled++
		case fault.Is(err, fault.NotImplemented):
			lacking++
		default:
			wrong++
			t.Logf("%s %s: %q got %v", c.File, c.Description, c.Query, err)
		}
	}
	t.Logf("of %d: %d compile, %d not implemented, %d refused alike, %d differ", len(cases), compiled, lacking, refused, wrong)
	if wrong > 0 {
		t.Errorf("%d of %d planner queries differ", wrong, len(cases))
	}
}
