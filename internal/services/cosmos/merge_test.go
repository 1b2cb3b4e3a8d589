package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

func (p *platform) merge(a, b string) {
	p.t.Helper()
	p.check(p.s.MergeRanges(context.Background(), "acct", "db", "c", a, b))
}

// withHalves makes a container of two ranges, 1 and 2, that have counted their LSNs each for itself.
func withHalves(t *testing.T) *platform {
	t.Helper()
	p := withContainer(t)
	p.fill(0, 60)
	p.split("0")
	p.fill(60, 90)
	return p
}

func TestMerge(t *testing.T) {
	t.Parallel()
	p := withHalves(t)
	before := p.allDocs()
	rs := p.ranges()
	tokens, lsns := map[string]string{}, map[string]int{}
	for id := range before {
		a := p.want(p.item("GET", "/"+id, `["k`+fmt.Sprint(atoi(t, id))+`"]`, ""), 200)
		r, lsn, _ := strings.Cut(a.header.Get("X-Ms-Session-Token"), ":-1#")
		tokens[id], lsns[r] = a.header.Get("X-Ms-Session-Token"), atoi(t, lsn)
	}
	if len(lsns) != 2 || lsns["1"] == lsns["2"] {
		t.Fatalf("LSNs before: %v", lsns)
	}
	p.merge("2", "1")
	want := []aRange{{"3", "", "FF", []string{"0", "1", "2"}, "online", 1}}
	if d := cmp.Diff(want, p.ranges()); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff(before, p.allDocs()); d != "" {
		t.Error(d)
	}
	for _, r := range rs { // the parents are gone for who names them
		p.wantFault(p.query("SELECT * FROM c", "x-ms-documentdb-partitionkeyrangeid", r.ID), 410, "Gone", "1002")
	}
	// Sessions of both parents go on.
	for id, token := range tokens {
		p.want(p.item("GET", "/"+id, `["k`+fmt.Sprint(atoi(t, id))+`"]`, "", "x-ms-session-token", token), 200)
	}
	top := max(lsns["1"], lsns["2"])
	w := p.want(p.item("PUT", "/001", `["k1"]`, `{"id":"001","pk":"k1","new":true}`), 200)
	if got := w.header.Get("X-Ms-Session-Token"); got != fmt.Sprintf("3:-1#%d", top+3) { // the parents were marked, then fenced
		t.Errorf("after a write: %s, before %v", got, lsns)
	}
	if w.json(t)["_rid"] != jsonOf(t, before["001"])["_rid"] {
		t.Errorf("another resource id: %s", w.body)
	}
	p.wantFault(p.item("GET", "/001", `["k1"]`, "", "x-ms-session-token", fmt.Sprintf("2:-1#%d", top+9)), 404, "NotFound", "1002")
	usage := p.want(p.do("GET", "/dbs/db/colls/c", "", "x-ms-documentdb-populatequotainfo", "true"), 200).header.Get("X-Ms-Resource-Usage")
	if !strings.Contains(usage, "documentsCount=150;") {
		t.Errorf("usage %s", usage)
	}
	// All documents can be changed and deleted, and are new in the feed once.
	etag := p.want(p.changes("*"), 304).header.Get("Etag")
	for i := range 150 {
		id, pk := fmt.Sprintf("%03d", i), fmt.Sprintf(`["k%d"]`, i)
		if i%3 == 0 {
			p.want(p.item("DELETE", "/"+id, pk, ""), 204)
		} else {
			p.want(p.item("PUT", "/"+id, pk, fmt.Sprintf(`{"id":%q,"pk":"k%d","again":1}`, id, i)), 200)
		}
	}
	if ids, _ := idsIn(t, p.changes(etag, "x-ms-max-item-count", "-1")); len(ids) != 100 {
		t.Errorf("%d changes", len(ids))
	}
	if ids, _ := idsIn(t, p.changes("", "x-ms-max-item-count", "-1")); len(ids) != 100 {
		t.Errorf("%d documents in the feed", len(ids))
	}
	shards, err := p.store.Shards(t.Context(), "range/", "", 0)
	if err != nil || len(shards) != 1 {
		t.Errorf("shards of ranges: %v %v", shards, err)
	}
}

// TestMerge_Refused: what cannot be merged is refused, and stays.
func TestMerge_Refused(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.fill(0, 20)
	p.split("0")
	p.split("1")
	merge := func(a, b string) string {
		err := p.s.MergeRanges(t.Context(), "acct", "db", "c", a, b)
		if err == nil {
			t.Fatalf("%s and %s were merged", a, b)
		}
		return err.Error()
	}
	for _, tt := range []struct{ a, b, want string }{
		{"3", "2", "do not lie side by side"}, {"3", "3", "do not lie side by side"}, {"3", "1", "no partition key range '1'"}, {"x", "3", "no partition key range 'x'"},
	} {
		if got := merge(tt.a, tt.b); !strings.Contains(got, tt.want) {
			t.Errorf("%s and %s: %s", tt.a, tt.b, got)
		}
	}
	p.s.items.Limits.Range = 100
	if got := merge("4", "2"); !strings.Contains(got, "more together than one range may (100 bytes)") {
		t.Error(got)
	}
	p.s.items.Limits.Range = 0
	p.offer(30000)
	if got := merge("4", "2"); !strings.Contains(got, "needs 3 partition key ranges") {
		t.Error(got)
	}
	p.offer(400)
	p.merge("4", "2")
	if rs := p.ranges(); len(rs) != 2 {
		t.Errorf("%+v", rs)
	}
	p.restart() // less throughput does not bring them back
	if rs := p.ranges(); len(rs) != 2 {
		t.Errorf("%+v", rs)
	}
}

// offer sets the throughput of the only offer.
func (p *platform) offer(throughput int) {
	p.t.Helper()
	offer := p.want(p.do("GET", "/offers", ""), 200).json(p.t)["Offers"].([]any)[0].(map[string]any)
	offer["content"] = map[string]any{"offerThroughput": throughput}
	body, err := json.Marshal(offer)
	p.check(err)
	p.want(p.do("PUT", "/offers/"+offer["_rid"].(string), string(body)), 200)
}

// TestMerge_Cut: a merge that is cut off at any step is finished later, and nothing written meanwhile is lost.
func TestMerge_Cut(t *testing.T) {
	t.Parallel()
	for _, at := range []string{
		catalog.StepFollow, catalog.StepCopy, catalog.StepCatchUp, catalog.StepFence, catalog.StepRest, catalog.StepActivate, catalog.StepPublish, catalog.StepPublished,
	} {
		for _, nth := range []int{1, 2, 3, 4} {
			t.Run(fmt.Sprint(at, " ", nth), func(t *testing.T) {
				t.Parallel()
				p := withHalves(t)
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
				err := p.s.MergeRanges(t.Context(), "acct", "db", "c", "1", "2")
				if n >= nth && !errors.Is(err, cut) || n < nth && err != nil {
					t.Fatalf("got %v", err)
				}
				// Written while the merge stands still, as long as the parents may be.
				fenced := at == catalog.StepRest || at == catalog.StepActivate || at == catalog.StepPublish || at == catalog.StepFence && nth > 1
				if n >= nth && !fenced {
					p.change()
				}
				p.goesOn(1)
			})
		}
	}
}

// TestMerge_Continuation: lists and queries that were begun before splits and merges are read on after them, without a document missed or repeated.
func TestMerge_Continuation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			continuations(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// reading is a list under way.
type reading struct {
	name  string
	do    func(h ...string) answer
	ids   []string
	next  string
	ended bool
}

func continuations(t *testing.T, rnd *rand.Rand) {
	p := withRanges(t)
	p.offer(400)
	want := p.fill(0, 150)
	cross := []string{"x-ms-documentdb-query-enablecrosspartition", "true"}
	list := func(more ...string) func(h ...string) answer {
		return func(h ...string) answer { return p.do("GET", "/dbs/db/colls/c/docs", "", append(h, more...)...) }
	}
	query := func(text string, more ...string) func(h ...string) answer {
		return func(h ...string) answer { return p.query(text, append(append(h, cross...), more...)...) }
	}
	bounds := []string{"x-ms-start-epk", "01", "x-ms-end-epk", "FE"}
	all := []*reading{
		{name: "list", do: list()},
		{name: "query", do: query("SELECT * FROM c")},
		{name: "filter", do: query("SELECT * FROM c WHERE c.pk > 'k'")},
		{name: "bounded list", do: list(bounds...)},
		{name: "bounded query", do: query("SELECT * FROM c", bounds...)},
	}
	page := func(do func(h ...string) answer, size, next string) (ids []string, after string) {
		a := p.want(do("x-ms-max-item-count", size, "x-ms-continuation", next), 200)
		for _, d := range a.json(t)["Documents"].([]any) {
			ids = append(ids, d.(map[string]any)["id"].(string))
		}
		return ids, a.header.Get("X-Ms-Continuation")
	}
	inBounds, _ := page(list(bounds...), "1000", "")
	slices.Sort(inBounds)
	// An SDK reads range by range, and after a move reads on in those that have the EPKs, with the token it has.
	type stretch struct{ low, high, next string }
	var stretches []stretch
	for _, r := range p.ranges() {
		stretches = append(stretches, stretch{r.Min, r.Max, ""})
	}
	perRange := map[string][]string{}
	splits, merges := 0, 0
	for round := 0; round < 500 && (round < 60 || slices.ContainsFunc(all, func(r *reading) bool { return !r.ended }) || len(stretches) > 0); round++ {
		for _, r := range all {
			if !r.ended {
				ids, after := page(r.do, "3", r.next)
				r.ids, r.next, r.ended = append(r.ids, ids...), after, after == ""
			}
		}
		if len(stretches) > 0 {
			s := stretches[0]
			stretches = stretches[1:]
			for _, r := range p.ranges() {
				low, high := max(s.low, r.Min), min(s.high, r.Max)
				if low >= high {
					continue
				}
				h := []string{"x-ms-documentdb-partitionkeyrangeid", r.ID}
				if low != r.Min || high != r.Max {
					h = append(h, "x-ms-start-epk", low, "x-ms-end-epk", high)
				}
				ids, after := page(query("SELECT * FROM c", h...), "4", s.next)
				if perRange["query"] = append(perRange["query"], ids...); after != "" {
					stretches = append(stretches, stretch{low, high, after})
				}
			}
		}
		rs := p.ranges()
		switch i := rnd.IntN(len(rs)); {
		case round%3 != 2 || round > 45:
		case i+1 < len(rs) && rnd.IntN(2) == 0:
			p.merge(rs[i].ID, rs[i+1].ID)
			merges++
		default:
			p.split(rs[i].ID)
			splits++
		}
	}
	all = append(all, &reading{name: "per range", ids: perRange["query"]})
	for _, r := range all {
		expect := want
		if strings.HasPrefix(r.name, "bounded") {
			expect = inBounds
		}
		if slices.Sort(r.ids); !cmp.Equal(r.ids, expect) {
			t.Errorf("%s: %s", r.name, cmp.Diff(expect, r.ids))
		}
	}
	if splits < 3 || merges < 3 {
		t.Errorf("%d splits, %d merges", splits, merges)
	}
}

// TestMerge_Writers: writers and readers go on through splits and merges.
func TestMerge_Writers(t *testing.T) {
	t.Parallel()
	p := withHalves(t)
	p.writeThrough(func() {
		for range 3 {
			rs := p.ranges()
			p.merge(rs[0].ID, rs[1].ID)
			p.split(p.ranges()[0].ID)
		}
	})
}

// TestMerge_Deleted: a container deleted while its ranges are merged leaves nothing.
func TestMerge_Deleted(t *testing.T) {
	t.Parallel()
	p := withHalves(t)
	p.s.catalog.Step = func(step string) error {
		if step == catalog.StepCatchUp {
			return errors.New("cut")
		}
		return nil
	}
	if err := p.s.MergeRanges(t.Context(), "acct", "db", "c", "1", "2"); err == nil {
		t.Fatal("was not cut")
	}
	if err := p.s.SplitRange(t.Context(), "acct", "db", "c", "2"); err == nil || !strings.Contains(err.Error(), "is being merged already") {
		t.Errorf("a split of a range that is being merged: %v", err)
	}
	p.want(p.do("DELETE", "/dbs/db/colls/c", ""), 204)
	p.s.catalog.Step = nil
	p.restart()
	shards, err := p.store.Shards(t.Context(), "range/", "", 0)
	if err != nil || len(shards) != 0 {
		t.Errorf("left: %v %v", shards, err)
	}
}
