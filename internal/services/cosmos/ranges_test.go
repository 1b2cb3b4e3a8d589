package cosmos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withRanges makes the account acct with database db and container c of three ranges, keyed by /pk.
func withRanges(t testing.TB) *platform {
	t.Helper()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, "x-ms-offer-throughput", "18000"), 201)
	return p
}

// aRange is an entry of the pkranges feed.
type aRange struct {
	ID       string   `json:"id"`
	Min      string   `json:"minInclusive"`
	Max      string   `json:"maxExclusive"`
	Parents  []string `json:"parents"`
	Status   string   `json:"status"`
	Fraction float64  `json:"throughputFraction"`
}

func (p *platform) ranges() (out []aRange) {
	p.t.Helper()
	var body struct{ PartitionKeyRanges []aRange }
	p.check(json.Unmarshal([]byte(p.want(p.do("GET", "/dbs/db/colls/c/pkranges", ""), 200).body), &body))
	return body.PartitionKeyRanges
}

// fill creates n documents in n logical partitions, and gives their ids.
func (p *platform) fill(from, n int) (ids []string) {
	p.t.Helper()
	for i := from; i < from+n; i++ {
		id := fmt.Sprintf("%03d", i)
		p.want(p.item("POST", "", fmt.Sprintf(`["k%d"]`, i), fmt.Sprintf(`{"id":%q,"pk":"k%d","n":%d}`, id, i, i)), 201)
		ids = append(ids, id)
	}
	return ids
}

func TestRanges_ByThroughput(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	rs := p.ranges()
	if len(rs) != 3 {
		t.Fatalf("%d ranges, want 3", len(rs))
	}
	low := ""
	for i, r := range rs {
		if r.ID != fmt.Sprint(i) || r.Min != low || r.Status != "online" || r.Fraction != 1.0/3 || len(r.Parents) != 0 {
			t.Errorf("range %d: %+v", i, r)
		}
		low = r.Max
	}
	if low != "FF" {
		t.Errorf("the last ends at %s", low)
	}
	want := p.fill(0, 60)
	// Each document is in its range, and has a resource id of its own.
	var all []string
	rids := map[string]bool{}
	for _, r := range rs {
		in := func(h ...string) answer {
			return p.do("GET", "/dbs/db/colls/c/docs", "", append(h, "x-ms-documentdb-partitionkeyrangeid", r.ID)...)
		}
		ids, _ := p.idsOf(in, 7)
		if len(ids) < 8 {
			t.Errorf("range %s holds %d of 60", r.ID, len(ids))
		}
		all = append(all, ids...)
		for _, d := range in("x-ms-max-item-count", "100").json(t)["Documents"].([]any) {
			rids[d.(map[string]any)["_rid"].(string)] = true
		}
	}
	cross := []string{"x-ms-documentdb-query-enablecrosspartition", "true"}
	for name, do := range map[string]func(h ...string) answer{
		"feed":  func(h ...string) answer { return p.do("GET", "/dbs/db/colls/c/docs", "", h...) },
		"query": func(h ...string) answer { return p.query("SELECT * FROM c", append(h, cross...)...) },
		"bounded": func(h ...string) answer {
			return p.query("SELECT * FROM c", append(h, "x-ms-start-epk", "00", "x-ms-end-epk", "FF")...)
		},
	} {
		for _, size := range []int{1, 7, 100} {
			got, _ := p.idsOf(do, size)
			if name != "bounded" && !cmp.Equal(got, all) {
				t.Errorf("%s by %d: not in the order of the ranges", name, size)
			}
			if slices.Sort(got); !cmp.Equal(got, want) {
				t.Errorf("%s by %d: %v", name, size, got)
			}
		}
	}
	// A client that asked to do it range by range is sent to do so, unless it named what it wants.
	parallel := append(cross, "x-ms-documentdb-query-parallelizecrosspartitionquery", "true")
	if a := p.query("SELECT * FROM c", parallel...); a.status != 400 || a.header.Get("X-Ms-Substatus") != "1004" {
		t.Errorf("parallel query: %d, substatus %s", a.status, a.header.Get("X-Ms-Substatus"))
	}
	for _, more := range [][]string{{"x-ms-documentdb-partitionkeyrangeid", "1"}, {"x-ms-documentdb-partitionkey", `["a"]`}, {"x-ms-start-epk", "00", "x-ms-end-epk", "FF"}} {
		p.want(p.query("SELECT * FROM c", append(more, parallel...)...), 200)
	}
	if len(rids) != 60 {
		t.Errorf("%d resource ids", len(rids))
	}
	if a := p.query("SELECT VALUE COUNT(1) FROM c", "x-ms-documentdb-partitionkeyrangeid", "1"); !strings.Contains(a.header.Get("X-Ms-Session-Token"), "1:-1#") {
		t.Errorf("count in one range: %v", a.header)
	}
}

func TestRanges_V1(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":1}}`, "x-ms-cosmos-offer-autopilot-settings", `{"maxThroughput":40000}`), 201)
	if got := len(p.ranges()); got != 4 {
		t.Fatalf("%d ranges", got)
	}
	want := p.fill(0, 40)
	got, _ := p.idsOf(func(h ...string) answer { return p.do("GET", "/dbs/db/colls/c/docs", "", h...) }, 3)
	if slices.Sort(got); !cmp.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for i := range 40 {
		p.want(p.item("GET", fmt.Sprintf("/%03d", i), fmt.Sprintf(`["k%d"]`, i), ""), 200)
	}
}

func TestRanges_Session(t *testing.T) {
	t.Parallel()
	p := withRanges(t)
	w := p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	token := w.header.Get("X-Ms-Session-Token")
	id, _, _ := strings.Cut(token, ":")
	if token != id+":-1#2" || w.header.Get("X-Ms-Documentdb-Partitionkeyrangeid") != id {
		t.Errorf("token %s of range %s", token, w.header.Get("X-Ms-Documentdb-Partitionkeyrangeid"))
	}
	all := p.want(p.do("GET", "/dbs/db/colls/c/docs", ""), 200).header.Get("X-Ms-Session-Token")
	if strings.Count(all, ",") != 2 || !strings.Contains(all, token) {
		t.Errorf("joined token: %s", all)
	}
	p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-session-token", all), 200)
	p.want(p.item("GET", "/1", `["a"]`, "", "x-ms-session-token", all), 200)
	ahead := strings.Replace(all, token, id+":-1#3", 1)
	p.wantFault(p.item("GET", "/1", `["a"]`, "", "x-ms-session-token", ahead), 404, "NotFound", "1002")
	p.wantFault(p.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-session-token", ahead), 404, "NotFound", "1002")
	// What a token says of other ranges does not matter.
	other := "0"
	if id == other {
		other = "1"
	}
	p.want(p.item("GET", "/1", `["a"]`, "", "x-ms-session-token", other+":-1#99"), 200)
}

// TestRanges_Pages: a query over all logical partitions that the gateway serves itself has pages of one range each, and none after a last one that is not full.
func TestRanges_Pages(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/id"]}}`, "x-ms-offer-throughput", "25100"), 201)
	for i := range 20 {
		id := strconv.Itoa(i)
		p.want(p.item("POST", "", `["`+id+`"]`, `{"id":"`+id+`"}`), 201)
	}
	var sizes []int
	token := ""
	for range 21 {
		a := p.want(p.query("SELECT * FROM r", "x-ms-documentdb-query-enablecrosspartition", "true", "x-ms-max-item-count", "4", "x-ms-continuation", token), 200)
		sizes = append(sizes, len(a.json(t)["Documents"].([]any)))
		if token = a.header.Get("X-Ms-Continuation"); token == "" {
			break
		}
	}
	if d := cmp.Diff([]int{3, 4, 2, 3, 3, 4, 1}, sizes); d != "" { // hashed by version 1, the ranges have 3, 6, 3, 3, 5
		t.Error(d)
	}
}
