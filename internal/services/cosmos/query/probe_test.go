package query

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// probeFilters look at properties only, so that the text decides.
var probeFilters = []string{
	`c.a = 1`, `c.a.b = "x"`, `c.a.b = "x" OR c.a = 2`, `IS_DEFINED(c.a) AND c["b c"] != null`, `c.a[0] > 0`, `EXISTS(SELECT VALUE k FROM k IN c.a WHERE k = 1)`, `ARRAY_CONTAINS(c.a, "x") OR c.b`,
	`c.a.b.c = c.a.b.d`, `NOT IS_DEFINED(c.z)`, `c.n = 9007199254740993 AND IntAdd(c.n, 1) > 5`, `c.a IN (1, 2, "x") AND c.b.c LIKE "%x%"`, `(SELECT VALUE COUNT(1) FROM k IN c.a) > 1`, `c["é"] = 1`, `ToString(c.n) = "1.5"`,
}

var probeDocs = []string{
	`{"a":1}`, `{ "a" : { "b" : "x" } , "n" : 1.5 }`, `{"a":{"b":{"c":[1],"d":[1]}},"a":{"b":"x"}}`, `{"a":{},"a":1}`, `{"z":"\\","b c":"\"","a":[1,"x",{"a":1}]}`, `{"\u0061":1}`, `{"a":"\u0078","b":true}`,
	`{"n":9007199254740993,"a":2,"b":{"c":"axb"}}`, `{}`, `{"a":null,"z":{"a":1}}`, `{"q":{"a":1},"é":1,"r":["}","]"]}`, "{\n\t\"a\" : -1e3\n}", `{"a":[[1]],"b":false}`,
}

// TestProbe: the text and the parsed document answer alike.
func TestProbe(t *testing.T) {
	passed := 0
	for _, where := range probeFilters {
		p := mustCompile(t, "SELECT * FROM c WHERE "+where, nil)
		if p.filter == nil {
			t.Errorf("%s: needs the whole document", where)
			continue
		}
		e, whole := p.NewEvaluator(), p.NewEvaluator()
		whole.filter = nil
		for _, doc := range probeDocs {
			got, err1 := e.Match([]byte(doc))
			want, err2 := whole.Match([]byte(doc))
			if got != want || err1 != nil || err2 != nil {
				t.Errorf("%s of %s: the text says %v, %v; the document %v, %v", where, doc, got, err1, want, err2)
			}
			if got {
				passed++
			}
		}
		if _, err := e.Match([]byte(`{"a":`)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s of broken text: got %v, want a 400", where, err)
		}
	}
	if passed < 20 {
		t.Errorf("only %d matches", passed)
	}
	many := "c.a0 = 1"
	for i := range maxProbed {
		many += fmt.Sprintf(" OR c.a%d = 1", i+1)
	}
	for _, where := range []string{many, `c = 1`, `c["a" || "b"] = 1`, `DOCUMENTID(c) > 1`, `EXISTS(SELECT VALUE k FROM k IN c)`, `ARRAY_CONTAINS([c], c.a)`, `true`} {
		if p := mustCompile(t, "SELECT * FROM c WHERE "+where, nil); p.filter != nil {
			t.Errorf("%s: does not look at the whole document", where)
		}
	}
}

func FuzzProbe(f *testing.F) {
	for i, d := range probeDocs {
		f.Add([]byte(d), uint(i))
	}
	f.Fuzz(func(t *testing.T, doc []byte, n uint) {
		where := probeFilters[n%uint(len(probeFilters))]
		p := mustCompile(t, "SELECT * FROM c WHERE "+where, nil)
		e, whole := p.NewEvaluator(), p.NewEvaluator()
		whole.filter = nil
		got, err := e.Match(doc)
		if !json.Valid(doc) || len(doc) == 0 || doc[0] != '{' {
			return // stored documents are objects; others must only not panic
		}
		want, err2 := whole.Match(doc)
		if err2 == nil && (err != nil || got != want) {
			t.Fatalf("%s of %s: the text says %v, %v; the document %v", where, doc, got, err, want)
		}
	})
}
