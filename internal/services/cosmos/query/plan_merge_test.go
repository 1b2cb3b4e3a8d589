package query

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// client merges what ranges answer, as an SDK does by a plan.
type client struct {
	t      *testing.T
	ranges [][]Doc
	params map[string]json.RawMessage
}

// ask runs a query on one range, in small pages.
func (c *client) ask(sql string, docs []Doc) []Value { return c.askIn(sql, docs, Env{}) }

func (c *client) askIn(sql string, docs []Doc, env Env) []Value {
	q, err := Parse(sql)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	p, err := Compile(q, c.params)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	p = p.With(env)
	var out []Value
	for st := (&State{}); st != nil; {
		from := ""
		if p.Streams() {
			from = st.After
		}
		page, err := Run(context.Background(), p, after(docs, from), Limits{Items: 3}, *st)
		if err != nil {
			c.t.Fatalf("%s: %v", sql, err)
		}
		for _, row := range page.Rows {
			var parser Parser
			v, err := parser.Parse(row)
			if err != nil {
				c.t.Fatal(err)
			}
			out = append(out, v.Detach())
		}
		st = page.Next
	}
	return out
}

func (c *client) run(sql string) []Value {
	q, err := Parse(sql)
	if err != nil {
		c.t.Fatal(err)
	}
	plan, err := MakePlan(q, PlanOptions{Params: c.params, KeyPaths: [][]string{{"pk"}}, DCount: true})
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	info := plan.Info
	text := sql
	if info.RewrittenQuery != "" {
		text = strings.ReplaceAll(info.RewrittenQuery, "{documentdb-formattableorderbyquery-filter}", "true")
	}
	var rows []Value
	for _, docs := range c.ranges {
		rows = append(rows, c.ask(text, docs)...)
	}
	switch {
	case len(info.OrderBy) > 0:
		rows = ordered(rows, info)
	case len(info.GroupByExpressions) > 0 || len(info.Aggregates) > 0 || len(info.AggregateOfAlias) > 0:
		rows = groups(rows, info)
	}
	if info.DistinctType != "None" {
		rows = distinctRows(rows, info.DistinctType == "Ordered")
	}
	if d := info.DCount; d != nil {
		rows = []Value{Number(float64(len(rows)))}
		if d.Alias != "" {
			rows = []Value{Object([]string{d.Alias}, rows)}
		}
	}
	if info.Offset != nil {
		rows = rows[min(uint64(len(rows)), *info.Offset):]
		rows = rows[:min(uint64(len(rows)), *info.Limit)]
	}
	if info.Top != nil {
		rows = rows[:min(uint64(len(rows)), *info.Top)]
	}
	return rows
}

func ordered(rows []Value, info *PlanInfo) []Value {
	slices.SortStableFunc(rows, func(a, b Value) int {
		for i, direction := range info.OrderBy {
			order := Order(a.Field("orderByItems").At(i).Field("item"), b.Field("orderByItems").At(i).Field("item"))
			if direction == "Descending" {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		order := strings.Compare(a.Field("_rid").Str(), b.Field("_rid").Str()) // each range answers so; over all of them it makes the test's order one
		if info.OrderBy[0] == "Descending" {
			order = -order
		}
		return order
	})
	for i := range rows {
		rows[i] = rows[i].Field("payload")
	}
	return rows
}

func distinctRows(rows []Value, neighbours bool) []Value {
	if neighbours {
		return slices.CompactFunc(rows, func(a, b Value) bool { return string(appendKey(nil, a)) == string(appendKey(nil, b)) })
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(rows, func(v Value) bool {
		key := string(appendKey(nil, v))
		again := seen[key]
		seen[key] = true
		return again
	})
}

// groups merges the rows of equal groups.
func groups(rows []Value, info *PlanInfo) []Value {
	byKey, turn := map[string][]Value{}, []string{}
	for _, r := range rows {
		payload, key := r, ""
		if r.Kind() == KindObject {
			payload, key = r.Field("payload"), string(appendKey(nil, r.Field("groupByItems")))
		}
		if byKey[key] == nil {
			turn = append(turn, key)
		}
		byKey[key] = append(byKey[key], payload)
	}
	var out []Value
	for _, key := range turn {
		members := byKey[key]
		switch {
		case len(info.Aggregates) > 0:
			var partials []Value
			for _, m := range members {
				partials = append(partials, m.At(0))
			}
			if v := aggregated(info.Aggregates[0], partials); v.Kind() != KindUndefined {
				out = append(out, v)
			}
		case info.HasSelectValue:
			if members[0].Kind() != KindUndefined {
				out = append(out, members[0])
			}
		default:
			var names []string
			var values []Value
			for _, alias := range info.GroupByAliases {
				v := members[0].Field(alias)
				if kind := info.AggregateOfAlias[alias]; kind != nil {
					var partials []Value
					for _, m := range members {
						partials = append(partials, m.Field(alias))
					}
					v = aggregated(*kind, partials)
				}
				if v.Kind() != KindUndefined {
					names, values = append(names, alias), append(values, v)
				}
			}
			out = append(out, Object(names, values))
		}
	}
	return out
}

// aggregated computes an aggregate of what ranges say of it.
func aggregated(kind string, partials []Value) Value {
	var sum, count float64
	var best Value
	sign := 1
	for _, p := range partials {
		item := p.Field("item")
		switch kind {
		case "Count", "Sum":
			if item.Kind() != KindNumber {
				return Undefined
			}
			sum += item.Float()
		case "Average":
			if item.Field("sum").Kind() != KindNumber {
				return Undefined
			}
			sum += item.Field("sum").Float()
			count += item.Field("count").Float()
		case "Min", "Max":
			if kind == "Min" {
				sign = -1
			}
			name := strings.ToLower(kind)
			if p.Field("item2").Field("count").Float() == 0 {
				continue
			}
			v := p.Field("item2").Field(name)
			if v.Kind() == KindUndefined {
				return Undefined
			}
			if best.Kind() == KindUndefined || Order(v, best)*sign > 0 {
				best = v
			}
		default:
			panic(kind)
		}
	}
	switch kind {
	case "Average":
		if count == 0 {
			return Undefined
		}
		return Number(sum / count)
	case "Min", "Max":
		return best
	}
	return Number(sum)
}

// TestPlan_Merged: what an SDK makes of the ranges' answers by the plan is what one range with all documents answers.
func TestPlan_Merged(t *testing.T) {
	t.Parallel()
	shapes := []string{
		"SELECT * FROM c ORDER BY c.n", "SELECT * FROM c ORDER BY c.n DESC, c.id ASC", "SELECT c.n AS m, c.s FROM c WHERE c.n > 2 ORDER BY c.s DESC, c.id",
		"SELECT VALUE c.s FROM c ORDER BY c.n, c.s", "SELECT TOP 4 * FROM c ORDER BY c.s", "SELECT VALUE c.id FROM c WHERE c.n < 5 OR c.s = 'b' ORDER BY c.n OFFSET 2 LIMIT 3",
		"SELECT DISTINCT VALUE c.n FROM c ORDER BY c.n", "SELECT DISTINCT c.s, c.n FROM c ORDER BY c.n, c.s", "SELECT DISTINCT c.s FROM c ORDER BY c.n DESC, c.id OFFSET 1 LIMIT 2",
		"SELECT DISTINCT TOP 2 VALUE c.s FROM c ORDER BY c.s DESC", "SELECT r.id, k FROM r JOIN k IN r.kids ORDER BY r.n DESC, r.id", "SELECT VALUE r FROM r ORDER BY r.n",
		"SELECT VALUE COUNT(1) FROM c", "SELECT VALUE COUNT(c.n) FROM c WHERE c.s = 'a'", "SELECT VALUE SUM(c.n) FROM c", "SELECT VALUE AVG(c.n) FROM c", "SELECT VALUE MIN(c.n) FROM c",
		"SELECT VALUE MAX(c.x) FROM c", "SELECT VALUE MAX(c.n + 1) FROM c", "SELECT VALUE AVG(c.none) FROM c", "SELECT VALUE MIN(c.s) FROM c WHERE c.s = 'zzz'", "SELECT VALUE SUM(c.x) FROM c",
		"SELECT COUNT(1), MAX(c.n) AS highest, AVG(c.n) FROM c", "SELECT VALUE COUNT(1) FROM c JOIN k IN c.kids", "SELECT TOP 1 VALUE SUM(c.n) FROM c",
		"SELECT c.s, COUNT(1) AS many, AVG(c.n) AS mean, MIN(c.n), MAX(c.x) AS most FROM c GROUP BY c.s", "SELECT VALUE SUM(c.n) FROM c GROUP BY c.s", "SELECT VALUE c.s FROM c GROUP BY c.s",
		"SELECT c.s, UPPER(c.s) AS up FROM c GROUP BY c.s, c.pk", "SELECT VALUE {'a': c.s} FROM c GROUP BY c.s", "SELECT COUNT(1) AS n FROM c GROUP BY c.none", "SELECT k, COUNT(1) AS n FROM c JOIN k IN c.kids GROUP BY k",
		"SELECT DISTINCT c.s FROM c", "SELECT DISTINCT VALUE c.x FROM c", "SELECT DISTINCT VALUE k FROM c JOIN k IN c.kids", "SELECT VALUE COUNT(1) FROM (SELECT DISTINCT VALUE c.s FROM c)",
		"SELECT COUNT(1) AS n FROM (SELECT DISTINCT c.s, c.n FROM c WHERE c.n > 1) AS d", "SELECT c.id FROM c WHERE c.pk IN ('1', '2')", "SELECT * FROM c WHERE c.pk = '1' OFFSET 0 LIMIT 100",
	}
	random := rand.New(rand.NewPCG(7, 7))
	values := []string{`"a"`, `"b"`, `"c"`, `""`, `null`, `true`, `1`, `2.5`, `-3`, `1`, `[1,2]`, `{"q":1}`}
	for round := range 20 {
		c := &client{t: t, ranges: make([][]Doc, 1+random.IntN(4))}
		var all []Doc
		for i := range random.IntN(30) {
			parts := []string{fmt.Sprintf(`"id":"%03d","_rid":"r%03d","pk":"%d"`, i, i, i%5)}
			for _, name := range []string{"n", "s", "x"} {
				if random.IntN(5) == 0 {
					continue
				}
				v := values[random.IntN(len(values))]
				switch name {
				case "n":
					v = strconv.Itoa(random.IntN(6))
				case "s":
					v = values[random.IntN(4)]
				}
				parts = append(parts, fmt.Sprintf("%q:%s", name, v))
			}
			parts = append(parts, fmt.Sprintf(`"kids":[%d,%d]`, random.IntN(3), random.IntN(3)))
			all = append(all, Doc{Key: fmt.Sprintf("%03d", i), JSON: []byte("{" + strings.Join(parts, ",") + "}")})
		}
		for i, d := range all {
			r := i * len(c.ranges) / len(all)
			c.ranges[r] = append(c.ranges[r], d)
		}
		for _, sql := range shapes {
			got, want := c.run(sql), c.ask(sql, all)
			if d := cmp.Diff(texts(want, sql), texts(got, sql)); d != "" {
				t.Fatalf("round %d, %d ranges, %s: -one range +merged\n%s", round, len(c.ranges), sql, d)
			}
		}
	}
}

// texts are rows as JSON; without ORDER BY their order, and that of numbers that are added up, means nothing.
func texts(rows []Value, sql string) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, string(r.AppendJSON(nil)))
	}
	if !strings.Contains(sql, "ORDER BY") {
		slices.Sort(out)
	}
	return out
}

// TestFromSubquery: a subquery that FROM begins with sees all documents, not one at a time.
func TestFromSubquery(t *testing.T) {
	docs := []string{`{"id":"1","s":"a","n":3,"kids":[1,2]}`, `{"id":"2","s":"b","n":1,"kids":[2]}`, `{"id":"3","s":"a","n":2}`}
	for sql, want := range map[string]string{
		"SELECT VALUE COUNT(1) FROM (SELECT DISTINCT VALUE c.s FROM c)":                               "2",
		"SELECT COUNT(1) AS n FROM (SELECT DISTINCT c.s, c.n FROM c) AS x":                            `{"n":3}`,
		"SELECT VALUE x FROM (SELECT c.s, COUNT(1) AS n FROM c GROUP BY c.s) AS x WHERE x.n > 1":      `{"s":"a","n":2}`,
		"SELECT VALUE MAX(x.n) FROM (SELECT c.s, SUM(c.n) AS n FROM c GROUP BY c.s) AS x":             "5",
		"SELECT VALUE SUM(x.n) FROM (SELECT TOP 2 c.n FROM c ORDER BY c.n DESC) AS x":                 "5",
		"SELECT VALUE COUNT(1) FROM (SELECT VALUE c FROM c OFFSET 1 LIMIT 1) AS x":                    "1",
		"SELECT x.id, k FROM (SELECT TOP 2 * FROM c) AS x JOIN k IN x.kids WHERE k = 2":               `{"id":"1","k":2} {"id":"2","k":2}`,
		"SELECT TOP 1 VALUE x FROM (SELECT DISTINCT VALUE c.s FROM c) AS x":                           `"a"`,
		"SELECT VALUE COUNT(1) FROM (SELECT VALUE x FROM (SELECT DISTINCT VALUE c.s FROM c) AS x)":    "2",
		"SELECT VALUE x FROM (SELECT c.id FROM c) AS x":                                               `{"id":"1"} {"id":"2"} {"id":"3"}`,
		"SELECT c.id, x FROM c JOIN (SELECT DISTINCT VALUE k FROM k IN c.kids) AS x WHERE c.id = '1'": `{"id":"1","x":1} {"id":"1","x":2}`,
	} {
		var rows []string
		var all []Doc
		for i, d := range docs {
			all = append(all, Doc{Key: strconv.Itoa(i), JSON: []byte(d)})
		}
		c := client{t: t}
		for _, v := range c.ask(sql, all) {
			rows = append(rows, string(v.AppendJSON(nil)))
		}
		if got := strings.Join(rows, " "); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	for _, sql := range []string{"SELECT VALUE x FROM (SELECT DISTINCT VALUE c.s FROM c) AS x", "SELECT VALUE MAX(x) FROM (SELECT TOP 2 VALUE c.n FROM c) AS x"} {
		if what := mustCompile(t, sql, nil).Facts().CrossDocument(); what == "" {
			t.Errorf("%s: looks at one document at a time", sql)
		}
		q, err := Parse(sql)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := MakePlan(q, PlanOptions{}); err == nil {
			t.Errorf("%s: merges by %+v", sql, p.Info)
		}
	}
}

// TestPlan_ResumedByToken: an ordered query goes on behind the last row with the token of its page, although the client by now asks for those rows only that
// may still come, and whatever was written before the place meanwhile.
func TestPlan_ResumedByToken(t *testing.T) {
	var docs []Doc
	for i := range 40 {
		n := []string{"", `,"n":null`, `,"n":1`, `,"n":2`, `,"n":"x"`, `,"n":"y"`, `,"n":[1]`, `,"n":{"a":1}`}[i%8]
		docs = append(docs, Doc{Key: fmt.Sprintf("%016x", i), JSON: []byte(fmt.Sprintf(`{"_rid":"r%02d","kids":[1,2]%s}`, i, n))})
	}
	for _, tt := range []struct{ sql, filter string }{
		{"SELECT VALUE c._rid FROM c WHERE %s ORDER BY c.n", "(c.n >= 1 OR IS_STRING(c.n) OR IS_ARRAY(c.n) OR IS_OBJECT(c.n))"},
		{"SELECT VALUE c._rid FROM c WHERE %s ORDER BY c.n DESC", "true"},
		{"SELECT VALUE c._rid FROM c WHERE %s ORDER BY c.n OFFSET 5 LIMIT 20", "true"},
		{"SELECT TOP 17 VALUE c._rid FROM c WHERE %s ORDER BY c.n DESC, c._rid", "true"},
		{"SELECT VALUE CONCAT(c._rid, ToString(k)) FROM c JOIN k IN c.kids WHERE %s ORDER BY c.n", "true"},
		{"SELECT DISTINCT VALUE c._rid FROM c JOIN k IN c.kids WHERE %s ORDER BY c.n", "true"},
	} {
		whole := pageOf(t, fmt.Sprintf(tt.sql, "true"), docs, 1000, State{})
		for _, size := range []int{1, 7, 13} {
			var got []string
			filter := "true"
			for st := (&State{}); st != nil; {
				page := pageOf(t, fmt.Sprintf(tt.sql, filter), docs, size, *st)
				for _, r := range page.Rows {
					got = append(got, string(r))
				}
				if st = page.Next; st != nil {
					raw, err := json.Marshal(st)
					if err != nil {
						t.Fatal(err)
					}
					st = &State{}
					if err := json.Unmarshal(raw, st); err != nil {
						t.Fatal(err)
					}
				}
				if len(got) > 12 {
					filter = tt.filter
				}
			}
			var want []string
			for _, r := range whole.Rows {
				want = append(want, string(r))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s by %d: %s", tt.sql, size, d)
			}
		}
	}
}

func pageOf(t *testing.T, sql string, docs []Doc, size int, st State) Page {
	t.Helper()
	p := mustCompile(t, sql, nil)
	page, err := Run(context.Background(), p, after(docs, ""), Limits{Items: size}, st)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return page
}

// TestPlan_Resumed: the placeholder takes the conditions by which clients resume.
func TestPlan_Resumed(t *testing.T) {
	docs := []Doc{{"1", []byte(`{"_rid":"r1","n":1}`)}, {"2", []byte(`{"_rid":"r2"}`)}, {"3", []byte(`{"_rid":"r3","n":2}`)}, {"4", []byte(`{"_rid":"r4","n":"x"}`)}, {"5", []byte(`{"_rid":"r5","n":null}`)}}
	q, err := Parse("SELECT VALUE c._rid FROM c ORDER BY c.n")
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(q, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]string{
		"true":     "r2 r5 r1 r3 r4",
		"c.n > 1":  "r3",
		"c.n >= 1": "r1 r3",
		"c.n > 1 OR IS_STRING(c.n) OR IS_ARRAY(c.n) OR IS_OBJECT(c.n)":           "r3 r4",
		"(c.n >= null OR IS_BOOL(c.n) OR IS_NUMBER(c.n) OR IS_STRING(c.n))":      "r5 r1 r3 r4",
		"NOT IS_DEFINED(c.n) OR c.n = 2":                                         "r2 r3",
		"(IS_DEFINED(c.n) = true AND c.n <= 1) OR (c.n = 2 AND (c._rid > 'r2'))": "r1 r3",
	} {
		c := client{t: t}
		var got []string
		for _, row := range c.ask(strings.ReplaceAll(p.Info.RewrittenQuery, "{documentdb-formattableorderbyquery-filter}", filter), docs) {
			got = append(got, row.Field("payload").Str())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", filter, got, want)
		}
	}
}
