package index

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

func policy(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePolicy_Refused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                                  "is invalid",
		`{"includedPaths":[{"path":"/a/?"}]}`: "special manadatory indexing path",
		`{"includedPaths":[{"path":"/*"},{"path":"a/?"}]}`:                                                                  "'a/?' could not be accepted, failed near position '0'",
		`{"includedPaths":[{"path":"/*"},{"path":"/a-b/?"}]}`:                                                               "failed near position '2'",
		`{"includedPaths":[{"path":"/*"},{"path":"/a"}]}`:                                                                   "ends in /? or /*",
		`{"includedPaths":[{"path":"/*"},{"path":"/a/*/b/?"}]}`:                                                             "failed near position '4'",
		`{"includedPaths":[{"path":"/*"},{"path":"/?"}]}`:                                                                   "could not be accepted",
		`{"includedPaths":[{"path":"/*"},{"path":"/\"a/?"}]}`:                                                               "failed near position '1'",
		`{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/*"}]}`:                                                 "given more than once",
		`{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/a"}]]}`:                                            "has 1 paths",
		`{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/a"},{"path":"/b/?"}]]}`:                            "composite indexing path '/b/?'",
		`{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/a"},{"path":"/b/[]/c"}]]}`:                         "composite indexing path '/b/[]/c'",
		`{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"up"}]]}`:                 "The order 'up'",
		`{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[` + strings.Repeat(`{"path":"/a"},`, 8) + `{"path":"/b"}]]}`: "has 9 paths",
		`{"indexingMode":"none","includedPaths":[{"path":"/x"}]}`:                                                           "'/x' could not be accepted",
		`{"includedPaths":[{"path":"/*"},{"path":""}]}`:                                                                     "'' could not be accepted, failed near position '0'",
		`{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/a/"}]}`:                                                "failed near position '3'",
	} {
		if _, err := ParsePolicy(json.RawMessage(in)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

func TestPolicy_Includes(t *testing.T) {
	t.Parallel()
	all := `{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/a/*"},{"path":"/b/?"},{"path":"/c/d/?"},{"path":"/tags/[]/?"}]}`
	some := `{"includedPaths":[{"path":"/a/*"},{"path":"/\"x y\"/?"},{"path":"/list/[]/k/?"}],"excludedPaths":[{"path":"/*"},{"path":"/a/b/*"}]}`
	deep := `{"includedPaths":[{"path":"/"},{"path":"/a/b/c/?"}],"excludedPaths":[{"path":"/a/*"}]}`
	for _, tt := range []struct {
		policy, path string
		want         bool
	}{
		{all, "/z", true},
		{all, "/z/y/[]/x", true},
		{all, "/a", false},
		{all, "/a/b", false},
		{all, "/b", false},
		{all, "/b/c", true},
		{all, "/c/d", false},
		{all, "/c/d/e", true},
		{all, "/tags/[]", false},
		{all, "/tags/[]/x", true},
		{all, "/_rid", false},
		{all, "/_ts", true},
		{all, "/o/_rid", true},
		{some, "/a", true},
		{some, "/a/x", true},
		{some, "/a/b", false},
		{some, "/a/b/c", false},
		{some, `/"x y"`, true},
		{some, "/list/[]/k", true},
		{some, "/list/[]", false},
		{some, "/id", true},
		{some, "/z", false},
		{deep, "/a/b/c", true},
		{deep, "/a/b", false},
		{deep, "/z", true},
		{`{"indexingMode":"none"}`, "/z", false},
		{`{"indexingMode":"none"}`, "/id", false},
	} {
		path, _, err := parsePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		p := policy(t, tt.policy)
		if got := p.Includes(path); got != tt.want {
			t.Errorf("%s includes %s: %v", tt.policy, tt.path, got)
		}
		// Extraction agrees: a document with a value there has its term, or not.
		text, closing := "", ""
		for _, s := range path {
			if s.elements {
				text, closing = text+"[", "]"+closing
			} else {
				text, closing = text+fmt.Sprintf("{%q:", s.name), "}"+closing
			}
		}
		rows, err := p.Extract([]byte(text+"7"+closing), -1)
		if err != nil {
			t.Fatal(err)
		}
		head := (&leaf{hash: path.hash()}).head(appendNumber(nil, 7))
		found := false
		for i := range rows.Len() {
			found = found || bytes.Equal(rows.head(i), head)
		}
		if found != tt.want {
			t.Errorf("%s: term of %s: %v", tt.policy, tt.path, found)
		}
	}
}

// FuzzTerms: terms sort as their values do, and are read back; foreign bytes do no harm.
func FuzzTerms(f *testing.F) {
	for _, s := range []string{`1`, `-0`, `1e308`, `"a"`, `"a\u0000"`, `"a\u0000b"`, `null`, `true`, `"` + strings.Repeat("x", 101) + `"`, `[1]`, `-5e-324`, `2e700`, `-2e700`} {
		f.Add(s, `"b"`, []byte(s))
		f.Add(s, `2`, []byte{typeString, 0, endCut, 0xff})
	}
	f.Fuzz(func(t *testing.T, x, y string, foreign []byte) {
		if n, _, err := valueLen(foreign, 0); err == nil && (n < 1 || n > len(foreign)) {
			t.Fatalf("%x: %d", foreign, n)
		}
		_, _, _ = decodeValue(foreign)
		_, _ = decodeShape(foreign, foreign)
		_, _ = decodePlace(foreign)
		var p, q query.Parser
		a, err := p.Parse([]byte(x))
		b, err2 := q.Parse([]byte(y))
		if err != nil || err2 != nil || !json.Valid([]byte(x)) || !json.Valid([]byte(y)) {
			return // stored documents were checked by package items
		}
		ta, ok := appendValue(nil, a)
		tb, ok2 := appendValue(nil, b)
		if !ok || !ok2 {
			return
		}
		n, cutA, err := valueLen(append(bytes.Clone(ta), foreign...), 0)
		if err != nil || n != len(ta) {
			t.Fatalf("%q: length %d of %d, %v", x, n, len(ta), err)
		}
		_, cutB, _ := valueLen(tb, 0)
		back, _, err := decodeValue(ta)
		if err != nil || !cutA && query.Order(back, a) != 0 {
			t.Fatalf("%q came back as %s, %v", x, back.AppendJSON(nil), err)
		}
		want, got := query.Order(a, b), bytes.Compare(ta, tb)
		if got != want && (got != 0 || !cutA || !cutB) {
			t.Fatalf("%q and %q: %d, want %d", x, y, got, want)
		}
		inverted, other := bytes.Clone(ta), bytes.Clone(tb)
		invert(inverted)
		invert(other)
		if m, _, err := valueLen(inverted, 0xff); err != nil || m != len(ta) || bytes.Compare(inverted, other) != -got {
			t.Fatalf("%q inverted: %d, %v", x, m, err)
		}
	})
}

// FuzzExtract: whatever text a document has, extraction ends; and of a document that the engine can read, an equality finds what is in it.
func FuzzExtract(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":[1,{"b":"x"}],"o":{"p":null}}`, `{"\u0061":"\ud800\n"}`, `{"a":1,"a":{}}`, `{"a"`, `{"a":-}`, ` {"a" : [ ] } `, `{"a":1e999}`} {
		f.Add([]byte(s))
	}
	p := policy(f, `{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/o/x/?"}],"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}]]}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := p.Extract(text, -1)
		if err != nil {
			return
		}
		for i := range rows.Len() {
			if i > 0 && bytes.Compare(rows.head(i-1), rows.head(i)) >= 0 {
				t.Fatalf("%q: heads out of order", text)
			}
		}
		var parser query.Parser
		doc, err := parser.Parse(text)
		if err != nil || rows.Len() == 1 {
			return
		}
		term, ok := appendValue(nil, doc.Field("a"))
		if !ok {
			return
		}
		head := (&leaf{hash: Path{{name: "a"}}.hash()}).head(term)
		for i := range rows.Len() {
			if bytes.Equal(rows.head(i), head) {
				return
			}
		}
		t.Fatalf("%q: no term of a", text)
	})
}
