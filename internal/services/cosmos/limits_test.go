package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

// grow carries out the splits that the sizes of ranges ask for, until there are none.
func (p *platform) grow() {
	p.t.Helper()
	for n := -1; n != len(p.ranges()); {
		n = len(p.ranges())
		p.check(p.s.catalog.SplitBig(p.t.Context()))
		p.check(p.drainer.DrainAll(p.t.Context(), "account/", "splits/"))
	}
}

// TestSplit_BySize: a range that holds more than it may is divided between its documents, until none does, or has one logical partition left.
func TestSplit_BySize(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		`{"paths":["/pk"]}`, `{"paths":["/pk"],"version":1}`, `{"paths":["/tenant","/pk"],"kind":"MultiHash","version":2}`,
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			p := withAccount(t)
			p.s.items.Limits.Range = 20_000
			p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
			p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":`+key+`}`), 201)
			etag := p.want(p.changes("*"), 304).header.Get("Etag")
			var want []string
			for i := range 200 {
				pk := fmt.Sprintf(`["k%d"]`, i%50)
				if strings.Contains(key, "tenant") {
					pk = fmt.Sprintf(`["one","k%d"]`, i%50) // all in one tenant: its documents are divided all the same
				}
				id := fmt.Sprintf("%03d", i)
				p.want(p.item("POST", "", pk, fmt.Sprintf(`{"id":%q,"tenant":"one","pk":"k%d","pad":%q}`, id, i%50, strings.Repeat("x", 300))), 201)
				want = append(want, id)
			}
			p.grow()
			rs := p.ranges()
			if len(rs) < 6 || len(rs) > 20 {
				t.Errorf("%d ranges", len(rs))
			}
			sizes, err := p.s.catalog.Sizes(t.Context(), p.guid(), "db", "c")
			p.check(err)
			for i, s := range sizes {
				if s.Bytes > 20_000 || s.Bytes == 0 {
					t.Errorf("range %s, [%s, %s), holds %d bytes", s.ID, rs[i].Min, rs[i].Max, s.Bytes)
				}
			}
			var have []string
			for id := range p.allDocs() {
				have = append(have, id)
			}
			if slices.Sort(have); !cmp.Equal(have, want) {
				t.Error(cmp.Diff(want, have))
			}
			if ids, _ := idsIn(t, p.changes(etag, "x-ms-max-item-count", "-1")); len(ids) != 200 {
				t.Errorf("%d changes", len(ids))
			}
		})
	}
}

// guid is that of the account acct.
func (p *platform) guid() string {
	p.t.Helper()
	a, err := p.s.accounts.Account(p.t.Context(), "acct")
	p.check(err)
	return a.GUID
}

// TestSplit_OnePartition: a logical partition is not divided, however big it is.
func TestSplit_OnePartition(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.s.items.Limits.Range = 1000
	for i := range 20 {
		p.want(p.item("POST", "", `["a"]`, fmt.Sprintf(`{"id":"%d","pk":"a"}`, i)), 201)
	}
	p.grow()
	if n := len(p.ranges()); n != 1 {
		t.Errorf("%d ranges", n)
	}
	p.want(p.item("POST", "", `["b"]`, `{"id":"1","pk":"b"}`), 201)
	p.grow()
	if n := len(p.ranges()); n != 2 {
		t.Errorf("%d ranges", n)
	}
}

// usageOf reads a header of the form name=number;..
func usageOf(t *testing.T, text string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		var n int
		name, value, _ := strings.Cut(part, "=")
		if _, err := fmt.Sscan(value, &n); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out[name] = n
	}
	return out
}

// TestQuota: how full a container is comes from the bytes of its documents, through splits and merges, and how full it may get from the limit.
func TestQuota(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	bytes := 0
	for i := range 40 {
		a := p.want(p.item("POST", "", fmt.Sprintf(`["k%d"]`, i), fmt.Sprintf(`{"id":"%d","pk":"k%d","pad":%q}`, i, i, strings.Repeat("x", 1000))), 201)
		bytes += len(a.body)
	}
	check := func(ranges int) {
		t.Helper()
		h := p.want(p.do("GET", "/dbs/db/colls/c", "", "x-ms-documentdb-populatequotainfo", "True"), 200).header
		want := map[string]int{"documentSize": 0, "documentsSize": bytes / 1024, "documentsCount": 40, "collectionSize": bytes / 1024}
		if d := cmp.Diff(want, usageOf(t, h.Get("X-Ms-Resource-Usage"))); d != "" {
			t.Errorf("%d ranges: %s", ranges, d)
		}
		want = map[string]int{"documentSize": 51200 * ranges, "documentsSize": 52428800 * ranges, "documentsCount": -1, "collectionSize": 52428800 * ranges}
		if d := cmp.Diff(want, usageOf(t, h.Get("X-Ms-Resource-Quota"))); d != "" {
			t.Errorf("%d ranges: %s", ranges, d)
		}
	}
	check(1)
	p.split("0")
	check(2)
	p.merge("1", "2")
	check(1)
	if h := p.want(p.do("GET", "/dbs/db/colls/c", ""), 200).header; h.Get("X-Ms-Resource-Usage") != "" {
		t.Error("usage that nobody asked for")
	}
}

// TestPartitionLimit: a logical partition that is full takes no more, until something is deleted; others do. Whether it is counted from its first
// document on, or only once its range has got big.
func TestPartitionLimit(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) {
			t.Parallel()
			p := withAccount(t)
			const limit = 10_000
			p.s.items.Limits.Partition = limit
			if late {
				p.s.items.Limits.Partition = 20 << 30
			}
			p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
			p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"]},"defaultTtl":-1}`), 201)
			sizes := map[string]int{}
			write := func(id, pk, more string, status int) answer {
				t.Helper()
				a := p.item("POST", "", `["`+pk+`"]`, fmt.Sprintf(`{"id":%q,"pk":%q,"pad":%q%s}`, id, pk, strings.Repeat("x", 700), more), "x-ms-documentdb-is-upsert", "true")
				if a.status != status {
					t.Fatalf("%s of %s: %d %s", id, pk, a.status, a.body)
				}
				if status < 300 {
					sizes[id] = len(a.body)
				}
				return a
			}
			for i := range 6 {
				write(fmt.Sprint("b", i), "b", "", 201)
			}
			for i := range 3 {
				write(fmt.Sprint("a", i), "a", "", 201)
			}
			if late {
				p.s.items.Limits.Partition = limit
				p.check(p.s.catalog.Weigh(t.Context()))
			}
			write("ends", "a", `,"ttl":60`, 201)
			sum, n := 0, 3
			for _, s := range []string{"a0", "a1", "a2", "ends"} {
				sum += sizes[s]
			}
			for ; sum+sizes["a0"] <= limit; n++ {
				write(fmt.Sprint("a", n), "a", "", 201)
				sum += sizes["a0"]
			}
			if n < 8 {
				t.Fatalf("%d documents of %d bytes", n, sizes["a0"])
			}
			full := func() {
				t.Helper()
				a := write("more", "a", "", 403)
				p.wantFault(a, 403, "Forbidden", "1014")
				if !strings.Contains(a.body, "Partition key reached maximum size of 10000 bytes") {
					t.Error(a.body)
				}
			}
			full()
			p.wantFault(write("a0", "a", `,"longer":"`+strings.Repeat("y", limit)+`"`, 403), 403, "Forbidden", "1014")
			ops, err := json.Marshal([]map[string]any{{"operationType": "Delete", "id": "a0"}, {"operationType": "Create", "resourceBody": map[string]any{"id": "n", "pk": "a", "pad": strings.Repeat("z", 4000)}}})
			p.check(err)
			if got := p.want(p.item("POST", "", `["a"]`, string(ops), "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"), 207).body; !strings.Contains(got, "1014") {
				t.Error(got)
			}
			p.want(p.item("GET", "/a0", `["a"]`, ""), 200)
			write("b9", "b", "", 201) // others are not full
			write("a0", "a", "", 200) // of the same size
			p.split("0")
			full()
			p.merge("1", "2")
			full()
			p.want(p.item("DELETE", "/a1", `["a"]`, ""), 204)
			write("more", "a", "", 201)
			full2 := write("still more", "a", "", 403)
			p.wantFault(full2, 403, "Forbidden", "1014")
			p.clock.Advance(2 * time.Minute)
			if n, err := p.s.Expire(t.Context()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			write("still more", "a", "", 201)
		})
	}
}

// TestSplit_BySizeInBackground: nobody has to ask for it.
func TestSplit_BySizeInBackground(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.fill(0, 100)
	p.s.items.Limits.Range = 5000
	before := p.allDocs()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.s.catalog.Run(ctx, func(err error) { t.Error(err) }) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		sizes, err := p.s.catalog.Sizes(ctx, p.guid(), "db", "c")
		if err == nil && !slices.ContainsFunc(sizes, func(s catalog.RangeSize) bool { return s.Bytes > 5000 }) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", sizes, err)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if d := cmp.Diff(before, p.allDocs()); d != "" {
		t.Error(d)
	}
}
