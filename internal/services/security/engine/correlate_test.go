package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

func correlating(t testing.TB, st store.Store) *rig {
	r := open(t, st, nil)
	p := correlate.DefaultParams()
	r.engine.deps.Correlate = &p
	return r
}

// whole checks that incidents and their alerts name each other, and gives the open incidents.
func (r *rig) whole() (incidents []*alerts.Alert) {
	r.t.Helper()
	by := map[string]*alerts.Alert{}
	for _, a := range r.alerts() {
		by[a.Name] = a
		if a.IsIncident() && a.Status != alerts.Resolved {
			incidents = append(incidents, a)
		}
	}
	for _, a := range by {
		if a.Incident != "" && (by[a.Incident] == nil || !slices.Contains(by[a.Incident].Members, a.Name)) {
			r.t.Fatalf("%s says it is in %s, which doesn't", a.DisplayName, a.Incident)
		}
	}
	for _, in := range incidents {
		for _, name := range in.Members {
			if by[name] == nil || by[name].Incident != in.Name {
				r.t.Fatalf("%s says that %s is in it, which doesn't", in.Name, name)
			}
		}
	}
	return incidents
}

// TestIncident: the intrusion that comes batch by batch is one incident from when it is worth telling on, whatever its alerts do; it is written with them, keeps its name over restarts
// of the process and when two processes take turns, and what people made of it.
func TestIncident(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"one process", "restarted before each batch", "two processes"} {
		st := newStore(t)
		r := correlating(t, st)
		other := correlating(t, st)
		batches := intrusion(t, 4)
		name, first := "", 0
		for i, packed := range batches {
			switch how {
			case "restarted before each batch":
				r = correlating(t, st)
			case "two processes":
				r.engine.machines = map[string]*machine{} // the other one took the last
				r, other = other, r
			}
			r.take(i+1, packed)
			open := r.whole()
			if len(open) > 1 {
				t.Fatalf("%s: %d incidents after batch %d", how, len(open), i+1)
			}
			if len(open) == 1 {
				if name == "" {
					name, first = open[0].Name, i
					if err := r.engine.setStatus(t.Context(), StatusChange{Subscription: subscription, Name: name, Status: alerts.InProgress}); err != nil {
						t.Fatal(err)
					}
				} else if open[0].Name != name || open[0].Status != alerts.InProgress {
					t.Fatalf("%s: incident %s %s, want %s InProgress", how, open[0].Name, open[0].Status, name)
				}
			}
		}
		all := r.alerts()
		in := r.whole()
		if len(in) != 1 || len(in[0].Members) != len(all)-1 || len(all) < 20 || in[0].Severity != alerts.High || first > len(batches)/2 {
			t.Errorf("%s: %d incidents among %d alerts, the first after batch %d of %d", how, len(in), len(all), first+1, len(batches))
		}
	}
}

// TestIncidentReopened: one that people resolved is open again when it goes on; one they dismissed isn't.
func TestIncidentReopened(t *testing.T) {
	t.Parallel()
	for status, want := range map[alerts.Status]alerts.Status{alerts.Resolved: alerts.Active, alerts.Dismissed: alerts.Dismissed} {
		r := correlating(t, newStore(t))
		name := ""
		for i, packed := range intrusion(t, 4) {
			r.take(i+1, packed)
			if in := r.whole(); name == "" && len(in) == 1 {
				name = in[0].Name
				if err := r.engine.setStatus(t.Context(), StatusChange{Subscription: subscription, Name: name, Status: status}); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, err := r.engine.Get(t.Context(), subscription, name)
		if err != nil || a.Status != want {
			t.Errorf("%s, then it went on: %s, want %s (%v)", status, a.Status, want, err)
		}
	}
}

// TestUpdates: of an incident people are told when it is new; of what it grew by once, a while later, however much that is; of one that they resolved and that goes on, at once. Of a
// dismissed one they are told no more.
func TestUpdates(t *testing.T) {
	t.Parallel()
	r := correlating(t, newStore(t))
	var told []string
	r.engine.deps.Notify = func(a *alerts.Alert, n Notice) (func(store.Tx) error, error) {
		if !a.IsIncident() {
			return nil, nil
		}
		what := fmt.Sprintf("%q", n.Why)
		if n.Why == Began && n.ID != a.Name || n.Why != Began && n.ID != fmt.Sprintf("%s|%s|%d", a.Name, n.Why, len(a.Members)) {
			t.Errorf("the id of the notice is %s of %s with %d members", n.ID, a.Name, len(a.Members))
		}
		return func(store.Tx) error { told = append(told, what); return nil }, nil
	}
	status := func(s alerts.Status) {
		t.Helper()
		for _, a := range r.alerts() {
			if a.IsIncident() {
				if err := r.engine.setStatus(t.Context(), StatusChange{Subscription: subscription, Name: a.Name, Status: s}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if err := r.engine.TellUpdates(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, told, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
		told = nil
	}
	members := func() int {
		for _, a := range r.alerts() {
			if a.IsIncident() {
				return len(a.Members)
			}
		}
		return 0
	}
	batches := intrusion(t, 4)
	next := 0
	grow := func(least int) { // until the incident has so many alerts more
		t.Helper()
		for from := members(); members() < from+least; next++ {
			if next == len(batches) {
				t.Fatal("the intrusion is over")
			}
			r.take(next+1, batches[next])
		}
	}
	grow(1)
	expect("it begins", `""`)
	grow(3)
	expect("it grew just now")
	r.clock.Advance(UpdateAfter)
	expect("it grew a while ago", `"grown"`)
	r.clock.Advance(UpdateAfter)
	expect("nothing came since")
	grow(1)
	status(alerts.Resolved)
	grow(1)
	expect("it goes on after it was resolved", `"reopened"`)
	r.clock.Advance(UpdateAfter)
	expect("what it grew by was told with that")
	grow(1)
	status(alerts.Dismissed)
	r.clock.Advance(UpdateAfter)
	expect("it was dismissed before it was told")
	grow(1)
	r.clock.Advance(UpdateAfter)
	expect("it is dismissed")
	var rows map[string][]byte
	err := r.store.View(t.Context(), alerts.Shard(subscription), func(s store.Snapshot) (err error) { rows, err = updates(s); return err })
	if err != nil || len(rows) != 0 {
		t.Errorf("%d rows are left, %v", len(rows), err)
	}
}

func TestAddressesOf(t *testing.T) {
	t.Parallel()
	properties := `{"networkProfile":{"networkInterfaces":[{"ipAddresses":[{"address":"10.0.0.4"},{"address":"127.0.0.1"},{"address":"x"}]},{"ipAddresses":[{"address":"::ffff:192.0.2.1"}]}]}}`
	if got := fmt.Sprint(addressesOf(json.RawMessage(properties))); got != "[10.0.0.4 192.0.2.1]" {
		t.Errorf("got %s", got)
	}
	for _, odd := range []string{``, `[]`, `{"networkProfile":7}`} {
		if got := addressesOf(json.RawMessage(odd)); len(got) != 0 {
			t.Errorf("%s: %v", odd, got)
		}
	}
}

// TestAddresses: what a machine says its addresses are is in the graph of its alerts.
func TestAddresses(t *testing.T) {
	t.Parallel()
	r := correlating(t, newStore(t))
	r.engine.deps.Addresses = func(_ context.Context, guid string) ([]netip.Addr, error) {
		if guid != machineGUID {
			t.Errorf("asked for %s", guid)
		}
		return []netip.Addr{netip.MustParseAddr("10.0.0.4")}, nil
	}
	r.take(1, intrusion(t, 10)[0])
	for _, a := range r.alerts() {
		if !a.IsIncident() && !slices.Contains(a.Edges, alerts.Edge{From: "host:" + alerts.Scope(machineID), To: "ip:10.0.0.4", Kind: alerts.EdgeHas}) {
			t.Errorf("%s doesn't have the machine's address: %v", a.DisplayName, a.Edges)
		}
	}
	if len(r.alerts()) == 0 {
		t.Error("no alerts")
	}
}
