package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]target{
		"":                                {},
		"/":                               {},
		"/dbs":                            {"dbs", "", ""},
		"/DBS/Db/":                        {"dbs", "DBS/Db", "DBS/Db"},
		"/dbs/a/colls":                    {"colls", "dbs/a", "dbs/a"},
		"/dbs/a/colls/b":                  {"colls", "dbs/a/colls/b", "dbs/a/colls/b"},
		"//dbs//a/colls/b/docs":           {"docs", "dbs/a/colls/b", "dbs/a/colls/b"},
		"/dbs/a%20b/colls/b/docs/%E9%B1x": {"docs", "dbs/a b/colls/b/docs/\xe9\xb1x", "dbs/a%20b/colls/b/docs/%E9%B1x"},
		"/dbs/a/colls/b/docs/x%2Fy":       {"docs", "dbs/a/colls/b/docs/x/y", "dbs/a/colls/b/docs/x%2Fy"},
		"/offers/Ab+c":                    {"offers", "offers/Ab+c", "offers/Ab+c"},
		"/dbs/a/users/u/permissions/p":    {"permissions", "dbs/a/users/u/permissions/p", "dbs/a/users/u/permissions/p"},
	} {
		if d := cmp.Diff(want, parseTarget(path), cmp.AllowUnexported(target{})); d != "" {
			t.Errorf("%q: %s", path, d)
		}
	}
}

// TestBrief: reads and writes of one document are answered at once; what may take its time, or run a client's script, is not.
func TestBrief(t *testing.T) {
	t.Parallel()
	routes := map[string]func(*http.Request) bool{}
	for _, r := range New(Deps{}).Routes() {
		if r.Brief != nil {
			routes[r.Operation] = r.Brief
		}
	}
	for _, c := range []struct {
		operation, method, header, value string
		want                             bool
	}{
		{"ReadDocument", "GET", "", "", true},
		{"ReadDocument", "GET", "X-Ms-Session-Token", "0:-1#1", true},
		{"CreateDocument", "POST", "", "", true},
		{"CreateDocument", "POST", "X-Ms-Documentdb-Is-Upsert", "True", true},
		{"CreateDocument", "POST", "X-Ms-Documentdb-Isquery", "True", false},
		{"CreateDocument", "POST", "Content-Type", "application/query+json", false},
		{"CreateDocument", "POST", "X-Ms-Cosmos-Is-Query-Plan-Request", "True", false},
		{"CreateDocument", "POST", "X-Ms-Cosmos-Is-Batch-Request", "True", false},
		{"CreateDocument", "POST", "X-Ms-Documentdb-Pre-Trigger-Include", "t", false},
		{"DeleteDocument", "DELETE", "X-Ms-Documentdb-Post-Trigger-Include", "t", false},
		{"ReplaceDocument", "PUT", "", "", true},
		{"PatchDocument", "PATCH", "", "", true},
	} {
		r := httptest.NewRequest(c.method, "/dbs/d/colls/c/docs", nil)
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if got := routes[c.operation](r); got != c.want {
			t.Errorf("%s with %s: %s is brief: %t, want %t", c.operation, c.header, c.value, got, c.want)
		}
	}
	if len(routes) != 5 {
		t.Errorf("%d operations may be brief, want the 5 above", len(routes))
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method string
		header map[string]string
		want   operation
	}{
		{"GET", nil, opRead},
		{"HEAD", nil, opRead},
		{"POST", nil, opWrite},
		{"PUT", nil, opWrite},
		{"DELETE", nil, opWrite},
		{"PATCH", nil, opWrite},
		{"POST", map[string]string{"x-ms-documentdb-isquery": "True"}, opQuery},
		{"POST", map[string]string{"x-ms-documentdb-query": "true"}, opQuery},
		{"POST", map[string]string{"x-ms-documentdb-isquery": "no"}, opWrite},
		{"POST", map[string]string{"content-type": "application/query+json; charset=utf-8"}, opQuery},
		{"POST", map[string]string{"content-type": "application/json"}, opWrite},
		{"POST", map[string]string{"x-ms-cosmos-is-query-plan-request": "True"}, opPlan},
		{"POST", map[string]string{"x-ms-cosmos-is-batch-request": "True"}, opBatch},
		{"PUT", map[string]string{"x-ms-documentdb-isquery": "True", "content-type": "application/query+json"}, opWrite},
		{"DELETE", map[string]string{"x-ms-cosmos-is-query-plan-request": "True"}, opWrite},
	} {
		r := &http.Request{Method: tt.method, Header: http.Header{}}
		for k, v := range tt.header {
			r.Header.Set(k, v)
		}
		if got := classify(r); got != tt.want {
			t.Errorf("%s %v: %d, want %d", tt.method, tt.header, got, tt.want)
		}
	}
}

func TestOperationOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]operation{
		"/dbs/d/colls/c/docs": opQuery, "//dbs//d/colls/c/docs/": opQuery, "/dbs": opQuery, "/": opQuery, "/dbs/d/users": opQuery,
		"/dbs/d/colls/c/sprocs/s": opWrite, "/dbs/d/colls/c/sprocs//s/": opWrite, "dbs/d/colls/c/sprocs/%2F": opWrite,
	} {
		r := httptest.NewRequest("POST", "https://x/", nil)
		r.URL.Path, r.URL.RawPath = path, ""
		r.Header.Set("x-ms-documentdb-isquery", "true")
		if got := operationOf(r); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestCharges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got  float64
		want string
	}{
		{chargeRead(1, "Session"), "1"},
		{chargeRead(1024, "Session"), "1"},
		{chargeRead(1025, "Session"), "2"},
		{chargeRead(5000, "Session"), "8"},
		{chargeRead(100, "Strong"), "2"},
		{chargeCreate(500, 5), "7.3"},
		{chargeReplace(500, 5), "10.95"},
		{chargeDelete(500), "8.7"},
		{chargeRows(chargeQuery, 0, 0), "2.3"},
		{chargeRows(chargeQuery, 10, 2049) + chargeEntries(100), "3.45"},
	} {
		if got := formatCharge(tt.got); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestSessionLSN(t *testing.T) {
	t.Parallel()
	r := &items.Range{ID: "0", Parents: []string{"4", "7"}}
	for token, want := range map[string]uint64{"0:-1#12": 12, "0:12": 12, "0:1#9#0=5#1=7": 9, "1:-1#99": 0, "0:-1#3,0:-1#4,2:7": 4, "4:-1#5,7:-1#8": 8} {
		if got, ok := sessionLSN(token, r); !ok || got != want {
			t.Errorf("%q: %d, %v; want %d", token, got, ok, want)
		}
	}
	for _, bad := range []string{"x", "0", "0:", "0:x", "0:-1#", "0:-1#-2", ",", "0:-1#1,"} {
		if got, ok := sessionLSN(bad, r); ok {
			t.Errorf("%q: %d accepted", bad, got)
		}
	}
}

// TestSpot: what a text says is what was put into it, and each stretch is read on after its own key.
func TestSpot(t *testing.T) {
	t.Parallel()
	r := func(low, high string) items.Range { return items.Range{Min: low, Max: high} }
	p, err := parseSpot("0A@10-20,40=0B,FF=0C")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ranges []items.Range
		sel    items.Selection
		want   []string // bounds, and what is read after; "*": with a selection of its own
	}{
		{[]items.Range{r("", "10"), r("10", "18"), r("18", "20"), r("20", "40"), r("40", "FF")}, items.Selection{}, []string{"10-18 0A", "18-20 0A", "20-40 0B", "40-FF 0C"}},
		{[]items.Range{r("", "20"), r("20", "FF")}, items.Selection{}, []string{"10-20 0A*", "20-40 0B*", "40-FF 0C*"}},
		{[]items.Range{r("", "FF")}, items.Selection{}, []string{"10-20 0A*", "20-40 0B*", "40-FF 0C*"}},
		{[]items.Range{r("", "FF")}, items.Selection{Bounded: true, Low: "18", High: "30"}, []string{"10-20 0A*", "20-40 0B*"}},
		{[]items.Range{r("", "FF")}, items.Selection{Bounded: true, Low: "3333", High: "3333"}, []string{"20-40 0B"}},
		{[]items.Range{r("", "08"), r("08", "10")}, items.Selection{}, nil},
	} {
		var got []string
		for _, s := range p.sections(tt.ranges, tt.sel) {
			text := s.Min + "-" + s.Max + " " + p.begin(&s)
			if s.sel != tt.sel {
				text += "*"
				if s.sel.Low < s.Min || s.sel.High > s.Max || s.sel.ByOrder == tt.sel.Bounded {
					t.Errorf("%+v: %+v", tt, s)
				}
			}
			got = append(got, text)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%+v: %s", tt, d)
		}
	}
	if got := "0D" + p.suffix(&section{Range: r("10", "18"), whole: true}, 5); got != "0D@10-18,20=0A,40=0B,FF=0C" {
		t.Errorf("in the middle of the first stretch: %s", got)
	}
	if got := p.suffix(&section{Range: r("40", "FF")}, 1); got != "@40-FF" {
		t.Errorf("in the last: %s", got)
	}
	if got := p.suffix(&section{Range: r("", "FF"), whole: true}, 1); got != "" {
		t.Errorf("of the only one: %s", got)
	}
	for _, bad := range []string{"@", "0A@1-2", "0A@10-20,x=1", "0A@10-20,20=00", "0A@10-20,30", "@10-20,,"} {
		if p, err := parseSpot(bad); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}

func FuzzSpot(f *testing.F) {
	f.Add("0A@10-20,40=0B,FF=0C")
	f.Add("0A")
	f.Add(",0")
	f.Add("@10-20,C0=0B@")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseSpot(text)
		if err != nil {
			return
		}
		last := ""
		for _, s := range p.sections([]items.Range{{Max: "18"}, {Min: "18", Max: "FF"}}, items.Selection{}) {
			if s.Min >= s.Max || s.Min < last {
				t.Errorf("%q: %+v after %q", text, s, last)
			}
			if last = s.Max; p.begin(&s) == "" {
				continue
			}
			if again, err := parseSpot(p.begin(&s) + p.suffix(&s, 2)); err != nil || again.at != s.Min || again.begin(&s) != p.begin(&s) {
				t.Errorf("%q: %v, %+v of %+v", text, err, again, s)
			}
		}
	})
}

func FuzzContinuation(f *testing.F) {
	f.Add("", "q")
	f.Add(encodeContinuation(mark("q"), query.State{After: "ab", Row: 3}), "q")
	f.Add("eyJtIjoxfQ", "q")
	f.Fuzz(func(t *testing.T, token, text string) {
		st, err := decodeContinuation(token, mark(text))
		if err != nil || token == "" {
			return
		}
		again, err := decodeContinuation(encodeContinuation(mark(text), st), mark(text))
		if err != nil || again != st {
			t.Errorf("%q: %+v became %+v, %v", token, st, again, err)
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/", "/dbs/a", "//dbs//%2F/colls", "/dbs/%", "/dbs/a%4", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := parseTarget(path)
		if len(got.link) > len(path) || len(got.raw) > len(path) {
			t.Errorf("%q: %+v", path, got)
		}
		_ = got.others()
	})
}
