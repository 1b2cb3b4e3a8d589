package cosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// changes reads one page of a change feed.
func (p *platform) changes(etag string, headers ...string) answer {
	p.t.Helper()
	return p.do("GET", "/dbs/db/colls/c/docs", "", append([]string{"a-im", "Incremental Feed", "if-none-match", etag}, headers...)...)
}

// idsIn lists the ids of a page's documents, and their LSNs.
func idsIn(t *testing.T, a answer) (ids []string, lsns []float64) {
	t.Helper()
	if a.status == 304 {
		return nil, nil
	}
	for _, d := range a.json(t)["Documents"].([]any) {
		doc := d.(map[string]any)
		ids = append(ids, doc["id"].(string))
		lsns = append(lsns, doc["_lsn"].(float64))
	}
	return ids, lsns
}

func TestChangeFeed(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	a := p.want(p.changes(""), 304)
	if a.header.Get("Etag") != `"1"` || a.body != "" {
		t.Errorf("nothing yet: %s %q", a.header.Get("Etag"), a.body)
	}
	now := p.want(p.changes("*"), 304).header.Get("Etag")
	for i := range 5 {
		p.want(p.item("POST", "", `["a"]`, fmt.Sprintf(`{"id":"%d","pk":"a"}`, i)), 201)
	}
	p.want(p.item("PUT", "/1", `["a"]`, `{"id":"1","pk":"a","v":2}`), 200)
	p.want(p.item("DELETE", "/2", `["a"]`, ""), 204)
	p.want(p.item("POST", "", `["b"]`, `{"id":"b","pk":"b"}`), 201)
	for _, from := range []string{"", now, `"1"`, "1"} {
		a := p.want(p.changes(from), 200)
		ids, lsns := idsIn(t, a)
		if d := cmp.Diff([]string{"0", "3", "4", "1", "b"}, ids); d != "" {
			t.Errorf("from %q: %s", from, d)
		}
		if d := cmp.Diff([]float64{2, 5, 6, 7, 9}, lsns); d != "" || a.header.Get("Etag") != `"9"` || a.header.Get("X-Ms-Session-Token") != "0:-1#9" {
			t.Errorf("from %q: %s, etag %s", from, d, a.header.Get("Etag"))
		}
	}
	p.want(p.changes(`"9"`), 304)
	p.want(p.changes("*"), 304)
	if ids, _ := idsIn(t, p.changes("", "x-ms-documentdb-partitionkey", `["b"]`)); !cmp.Equal(ids, []string{"b"}) {
		t.Errorf("of b: %v", ids)
	}
	a = p.want(p.changes("", "x-ms-documentdb-partitionkey", `["none"]`), 304)
	if a.header.Get("Etag") != `"9"` {
		t.Errorf("of none: %s", a.header.Get("Etag"))
	}
	// In pages.
	var ids []string
	etag := ""
	for range 20 {
		a := p.changes(etag, "x-ms-max-item-count", "2")
		etag = a.header.Get("Etag")
		page, _ := idsIn(t, a)
		if ids = append(ids, page...); a.status == 304 {
			break
		}
	}
	if d := cmp.Diff([]string{"0", "3", "4", "1", "b"}, ids); d != "" {
		t.Error(d)
	}
	// A transaction is never cut.
	batch := `[`
	for i := range 10 {
		batch += fmt.Sprintf(`{"operationType":"Create","resourceBody":{"id":"t%d","pk":"a"}},`, i)
	}
	p.want(p.item("POST", "", `["a"]`, strings.TrimSuffix(batch, ",")+"]", "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"), 200)
	p.want(p.item("POST", "", `["a"]`, `{"id":"last","pk":"a"}`), 201)
	a = p.want(p.changes(`"9"`, "x-ms-max-item-count", "3"), 200)
	if ids, lsns := idsIn(t, a); len(ids) != 10 || lsns[0] != 10 || lsns[9] != 10 || a.header.Get("Etag") != `"10"` {
		t.Errorf("%v %v %s", ids, lsns, a.header.Get("Etag"))
	}
	// By time.
	p.clock.Advance(time.Minute)
	since := p.clock.Now().Format(http.TimeFormat)
	p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Incremental Feed", "if-modified-since", since), 304)
	p.want(p.item("POST", "", `["a"]`, `{"id":"later","pk":"a"}`), 201)
	if ids, _ := idsIn(t, p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Incremental Feed", "if-modified-since", since)); !cmp.Equal(ids, []string{"later"}) {
		t.Errorf("since: %v", ids)
	}
	for _, bad := range []string{`"x"`, "1@", "-1", "1@FF,2@FF", "99999999999999999999", "1@GG"} {
		p.wantFault(p.changes(bad), 400, "BadRequest", "")
	}
	p.wantFault(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Other"), 400, "BadRequest", "")
	p.wantFault(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Incremental Feed", "if-modified-since", "x"), 400, "BadRequest", "")
	p.wantFault(p.changes("", "x-ms-session-token", "0:-1#99"), 404, "NotFound", "1002")
	if p.want(p.do("GET", "/dbs/db/colls/c/conflicts", ""), 200).json(t)["_count"] != 0.0 {
		t.Error("there are conflicts")
	}
}

// follower reads a change feed on and on, as an SDK does: per range, with the parent's etag in its children after a split.
type follower struct {
	p     *platform
	size  string
	at    map[string]string // etag by range id
	whole string            // etag of a follower that names no range
	seen  []string          // id and version
}

// poll reads until there is nothing new.
func (f *follower) poll(perRange bool) {
	f.p.t.Helper()
	if !perRange {
		for range 10_000 {
			a := f.p.changes(f.whole, "x-ms-max-item-count", f.size)
			f.whole = a.header.Get("Etag")
			if f.take(a); a.status == 304 {
				return
			}
		}
	}
	for _, r := range f.p.ranges() {
		etag, known := f.at[r.ID]
		for i := len(r.Parents) - 1; !known && i >= 0; i-- {
			etag, known = f.at[r.Parents[i]]
		}
		for range 10_000 {
			a := f.p.changes(etag, "x-ms-max-item-count", f.size, "x-ms-documentdb-partitionkeyrangeid", r.ID)
			etag = a.header.Get("Etag")
			if f.take(a); a.status == 304 {
				break
			}
		}
		f.at[r.ID] = etag
	}
}

func (f *follower) take(a answer) {
	f.p.t.Helper()
	if a.status == 304 {
		return
	}
	for _, d := range f.p.want(a, 200).json(f.p.t)["Documents"].([]any) {
		doc := d.(map[string]any)
		f.seen = append(f.seen, fmt.Sprintf("%s=%v", doc["id"], doc["n"]))
	}
}

// TestChangeFeed_Splits: followers of all kinds get each change once, however often the ranges are split.
func TestChangeFeed_Splits(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	ranged, whole := &follower{p: p, size: "7", at: map[string]string{}}, &follower{p: p, size: "7"}
	var want []string
	for round := range 6 {
		for _, id := range p.fill(round*30, 30) {
			want = append(want, fmt.Sprintf("%s=%d", id, atoi(t, id)))
		}
		if round%2 == 0 { // else the followers fall behind
			ranged.poll(true)
			whole.poll(false)
		}
		rs := p.ranges()
		p.split(rs[round%len(rs)].ID)
	}
	ranged.poll(true)
	whole.poll(false)
	for name, f := range map[string]*follower{"per range": ranged, "whole": whole} {
		if slices.Sort(f.seen); !cmp.Equal(f.seen, want) {
			t.Errorf("%s: %s", name, cmp.Diff(want, f.seen))
		}
	}
	// An EPK range that lies across several ranges.
	a := p.changes("", "x-ms-start-epk", "00", "x-ms-end-epk", "20", "x-ms-max-item-count", "1000")
	if ids, _ := idsIn(t, a); len(ids) < 50 || len(ids) > 130 || !strings.Contains(a.header.Get("Etag"), "@") {
		t.Errorf("half of the EPKs: %d, %s", len(ids), a.header.Get("Etag"))
	}
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestChangeFeed_FullFidelity(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"changeFeedPolicy":{"retentionDuration":10}}`), 201)
	full := func(etag string, h ...string) answer {
		return p.do("GET", "/dbs/db/colls/c/docs", "", append([]string{"a-im", "Full-Fidelity Feed", "x-ms-cosmos-changefeed-wire-format-version", "2021-09-15", "if-none-match", etag}, h...)...)
	}
	type entry struct {
		Current, Previous map[string]any
		Metadata          struct {
			Op       string         `json:"operationType"`
			LSN      int            `json:"lsn"`
			Time     int64          `json:"crts"`
			Previous int            `json:"previousImageLSN"`
			ID       string         `json:"id"`
			Key      map[string]any `json:"partitionKey"`
		}
	}
	read := func(a answer) (out []entry) {
		t.Helper()
		var body struct{ Documents []entry }
		p.check(json.Unmarshal([]byte(p.want(a, 200).body), &body))
		return body.Documents
	}
	short := func(es []entry) (out []string) {
		for _, e := range es {
			out = append(out, fmt.Sprintf("%s %v %v %d %d %s", e.Metadata.Op, e.Current["v"], e.Previous["v"], e.Metadata.LSN, e.Metadata.Previous, e.Metadata.ID))
		}
		return out
	}
	start := p.want(full("*"), 304).header.Get("Etag")
	p.wantFault(full(""), 400, "BadRequest", "")
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","v":1}`), 201)
	p.want(p.item("PUT", "/1", `["a"]`, `{"id":"1","pk":"a","v":2}`), 200)
	p.want(p.item("DELETE", "/1", `["a"]`, ""), 204)
	p.want(p.item("POST", "", `["b"]`, `{"id":"2","pk":"b","v":3}`), 201)
	want := []string{"create 1 <nil> 2 0 ", "replace 2 1 3 2 ", "delete <nil> 2 4 3 1", "create 3 <nil> 5 0 "}
	a := full(start)
	if d := cmp.Diff(want, short(read(a))); d != "" {
		t.Error(d)
	}
	if es := read(a); es[0].Metadata.Time != p.clock.Now().Unix() || a.header.Get("Etag") != `"5"` {
		t.Errorf("%+v %s", es[0], a.header.Get("Etag"))
	}
	for i, e := range read(a) {
		var key map[string]any // of deletions only
		if current := e.Current["id"]; e.Metadata.Op == "delete" {
			if key = map[string]any{"pk": "a"}; e.Current == nil || current != nil || e.Previous["id"] != "1" {
				t.Errorf("%d: current %v, previous %v", i, e.Current, e.Previous)
			}
		} else if current == nil {
			t.Errorf("%d: no current item", i)
		}
		if d := cmp.Diff(key, e.Metadata.Key); d != "" {
			t.Errorf("%d: %s", i, d)
		}
	}
	if d := cmp.Diff(want[:1], short(read(full(start, "x-ms-max-item-count", "1")))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want[3:], short(read(full(start, "x-ms-documentdb-partitionkey", `["b"]`)))); d != "" {
		t.Error(d)
	}
	p.want(full(`"5"`), 304)
	// Through a split: what the parent had, the children have.
	p.split("0")
	if got := short(read(full(start))); len(got) != 4 || !slices.Contains(got, want[1]) || !slices.Contains(got, want[3]) {
		t.Errorf("after the split: %v", got)
	}
	p.want(p.item("POST", "", `["a"]`, `{"id":"3","pk":"a","v":4}`), 201)
	if got := short(read(full(`"7"`))); len(got) != 1 || !strings.HasPrefix(got[0], "create 4 <nil> 8") {
		t.Errorf("after the split, new: %v", got)
	}
	// Retention.
	p.clock.Advance(9 * time.Minute)
	p.want(p.item("POST", "", `["a"]`, `{"id":"4","pk":"a","v":5}`), 201)
	p.check(p.s.catalog.TrimFeeds(context.Background()))
	if got := read(full(start)); len(got) != 6 {
		t.Errorf("before the end of the retention: %v", short(got))
	}
	p.clock.Advance(2 * time.Minute)
	p.check(p.s.catalog.TrimFeeds(context.Background()))
	p.wantFault(full(start), 400, "BadRequest", "")
	if got := short(read(full(`"8"`))); len(got) != 1 || !strings.HasPrefix(got[0], "create 5 <nil> 9") {
		t.Errorf("kept: %v", got)
	}
	// The feed of latest versions has no retention.
	if ids, _ := idsIn(t, p.changes("")); len(ids) != 3 {
		t.Errorf("latest versions: %v", ids)
	}
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"d","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	p.wantFault(p.do("GET", "/dbs/db/colls/d/docs", "", "a-im", "Full-Fidelity Feed", "if-none-match", "*"), 400, "BadRequest", "")
}

// TestChangeFeed_TimeToLive: what has ended is in no feed of latest versions, and leaves the full one with the reason.
func TestChangeFeed_TimeToLive(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"defaultTtl":60,"changeFeedPolicy":{"retentionDuration":100}}`), 201)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	p.want(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a","ttl":-1}`), 201)
	p.clock.Advance(2 * time.Minute)
	if ids, _ := idsIn(t, p.changes("")); !cmp.Equal(ids, []string{"2"}) {
		t.Errorf("before the removal: %v", ids)
	}
	if n, err := p.s.Expire(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	a := p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Full-Fidelity Feed", "if-none-match", `"3"`), 200)
	if !strings.Contains(a.body, `"metadata":{"operationType":"delete"`) || !strings.Contains(a.body, `"id":"1","partitionKey":{"pk":"a"},"timeToLiveExpired":true}`) {
		t.Errorf("after it: %s", a.body)
	}
}

// TestChangeFeed_Policy: a changeFeedPolicy that means nothing is refused, and none of it stays.
func TestChangeFeed_Policy(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	body := func(id, policy string) string {
		return fmt.Sprintf(`{"id":%q,"partitionKey":{"paths":["/pk"]},"changeFeedPolicy":%s}`, id, policy)
	}
	for _, bad := range []string{
		`7`, `"x"`, `[]`, `true`, `{"retentionDuration":-1}`, `{"retentionDuration":0.5}`, `{"retentionDuration":43201}`, `{"retentionDuration":"5"}`, `{"retentionDuration":[]}`,
	} {
		a := p.wantFault(p.do("POST", "/dbs/db/colls", body("d", bad)), 400, "BadRequest", "")
		if !strings.Contains(a.body, "changeFeedPolicy") {
			t.Errorf("%s: %s", bad, a.body)
		}
		p.wantFault(p.do("PUT", "/dbs/db/colls/c", body("c", bad)), 400, "BadRequest", "")
	}
	p.wantFault(p.do("GET", "/dbs/db/colls/d", ""), 404, "NotFound", "1003")
	full := []string{"a-im", "Full-Fidelity Feed", "if-none-match", "*"}
	for policy, status := range map[string]int{`null`: 400, `{}`: 400, `{"retentionDuration":0}`: 400, `{"retentionDuration":43200}`: 304, `{"retentionDuration":5.0}`: 304} {
		p.want(p.do("PUT", "/dbs/db/colls/c", body("c", policy)), 200)
		p.want(p.do("GET", "/dbs/db/colls/c/docs", "", full...), status)
	}
}

// TestChangeFeed_Keys: a deletion tells all levels of a hierarchical partition key, by the names of the paths; a level that the document lacks is left out.
func TestChangeFeed_Keys(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/tenant","/user/id","/n"],"kind":"MultiHash","version":2},"changeFeedPolicy":{"retentionDuration":10}}`), 201)
	start := p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Full-Fidelity Feed", "if-none-match", "*"), 304).header.Get("Etag")
	for _, d := range []struct{ key, doc string }{{`["a","b",7]`, `{"id":"1","tenant":"a","user":{"id":"b"},"n":7}`}, {`["a",null,{}]`, `{"id":"2","tenant":"a","user":{"id":null}}`}} {
		p.want(p.item("POST", "", d.key, d.doc), 201)
		p.want(p.item("DELETE", "/"+jsonOf(t, d.doc)["id"].(string), d.key, ""), 204)
	}
	a := p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "a-im", "Full-Fidelity Feed", "if-none-match", start), 200)
	for _, want := range []string{`"id":"1","partitionKey":{"tenant":"a","user/id":"b","n":7}}`, `"id":"2","partitionKey":{"tenant":"a","user/id":null}}`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
}
