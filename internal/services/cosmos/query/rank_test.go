package query

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

var books = []string{
	`{"id":"a","text":"The red fox jumps. A fox is red, and quick.","v":[1,0]}`, `{"id":"b","text":"One fox among many other animals of the wide and green forest","v":[0.9,0.1]}`,
	`{"id":"c","text":"Bicycles are red","v":[0,1]}`, `{"id":"d","v":[0.5,0.5]}`, `{"id":"e","text":"Foxes","v":"none"}`,
}

func ids(list string) string { return "\"" + strings.Join(strings.Fields(list), "\"\n\"") + "\"" }

// TestRank: ORDER BY RANK has the best first, and what has no text last.
func TestRank(t *testing.T) {
	params := map[string]json.RawMessage{"@v": json.RawMessage(`[1,0]`), "@t": json.RawMessage(`"fox"`)}
	for _, c := range []struct{ sql, want string }{
		{`SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, "fox")`, `e a b c d`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, "fox", "red")`, `a c e b d`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, ["fox", "red"])`, `a c e b d`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, @t)`, `e a b c d`},
		{`SELECT TOP 1 VALUE c.id FROM c WHERE FullTextContains(c.text, "red") ORDER BY RANK FullTextScore(c.text, "fox")`, `a`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, "fox") OFFSET 1 LIMIT 2`, `a b`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK FullTextScore(c.text, "the")`, `a b c e d`}, // a word too common to count
		{`SELECT VALUE c.id FROM c ORDER BY RANK RRF(FullTextScore(c.text, "fox"), FullTextScore(c.text, "red"))`, `e a c b d`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK RRF(FullTextScore(c.text, "fox"), VectorDistance(c.v, @v), [0, 1])`, `a b d c e`},
		{`SELECT VALUE c.id FROM c ORDER BY RANK RRF(FullTextScore(c.text, "fox"), VectorDistance(c.v, @v), [0, -1])`, `e c d b a`},
		{`SELECT TOP 2 VALUE c.id FROM c ORDER BY VectorDistance(c.v, @v)`, `a b`},
		{`SELECT TOP 2 VALUE c.id FROM c ORDER BY VectorDistance(c.v, @v, true, {"distanceFunction": "euclidean"})`, `e a`},
		{`SELECT VALUE c.id FROM c ORDER BY _FullTextScore(c.text, ["fox"], 4, 14, [3]) DESC`, `e a b c d`},
	} {
		if got := results(t, c.sql, params, books...); got != ids(c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, strings.ReplaceAll(got, "\n", " "), c.want)
		}
	}
	for sql, want := range map[string]string{
		`SELECT FullTextScore(c.text, "a") FROM c`: "only allowed in the ORDER BY RANK", `SELECT * FROM c WHERE RRF(1, 2) > 0`: "only allowed in the ORDER BY RANK",
		`SELECT * FROM c ORDER BY RANK UPPER(c.text)`: "ORDER BY RANK must be", `SELECT * FROM c ORDER BY RANK FullTextScore(c.text, c.id)`: "must be string literals",
		`SELECT * FROM c ORDER BY RANK RRF(FullTextScore(c.text, "a"), FullTextScore(c.text, "b"), [1])`: "weights of RRF", `SELECT * FROM c ORDER BY RANK FullTextScore(c.text)`: "2",
	} {
		q, err := Parse(sql)
		if err == nil {
			_, err = Compile(q, nil)
		}
		var e *Error
		if !errors.As(err, &e) || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a 400 that says %q", sql, err, want)
		}
	}
}
