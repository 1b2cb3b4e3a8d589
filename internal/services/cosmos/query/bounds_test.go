package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// TestBounds: queries that would take unbounded time or memory end soon, with a 400.
func TestBounds(t *testing.T) {
	numbers := "[" + strings.TrimSuffix(strings.Repeat("1,", 3000), ",") + "]"
	doc := `{"id":"1","a":` + numbers + `,"b":` + numbers + `,"o":{` + strings.TrimSuffix(func() (s string) {
		for i := range 2000 {
			s += fmt.Sprintf(`"k%d":%d,`, i, i)
		}
		return s
	}(), ",") + `},"s":"` + strings.Repeat("ab", 5000) + `"}`
	nest := func(n int, unit string) (sql string) {
		sql = "SELECT VALUE " + strings.ReplaceAll(unit, "X", "c.s") + " FROM c"
		for range n {
			sql = "SELECT VALUE " + strings.ReplaceAll(unit, "X", "x") + " FROM (" + sql + ") AS x"
		}
		return sql
	}
	for _, sql := range []string{
		`SELECT VALUE COUNT(1) FROM c JOIN x IN c.a JOIN y IN c.a JOIN z IN c.a`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a JOIN z IN c.a WHERE x = 2`,
		`SELECT VALUE ARRAY(SELECT VALUE [x, y, z] FROM x IN c.a JOIN y IN c.a JOIN z IN c.a) FROM c`,
		`SELECT VALUE (SELECT VALUE MAKELIST(x) FROM x IN c.a JOIN y IN c.a JOIN z IN c.a) FROM c`,
		`SELECT VALUE EXISTS(SELECT VALUE x FROM x IN c.a JOIN y IN c.a JOIN z IN c.a WHERE x > 1) FROM c`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE c.a != c.b`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE ARRAY_CONTAINS(c.a, 2)`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE ARRAY_CONTAINS([c.a], c.o)`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE SetEqual(c.a, [2])`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE c.s LIKE "%b%b%b%b%c"`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE c.o = {"k1": 1}`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE RegexMatch(c.s, "(ab)+c")`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE FullTextContains(c.s, "no")`,
		`SELECT VALUE x FROM c JOIN x IN c.a JOIN y IN c.a WHERE LOWER(c.s) = "no"`,
		nest(25, "CONCAT(X, X, X)") + " WHERE LENGTH(x) > 1",
		nest(25, "[X, X, X]"), nest(25, `{"a": X, "b": X}`), nest(25, "ARRAY_CONCAT([X], [X, X])"),
		`SELECT VALUE [` + strings.TrimSuffix(strings.Repeat("c,", 20_000), ",") + `] FROM c`,
		`SELECT VALUE ` + strings.TrimSuffix(strings.Repeat(`c.s || `, 30_000), "|| ") + ` FROM c`,
		`SELECT VALUE ` + strings.TrimSuffix(strings.Repeat(`c.o.k1999 + `, 20_000), "+ ") + ` FROM c JOIN x IN c.a JOIN y IN c.a`,
	} {
		begin := time.Now()
		q, err := Parse(sql)
		if err != nil {
			t.Fatalf("%.80s: %v", sql, err)
		}
		p, err := Compile(q, nil)
		if err != nil {
			t.Fatalf("%.80s: %v", sql, err)
		}
		page, err := Run(context.Background(), p, docsOf(doc), Limits{Memory: 64 << 20, Steps: 2 << 20}, State{})
		took := time.Since(begin)
		if !fault.Is(err, fault.Invalid) && !(err == nil && page.Bytes < 100) { // an overlong string is undefined
			t.Errorf("%.80s: got %d rows of %d bytes, %v; want a 400", sql, len(page.Rows), page.Bytes, err)
		}
		if took > 10*time.Second {
			t.Errorf("%.80s: took %v", sql, took)
		}
	}
	// What one document may cost says nothing about many.
	many := func(yield func(Doc, error) bool) {
		for i := range 100 {
			if !yield(Doc{Key: fmt.Sprint(i), JSON: []byte(doc)}, nil) {
				return
			}
		}
	}
	page, err := Run(context.Background(), mustCompile(t, `SELECT VALUE COUNT(1) FROM c JOIN x IN c.a`, nil), many, Limits{Steps: 50_000}, State{})
	if err != nil || string(page.Rows[0]) != "300000" {
		t.Errorf("100 documents of 3000 rows: got %s, %v", page.Rows, err)
	}
}

// generator makes random queries out of all that the language has.
type generator struct {
	r     *rand.Rand
	names []string
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) value(depth int) string {
	if depth <= 0 {
		return g.pick(`1`, `-2.5`, `"ab"`, `"2020-01-02"`, `null`, `true`, `undefined`, `@p`, `9007199254740993`, `"[1]"`, g.names[g.r.IntN(len(g.names))], g.path())
	}
	e := func() string { return g.value(depth - 1 - g.r.IntN(2)) }
	switch g.r.IntN(16) {
	case 0:
		return "(" + e() + g.pick(" + ", " - ", " * ", " / ", " % ", " & ", " | ", " ^ ", " << ", " >> ", " >>> ", " || ", " ?? ") + e() + ")"
	case 1:
		return "(" + e() + g.pick(" = ", " != ", " < ", " <= ", " > ", " >= ", " AND ", " OR ") + e() + ")"
	case 2:
		return "(" + g.pick("NOT ", "- ", "~ ") + e() + ")"
	case 3:
		return "(" + e() + g.pick(" IN (", " NOT IN (") + e() + ", " + e() + "))"
	case 4:
		return "(" + e() + " BETWEEN " + e() + " AND " + e() + ")"
	case 5:
		return "(" + e() + g.pick(" LIKE ", " NOT LIKE ") + e() + ")"
	case 6:
		return "(" + e() + " ? " + e() + " : " + e() + ")"
	case 7:
		return "[" + e() + ", " + e() + "]"
	case 8:
		return `{"a": ` + e() + `, "type": "Point", "coordinates": ` + e() + `}`
	case 9:
		return g.pick("", "EXISTS", "ARRAY", "ALL", "FIRST", "LAST") + "(" + g.query(depth-2) + ")"
	case 10:
		return e() + "[" + e() + "]"
	default:
		all := allFunctions()
		f := all[g.r.IntN(len(all))]
		n := f.min + g.r.IntN(min(f.max-f.min, 2)+1)
		args := make([]string, n)
		for i := range args {
			args[i] = e()
		}
		return f.name + "(" + strings.Join(args, ", ") + ")"
	}
}

func (g *generator) path() string {
	p := g.names[g.r.IntN(len(g.names))]
	for range g.r.IntN(3) {
		p += g.pick(".a", ".s", ".o", ".kids", ".name", "[0]", `["tags"]`, ".n")
	}
	return p
}

func (g *generator) query(depth int) string {
	bound := len(g.names)
	defer func() { g.names = g.names[:bound] }()
	sql := " FROM c"
	if bound > 1 {
		name := fmt.Sprintf("k%d", bound)
		sql = " FROM " + name + " IN " + g.path()
		g.names = append(g.names, name)
	}
	for range g.r.IntN(2) {
		name := fmt.Sprintf("k%d", len(g.names))
		sql += " JOIN " + name + " IN " + g.path()
		g.names = append(g.names, name)
	}
	if g.r.IntN(2) == 0 {
		sql += " WHERE " + g.value(depth)
	}
	head := g.pick("SELECT VALUE ", "SELECT DISTINCT VALUE ", "SELECT TOP 2 VALUE ")
	switch g.r.IntN(5) {
	case 0:
		return head + g.pick("COUNT", "SUM", "AVG", "MIN", "MAX", "COUNTIF", "MAKELIST", "MAKESET") + "(" + g.value(depth-1) + ")" + sql
	case 1:
		key := g.value(depth - 1)
		return head + key + sql + " GROUP BY " + key
	case 2:
		return head + g.value(depth) + sql + " ORDER BY c." + g.pick("n", "s", "o.a") + g.pick("", " DESC")
	}
	return head + g.value(depth) + sql
}

func (g *generator) document(depth int) string {
	if depth <= 0 {
		return g.pick(`1`, `-2.50`, `"ab"`, `"Hello World"`, `null`, `true`, `[]`, `{}`, `9007199254740993`, `"2020-01-02T03:04:05Z"`, `1e300`)
	}
	switch g.r.IntN(3) {
	case 0:
		return "[" + g.document(depth-1) + "," + g.document(depth-2) + "]"
	case 1:
		return fmt.Sprintf(`{"a":%s,"s":%s,"n":%s,"kids":[%s,%s],"o":%s,"tags":["x",%s]}`, g.document(depth-1), g.document(0), g.document(0), g.document(depth-2), g.document(depth-2), g.document(depth-1), g.document(0))
	}
	return g.document(0)
}

// FuzzRun runs random queries over random documents: no panic, an end within the bounds, pages that are JSON, the same in one page as in many.
func FuzzRun(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := &generator{rand.New(rand.NewPCG(seed, 1)), []string{"c"}}
		sql := g.query(5)
		docs := make([]string, 4)
		for i := range docs {
			docs[i] = fmt.Sprintf(`{"id":"%d","a":%s,"s":"Hello","n":%d,"kids":[%s,{"name":"x"}],"o":%s}`, i, g.document(3), i, g.document(2), g.document(2))
		}
		q, err := Parse(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		p, err := Compile(q, map[string]json.RawMessage{"@p": json.RawMessage(g.document(2))})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) && !fault.Is(err, fault.NotImplemented) {
				t.Fatalf("%s: %v", sql, err)
			}
			return
		}
		p = p.With(functionEnv)
		begin := time.Now()
		whole, err := Run(context.Background(), p, docsOf(docs...), Limits{Memory: 1 << 20}, State{})
		if took := time.Since(begin); took > 20*time.Second {
			t.Fatalf("%s: took %v", sql, took)
		}
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%s: %v", sql, err)
			}
			return
		}
		parsed := *p
		parsed.filter, parsed.text = nil, nil
		if page, err := Run(context.Background(), &parsed, docsOf(docs...), Limits{Memory: 1 << 20}, State{}); err != nil || joined(page.Rows) != joined(whole.Rows) {
			t.Fatalf("%s: from the text\n%s\nfrom what was parsed\n%s, %v", sql, joined(whole.Rows), joined(page.Rows), err)
		}
		for _, r := range whole.Rows {
			if !json.Valid(r) || len(r) > 2*maxValue {
				t.Fatalf("%s: a row of %d bytes: %.200s", sql, len(r), r)
			}
		}
		keyed := make([]Doc, len(docs))
		for i, d := range docs {
			keyed[i] = Doc{Key: fmt.Sprintf("%04d", i), JSON: []byte(d)}
		}
		var rows []string
		for st, n := (State{}), 0; ; n++ {
			from := st.After
			if !p.Streams() {
				from = ""
			}
			page, err := Run(context.Background(), p, after(keyed, from), Limits{Items: 2, Memory: 1 << 20}, st)
			if err != nil || n > 1000 {
				t.Fatalf("%s, page %d: %v", sql, n, err)
			}
			for _, r := range page.Rows {
				rows = append(rows, string(r))
			}
			if page.Next == nil {
				break
			}
			st = *page.Next
		}
		if got, want := strings.Join(rows, "\n"), joined(whole.Rows); got != want {
			t.Fatalf("%s: in pages\n%s\nin one\n%s", sql, got, want)
		}
	})
}

func joined(rows [][]byte) string {
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = string(r)
	}
	return strings.Join(texts, "\n")
}

// TestProgram_Concurrent: one program serves many runs at once, constant shapes, patterns and lists included.
func TestProgram_Concurrent(t *testing.T) {
	var ring strings.Builder
	for i := range 200 {
		at := 2 * math.Pi * float64(i%199) / 199
		fmt.Fprintf(&ring, "[%.6f,%.6f],", 10*math.Cos(at), 10*math.Sin(at))
	}
	p := mustCompile(t, `SELECT VALUE c.id FROM c WHERE ST_WITHIN(c.at, {"type":"Polygon","coordinates":[[`+strings.TrimSuffix(ring.String(), ",")+`]]}) AND RegexMatch(c.id, "^[0-9]+$") AND ARRAY_CONTAINS([1, @a], c.n)
		AND EXISTS(SELECT VALUE x FROM x IN (SELECT VALUE [1, 2, 3]) WHERE x = c.n) AND FullTextContains(c.text, "foxes")`, map[string]json.RawMessage{"@a": json.RawMessage(`2`)})
	docs := make([]string, 50)
	for i := range docs {
		docs[i] = fmt.Sprintf(`{"id":"%d","n":2,"text":"a fox","at":{"type":"Point","coordinates":[%d,0]}}`, i, i)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			page, err := Run(context.Background(), p, docsOf(docs...), Limits{}, State{})
			done <- fmt.Sprintf("%d %v", len(page.Rows), err)
		}()
	}
	for range 8 {
		if got := <-done; got != "11 <nil>" { // 0 to 9, and 10, which is a corner
			t.Errorf("got %s rows, want 11", got)
		}
	}
}
