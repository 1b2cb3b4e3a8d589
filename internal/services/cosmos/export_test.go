package cosmos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// admin sends a request to the admin socket.
func (p *platform) admin(method, path, body string) *httptest.ResponseRecorder {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.mux.For(wire.HostAdmin).ServeHTTP(w, httptest.NewRequest(method, "http://admin"+path, strings.NewReader(body)))
	return w
}

const ofC = "?account=acct&database=db&container=c"

func TestExportImport(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	p.fill(0, 40)
	p.want(p.item("POST", "", `["x"]`, "{\n \"id\":\"lines\",\n \"pk\":\"x\", \"n\": 1.50 }"), 201)
	w := p.admin("GET", "/cosmos/export"+ofC, "")
	if w.Code != 200 || strings.Count(w.Body.String(), "\n") != 41 || strings.Count(w.Header().Get(cutHeader), "#") != 3 {
		t.Fatalf("%d, cut %s, %s", w.Code, w.Header().Get(cutHeader), w.Body)
	}
	file := w.Body.String()
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"d","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	load := func(body string) (r ImportResult) {
		t.Helper()
		w := p.admin("POST", "/cosmos/import?account=acct&database=db&container=d", body)
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		p.check(json.Unmarshal(w.Body.Bytes(), &r))
		return r
	}
	if d := cmp.Diff(ImportResult{Created: 41}, load(file)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(ImportResult{Replaced: 41}, load(file)); d != "" {
		t.Error(d)
	}
	got := p.want(p.do("GET", "/dbs/db/colls/d/docs/lines", "", "x-ms-documentdb-partitionkey", `["x"]`), 200)
	if !strings.HasPrefix(got.body, `{"id":"lines","pk":"x","n":1.50,"_rid":`) || strings.Count(got.body, "_rid") != 1 {
		t.Errorf("imported: %s", got.body)
	}
	r := load("{\"id\":\"new\",\"pk\":\"y\"}\n\nnot json\n{\"pk\":\"y\"}\n")
	if r.Created != 1 || r.FailedCount != 2 || r.Failed[0].Line != 3 || r.Failed[1].Line != 4 {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{"/cosmos/export?account=none&database=db&container=c", "/cosmos/export?account=acct&database=db&container=none"} {
		if w := p.admin("GET", path, ""); w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	a := p.admin("POST", "/cosmos/split", `{"account":"acct","database":"db","container":"d","range":"0"}`)
	if a.Code != 200 || !strings.Contains(a.Body.String(), `"id":"2"`) {
		t.Errorf("split: %d %s", a.Code, a.Body)
	}
	if a := p.admin("POST", "/cosmos/split", `{"account":"acct","database":"db","container":"d","range":"0"}`); a.Code != 404 {
		t.Errorf("split again: %d %s", a.Code, a.Body)
	}
}

// TestCut: what a cut reads is the state of its LSN, whatever is written while it reads.
func TestCut(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	const n = 1600 // several steps
	ctx := context.Background()
	_, con, err := p.s.find(ctx, ContainerRef{"acct", "db", "c"})
	p.check(err)
	var file bytes.Buffer
	for i := range n {
		fmt.Fprintf(&file, `{"id":"%04d","pk":"k%d","v":"old"}`+"\n", i, i)
	}
	if w := p.admin("POST", "/cosmos/import"+ofC, file.String()); w.Code != 200 {
		t.Fatal(w.Body)
	}
	r := con.Items(con.Ranges[0])
	cut, err := p.s.items.BeginCut(ctx, r)
	p.check(err)
	if _, err := p.s.items.BeginCut(ctx, r); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second cut: %v", err)
	}
	write := func(i int) {
		id, pk := fmt.Sprintf("/%04d", i%n), fmt.Sprintf(`["k%d"]`, i%n)
		switch i % 3 {
		case 0:
			p.item("DELETE", id, pk, "")
		case 1:
			p.item("PUT", id, pk, fmt.Sprintf(`{"id":"%04d","pk":"k%d","v":"new"}`, i%n, i%n))
		default:
			p.item("PUT", id, pk, fmt.Sprintf(`{"id":"renamed%d","pk":"k%d","v":"new"}`, i%n, i%n))
			p.item("POST", "", pk, fmt.Sprintf(`{"id":"%04d","pk":"k%d","v":"other"}`, i%n, i%n))
		}
	}
	for i := range 300 {
		write(i * 7)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				write(i * 11)
			}
		}
	})
	seen := map[string]int{}
	count := 0
	err = cut.Read(ctx, func(text []byte) error {
		v := jsonOf(t, string(text))
		if v["v"] != "old" {
			t.Errorf("of a later state: %s", text)
		}
		seen[v["id"].(string)]++
		if count++; count%400 == 0 {
			for i := range 50 {
				write(count*13 + i*5)
			}
		}
		return nil
	})
	close(stop)
	wg.Wait()
	p.check(err)
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s came %d times", id, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d documents of %d", len(seen), n)
	}
	p.check(cut.End(ctx))
	again, err := p.s.items.BeginCut(ctx, r)
	p.check(err)
	p.check(again.End(ctx))
}
