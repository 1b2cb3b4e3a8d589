package posture

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// scans is a store that counts its scans, by shard.
type scans struct {
	store.Store
	n map[string]int
}

func (c *scans) View(ctx context.Context, shard string, fn func(store.Snapshot) error) error {
	return c.Store.View(ctx, shard, func(s store.Snapshot) error { return fn(scanning{s, c, shard}) })
}

type scanning struct {
	store.Snapshot
	c     *scans
	shard string
}

func (s scanning) Scan(r store.Range, fn func(key, value []byte) bool) error {
	s.c.n[s.shard]++
	return s.Snapshot.Scan(r, fn)
}

// TestSpread_ManyAlerts: a thousand new alerts read once who is to be told, and again only after something changed; each who wants them is told of each.
func TestSpread_ManyAlerts(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	put := func(name string) {
		p.ok("owner", "PUT", p.id("Microsoft.Security/automations/"+name), `{"location":"westeurope","properties":{"scopes":[{"scopePath":"/subscriptions/`+p.sub+`"}],`+webhookBody+`}}`, 201)
	}
	put("a")
	for i := range 50 { // what else there is in the subscription
		p.ok("owner", "PUT", p.id(fmt.Sprint("Microsoft.Web/sites/s", i)), `{"location":"westeurope","properties":{}}`, 201)
	}
	c := &scans{p.st, map[string]int{}}
	p.s.deps.Store = c
	tell := func(from, n int) {
		t.Helper()
		for i := range n {
			b, err := json.Marshal(Event{ID: fmt.Sprint("alert", from+i), Source: SourceAlerts, Subscription: p.sub, Resource: p.id("Microsoft.Web/sites/s1"), Body: raw(map[string]any{"name": "x"})})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.s.spread(t.Context(), "", b); err != nil {
				t.Fatal(err)
			}
		}
	}
	tell(0, 1000)
	if got := c.n[subShard(p.sub)]; got != 1 {
		t.Errorf("1000 alerts scanned the subscription %d times, want once", got)
	}
	put("b")
	tell(1000, 10)
	if got := c.n[subShard(p.sub)]; got != 2 {
		t.Errorf("after another automation there are %d scans, want 2", got)
	}
	p.ok("owner", "DELETE", p.id("Microsoft.Security/automations/a"), "", 204)
	tell(2000, 5)
	shards, err := p.st.Shards(t.Context(), deliveryShard(""), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []int
	for _, shard := range shards {
		n := 0
		err := p.st.View(t.Context(), shard, func(s store.Snapshot) error {
			return s.Scan(store.Range{Start: []byte{0}}, func(_, v []byte) bool {
				if len(v) > 100 { // an event, not a counter
					n++
				}
				return true
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, n)
	}
	if want := []int{15}; !slices.Equal(waiting, want) { // what waited for the removed one is gone
		t.Errorf("%v events wait, want %v", waiting, want)
	}
}

// TestLists_Paged: lists of what is judged come in pages, each in it once, in one order.
func TestLists_Paged(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	for i := range 12 {
		p.ok("owner", "PUT", p.id(fmt.Sprint("Microsoft.Web/sites/s", i)), `{"location":"westeurope","properties":{"httpsOnly":false}}`, 201)
	}
	p.ok("owner", "PUT", p.id("Microsoft.Network/networkSecurityGroups/g"), `{"location":"westeurope","properties":{"securityRules":[`+
		`{"name":"r1","properties":{"access":"Allow","direction":"Inbound","protocol":"*","priority":100,"sourceAddressPrefix":"*","destinationPortRange":"22"}},`+
		`{"name":"r2","properties":{"access":"Allow","direction":"Inbound","protocol":"*","priority":101,"sourceAddressPrefix":"*","destinationPortRange":"3389"}}]}}`, 201)
	for path, least := range map[string]int{
		p.security("assessments"): 12, p.security("subAssessments"): 2, p.security("tasks"): 12, p.id("Microsoft.Web/sites/s3") + "/providers/Microsoft.Security/assessments": 1,
	} {
		all := idsOf(p.ok("owner", "GET", path, "", 200))
		var some []string
		pages := 0
		for next := path + "?$top=5"; next != ""; pages++ {
			out := p.ok("owner", "GET", next, "", 200)
			part := idsOf(out)
			if len(part) > 5 || pages > len(all) {
				t.Fatalf("page %d of %s has %d", pages, path, len(part))
			}
			some = append(some, part...)
			link, _ := out["nextLink"].(string)
			next = strings.TrimPrefix(link, "https://management.azure.com")
		}
		if len(all) < least || !slices.Equal(all, some) || pages != (len(all)+4)/5 {
			t.Errorf("%s lists %d, in %d pages %d:\n%v\n%v", path, len(all), pages, len(some), all, some)
		}
	}
}

// idsOf lists what is on a page.
func idsOf(out map[string]any) (ids []string) {
	list, _ := out["value"].([]any)
	for i := range list {
		id, _ := at(list, i, "id").(string)
		ids = append(ids, id)
	}
	return ids
}
