package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// after gives the documents behind a key, as a store would.
func after(docs []Doc, key string) iter.Seq2[Doc, error] {
	return func(yield func(Doc, error) bool) {
		for _, d := range docs {
			if d.Key > key && !yield(d, nil) {
				return
			}
		}
	}
}

// pages runs a query page by page, the state going through JSON each time.
func pages(t *testing.T, sql string, docs []Doc, lim Limits) (rows []string, n int) {
	t.Helper()
	p := mustCompile(t, sql, nil)
	var st State
	for ; n < 1000; n++ {
		from := st.After
		if !p.Streams() {
			from = ""
		}
		page, err := Run(context.Background(), p, after(docs, from), lim, st)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if lim.Items > 0 && len(page.Rows) > lim.Items {
			t.Fatalf("%s: a page of %d rows, want at most %d", sql, len(page.Rows), lim.Items)
		}
		if lim.Bytes > 0 && len(page.Rows) > 1 && page.Bytes > lim.Bytes {
			t.Fatalf("%s: a page of %d bytes, want at most %d", sql, page.Bytes, lim.Bytes)
		}
		for _, r := range page.Rows {
			rows = append(rows, string(r))
		}
		if page.Next == nil {
			return rows, n + 1
		}
		token, err := json.Marshal(page.Next)
		if err != nil {
			t.Fatal(err)
		}
		st = State{}
		if err := json.Unmarshal(token, &st); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s: does not end", sql)
	return nil, 0
}

// TestRun_Pages: however a result is cut into pages, it is the same.
func TestRun_Pages(t *testing.T) {
	var docs []Doc
	for i := range 37 {
		docs = append(docs, Doc{Key: fmt.Sprintf("%03d", i), JSON: fmt.Appendf(nil, `{"id":"%d","n":%d,"k":%d,"kids":[{"a":1},{"a":%d},{"a":3}]}`, i, (i*7)%11, i%3, i)})
	}
	for _, sql := range []string{
		`SELECT * FROM c`, `SELECT VALUE c.id FROM c WHERE c.k = 1`, `SELECT TOP 10 VALUE c.id FROM c`, `SELECT VALUE c.id FROM c OFFSET 5 LIMIT 12`,
		`SELECT c.id, k.a FROM c JOIN k IN c.kids`, `SELECT TOP 17 c.id, k.a FROM c JOIN k IN c.kids`, `SELECT c.id, k.a, m.a AS b FROM c JOIN k IN c.kids JOIN m IN c.kids WHERE k.a != m.a OFFSET 7 LIMIT 40`,
		`SELECT VALUE c.n FROM c ORDER BY c.n DESC`, `SELECT VALUE c.id FROM c ORDER BY c.n OFFSET 3 LIMIT 9`, `SELECT DISTINCT VALUE c.n FROM c`, `SELECT c.n, COUNT(1) AS x FROM c GROUP BY c.n`,
		`SELECT VALUE COUNT(1) FROM c`, `SELECT VALUE 1`, `SELECT VALUE c.id FROM c WHERE false`, `SELECT VALUE c.id FROM c OFFSET 100 LIMIT 3`,
	} {
		want, n := pages(t, sql, docs, Limits{})
		if n != 1 {
			t.Errorf("%s: an unbounded run took %d pages", sql, n)
		}
		for _, lim := range []Limits{{Items: 1}, {Items: 2}, {Items: 5}, {Items: 100}, {Bytes: 1}, {Bytes: 30}, {Scan: 1}, {Scan: 4, Items: 3}} {
			got, n := pages(t, sql, docs, lim)
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s with %+v in %d pages:\n got %v\nwant %v", sql, lim, n, got, want)
			}
		}
	}
}

// TestRun_Changed: a document that is deleted, or loses rows, between two pages does not derail the rest.
func TestRun_Changed(t *testing.T) {
	p := mustCompile(t, `SELECT VALUE k FROM c JOIN k IN c.kids`, nil)
	docs := []Doc{{"a", []byte(`{"kids":[1,2,3]}`)}, {"b", []byte(`{"kids":[4]}`)}}
	page, err := Run(context.Background(), p, after(docs, ""), Limits{Items: 2}, State{})
	if err != nil || page.Next == nil {
		t.Fatalf("first page got %+v, %v", page, err)
	}
	for name, changed := range map[string][]Doc{
		"deleted": docs[1:], "shrunk": {{"a", []byte(`{"kids":[1]}`)}, docs[1]},
	} {
		next, err := Run(context.Background(), p, after(changed, page.Next.After), Limits{}, *page.Next)
		if err != nil || len(next.Rows) != 1 || string(next.Rows[0]) != "4" {
			t.Errorf("%s: second page got %s, %v; want the row 4", name, next.Rows, err)
		}
	}
}

func TestRun_Failures(t *testing.T) {
	p := mustCompile(t, `SELECT * FROM c ORDER BY c.id`, nil)
	big := strings.Repeat("x", 2000)
	if _, err := Run(context.Background(), p, docsOf(`{"id":"`+big+`"}`), Limits{Memory: 1000}, State{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("past the memory bound: got %v, want a 400 fault", err)
	}
	if _, err := Run(context.Background(), p, docsOf(`{"id":`), Limits{}, State{}); err == nil {
		t.Error("a broken document: got no error")
	}
	broken := errors.New("disk")
	docs := func(yield func(Doc, error) bool) { yield(Doc{}, broken) }
	if _, err := Run(context.Background(), p, docs, Limits{}, State{}); !errors.Is(err, broken) {
		t.Errorf("a failing store: got %v, want its error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, p, docsOf(sample), Limits{}, State{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestRun_Window: with TOP, sorting keeps only what can come out.
func TestRun_Window(t *testing.T) {
	p := mustCompile(t, `SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC`, nil)
	docs := func(yield func(Doc, error) bool) {
		for i := range 20_000 {
			if !yield(Doc{Key: fmt.Sprint(i), JSON: fmt.Appendf(nil, `{"n":%d}`, (i*7919)%20_011)}, nil) {
				return
			}
		}
	}
	page, err := Run(context.Background(), p, docs, Limits{Memory: 400_000}, State{})
	if err != nil {
		t.Fatal(err)
	}
	want := [3]int{}
	for i := range 20_000 {
		n := (i * 7919) % 20_011
		for j := range want {
			if n > want[j] {
				copy(want[j+1:], want[j:])
				want[j] = n
				break
			}
		}
	}
	if got := fmt.Sprintf("%s", page.Rows); got != fmt.Sprint(want) {
		t.Errorf("got %s, want %v", got, want)
	}
}

func TestFacts(t *testing.T) {
	for sql, want := range map[string]string{
		`SELECT * FROM c WHERE c.a = 1`: "", `SELECT VALUE k FROM c JOIN k IN c.kids`: "", `SELECT * FROM c ORDER BY c.a`: "ORDER BY", `SELECT VALUE COUNT(1) FROM c`: "aggregate",
		`SELECT c.a FROM c GROUP BY c.a`: "GROUP BY", `SELECT DISTINCT c.a FROM c`: "DISTINCT", `SELECT TOP 1 * FROM c`: "TOP", `SELECT * FROM c OFFSET 1 LIMIT 1`: "OFFSET LIMIT",
		`SELECT VALUE (SELECT VALUE COUNT(1) FROM k IN c.kids) FROM c`: "",
	} {
		if got := mustCompile(t, sql, nil).Facts().CrossDocument(); got != want {
			t.Errorf("%s: needs %q across documents, want %q", sql, got, want)
		}
	}
}

func TestEvaluator(t *testing.T) {
	e := mustCompile(t, `SELECT TOP 1 VALUE c.n FROM c WHERE c.n > 5`, nil).NewEvaluator()
	for doc, want := range map[string]bool{sample: true, `{"n":5}`: false, `{}`: false} {
		if got, err := e.Match([]byte(doc)); err != nil || got != want {
			t.Errorf("Match(%.20s) got %v, %v; want %v", doc, got, err, want)
		}
	}
	if rows, err := e.Rows([]byte(sample)); err != nil || len(rows) != 1 || string(rows[0]) != "7" {
		t.Errorf("Rows got %s, %v; want 7", rows, err)
	}
	if _, err := e.Match([]byte(`{`)); err == nil {
		t.Error("a broken document: got no error")
	}
}

// benchDoc has about 1 KB.
var benchDoc = []byte(`{"id":"order-000123","tenant":"contoso","status":"open","total":1234.50,"customer":{"name":"Ann Example","email":"ann@example.com","address":{"city":"Seattle","zip":"98052"}},"lines":[` +
	strings.Repeat(`{"sku":"A-100","qty":2,"price":19.99,"note":"gift wrapped"},`, 11) + `{"sku":"B-7","qty":1,"price":5}],"_rid":"AAAAAYAAAAEBAAAAAAAAAA==","_ts":1700000000,"_etag":"\"00000000-0000-0000-0000-000000000000\""}`)

func BenchmarkFilter(b *testing.B) {
	e := mustCompile(b, `SELECT * FROM c WHERE c.tenant = @t AND c.customer.address.city = "Seattle" AND c.total > 1000`, map[string]json.RawMessage{"@t": json.RawMessage(`"contoso"`)}).NewEvaluator()
	b.SetBytes(int64(len(benchDoc)))
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := e.Match(benchDoc); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkParse is the part of BenchmarkFilter that reading the document takes.
func BenchmarkParse(b *testing.B) {
	var p Parser
	b.SetBytes(int64(len(benchDoc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(benchDoc); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvaluate is the part of BenchmarkFilter that is not reading the document.
func BenchmarkEvaluate(b *testing.B) {
	for name, where := range map[string]string{
		"equality": `c.tenant = @t`, "and3": `c.tenant = @t AND c.customer.address.city = "Seattle" AND c.total > 1000`, "in": `c.status IN ("open", "closed", "paid")`,
		"function": `STARTSWITH(c.customer.email, "ann") AND IS_DEFINED(c.status)`, "exists": `EXISTS(SELECT VALUE l FROM l IN c.lines WHERE l.sku = "B-7")`, "contains": `ARRAY_CONTAINS(c.lines, {"sku": "B-7"}, true)`,
		"fold": `CONTAINS(c.customer.name, "EXAMPLE", true)`, "like": `c.customer.email LIKE "ann@%"`, "join": `c.total > 1 AND (SELECT VALUE COUNT(1) FROM l IN c.lines) = 12`,
	} {
		b.Run(name, func(b *testing.B) {
			e := mustCompile(b, "SELECT * FROM c WHERE "+where, map[string]json.RawMessage{"@t": json.RawMessage(`"contoso"`)}).NewEvaluator()
			var p Parser
			doc, err := p.Parse(benchDoc)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := e.MatchValue(doc); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// BenchmarkRun serves a page of 100 rows out of 1000 documents of about 1 KB; ns/op is for the page.
func BenchmarkRun(b *testing.B) {
	docs := make([]Doc, 1000)
	for i := range docs {
		docs[i] = Doc{Key: fmt.Sprintf("%04d", i), JSON: []byte(strings.Replace(string(benchDoc), `"total":1234.50`, fmt.Sprintf(`"total":%d`, i%10), 1))}
	}
	for _, sql := range []string{
		`SELECT * FROM c WHERE c.total = 3`, `SELECT c.id, c.customer.name FROM c WHERE c.total = 3`, `SELECT VALUE COUNT(1) FROM c WHERE c.total = 3`, `SELECT TOP 100 * FROM c ORDER BY c.total DESC`,
		`SELECT c.total, COUNT(1) AS n FROM c GROUP BY c.total`, `SELECT c.id FROM c WHERE EXISTS(SELECT VALUE l FROM l IN c.lines WHERE l.sku = "B-7") AND c.total = 3`,
	} {
		b.Run(sql, func(b *testing.B) {
			p := mustCompile(b, sql, nil)
			b.ReportAllocs()
			for b.Loop() {
				page, err := Run(context.Background(), p, after(docs, ""), Limits{Memory: 64 << 20}, State{})
				if err != nil || len(page.Rows) == 0 {
					b.Fatal(len(page.Rows), err)
				}
			}
		})
	}
}

// TestRun_SortedWindow: a window of an order over more documents than are kept while they are sorted is the same in pages as at once.
func TestRun_SortedWindow(t *testing.T) {
	t.Parallel()
	var docs []Doc
	for i := range 4000 {
		docs = append(docs, Doc{Key: fmt.Sprintf("%016x", i), JSON: fmt.Appendf(nil, `{"id":"%d","n":%d}`, i, i*7919%1000)})
	}
	for _, sql := range []string{
		`SELECT VALUE c.id FROM c ORDER BY c.n OFFSET 30 LIMIT 60`, `SELECT TOP 50 c.id FROM c ORDER BY c.n DESC`, `SELECT DISTINCT TOP 20 VALUE c.n FROM c ORDER BY c.n`,
	} {
		want, _ := pages(t, sql, docs, Limits{})
		got, n := pages(t, sql, docs, Limits{Items: 7})
		if fmt.Sprint(got) != fmt.Sprint(want) || n < 3 {
			t.Errorf("%s: %d pages, %d rows %v; want %d rows %v", sql, n, len(got), got, len(want), want)
		}
	}
}
