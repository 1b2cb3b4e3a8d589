package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// counted is a store that counts the keys that are read.
type counted struct {
	store.Store
	keys atomic.Int64
}

func (c *counted) View(ctx context.Context, shard string, fn func(store.Snapshot) error) error {
	return c.Store.View(ctx, shard, func(s store.Snapshot) error { return fn(countedSnapshot{s, c}) })
}

type countedSnapshot struct {
	store.Snapshot
	c *counted
}

func (s countedSnapshot) Get(key []byte) ([]byte, error) {
	s.c.keys.Add(1)
	return s.Snapshot.Get(key)
}

func (s countedSnapshot) GetMany(keys [][]byte, fn func(i int, value []byte) bool) error {
	s.c.keys.Add(int64(len(keys)))
	return s.Snapshot.GetMany(keys, fn)
}

func (s countedSnapshot) Scan(r store.Range, fn func(key, value []byte) bool) error {
	return s.Snapshot.Scan(r, func(k, v []byte) bool {
		s.c.keys.Add(1)
		return fn(k, v)
	})
}

// made is the nth alert of many: severities and machines take turns.
func made(at time.Time, n int) alerts.Alert {
	severity := []alerts.Severity{alerts.Informational, alerts.Low, alerts.Low, alerts.Medium, alerts.High}[n%5]
	machine := fmt.Sprintf("/subscriptions/%s/resourceGroups/rg%d/providers/Microsoft.HybridCompute/machines/vm%d", subscription, n%3, n%40)
	a := alerts.Alert{
		Name: alerts.NewName(at, ids.New()), Subscription: subscription, Machine: machine, Key: fmt.Sprint("k", n), Type: "T", DisplayName: "D", Severity: severity,
		Status: alerts.Active, First: at, Last: at, Generated: at, Processed: at, Count: 1,
	}
	if n%97 == 0 {
		a.Members = []string{"x"}
	}
	return a
}

// fill enters alerts, half an hour apart.
func (r *rig) fill(n int) {
	r.t.Helper()
	begin := r.clock.Now()
	for from := 0; from < n; from += 500 {
		sim := &Simulation{Subscription: subscription, ID: ids.New()}
		for i := from; i < min(from+500, n); i++ {
			sim.Alerts = append(sim.Alerts, made(begin.Add(-time.Duration(i)*time.Minute), i))
		}
		if err := r.engine.simulate(r.t.Context(), sim); err != nil {
			r.t.Fatal(err)
		}
	}
}

// queries are of each kind.
func queries(now time.Time) map[string]Query {
	yes, no := true, false
	open := []alerts.Status{alerts.Active, alerts.InProgress}
	return map[string]Query{
		"all":               {},
		"open":              {Statuses: open},
		"high":              {Severities: []alerts.Severity{alerts.High}},
		"incidents":         {Incident: &yes},
		"open alerts of vm": {Statuses: open, Incident: &no, Host: "VM7"},
		"resolved high vm":  {Statuses: []alerts.Status{alerts.Resolved}, Severities: []alerts.Severity{alerts.High}, Host: "vm4"},
		"of a day":          {Severities: []alerts.Severity{alerts.Low}, Least: alerts.NewName(now.Add(-2*time.Hour), ""), Below: alerts.NewName(now.Add(-9*time.Hour), "~")},
		"nothing":           {Statuses: []alerts.Status{}},
		"another host":      {Host: "vm"},
		"kept":              {Keep: func(a *alerts.Alert) bool { return strings.HasSuffix(a.Machine, "9") }},
		"kept of open":      {Statuses: open, Keep: func(a *alerts.Alert) bool { return strings.HasSuffix(a.Machine, "9") }},
	}
}

// everything reads a query to its end.
func (r *rig) everything(q Query, limit int) (names []string) {
	r.t.Helper()
	for from := ""; ; {
		found, next, err := r.engine.Find(r.t.Context(), subscription, q, from, limit)
		if err != nil || len(found) > limit {
			r.t.Fatalf("%d found, %v", len(found), err)
		}
		for _, a := range found {
			names = append(names, a.Name)
		}
		if from = next; next == "" {
			return names
		}
	}
}

// check compares the index and the numbers with the alerts themselves.
func (r *rig) check(when string) {
	r.t.Helper()
	all := r.alerts()
	for name, q := range queries(r.clock.Now()) {
		var want []string
		for _, a := range all {
			if q.keeps(a) && a.Name >= q.Least && (q.Below == "" || a.Name < q.Below) {
				want = append(want, a.Name)
			}
		}
		for _, limit := range []int{7, 100} {
			if d := cmp.Diff(want, r.everything(q, limit)); d != "" {
				r.t.Fatalf("%s, %s by %d: -want +got\n%s", when, name, limit, d)
			}
		}
	}
	want, got := map[string]int{}, map[string]int{}
	for _, a := range all {
		want[fmt.Sprintf("%s %t %s %s", a.Compromised(), a.IsIncident(), a.Status, a.Severity)]++
	}
	for from := ""; ; {
		some, next, err := r.engine.Tallies(r.t.Context(), subscription, from, 11)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, x := range some {
			for _, c := range x.Of {
				got[fmt.Sprintf("%s %t %s %s", x.Host, c.Incident, c.Status, c.Severity)] += c.N
			}
		}
		if from = next; next == "" {
			break
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		r.t.Fatalf("%s, numbers: -want +got\n%s", when, d)
	}
}

// TestIndex: whatever is narrowed down by the index is what reading all alerts gives, after changes of state, renamed machines, removal, and in a store from before it.
func TestIndex(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	r.fill(700)
	r.check("at first")
	rnd := rand.New(rand.NewPCG(1, 2))
	states := []alerts.Status{alerts.Active, alerts.InProgress, alerts.Resolved, alerts.Dismissed}
	all := r.alerts()
	for range 300 {
		if err := r.engine.setStatus(t.Context(), StatusChange{subscription, all[rnd.IntN(len(all))].Name, states[rnd.IntN(len(states))]}); err != nil {
			t.Fatal(err)
		}
	}
	r.check("after changes of state")
	// A machine tells another name, an alert is worse than it was.
	err := r.engine.change(t.Context(), subscription, func(store.Snapshot) error { return nil }, func(p *page) error {
		for _, a := range all[:20] {
			a.Host, a.Severity = "Renamed|a\x00b", alerts.High
			if err := p.alert(a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.check("after a machine's new name")
	if got := len(r.everything(Query{Host: "renamed|A\x00B"}, 100)); got != 20 {
		t.Errorf("%d alerts of the renamed machine, want 20", got)
	}
	// A store from before the index.
	_, err = r.store.Update(t.Context(), alerts.Shard(subscription), func(tx store.Tx) error {
		for _, p := range []string{"I|", "J|", "X|", "N|", "Y|"} {
			if err := tx.DeleteRange([]byte(p), store.Prefix([]byte(p)).End); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r = open(t, r.store, nil)
	if err := r.engine.setStatus(t.Context(), StatusChange{subscription, all[0].Name, alerts.Dismissed}); err != nil { // before anybody asks
		t.Fatal(err)
	}
	r.check("of an older store")
	r.clock.Advance(Retention - 6*time.Hour)
	if err := r.engine.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.alerts()); n == 0 || n == 700 {
		t.Fatalf("%d alerts are left", n)
	}
	r.check("after some were removed")
	r.clock.Advance(Retention)
	if err := r.engine.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.check("after all were removed")
}

// TestIndex_Many: of 20,000 alerts a page reads as many keys as it needs, wherever in the list it is and however few alerts it is narrowed down to.
func TestIndex_Many(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("enters 20,000 alerts")
	}
	c := &counted{Store: newStore(t)}
	r := open(t, c, nil)
	r.fill(20_000)
	if _, _, err := r.engine.Tallies(t.Context(), subscription, "", 1000); err != nil { // the mark is set
		t.Fatal(err)
	}
	last := r.alerts()[19_900].Name
	yes := true
	for name, x := range map[string]struct {
		q          Query
		from       string
		want, most int
	}{
		"the newest":           {Query{}, "", 50, 110},
		"the oldest":           {Query{}, last, 50, 110},
		"incidents":            {Query{Incident: &yes, Severities: []alerts.Severity{alerts.High}}, "", 41, 300},
		"of one machine":       {Query{Host: "vm12", Statuses: []alerts.Status{alerts.Active}, Severities: []alerts.Severity{alerts.Low}}, "", 50, 300},
		"nothing is like it":   {Query{Statuses: []alerts.Status{alerts.Resolved}}, "", 0, 10},
		"open, the oldest":     {Query{Statuses: []alerts.Status{alerts.Active, alerts.InProgress}}, last, 50, 400},
		"a text nobody has":    {Query{Keep: func(*alerts.Alert) bool { return false }}, "", 0, 2200},
		"before a certain day": {Query{Least: last, Severities: []alerts.Severity{alerts.High}}, "", 20, 110},
	} {
		before := c.keys.Load()
		found, _, err := r.engine.Find(t.Context(), subscription, x.q, x.from, 50)
		if read := c.keys.Load() - before; err != nil || len(found) != x.want || read > int64(x.most) {
			t.Errorf("%s: %d found by reading %d keys, %v; want %d and at most %d", name, len(found), read, err, x.want, x.most)
		}
	}
	before := c.keys.Load()
	tallies, _, err := r.engine.Tallies(t.Context(), subscription, "", 1000)
	sum := 0
	for _, x := range tallies {
		for _, n := range x.Of {
			sum += n.N
		}
	}
	if read := c.keys.Load() - before; err != nil || sum != 20_000 || read != int64(len(tallies)) || !slices.ContainsFunc(tallies, func(x Tally) bool { return x.Host == "vm12" && x.Group == "rg0" }) {
		t.Errorf("%d alerts in %d tallies by reading %d keys, %v", sum, len(tallies), read, err)
	}
}
