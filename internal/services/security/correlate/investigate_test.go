package correlate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// told is the intrusion with its incident.
func told(t *testing.T) (incident *alerts.Alert, all []*alerts.Alert) {
	t.Helper()
	all = intruded("cassandra1", replay.Disguise{})
	ch := New(DefaultParams()).Add(began, all...)
	incident = ch.Incidents[0]
	for _, a := range all {
		a.Incident = incident.Name
	}
	return incident, all
}

func alertOf(all []*alerts.Alert, kind string) *alerts.Alert {
	return all[slices.IndexFunc(all, func(a *alerts.Alert) bool { return a.Type == kind })]
}

// sound checks what every graph keeps: ends of arrows are there, the path is connected, columns differ by one at most along an arrow, all is within the depth.
func sound(t *testing.T, inv *Investigation, depth int) {
	t.Helper()
	at := map[string]*Node{}
	for _, n := range inv.Nodes {
		if at[n.ID] != nil || n.Type == "" || n.Label == "" || n.Start.IsZero() || n.End.Before(n.Start) || n.Start.Before(inv.Start) || n.End.After(inv.End) {
			t.Errorf("the node %+v", n)
		}
		if n.Distance > depth && !slices.Contains(inv.Path, n.ID) {
			t.Errorf("%s is %d steps away", n.ID, n.Distance)
		}
		at[n.ID] = n
	}
	beside := map[[2]string]bool{}
	for _, l := range inv.Edges {
		from, to := at[l.From], at[l.To]
		if from == nil || to == nil {
			t.Fatalf("the arrow %+v has an end that isn't there", l)
		}
		if d := from.Layer - to.Layer; d > 1 || d < -1 {
			t.Errorf("the arrow %s %s %s goes from column %d to %d", l.From, l.Type, l.To, from.Layer, to.Layer)
		}
		beside[[2]string{l.From, l.To}], beside[[2]string{l.To, l.From}] = true, true
	}
	for i, id := range inv.Path {
		if at[id] == nil || at[id].Layer != i || i > 0 && !beside[[2]string{inv.Path[i-1], id}] {
			t.Errorf("the path %v at %d", inv.Path, i)
		}
	}
	if inv.Path[len(inv.Path)-1] != inv.Focus {
		t.Errorf("the path ends at %s, the focus is %s", inv.Path[len(inv.Path)-1], inv.Focus)
	}
}

// TestInvestigate: the graph around the spray: the path from the incident, who did it in which session from where, and what was attacked.
func TestInvestigate(t *testing.T) {
	t.Parallel()
	incident, all := told(t)
	spray := alertOf(all, "BH_OutgoingPasswordSpray")
	related := append([]*alerts.Alert{incident}, all...)
	inv, ok := Investigate(spray, related, Scope{Depth: 3})
	if !ok {
		t.Fatal("no graph")
	}
	sound(t, inv, 3)
	if diff := cmp.Diff([]string{"incident:" + incident.Name, "alert:" + spray.Name}, inv.Path); diff != "" {
		t.Error(diff)
	}
	words := map[string]bool{}
	for _, l := range inv.Edges {
		words[l.Type] = true
	}
	for _, want := range []string{"contains", "about", "parent", "exec", "in", "as", "signed-in-from", "attacked"} {
		if !words[want] {
			t.Errorf("no arrow %q in %v", want, words)
		}
	}
	kinds := map[string]int{}
	for _, n := range inv.Nodes {
		kinds[n.Type]++
	}
	if kinds["network"] < 4 || kinds["session"] != 1 || kinds["ip"] < 1 || kinds["incident"] != 1 || kinds["process"] < 5 {
		t.Errorf("%v", kinds)
	}
	// All there is: both sessions, both addresses, the machine, the domain, what was removed.
	whole, _ := Investigate(incident, all, Scope{Depth: MaxDepth})
	sound(t, whole, MaxDepth)
	words = map[string]bool{}
	for _, l := range whole.Edges {
		words[l.Type] = true
	}
	for _, want := range []string{"removed", "wrote", "ran", "fetched", "connected", "on", "served-by"} {
		if !words[want] {
			t.Errorf("no arrow %q in all of it: %v", want, words)
		}
	}
	far, ok := Investigate(spray, related, Scope{Focus: "ip:203.0.113.7", Depth: 1})
	if !ok || len(far.Path) < 4 || far.Path[0] != "incident:"+incident.Name {
		t.Errorf("the path to the first address: %v", far)
	}
	sound(t, far, 1)
}

// TestInvestigate_Scope: a time scope leaves out what other alerts tell of other times, depth what is further away; what is left out is counted.
func TestInvestigate_Scope(t *testing.T) {
	t.Parallel()
	incident, all := told(t)
	early, _ := Investigate(incident, all, Scope{Depth: MaxDepth, To: began.Add(10 * time.Minute)})
	for _, n := range early.Nodes {
		if n.Type != "incident" && n.Start.After(began.Add(10*time.Minute)) || strings.Contains(n.ID, "session 4") {
			t.Errorf("%s of %s is in the first ten minutes", n.ID, n.Start)
		}
	}
	late, _ := Investigate(incident, all, Scope{Depth: MaxDepth, From: began.Add(2 * time.Hour)})
	if len(early.Nodes) < 10 || len(late.Nodes) < 10 || slices.ContainsFunc(late.Nodes, func(n *Node) bool { return n.ID == "dns:nasapaul.com" }) {
		t.Errorf("%d nodes early, %d late", len(early.Nodes), len(late.Nodes))
	}
	last := 0
	for depth := range MaxDepth {
		inv, _ := Investigate(incident, all, Scope{Depth: depth})
		sound(t, inv, depth)
		more := 0
		for _, n := range inv.Nodes {
			more += n.More
		}
		if len(inv.Nodes) < last || depth < 2 && more == 0 {
			t.Errorf("depth %d: %d nodes after %d, %d more", depth, len(inv.Nodes), last, more)
		}
		last = len(inv.Nodes)
	}
	if _, ok := Investigate(incident, all, Scope{Focus: "dns:nasapaul.com", From: began.Add(2 * time.Hour)}); ok {
		t.Error("a focus that the time scope leaves out")
	}
	if _, ok := Investigate(incident, all, Scope{Focus: "x"}); ok {
		t.Error("a focus that isn't there")
	}
}

// TestInvestigate_Large: however much there is, the answer is bounded, and says so.
func TestInvestigate_Large(t *testing.T) {
	t.Parallel()
	var many []made
	for i := range 400 {
		many = append(many, made{machine: "m", session: "session 1", after: time.Duration(i) * time.Second, files: []string{"/tmp/" + strings.Repeat("x", i+1)}})
	}
	all := build(many...)
	inv, _ := Investigate(all[200], all, Scope{Depth: MaxDepth})
	sound(t, inv, MaxDepth)
	if len(inv.Nodes) != maxNodes || !inv.Truncated {
		t.Errorf("%d nodes, truncated %t", len(inv.Nodes), inv.Truncated)
	}
	// Two machines, of which one attacked the other: the address joins them.
	a, b := made{machine: "a", session: "session 1"}.alert(1), made{machine: "b", from: "10.0.0.4", account: "root"}.alert(2)
	a.Entities = append(a.Entities, alerts.Entity{ID: "ip:10.0.0.4", Kind: alerts.IP, Name: "10.0.0.4"})
	a.Edges = append(a.Edges, alerts.Edge{From: "host:" + alerts.Scope(a.Machine), To: "ip:10.0.0.4", Kind: alerts.EdgeHas})
	inv, _ = Investigate(b, []*alerts.Alert{a}, Scope{Depth: MaxDepth})
	sound(t, inv, MaxDepth)
	if !slices.ContainsFunc(inv.Nodes, func(n *Node) bool { return n.ID == NodeOf(a) }) {
		t.Error("the attacking machine isn't in the graph of the attacked")
	}
}

// FuzzInvestigate: whatever alerts say, the graph is sound.
func FuzzInvestigate(f *testing.F) {
	f.Add([]byte("0123456789abcdefghij"), "", uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, focus string, depth uint8) {
		next := func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0])
			b = b[1:]
			return v % n
		}
		all := random(next, 1+len(b)/4%30)
		for _, a := range all {
			for i := range a.Edges {
				if next(4) == 0 && len(a.Entities) > 0 {
					a.Edges[i].To = a.Entities[next(len(a.Entities))].ID
				}
			}
		}
		d := int(depth % (MaxDepth + 1))
		if inv, ok := Investigate(all[0], all[1:], Scope{Focus: focus, Depth: d}); ok {
			sound(t, inv, d)
		}
	})
}
