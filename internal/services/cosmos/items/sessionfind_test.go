package items

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// compiled is a query that was compiled.
type compiled struct {
	program  *query.Program
	analysis *index.Analysis
}

func compile(t testing.TB, text string) compiled {
	t.Helper()
	q, err := query.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := query.Compile(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return compiled{p, index.Analyze(q, p, nil)}
}

// run answers the query over what next lists, page by page.
func (a compiled) run(t testing.TB, next func(after string) Page) (rows []string) {
	t.Helper()
	docs := func(yield func(query.Doc, error) bool) {
		for after := ""; ; {
			p := next(after)
			for _, r := range p.Rows {
				if !yield(query.Doc{Key: r.Key, JSON: r.Text}, nil) {
					return
				}
				after = r.Key
			}
			if p.Last != "" {
				after = p.Last
			}
			if !p.More {
				return
			}
		}
	}
	page, err := query.Run(context.Background(), a.program, docs, query.Limits{Items: 10_000, Bytes: 16 << 20}, query.State{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Rows {
		rows = append(rows, string(r))
	}
	return rows
}

// TestSession_Find: what a session finds through the index is what is there, its own writes with it, in the order of the list.
func TestSession_Find(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	queries := []string{
		`SELECT VALUE c.id FROM c WHERE c.a = 1`, `SELECT VALUE c.id FROM c WHERE c.a > 0 AND c.b != "x"`, `SELECT VALUE c.id FROM c WHERE c.a IN (1, "x", null)`,
		`SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 1)`, `SELECT VALUE c.id FROM c WHERE c.b = "x" OR c.a = 2.5`, `SELECT VALUE c.id FROM c WHERE STARTSWITH(c.a, "y") ORDER BY c.id DESC`,
		`SELECT VALUE COUNT(1) FROM c WHERE c.a = true`, `SELECT VALUE c.id FROM c WHERE c.o = c.a`,
	}
	found := 0
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 7))
		s, _, rg := open(t)
		if err := s.SetPolicy(ctx, rg.GUID, policies[seed%2]); err != nil {
			t.Fatal(err)
		}
		text := func(id string) Document {
			d, err := Parse([]byte(randomText(r, id)))
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		for i := range 300 {
			id := fmt.Sprint(i)
			w := Write{Op: Upsert, EPK: []string{epkA, epkA, epkB}[i%3], ID: id, Doc: text(id)}
			if r.IntN(30) == 0 {
				w.Directive = Exclude
			}
			apply(t, s, rg, w)
		}
		x := begin(t, s, rg)
		for range 40 {
			id := fmt.Sprint(r.IntN(330))
			w := Write{Op: Upsert, ID: id, Doc: text(id)}
			if r.IntN(3) == 0 {
				w = Write{Op: Delete, ID: id}
			}
			_, _ = x.Do(ctx, w) // what is not there cannot be deleted
			for _, q := range []string{queries[r.IntN(len(queries))], queries[r.IntN(len(queries))]} {
				a, size := compile(t, q), []int{1, 3, 1000}[r.IntN(3)]
				want := a.run(t, func(after string) Page {
					p, err := x.List(ctx, after, 1000, 1<<20)
					if err != nil {
						t.Fatal(err)
					}
					return p
				})
				got := a.run(t, func(after string) Page {
					p, ok, err := x.Find(ctx, a.analysis, after, size, 1<<20)
					if err != nil {
						t.Fatal(err)
					}
					if ok {
						found++
						return p
					}
					if p, err = x.List(ctx, after, size, 1<<20); err != nil {
						t.Fatal(err)
					}
					return p
				})
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("seed %d, %s in pages of %d: %s", seed, q, size, d)
				}
			}
		}
		if _, err := x.Commit(ctx); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if found < 100 {
		t.Errorf("only %d pages came through the index", found)
	}
	s, _, rg := open(t)
	x := begin(t, s, rg)
	if _, _, err := x.Find(ctx, compile(t, queries[0]).analysis, "x", 1, 1); err == nil || !strings.Contains(err.Error(), "Continuation") {
		t.Errorf("a wrong place: %v", err)
	}
}

// TestSession_FindConflicts: a session that looked through the index is stale when what it looked for has changed, and is not when something else has.
func TestSession_FindConflicts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	doc := func(op Op, id, text string) Write { return write(t, op, id, text) }
	excluded := doc(Create, "new", `,"a":1`)
	excluded.Directive = Exclude
	for name, tt := range map[string]struct {
		other Write
		stale bool
	}{
		"one more that fits":                {doc(Create, "new", `,"a":1`), true},
		"one that begins to fit":            {doc(Replace, "misses", `,"a":1`), true},
		"one that ends to fit":              {doc(Replace, "fits", `,"a":2`), true},
		"one that fits is changed":          {doc(Replace, "fits", `,"a":1,"b":5`), true},
		"one that fits is gone":             {doc(Delete, "fits", ""), true},
		"one that is not indexed":           {excluded, true},
		"one more that does not fit":        {doc(Create, "new", `,"a":3`), false},
		"one that does not fit is changed":  {doc(Replace, "misses", `,"a":4`), false},
		"one that does not fit is gone":     {doc(Delete, "misses", ""), false},
		"one of another logical partition":  {Write{Op: Create, EPK: epkB, ID: "new", Doc: doc(Create, "new", `,"a":1`).Doc}, false},
		"one with properties of its own":    {doc(Create, "new", `,"zzz":1`), false},
		"one more that fits the other half": {doc(Create, "new", `,"b":7`), false},
	} {
		s, _, rg := open(t)
		if err := s.SetPolicy(ctx, rg.GUID, policies[0]); err != nil {
			t.Fatal(err)
		}
		apply(t, s, rg, doc(Create, "fits", `,"a":1`))
		for _, id := range []string{"misses", "m2", "m3"} {
			apply(t, s, rg, doc(Create, id, `,"a":2`))
		}
		x := begin(t, s, rg)
		p, ok, err := x.Find(ctx, compile(t, `SELECT * FROM c WHERE c.a = 1`).analysis, "", 100, 1<<20)
		if err != nil || !ok || len(p.Rows) != 1 {
			t.Fatalf("%s: found %d documents, %v, %v", name, len(p.Rows), ok, err)
		}
		do(t, x, Create, "mine", "")
		apply(t, s, rg, tt.other)
		if _, err := x.Commit(ctx); errors.Is(err, ErrStale) != tt.stale || err != nil && !tt.stale {
			t.Errorf("%s: the commit says %v, want stale: %v", name, err, tt.stale)
		}
	}
}

// TestSession_FindConflicts_Ways: what the planner has read is checked as well: a document that comes into a range, or is the first without a property, makes
// a session stale that looked for such.
func TestSession_FindConflicts_Ways(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, tt := range []struct {
		where, other string
		found        int
		stale        bool
	}{
		{"c.a > 10 AND c.a < 14", `,"a":12,"b":1`, 3, true},
		{"c.a > 10 AND c.a < 14", `,"a":14,"b":1`, 3, false},
		{`ENDSWITH(c.s, "5")`, `,"s":"x25"`, 4, true},
		{"NOT IS_DEFINED(c.a) AND c.b != 7", `,"zz":1,"b":2`, 0, true},
		{"c.a != 3 AND c.s IN ('x1', 'x2')", `,"s":"x2","a":5`, 8, true},
	} {
		s, _, rg := open(t)
		if err := s.SetPolicy(ctx, rg.GUID, policies[0]); err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			apply(t, s, rg, write(t, Create, fmt.Sprint("d", i), fmt.Sprintf(`,"a":%d,"s":"x%d","b":1`, i, i%10)))
		}
		x := begin(t, s, rg)
		q := compile(t, "SELECT VALUE c.id FROM c WHERE "+tt.where)
		rows := q.run(t, func(after string) Page {
			p, ok, err := x.Find(ctx, q.analysis, after, 100, 1<<20)
			if err != nil || !ok {
				t.Fatalf("%s: %t, %v", tt.where, ok, err)
			}
			return p
		})
		if len(rows) != tt.found {
			t.Fatalf("%s: %d rows, want %d", tt.where, len(rows), tt.found)
		}
		do(t, x, Create, "mine", `,"a":100,"s":"y","b":1`)
		apply(t, s, rg, write(t, Create, "new", tt.other))
		if _, err := x.Commit(ctx); errors.Is(err, ErrStale) != tt.stale || err != nil && !tt.stale {
			t.Errorf("%s, %s: the commit says %v, want stale: %t", tt.where, tt.other, err, tt.stale)
		}
	}
}
