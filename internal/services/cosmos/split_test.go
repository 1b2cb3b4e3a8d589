package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

func (p *platform) split(id string) {
	p.t.Helper()
	p.check(p.s.SplitRange(context.Background(), "acct", "db", "c", id))
}

// allDocs reads all documents, by id.
func (p *platform) allDocs() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	next := ""
	for {
		a := p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-max-item-count", "50", "x-ms-continuation", next), 200)
		var body struct{ Documents []json.RawMessage }
		p.check(json.Unmarshal([]byte(a.body), &body))
		for _, d := range body.Documents {
			var v struct{ ID, RID string }
			p.check(json.Unmarshal(d, &v))
			if out[v.ID] != "" {
				p.t.Errorf("%s came twice", v.ID)
			}
			out[v.ID] = string(d)
		}
		if next = a.header.Get("X-Ms-Continuation"); next == "" {
			return out
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.fill(0, 150)
	before := p.allDocs()
	routing := p.do("GET", "/dbs/db/colls/c/pkranges", "").header.Get("Etag")
	token := p.want(p.item("GET", "/001", `["k1"]`, ""), 200).header.Get("X-Ms-Session-Token")
	p.split("0")

	rs := p.ranges()
	want := []aRange{
		{"1", "", "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", []string{"0"}, "online", 0.5}, {"2", "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "FF", []string{"0"}, "online", 0.5},
	}
	if d := cmp.Diff(want, rs); d != "" {
		t.Fatal(d)
	}
	p.want(p.do("GET", "/dbs/db/colls/c/pkranges", "", "if-none-match", routing), 200)
	if d := cmp.Diff(before, p.allDocs()); d != "" {
		t.Error(d)
	}
	// The parent is gone for who names it; who names documents is led to the children.
	for _, a := range []answer{
		p.query("SELECT * FROM c", "x-ms-documentdb-partitionkeyrangeid", "0"), p.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-documentdb-partitionkeyrangeid", "0"),
		p.do("POST", "/dbs/db/colls/c/docs", `[{"operationType":"Read","partitionKey":"[\"k1\"]","id":"001"}]`, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "False", "x-ms-documentdb-partitionkeyrangeid", "0"),
	} {
		p.wantFault(a, 410, "Gone", "1002")
	}
	// The session goes on: the parent's token counts for its children, whose LSNs go on from there.
	_, lsn, _ := strings.Cut(token, "#")
	a := p.want(p.item("GET", "/001", `["k1"]`, "", "x-ms-session-token", token), 200)
	id, got, _ := strings.Cut(a.header.Get("X-Ms-Session-Token"), ":-1#")
	if lsn != "151" || got != "153" || id == "0" { // the parent was marked, then fenced
		t.Errorf("before %s, after %s", token, a.header.Get("X-Ms-Session-Token"))
	}
	w := p.want(p.item("PUT", "/001", `["k1"]`, `{"id":"001","pk":"k1","new":true}`), 200)
	if w.header.Get("X-Ms-Session-Token") != id+":-1#154" || w.json(t)["_rid"] != jsonOf(t, before["001"])["_rid"] {
		t.Errorf("after a write: %s, %s", w.header.Get("X-Ms-Session-Token"), w.body)
	}
	p.wantFault(p.item("GET", "/001", `["k1"]`, "", "x-ms-session-token", "0:-1#155"), 404, "NotFound", "1002")

	// What is made from now on never has the resource id of another.
	p.split("1")
	p.fill(150, 60)
	rids := map[string]bool{}
	for _, d := range p.allDocs() {
		rids[jsonOf(t, d)["_rid"].(string)] = true
	}
	if len(rids) != 210 {
		t.Errorf("%d resource ids of 210 documents", len(rids))
	}
	rs = p.ranges()
	if len(rs) != 3 || rs[0].ID != "3" || rs[1].ID != "4" || rs[2].ID != "2" || !cmp.Equal(rs[1].Parents, []string{"0", "1"}) {
		t.Errorf("ranges %+v", rs)
	}
	usage := p.want(p.do("GET", "/dbs/db/colls/c", "", "x-ms-documentdb-populatequotainfo", "true"), 200).header.Get("X-Ms-Resource-Usage")
	if !strings.Contains(usage, "documentsCount=210;") {
		t.Errorf("usage %s", usage)
	}
	if err := p.s.SplitRange(context.Background(), "acct", "db", "c", "0"); err == nil {
		t.Error("the parent was split once more")
	}
}

func jsonOf(t testing.TB, text string) map[string]any {
	t.Helper()
	return answer{body: text}.json(t)
}

// TestSplit_Continuation: a feed that was begun before a split is read on after it, without a document missed or repeated.
func TestSplit_Continuation(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	want := p.fill(0, 120)
	cross := []string{"x-ms-documentdb-query-enablecrosspartition", "true"}
	type doer func(h ...string) answer
	page := func(do doer, size, next string) (ids []string, after string) {
		a := p.want(do("x-ms-max-item-count", size, "x-ms-continuation", next), 200)
		for _, d := range a.json(t)["Documents"].([]any) {
			ids = append(ids, d.(map[string]any)["id"].(string))
		}
		return ids, a.header.Get("X-Ms-Continuation")
	}
	feed := func(h ...string) answer { return p.do("GET", "/dbs/db/colls/c/docs", "", h...) }
	query := func(h ...string) answer { return p.query("SELECT * FROM c", append(h, cross...)...) }
	bounded := func(h ...string) answer { return feed(append(h, "x-ms-start-epk", "01", "x-ms-end-epk", "FE")...) }
	var inBounds []string
	if inBounds, _ = page(bounded, "1000", ""); len(inBounds) < 100 {
		t.Fatalf("%d in bounds", len(inBounds))
	}
	slices.Sort(inBounds)
	got := make([][]string, 3)
	next := make([]string, 3)
	dos := []doer{feed, query, bounded}
	ended := make([]bool, 3)
	for round := 0; slices.Contains(ended, false) && round < 500; round++ {
		for i, do := range dos {
			if ended[i] {
				continue
			}
			ids, after := page(do, "3", next[i])
			got[i], next[i], ended[i] = append(got[i], ids...), after, after == ""
		}
		if round%3 == 2 && round < 15 {
			rs := p.ranges()
			p.split(rs[(round/3)%len(rs)].ID)
		}
	}
	for i, ids := range got {
		all := want
		if i == 2 {
			all = inBounds
		}
		if slices.Sort(ids); !cmp.Equal(ids, all) {
			t.Errorf("%d: %s", i, cmp.Diff(all, ids))
		}
	}
}

// TestSplit_Cut: a split that is cut off at any step is finished later, and nothing written meanwhile is lost.
func TestSplit_Cut(t *testing.T) {
	t.Parallel()
	for _, at := range []string{
		catalog.StepFollow, catalog.StepCopy, catalog.StepCatchUp, catalog.StepFence, catalog.StepRest, catalog.StepActivate, catalog.StepPublish, catalog.StepPublished,
	} {
		for _, nth := range []int{1, 2, 3} {
			t.Run(fmt.Sprint(at, " ", nth), func(t *testing.T) {
				t.Parallel()
				p := withContainer(t)
				p.fill(0, 150)
				cut := errors.New("cut")
				n := 0
				p.s.catalog.Step = func(step string) error {
					if step == at {
						if n++; n == nth {
							return cut
						}
					}
					return nil
				}
				err := p.s.SplitRange(context.Background(), "acct", "db", "c", "0")
				if n >= nth && !errors.Is(err, cut) || n < nth && err != nil {
					t.Fatalf("got %v", err)
				}
				// Written while the split stands still, as long as the parent may be.
				fenced := at == catalog.StepRest || at == catalog.StepActivate || at == catalog.StepPublish
				if n >= nth && !fenced {
					p.change()
				}
				p.goesOn(2)
			})
		}
	}
}

// goesOn restarts a platform whose split or merge stands still: it ends with so many ranges, has every document, takes new ones, and leaves no other shards behind.
func (p *platform) goesOn(ranges int) {
	p.t.Helper()
	before := p.allDocs()
	p.s.catalog.Step = nil
	p.restart()
	if got := len(p.ranges()); got != ranges {
		p.t.Fatalf("%d ranges, want %d", got, ranges)
	}
	if d := cmp.Diff(before, p.allDocs()); d != "" {
		p.t.Error(d)
	}
	for id, text := range before {
		pk := jsonOf(p.t, text)["pk"].(string)
		p.want(p.item("GET", "/"+id, `["`+pk+`"]`, ""), 200)
	}
	p.fill(500, 10)
	shards, err := p.store.Shards(p.t.Context(), "range/", "", 0)
	if err != nil || len(shards) != ranges {
		p.t.Errorf("shards of ranges: %v %v", shards, err)
	}
}

// restart makes the service anew on the same store, and finishes what a crash left.
func (p *platform) restart() {
	p.t.Helper()
	p.wire()
	ctx := context.Background()
	p.check(p.drainer.DrainAll(ctx, "account/", "splits/"))
}

// TestSplit_Writers: writers and readers go on through splits.
func TestSplit_Writers(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.fill(0, 100)
	p.writeThrough(func() {
		for range 3 {
			rs := p.ranges()
			p.split(rs[len(rs)-1].ID)
		}
	})
}

// writeThrough writes and reads while move goes on with the ranges: each write that was acknowledged is there afterwards, and no reader is turned away.
func (p *platform) writeThrough(move func()) {
	p.t.Helper()
	t := p.t
	const writers, each = 4, 120
	var wg sync.WaitGroup
	var mu sync.Mutex
	want := map[string]int{}
	for w := range writers {
		rnd := rand.New(rand.NewPCG(1, uint64(w)))
		wg.Go(func() {
			mine := map[int]int{}
			for n := 1; n <= each; n++ {
				i := rnd.IntN(30)
				id, pk := fmt.Sprintf("w%d-%d", w, i), fmt.Sprintf(`["k%d-%d"]`, w, i)
				if _, there := mine[i]; there && n%5 == 0 {
					if a := p.item("DELETE", "/"+id, pk, ""); a.status != 204 {
						t.Errorf("delete: %d %s", a.status, a.body)
					}
					delete(mine, i)
					continue
				}
				a := p.item("POST", "", pk, fmt.Sprintf(`{"id":%q,"pk":"k%d-%d","n":%d}`, id, w, i, n), "x-ms-documentdb-is-upsert", "true")
				if a.status >= 300 {
					t.Errorf("write: %d %s", a.status, a.body)
				}
				mine[i] = n
				if a := p.item("GET", "/"+id, pk, "", "x-ms-session-token", a.header.Get("X-Ms-Session-Token")); a.status != 200 {
					t.Errorf("read: %d %s", a.status, a.body)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for i, n := range mine {
				want[fmt.Sprintf("w%d-%d", w, i)] = n
			}
		})
	}
	move()
	wg.Wait()
	got := map[string]int{}
	for id, text := range p.allDocs() {
		if strings.HasPrefix(id, "w") {
			got[id] = int(jsonOf(t, text)["n"].(float64))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestSplit_ByThroughput: an offer that needs more ranges gets them in the background.
func TestSplit_ByThroughput(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.fill(0, 40)
	before := p.allDocs()
	offers := p.want(p.do("GET", "/offers", ""), 200).json(t)["Offers"].([]any)
	offer := offers[0].(map[string]any)
	offer["content"] = map[string]any{"offerThroughput": 45000}
	body, err := json.Marshal(offer)
	p.check(err)
	p.want(p.do("PUT", "/offers/"+offer["_rid"].(string), string(body)), 200)
	p.restart()
	rs := p.ranges()
	if len(rs) != 5 {
		t.Errorf("%d ranges: %+v", len(rs), rs)
	}
	if d := cmp.Diff(before, p.allDocs()); d != "" {
		t.Error(d)
	}
}

// TestSplit_Deleted: a container deleted while it is being split leaves nothing.
func TestSplit_Deleted(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.fill(0, 100)
	p.s.catalog.Step = func(step string) error {
		if step == catalog.StepCatchUp {
			return errors.New("cut")
		}
		return nil
	}
	if err := p.s.SplitRange(context.Background(), "acct", "db", "c", "0"); err == nil {
		t.Fatal("was not cut")
	}
	if p.ranges()[0].Status != "splitting" {
		t.Error("the range does not say that it is being split")
	}
	p.want(p.do("DELETE", "/dbs/db/colls/c", ""), 204)
	p.s.catalog.Step = nil
	p.restart()
	shards, err := p.store.Shards(context.Background(), "range/", "", 0)
	if err != nil || len(shards) != 0 {
		t.Errorf("left: %v %v", shards, err)
	}
}

// change writes documents anew, deletes some, renames some and makes others of their old ids.
func (p *platform) change() {
	p.t.Helper()
	p.fill(150, 20)
	for i := range 10 {
		p.want(p.item("DELETE", fmt.Sprintf("/%03d", i), fmt.Sprintf(`["k%d"]`, i), ""), 204)
		p.want(p.item("PUT", fmt.Sprintf("/%03d", 20+i), fmt.Sprintf(`["k%d"]`, 20+i), fmt.Sprintf(`{"id":"%03d","pk":"k%d","again":1}`, 20+i, 20+i)), 200)
		p.want(p.item("PUT", fmt.Sprintf("/%03d", 40+i), fmt.Sprintf(`["k%d"]`, 40+i), fmt.Sprintf(`{"id":"x%03d","pk":"k%d"}`, 40+i, 40+i)), 200)
		p.want(p.item("POST", "", fmt.Sprintf(`["k%d"]`, 40+i), fmt.Sprintf(`{"id":"%03d","pk":"k%d","second":true}`, 40+i, 40+i)), 201)
	}
}
