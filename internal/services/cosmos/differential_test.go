package cosmos

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// differential compares queries through the index with the query engine over all documents.
type differential struct {
	*platform
	r    *rand.Rand
	docs []query.Doc // in the order of creation
	pks  map[string]string
	n    int
	cut  bool // the range was split
	odd  bool // some documents are not indexed, some values have no order in the index

	ways map[string]int // how many queries were answered how
}

var differentialPolicies = []string{
	`{"indexingMode":"consistent","includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/a"},{"path":"/b","order":"descending"}],[{"path":"/n"},{"path":"/a"},{"path":"/id"}],[{"path":"/b"},{"path":"/n","order":"descending"}],[{"path":"/pk"},{"path":"/a","order":"descending"},{"path":"/n"}]]}`,
	`{"indexingMode":"consistent","includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/a/?"},{"path":"/tags/*"}]}`,
	`{"indexingMode":"consistent","includedPaths":[{"path":"/a/?"},{"path":"/o/*"},{"path":"/tags/[]/?"}],"excludedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/b"},{"path":"/a"}]]}`,
	`{"indexingMode":"none"}`,
}

func (d *differential) pick(list ...string) string { return list[d.r.IntN(len(list))] }

// scalar is a value of a document, or a constant of a query.
func (d *differential) scalar() string {
	switch d.r.IntN(12) {
	case 0:
		return d.pick("null", "true", "false")
	case 1:
		return d.pick("-0", "0", "1e21", "-1e300", "0.5", "1E2", "12345678901234567890", "-1")
	case 2, 3:
		return d.pick(`"x"`, `"xa"`, `"xb"`, `""`, `"é"`, `"日本"`, `"z\u0000a"`, `"z"`, `"q\"uote"`)
	case 4:
		if !d.odd || d.n%7 != 0 {
			return "8"
		}
		return `"` + strings.Repeat("l", 95+d.r.IntN(12)) + d.pick("", "a", "b") + `"`
	}
	return fmt.Sprint(d.r.IntN(40))
}

func (d *differential) value() string {
	if d.odd && d.r.IntN(40) == 0 {
		return d.pick(`[]`, `{}`, `[1,2]`, `{"x":1}`)
	}
	return d.scalar()
}

func (d *differential) document(id, pk string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%q,"pk":%q,"n":%d`, id, pk, d.r.IntN(300))
	if d.r.IntN(8) > 0 {
		fmt.Fprintf(&b, `,"a":%s`, d.value())
	}
	if d.r.IntN(3) > 0 {
		fmt.Fprintf(&b, `,"b":%s`, d.scalar())
	}
	if d.r.IntN(3) > 0 {
		fmt.Fprintf(&b, `,"o":{"x":%s,"y":{"z":%s}}`, d.scalar(), d.scalar())
	}
	if d.r.IntN(3) > 0 {
		b.WriteString(`,"tags":[`)
		for i := range d.r.IntN(4) {
			b.WriteString([]string{"", ","}[min(i, 1)] + d.scalar())
		}
		b.WriteString(`]`)
	}
	if d.r.IntN(3) > 0 {
		fmt.Fprintf(&b, `,"items":[{"k":%s,"v":%s},{"k":%s}]`, d.scalar(), d.scalar(), d.scalar())
	}
	fmt.Fprintf(&b, `,"u%d":1}`, d.r.IntN(3))
	return b.String()
}

// write changes some documents.
func (d *differential) write(n int) {
	for range n {
		d.n++
		pk := d.pick("p1", "p1", "p1", "p2", "p3")
		id := fmt.Sprint(d.n)
		if d.n > 100 && d.r.IntN(4) == 0 {
			id = fmt.Sprint(1 + d.r.IntN(d.n))
			if p, ok := d.pks[id]; ok {
				pk = p
			}
		}
		key := fmt.Sprintf("[%q]", pk)
		if d.pks[id] != "" && d.r.IntN(3) == 0 {
			d.want(d.item("DELETE", "/"+id, key, ""), 204)
			delete(d.pks, id)
			continue
		}
		a := d.item("POST", "", key, d.document(id, pk), "x-ms-documentdb-is-upsert", "true", "x-ms-indexing-directive", d.directive())
		if a.status != 200 && a.status != 201 {
			d.t.Fatal(a.body)
		}
		d.pks[id] = pk
	}
}

func (d *differential) directive() string {
	if d.odd && d.n > 400 && d.n < 420 {
		return "Exclude"
	}
	return "Default"
}

// read lists all documents by the feed, which uses no index.
func (d *differential) read() {
	d.docs = nil
	next := ""
	for {
		a := d.want(d.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-max-item-count", "1000", "x-ms-continuation", next), 200)
		var page struct{ Documents []json.RawMessage }
		d.check(json.Unmarshal([]byte(a.body), &page))
		for _, doc := range page.Documents {
			d.docs = append(d.docs, query.Doc{Key: fmt.Sprintf("%016x", len(d.docs)+1), JSON: doc})
		}
		if next = a.header.Get("x-ms-continuation"); next == "" {
			return
		}
	}
}

func (d *differential) path() string {
	return d.pick("c.a", "c.a", "c.b", "c.n", "c.n", "c.o.x", "c.o.y.z", "c.tags[0]", "c.tags[1]", `c["a"]`, "c.id", "c.missing", "c.u1", "c._ts", "c.o", "c.items[0].k")
}

func (d *differential) predicate(depth int) string {
	if depth > 0 && d.r.IntN(3) == 0 {
		parts := []string{d.predicate(depth - 1), d.predicate(depth - 1)}
		if d.r.IntN(3) == 0 {
			parts = append(parts, d.predicate(depth-1))
		}
		out := "(" + strings.Join(parts, d.pick(" AND ", " AND ", " OR ")) + ")"
		if d.r.IntN(8) == 0 {
			return "NOT " + out
		}
		return out
	}
	p, v := d.path(), d.scalar()
	switch d.r.IntN(28) {
	case 0:
		return p + " IN (" + v + ", " + d.scalar() + ", " + d.scalar() + ")"
	case 1:
		return p + " BETWEEN " + v + " AND " + d.scalar()
	case 2:
		return "STARTSWITH(" + p + ", " + d.pick(`"x"`, `"l"`, `""`, `"`+strings.Repeat("l", 101)+`"`) + ")"
	case 3:
		return p + " LIKE " + d.pick(`"x%"`, `"x"`, `"%a"`, `"x_"`, `"l%a"`)
	case 4:
		return "ARRAY_CONTAINS(c.tags, " + v + ")"
	case 5:
		return "ARRAY_CONTAINS(c.items, {\"k\": " + v + "}, true)"
	case 6:
		return "EXISTS(SELECT VALUE t FROM t IN c.items WHERE t.k = " + v + d.pick("", " AND t.v > 3") + ")"
	case 7:
		return d.pick("IS_DEFINED", "IS_NULL", "IS_STRING", "IS_NUMBER", "IS_BOOL", "IS_PRIMITIVE", "IS_ARRAY") + "(" + p + ")"
	case 8:
		return v + d.pick(" = ", " < ", " >= ") + p
	case 9:
		return p
	case 10:
		return "NOT " + p
	case 11:
		return p + " != " + v
	case 12:
		return "ARRAY_CONTAINS([" + v + ", " + d.scalar() + "], " + p + ")"
	case 13:
		return p + " NOT IN (" + v + ", " + d.scalar() + ")"
	case 14:
		return d.pick("CONTAINS", "ENDSWITH", "STARTSWITH", "STRINGEQUALS") + "(" + p + ", " + d.pick(`"x"`, `"A"`, `"a"`, `"L"`, `"l"`, `""`, `"日"`, `"Xa"`) + d.pick("", ", true", ", false") + ")"
	case 15:
		return "REGEXMATCH(" + p + ", " + d.pick(`"^x"`, `"A$"`, `"[a-c]"`, `"l{3}"`) + d.pick("", `, "i"`) + ")"
	case 16:
		return "NOT " + d.pick("IS_DEFINED", "IS_NULL", "IS_STRING", "IS_NUMBER", "IS_BOOL", "IS_PRIMITIVE", "IS_ARRAY", "IS_OBJECT") + "(" + p + ")"
	case 17:
		return p + " NOT BETWEEN " + v + " AND " + d.scalar()
	case 18:
		return p + d.pick(" LIKE ", " NOT LIKE ") + d.pick(`"%a%"`, `"_a"`, `"x%"`, `"%"`)
	case 19:
		return "(" + p + " != " + v + d.pick(" AND ", " OR ") + d.pick("NOT IS_DEFINED(", "IS_DEFINED(", "IS_ARRAY(", "IS_OBJECT(", "IS_NULL(") + p + "))"
	case 20:
		return d.pick("LENGTH("+p+") = 2", "LOWER("+p+`) = "xa"`, "UPPER("+p+`) IN ("X", "XB")`, p+` || "b" = "xb"`)
	case 21:
		return "c.b = " + d.scalar() + " AND c.n" + d.pick(" > ", " < ", " >= ", " <= ") + fmt.Sprint(d.r.IntN(300))
	case 22:
		return "c.pk = " + d.pick(`"p1"`, `"p2"`) + " AND c.a" + d.pick(" > ", " < ", " = ", " != ") + v + d.pick("", " AND c.n < 200", ` AND CONTAINS(c.b, "x")`)
	}
	return p + d.pick(" = ", " = ", " = ", " < ", " <= ", " > ", " >= ") + v
}

// statement makes a query; ordered tells that its whole order is decided, window that it takes only some rows of an undecided order.
func (d *differential) statement() (text string, ordered bool, window int) {
	var b strings.Builder
	b.WriteString("SELECT ")
	kind := d.r.IntN(10)
	order := ""
	window = -1
	if kind < 6 && d.r.IntN(2) == 0 {
		ordered = true
		order = " ORDER BY " + d.pick("c.a", "c.a", "c.b", "c.n", "c.n", "c.id", "c.o.x", "c.missing", "c.u1", "c._ts", "c.o.y.z") + d.pick("", " ASC", " DESC", " DESC")
		if d.r.IntN(4) == 0 {
			order = d.pick(" ORDER BY c.a, c.b DESC", " ORDER BY c.a DESC, c.b", " ORDER BY c.n, c.a, c.id", " ORDER BY c.n DESC, c.a DESC, c.id DESC", " ORDER BY c.b, c.a", " ORDER BY c.a, c.b",
				" ORDER BY c.b DESC, c.n", " ORDER BY c.pk, c.a DESC, c.n")
		}
	}
	top := kind < 6 && d.r.IntN(4) == 0
	if top {
		n := d.r.IntN(60)
		fmt.Fprintf(&b, "TOP %d ", n)
		if !ordered {
			window = n
		}
	}
	switch kind {
	case 6:
		b.WriteString("VALUE COUNT(1) FROM c")
	case 7:
		b.WriteString("DISTINCT VALUE c.n FROM c")
	case 8:
		b.WriteString("c.n, COUNT(1) AS count, MAX(c.a) AS most FROM c")
	case 9:
		b.WriteString("VALUE t FROM c JOIN t IN c.tags")
	default:
		b.WriteString(d.pick("VALUE c.id", "*", "c.id, c.a", "VALUE c") + " FROM c")
	}
	switch d.r.IntN(16) {
	case 0, 1:
	case 2: // one value of a composite index before its order
		b.WriteString(" WHERE " + d.pick("c.b = ", "c.a = ", "c.n = ", `c.pk = "p1" AND c.a = `) + d.scalar() + d.pick("", " AND c.n > 20", " AND "+d.predicate(0)))
	default:
		b.WriteString(" WHERE " + d.predicate(2))
	}
	if kind == 8 {
		b.WriteString(" GROUP BY c.n")
	}
	b.WriteString(order)
	if ordered && !top && d.r.IntN(5) == 0 {
		fmt.Fprintf(&b, " OFFSET %d LIMIT %d", d.r.IntN(20), d.r.IntN(50))
	}
	return b.String(), ordered, window
}

// expected runs the query over all documents, of one logical partition if pk is given.
func (d *differential) expected(text, pk string) []string {
	q, err := query.Parse(text)
	d.check(err)
	p, err := query.Compile(q, nil)
	d.check(err)
	docs := iter.Seq2[query.Doc, error](func(yield func(query.Doc, error) bool) {
		for _, doc := range d.docs {
			if (pk == "" || strings.Contains(string(doc.JSON), `"pk":"`+pk+`"`)) && !yield(doc, nil) {
				return
			}
		}
	})
	page, err := query.Run(context.Background(), p, docs, query.Limits{}, query.State{})
	d.check(err)
	out := make([]string, len(page.Rows))
	for i, r := range page.Rows {
		out[i] = string(r)
	}
	return out
}

// paged runs the query page by page through the gateway; the answer has the status of the first page.
func (d *differential) paged(text, pk string, size int) (rows []string, first answer) {
	headers := []string{"x-ms-max-item-count", fmt.Sprint(size), "x-ms-documentdb-query-enablecrosspartition", "true", "x-ms-documentdb-populatequerymetrics", "true", "x-ms-cosmos-populateindexmetrics-v2", "true"}
	if pk != "" {
		headers = append(headers, "x-ms-documentdb-partitionkey", fmt.Sprintf("[%q]", pk))
	} else if !d.cut {
		headers = append(headers, "x-ms-documentdb-partitionkeyrangeid", "0")
	}
	next := ""
	for pages := 0; ; pages++ {
		a := d.query(text, append(headers, "x-ms-continuation", next)...)
		if pages == 0 {
			first = a
		}
		if a.status != 200 {
			if pages > 0 {
				d.t.Fatalf("%s: page %d: %s", text, pages, a.body)
			}
			return nil, a
		}
		var page struct{ Documents []json.RawMessage }
		d.check(json.Unmarshal([]byte(a.body), &page))
		for _, r := range page.Documents {
			rows = append(rows, string(r))
		}
		if next = a.header.Get("x-ms-continuation"); next == "" {
			return rows, first
		}
		if pages > 5000 {
			d.t.Fatalf("%s: no end", text)
		}
	}
}

func (d *differential) compare() {
	text, ordered, window := d.statement()
	pk := d.pick("", "p1", "p2")
	if simple := !ordered && window < 0 && !strings.Contains(text, "COUNT") && !strings.Contains(text, "DISTINCT"); d.cut && pk == "" && !simple {
		pk = "p1" // the gateway does not answer it over several ranges
	}
	want := d.expected(text, pk)
	got, a := d.paged(text, pk, d.pickSize())
	if a.status == 400 && (strings.Contains(a.body, "order-by item is excluded") || strings.Contains(a.body, "corresponding composite index")) {
		d.ways["refused"]++
		return
	}
	d.note(a)
	d.want(a, 200)
	if window >= 0 {
		full := d.expected(strings.Replace(text, fmt.Sprintf("TOP %d ", window), "", 1), pk)
		if len(got) != min(window, len(full)) {
			d.t.Fatalf("%s (%s): %d rows of %d", text, pk, len(got), len(full))
		}
		slices.Sort(full)
		for _, row := range got {
			if _, ok := slices.BinarySearch(full, row); !ok {
				d.t.Fatalf("%s (%s): %s is no row", text, pk, row)
			}
		}
		return
	}
	if !ordered {
		slices.Sort(want)
		slices.Sort(got)
	}
	if !slices.Equal(want, got) {
		at := 0
		for at < min(len(want), len(got)) && want[at] == got[at] {
			at++
		}
		d.t.Fatalf("%s (logical partition %q): %d rows, want %d; they differ at %d:\n got %.300s\nwant %.300s", text, pk, len(got), len(want), at, fmt.Sprint(got[at:]), fmt.Sprint(want[at:]))
	}
}

// note counts how the first page was answered.
func (d *differential) note(a answer) {
	mode := "whole"
	if next := a.header.Get("x-ms-continuation"); next != "" {
		b, err := base64.RawURLEncoding.DecodeString(next)
		d.check(err)
		for _, m := range []string{"e", "o", "s"} {
			if strings.Contains(string(b), `"mode":"`+m+`"`) {
				mode = m
			}
		}
	}
	d.ways["mode "+mode]++
	metrics := a.header.Get("x-ms-documentdb-query-metrics")
	if strings.Contains(metrics, "indexUtilizationRatio=0.00") {
		d.ways["scan"]++
	} else {
		d.ways["index"]++
		if strings.Contains(metrics, "retrievedDocumentCount=0;") {
			d.ways["no document read"]++
		}
	}
	if strings.Contains(a.header.Get("x-ms-cosmos-index-utilization"), ` DESC"]`) {
		d.ways["composite "+strings.TrimPrefix(mode, "mode ")]++
	}
}

func (d *differential) pickSize() int { return []int{1000, 100, 37, 7}[d.r.IntN(4)] }

// TestDifferential: a query's answer through the index is that of the engine over all documents. BULKHEAD_DIFFERENTIAL gives it longer, as "5m".
func TestDifferential(t *testing.T) {
	t.Parallel()
	long := 6 * time.Second
	if text := os.Getenv("BULKHEAD_DIFFERENTIAL"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		long = time.Second
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	end := time.Now().Add(long)
	ways := map[string]int{}
	all := []string{"index", "scan"}
	if long >= 20*time.Second {
		all = append(all, "mode e", "mode o", "mode s", "no document read", "composite whole", "composite o", "refused")
	}
	lacks := func(way string) bool { return ways[way] == 0 }
	// A busy machine does little in that time: rounds go on until each way was seen.
	for i := 0; time.Now().Before(end) || i < 200 && slices.ContainsFunc(all, lacks); i++ {
		policy := differentialPolicies[i%len(differentialPolicies)]
		d := &differential{platform: withAccount(t), r: rand.New(rand.NewPCG(seed, uint64(i))), pks: map[string]string{}, ways: ways, odd: i%3 == 2}
		if i%5 != 4 {
			d.s.items.Tuning = index.Tuning{Small: 5 + d.r.IntN(20), Gather: 10}
		}
		d.want(d.do("POST", "/dbs", `{"id":"db"}`), 201)
		d.want(d.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":`+policy+`}`), 201)
		size := []int{900, 200, 2200}[i/4%3]
		for begin, first := time.Now(), true; first || time.Since(begin) < max(long/24, 700*time.Millisecond) && time.Now().Before(end); first = false {
			d.write(size)
			if size == 40 && !d.cut && d.r.IntN(4) == 0 {
				d.split("0")
				d.cut = true
			}
			if d.r.IntN(6) == 0 {
				next := differentialPolicies[d.r.IntN(len(differentialPolicies))]
				d.want(d.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":`+next+`}`), 200)
			} else if d.r.IntN(2) == 0 {
				d.check(d.s.catalog.Reindex(context.Background()))
			}
			size = 40
			d.read()
			for range 60 {
				d.compare()
			}
		}
	}
	t.Logf("%v", ways)
	for _, way := range all {
		if ways[way] == 0 {
			t.Errorf("no query was answered by: %s", way)
		}
	}
}
