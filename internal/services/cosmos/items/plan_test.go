package items

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// planned fills a range with 3,000 documents under a policy with composite indexes.
func planned(t testing.TB) (*Store, Range) {
	t.Helper()
	s, _, r := open(t)
	s.Tuning = index.Tuning{Small: 20}
	policy := json.RawMessage(`{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/dark/*"}],
		"compositeIndexes":[[{"path":"/kind"},{"path":"/n","order":"descending"}],[{"path":"/kind"},{"path":"/color"},{"path":"/o/x"}]]}`)
	if err := s.SetPolicy(context.Background(), r.GUID, policy); err != nil {
		t.Fatal(err)
	}
	var ws []Write
	for i := range 3000 {
		text := fmt.Sprintf(`{"id":"%d","kind":"k%d","n":%d,"color":"%s","name":"Name %d","dark":%d,"o":{"x":%d}`, i, i%3, i*7%3000, []string{"red", "green", "blue", "Blue"}[i/3%4], i, i, i%50)
		if i%100 == 7 {
			text += `,"rare":` + []string{"null", "[1]", "{}", "5"}[i/100%4]
		}
		d, err := Parse([]byte(text + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if ws = append(ws, Write{Op: Create, EPK: fmt.Sprintf("%02d", i%2), ID: d.ID, Doc: d}); len(ws) == 50 {
			if _, _, err := s.Apply(context.Background(), r, now, ws); err != nil {
				t.Fatal(err)
			}
			ws = ws[:0]
		}
	}
	return s, r
}

// TestPlan_Heavy: a condition that takes long to judge is not judged for all terms in one look into the store.
func TestPlan_Heavy(t *testing.T) {
	t.Parallel()
	s, _, r := open(t)
	if err := s.SetPolicy(context.Background(), r.GUID, policies[0]); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		apply(t, s, r, write(t, Create, fmt.Sprint(i), fmt.Sprintf(`,"s":"%s%d"`, strings.Repeat("a", 60), i)))
	}
	q := compile(t, `SELECT VALUE c.id FROM c WHERE REGEXMATCH(c.s, "^(a+)+$")`)
	f, err := s.NewFinder(r, Selection{}, q.analysis, false)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	plan, err := f.Plan(context.Background())
	if took := time.Since(begin); err != nil || plan.Kind != index.Scan || took > 20*time.Second {
		t.Errorf("kind %d after %s, %v; want a scan", plan.Kind, took, err)
	}
}

// TestPlan: how conditions find their documents, how many they look at, and that these make the answer that all documents make.
func TestPlan(t *testing.T) {
	t.Parallel()
	s, r := planned(t)
	for _, tt := range []struct {
		where    string
		kind     index.Kind
		used     string // paths, then those walked in brackets, then the composite index
		most     int    // documents looked at
		rows     int
		onePart  bool // of the logical partition 00 alone
		sequence bool // the order counts
	}{
		// terms are walked instead of documents
		{where: `WHERE CONTAINS(c.name, "99")`, kind: index.Filter, used: "[/name/?]", most: 57, rows: 57},
		{where: `WHERE CONTAINS(c.name, "AME 29", true)`, kind: index.Filter, used: "[/name/?]", most: 111, rows: 111},
		{where: `WHERE ENDSWITH(c.name, "999")`, kind: index.Filter, used: "[/name/?]", most: 3, rows: 3},
		{where: `WHERE REGEXMATCH(c.name, "1.1.$")`, kind: index.Filter, used: "[/name/?]", most: 100, rows: 100},
		{where: `WHERE STRINGEQUALS(c.name, "NAME 7", true)`, kind: index.Filter, used: "[/name/?]", most: 1, rows: 1},
		{where: `WHERE c.name LIKE "%9_9"`, kind: index.Filter, used: "[/name/?]", most: 30, rows: 30},
		{where: `WHERE LOWER(c.name) = "name 8" OR ENDSWITH(c.name, "1234")`, kind: index.Filter, used: "[/name/?]", most: 2, rows: 2},
		{where: `WHERE c.kind != "k0" AND c.kind != "k1" AND ENDSWITH(c.name, "00")`, kind: index.Filter, used: "[/name/?]", most: 30, rows: 10},
		{where: `WHERE c.n > 1000 AND c.n NOT IN (1) AND CONTAINS(c.name, "77")`, kind: index.Filter, used: "[/name/?]", most: 58, rows: 38},
		{where: `WHERE CONTAINS(c.name, "99") AND CONTAINS(c.name, "19")`, kind: index.Filter, used: "[/name/?]", most: 13, rows: 13},
		{where: `WHERE CONTAINS(c.name, "99")`, kind: index.Filter, used: "[/name/?]", most: 15, rows: 15, onePart: true},
		// what a property is, by shapes
		{where: `WHERE IS_DEFINED(c.rare)`, kind: index.Filter, used: "[/rare/?]", most: 30, rows: 30},
		{where: `WHERE NOT IS_DEFINED(c.missing) AND c.id = "5"`, kind: index.Filter, used: "/id/?", most: 1, rows: 1},
		{where: `WHERE IS_ARRAY(c.rare)`, kind: index.Filter, used: "[/rare/?]", most: 8, rows: 8},
		{where: `WHERE IS_DEFINED(c.rare) AND NOT IS_OBJECT(c.rare)`, kind: index.Filter, used: "[/rare/?]", most: 23, rows: 23},
		{where: `WHERE c.rare != null`, kind: index.Filter, used: "[/rare/?]", most: 22, rows: 22},
		{where: `WHERE NOT IS_NULL(c.rare) AND IS_DEFINED(c.rare)`, kind: index.Filter, used: "[/rare/?]", most: 22, rows: 22},
		{where: `WHERE IS_NULL(c.rare)`, kind: index.Filter, used: "/rare/?", most: 8, rows: 8},
		{where: `WHERE IS_DEFINED(c.o.z)`, kind: index.Filter, used: "[/o/z/?]", most: 0, rows: 0},
		// no help: nearly all documents, or an excluded path
		{where: `WHERE c.kind != "none"`, kind: index.Scan, most: 3000, rows: 3000},
		{where: `WHERE NOT IS_DEFINED(c.missing)`, kind: index.Scan, most: 3000, rows: 3000},
		{where: `WHERE CONTAINS(ToString(c.dark), "99")`, kind: index.Scan, most: 3000, rows: 57},
		{where: `WHERE c.dark != 5`, kind: index.Scan, most: 3000, rows: 2999},
		// composite indexes for filters
		{where: `WHERE c.kind = "k1" AND c.n >= 2000 AND c.n < 2030`, kind: index.Filter, used: "{/kind ASC,/n DESC}", most: 10, rows: 10},
		{where: `WHERE c.kind = "k1" AND c.n > 2900`, kind: index.Filter, used: "{/kind ASC,/n DESC}", most: 33, rows: 33},
		{where: `WHERE c.kind = "k1" AND c.color = "red" AND c.o.x = 1`, kind: index.Filter, used: "{/kind ASC,/color ASC,/o/x ASC}", most: 10, rows: 10},
		{where: `WHERE c.color = "blue" AND c.kind = "k2" AND c.o.x > 45`, kind: index.Filter, used: "{/kind ASC,/color ASC,/o/x ASC}", most: 20, rows: 20},
		{where: `WHERE c.kind = "k2" AND c.color = "blue"`, kind: index.Filter, used: "{/kind ASC,/color ASC,/o/x ASC}", most: 250, rows: 250},
		{where: `WHERE c.kind = "k1" AND c.n > 2900`, kind: index.Filter, used: "{/kind ASC,/n DESC}", most: 17, rows: 17, onePart: true},
		// composite indexes for an order behind single values
		{where: `WHERE c.kind = "k1" ORDER BY c.n DESC`, kind: index.Order, used: "{/kind ASC,/n DESC}", most: 1000, rows: 1000, sequence: true},
		{where: `WHERE c.kind = "k1" AND c.n < 1000 ORDER BY c.n`, kind: index.Order, used: "{/kind ASC,/n DESC}", most: 333, rows: 333, sequence: true},
		{where: `WHERE c.kind = "k1" AND c.color = "green" ORDER BY c.o.x`, kind: index.Order, used: "{/kind ASC,/color ASC,/o/x ASC}", most: 250, rows: 250, sequence: true},
		{where: `WHERE c.kind = "k1" AND c.color = "green" ORDER BY c.n DESC`, kind: index.Order, used: "{/kind ASC,/n DESC}", most: 1000, rows: 250, sequence: true},
		{where: `WHERE c.kind >= "k1" ORDER BY c.kind, c.n DESC`, kind: index.Order, used: "{/kind ASC,/n DESC}", most: 2000, rows: 2000, sequence: true},
		{where: `ORDER BY c.kind DESC, c.n`, kind: index.Order, used: "{/kind ASC,/n DESC}", most: 3000, rows: 3000, sequence: true},
		{where: `WHERE c.n > 2000 ORDER BY c.n`, kind: index.Order, used: "/n/?", most: 999, rows: 999, sequence: true},
	} {
		sel := Selection{}
		if tt.onePart {
			sel = Selection{Low: "00", High: "00", Bounded: true}
		}
		got := ask(t, s, r, sel, "SELECT VALUE c.id FROM c "+tt.where, true)
		want := ask(t, s, r, sel, "SELECT VALUE c.id FROM c "+tt.where, false)
		if !tt.sequence {
			slices.Sort(got.rows)
			slices.Sort(want.rows)
		}
		if got.kind != tt.kind || got.used != tt.used || got.looked > tt.most || len(got.rows) != tt.rows || !slices.Equal(got.rows, want.rows) {
			t.Errorf("%s: kind %d by %q, %d documents looked at, %d rows, the same: %t; want kind %d by %q, %d documents, %d rows",
				tt.where, got.kind, got.used, got.looked, len(got.rows), slices.Equal(got.rows, want.rows), tt.kind, tt.used, tt.most, tt.rows)
		}
	}
}

type asked struct {
	rows   []string
	looked int
	kind   index.Kind
	used   string
}

// ask runs a query over a range, with or without its index.
func ask(t *testing.T, s *Store, r Range, sel Selection, text string, indexed bool) (out asked) {
	t.Helper()
	ctx := context.Background()
	q, err := query.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := query.Compile(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.NewFinder(r, sel, index.Analyze(q, p, nil), false)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := f.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next, run := f.Next, query.Run
	if !indexed {
		next = func(ctx context.Context, after string, rows, size int) (Page, error) {
			return s.List(ctx, r, sel, after, rows, size)
		}
	} else if plan.Kind == index.Order {
		run = query.RunInOrder
	}
	docs := func(yield func(query.Doc, error) bool) {
		key := ""
		for {
			found, err := next(ctx, key, 100, 1<<20)
			if err != nil {
				t.Error(text, err)
				return
			}
			for _, r := range found.Rows {
				key = r.Key
				if !yield(query.Doc{Key: r.Key, JSON: r.Text}, nil) {
					return
				}
			}
			if !found.More {
				return
			}
			key = cmp.Or(found.Last, key)
		}
	}
	page, err := run(ctx, p, docs, query.Limits{}, query.State{})
	if err != nil {
		t.Fatal(err)
	}
	out.looked, out.kind = page.Scanned, plan.Kind
	for _, r := range page.Rows {
		out.rows = append(out.rows, string(r))
	}
	out.used = strings.Join(plan.Used, " ")
	if plan.Walked != nil {
		out.used += fmt.Sprint(plan.Walked)
	}
	if plan.Composite != nil {
		out.used += "{" + strings.Join(plan.Composite, ",") + "}"
	}
	return out
}
