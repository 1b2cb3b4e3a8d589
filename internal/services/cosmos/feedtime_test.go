package cosmos

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

// reopen ends the platform and starts it again on the same data at the same time; what was left undone is finished.
func (p *platform) reopen() *platform {
	p.t.Helper()
	p.check(p.store.Close())
	again := openPlatformAt(p.t, "db", p.fs)
	again.clock.Advance(p.clock.Now().Sub(again.clock.Now()))
	again.arm, again.keys = p.arm, p.keys
	again.s.accounts.deps.Reader = p.arm
	p.check(again.drainer.DrainAll(p.t.Context(), "account/", "splits/"))
	return again
}

// consumer follows a change feed. All it keeps between two polls is what it has as continuation, and what it saw.
type consumer struct {
	name    string
	headers []string
	ranged  bool           // reads range by range, as SDKs do
	full    bool           // of all versions
	at      []stretch      // where it stands; one without bounds, of a consumer that names no range
	latest  map[string]int // the last version seen of each document
	events  []string       // of a full consumer
}

// stretch is what an SDK keeps of a feed: a part of the EPKs and the etag that it was read up to. It stays as it is when ranges are merged.
type stretch struct{ low, high, etag string }

// world is what the feeds are checked against.
type world struct {
	docs    map[string]int // version by id, of the living
	version int
	events  map[string][]string // what happened, by id
}

func (w *world) key(id int) string { return fmt.Sprintf("k%d", id%17) }

// write does a random write to one of the documents.
func (w *world) write(p *platform, rnd *rand.Rand) {
	p.t.Helper()
	if rnd.IntN(8) == 0 {
		w.batch(p, rnd)
		return
	}
	n := rnd.IntN(60)
	id, pk := fmt.Sprint("d", n), `["`+w.key(n)+`"]`
	was, there := w.docs[id]
	w.version++
	if there && rnd.IntN(4) == 0 {
		p.want(p.item("DELETE", "/"+id, pk, ""), 204)
		delete(w.docs, id)
		w.events[id] = append(w.events[id], fmt.Sprintf("delete %d", was))
		return
	}
	p.want(p.item("POST", "", pk, fmt.Sprintf(`{"id":%q,"pk":%q,"v":%d}`, id, w.key(n), w.version), "x-ms-documentdb-is-upsert", "true"), map[bool]int{false: 201, true: 200}[there])
	w.docs[id] = w.version
	w.events[id] = append(w.events[id], fmt.Sprintf("%s %d", map[bool]string{false: "create", true: "replace"}[there], w.version))
}

// batch writes documents of one logical partition in one transaction.
func (w *world) batch(p *platform, rnd *rand.Rand) {
	p.t.Helper()
	first := rnd.IntN(17)
	pk, ops := w.key(first), []map[string]any{}
	for n := first; n < 60; n += 17 {
		id := fmt.Sprint("d", n)
		was, there := w.docs[id]
		w.version++
		if there && rnd.IntN(4) == 0 {
			ops = append(ops, map[string]any{"operationType": "Delete", "id": id})
			delete(w.docs, id)
			w.events[id] = append(w.events[id], fmt.Sprintf("delete %d", was))
			continue
		}
		ops = append(ops, map[string]any{"operationType": "Upsert", "resourceBody": map[string]any{"id": id, "pk": pk, "v": w.version}})
		w.docs[id] = w.version
		w.events[id] = append(w.events[id], fmt.Sprintf("%s %d", map[bool]string{false: "create", true: "replace"}[there], w.version))
	}
	body, err := json.Marshal(ops)
	p.check(err)
	p.want(p.item("POST", "", `["`+pk+`"]`, string(body), "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"), 200)
}

// poll reads until there is nothing new.
func (c *consumer) poll(p *platform) {
	p.t.Helper()
	if !c.ranged {
		c.at[0].etag = c.read(p, c.at[0].etag)
		return
	}
	var next []stretch
	for _, s := range c.at {
		for _, r := range p.ranges() {
			low, high := max(s.low, r.Min), min(s.high, r.Max)
			if low >= high {
				continue
			}
			h := []string{"x-ms-documentdb-partitionkeyrangeid", r.ID}
			if low != r.Min || high != r.Max {
				h = append(h, "x-ms-start-epk", low, "x-ms-end-epk", high)
			}
			next = append(next, stretch{low, high, c.read(p, s.etag, h...)})
		}
	}
	c.at = next
}

func (c *consumer) read(p *platform, etag string, headers ...string) string {
	p.t.Helper()
	kind := "Incremental Feed"
	if c.full {
		kind = "Full-Fidelity Feed"
	}
	for {
		h := append([]string{"a-im", kind, "if-none-match", etag, "x-ms-max-item-count", "5"}, headers...)
		a := p.do("GET", "/dbs/db/colls/c/docs", "", append(h, c.headers...)...)
		if etag = a.header.Get("Etag"); a.status == 304 {
			return etag
		}
		p.want(a, 200)
		c.take(p, a)
	}
}

// take notes a page, and that nothing in it was seen before.
func (c *consumer) take(p *platform, a answer) {
	p.t.Helper()
	type doc struct {
		ID string `json:"id"`
		V  int    `json:"v"`
	}
	var body struct {
		Documents []struct {
			doc
			Current, Previous *doc
			Metadata          struct {
				Op string `json:"operationType"`
			}
		}
	}
	p.check(json.Unmarshal([]byte(a.body), &body))
	for _, d := range body.Documents {
		if c.full {
			of := d.Current
			if d.Metadata.Op == "delete" {
				of = d.Previous
			}
			c.events = append(c.events, fmt.Sprintf("%s %s %d", of.ID, d.Metadata.Op, of.V))
			continue
		}
		if c.latest[d.ID] >= d.V {
			p.t.Errorf("%s: version %d of %s came after version %d", c.name, d.V, d.ID, c.latest[d.ID])
		}
		c.latest[d.ID] = d.V
	}
}

// check compares what was seen with what there is, after a poll.
func (c *consumer) check(t *testing.T, w *world, mine func(id string) bool) {
	t.Helper()
	for id, v := range w.docs {
		if !c.full && mine(id) && c.latest[id] != v {
			t.Errorf("%s: has version %d of %s, missed %d", c.name, c.latest[id], id, v)
		}
	}
}

// TestChangeFeed_72Hours: three days of writes, splits and merges (some cut off in the middle) and restarts. Every consumer, however seldom it asks, gets
// each change once: of the feed of latest versions, the last version of each document at each poll, never one again; of the full one, all of them, in
// each document's order.
func TestChangeFeed_72Hours(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			days(t, rand.New(rand.NewPCG(seed, 72)))
		})
	}
}

func days(t *testing.T, rnd *rand.Rand) {
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"changeFeedPolicy":{"retentionDuration":1440}}`, "x-ms-offer-throughput", "12000"), 201)
	w := &world{docs: map[string]int{}, events: map[string][]string{}}
	make1 := func(c consumer) *consumer {
		c.at, c.latest = []stretch{{high: "FF"}}, map[string]int{}
		return &c
	}
	all := []*consumer{
		make1(consumer{name: "whole"}), make1(consumer{name: "per range", ranged: true}), make1(consumer{name: "of a key", headers: []string{"x-ms-documentdb-partitionkey", `["k3"]`}}),
		make1(consumer{name: "of all versions", ranged: true, full: true}), make1(consumer{name: "seldom"}),
		make1(consumer{name: "low EPKs", headers: []string{"x-ms-start-epk", "", "x-ms-end-epk", "12345678"}}), make1(consumer{name: "high EPKs", headers: []string{"x-ms-start-epk", "12345678", "x-ms-end-epk", "FF"}}),
		make1(consumer{name: "whole, of all versions", full: true}), make1(consumer{name: "of a key, of all versions", full: true, headers: []string{"x-ms-documentdb-partitionkey", `["k3"]`}}),
		make1(consumer{name: "per range, seldom", ranged: true}),
	}
	for _, c := range all { // a full feed has no beginning
		if c.full {
			c.at[0].etag = p.want(p.do("GET", "/dbs/db/colls/c/docs", "", append([]string{"a-im", "Full-Fidelity Feed", "if-none-match", "*"}, c.headers...)...), 304).header.Get("Etag")
		}
	}
	p.offer(400)
	const round = 20 * time.Minute
	splits, merges, cuts := 0, 0, 0
	for i := range int(72 * time.Hour / round) {
		p.clock.Advance(round)
		for range rnd.IntN(9) {
			w.write(p, rnd)
		}
		for _, c := range all {
			often := 3
			if strings.HasSuffix(c.name, "seldom") {
				often = 60
			}
			if rnd.IntN(often) == 0 {
				c.poll(p)
				c.check(t, w, mine(c, w))
			}
		}
		if i%9 == 8 {
			rs := p.ranges()
			cutAt := rnd.IntN(20)
			steps := 0
			p.s.catalog.Step = func(step string) error {
				if steps++; steps == cutAt {
					return errors.New("cut")
				}
				if step == catalog.StepFollow || step == catalog.StepCopy || step == catalog.StepCatchUp {
					w.write(p, rnd)
				}
				c := all[rnd.IntN(len(all))]
				c.poll(p)
				c.check(t, w, mine(c, w))
				return nil
			}
			var err error
			if at := rnd.IntN(len(rs)); at+1 < len(rs) && rnd.IntN(2) == 0 {
				merges++
				err = p.s.MergeRanges(t.Context(), "acct", "db", "c", rs[at].ID, rs[at+1].ID)
			} else {
				splits++
				err = p.s.SplitRange(t.Context(), "acct", "db", "c", rs[at].ID)
			}
			if err != nil {
				cuts++
				p = p.reopen()
			}
			p.s.catalog.Step = nil
		}
		if rnd.IntN(30) == 0 {
			p = p.reopen()
		}
		if rnd.IntN(20) == 0 {
			p.check(p.s.catalog.TrimFeeds(t.Context()))
		}
		if t.Failed() {
			return
		}
	}
	for _, c := range all {
		c.poll(p)
		c.check(t, w, mine(c, w))
	}
	both := map[string]int{}
	for _, c := range all[5:7] {
		for id, v := range c.latest {
			if w.docs[id] == v {
				both[id]++
			}
		}
	}
	for id := range w.docs {
		if both[id] != 1 {
			t.Errorf("%s came to %d of the two halves", id, both[id])
		}
	}
	for _, c := range all {
		if c.full {
			c.checkAll(t, w)
		}
	}
	if len(p.ranges()) != 2+splits-merges || splits < 5 || merges < 5 || cuts < 3 {
		t.Errorf("%d splits, %d merges, %d ranges", splits, merges, len(p.ranges()))
	}
	t.Logf("%d writes, %d splits, %d merges, %d of them cut off", w.version, splits, merges, cuts)
}

// checkAll compares what a consumer of all versions saw with what happened to each of its documents.
func (c *consumer) checkAll(t *testing.T, w *world) {
	t.Helper()
	want, got := map[string][]string{}, map[string][]string{}
	for id, events := range w.events {
		if mine(c, w)(id) {
			want[id] = events
		}
	}
	for _, e := range c.events {
		var id, op string
		var v int
		if _, err := fmt.Sscan(e, &id, &op, &v); err != nil {
			t.Fatal(err)
		}
		got[id] = append(got[id], fmt.Sprintf("%s %d", op, v))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", c.name, d)
	}
}

// mine tells which documents a consumer follows. Those of the halves are checked together.
func mine(c *consumer, w *world) func(id string) bool {
	return func(id string) bool {
		switch c.name {
		case "of a key", "of a key, of all versions":
			return w.key(atoiD(id)) == "k3"
		case "low EPKs", "high EPKs":
			return false
		}
		return true
	}
}

func atoiD(id string) (n int) {
	_, _ = fmt.Sscanf(id, "d%d", &n)
	return n
}
