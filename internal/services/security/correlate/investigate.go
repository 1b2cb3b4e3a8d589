package correlate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Bounds of an investigation.
const (
	MaxDepth     = 8
	DefaultDepth = 3
	maxNodes     = 300
)

// Scope is what part of the graph is asked for.
type Scope struct {
	Focus    string    // the node in the middle; "" is the alert
	Depth    int       // steps from it, and from the path, up to MaxDepth
	From, To time.Time // only alerts of this time; zero is no bound
}

// Investigation is the graph around an alert, or around something of it: Azure's "investigation path" of 2018 with an answer that a program can read.
type Investigation struct {
	Focus string   `json:"focus"`
	Path  []string `json:"path"` // nodes from the incident, if there is one, else the alert, to the focus
	Nodes []*Node  `json:"nodes"`
	Edges []*Link  `json:"edges"`
	// Start and End are the first and the last time in the graph: what a time line spans.
	Start     time.Time `json:"startTimeUtc"`
	End       time.Time `json:"endTimeUtc"`
	Truncated bool      `json:"truncated"` // there was no room for all nodes within the depth
}

// Investigate draws the graph around an alert or incident. related are the alerts that may be in it, with the incident if there is one. found is false if the focus is no node
// of it within the time asked for.
func Investigate(a *alerts.Alert, related []*alerts.Alert, scope Scope) (inv *Investigation, found bool) {
	all := []*alerts.Alert{a}
	var incident *alerts.Alert
	for _, x := range related {
		switch {
		case x.Name == a.Name:
		case x.IsIncident():
			if x.Name == a.Incident {
				incident = x
				all = append(all, x)
			}
		case (scope.From.IsZero() || !x.Last.Before(scope.From)) && (scope.To.IsZero() || !x.First.After(scope.To)):
			all = append(all, x)
		}
	}
	g := newGraph(all)
	root, focus := NodeOf(a), cmp.Or(scope.Focus, NodeOf(a))
	if incident != nil {
		root = NodeOf(incident)
	}
	if g.nodes[focus] == nil {
		return nil, false
	}
	beside := g.neighbours()
	layer, distance := distances(root, beside), distances(focus, beside)
	if _, ok := layer[focus]; !ok { // of another alert, that has to do with this one by nothing but the time
		return nil, false
	}
	path := way(root, focus, beside, layer)
	inv = &Investigation{Focus: focus, Path: path}
	chosen := inv.choose(g, distance, scope.Depth)
	onPath := map[[2]string]bool{}
	for i := 1; i < len(path); i++ {
		onPath[[2]string{path[i-1], path[i]}], onPath[[2]string{path[i], path[i-1]}] = true, true
	}
	for id := range chosen {
		n := g.nodes[id]
		n.Layer, n.Distance = layer[id], distance[id]
		for _, other := range beside[id] {
			if !chosen[other] {
				n.More++
			}
		}
		inv.Nodes = append(inv.Nodes, n)
		inv.span(n.Start, n.End)
	}
	for _, l := range g.links {
		if chosen[l.From] && chosen[l.To] {
			l.Path = onPath[[2]string{l.From, l.To}]
			inv.Edges = append(inv.Edges, l)
		}
	}
	slices.SortFunc(inv.Nodes, func(a, b *Node) int {
		return cmp.Or(a.Layer-b.Layer, a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(inv.Edges, func(a, b *Link) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To), strings.Compare(a.Type, b.Type))
	})
	return inv, true
}

func (inv *Investigation) span(start, end time.Time) {
	if inv.Start.IsZero() || start.Before(inv.Start) {
		inv.Start = start
	}
	inv.End = later(inv.End, end)
}

// choose takes the path, and what is near the focus: the nearest first, then the worst.
func (inv *Investigation) choose(g *graph, distance map[string]int, depth int) map[string]bool {
	chosen := map[string]bool{}
	for _, id := range inv.Path {
		chosen[id] = true
	}
	var near []*Node
	for id, d := range distance {
		if d <= depth && !chosen[id] {
			near = append(near, g.nodes[id])
		}
	}
	slices.SortFunc(near, func(a, b *Node) int {
		return cmp.Or(distance[a.ID]-distance[b.ID], b.Severity.Rank()-a.Severity.Rank(), a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	for _, n := range near {
		if len(chosen) == maxNodes {
			inv.Truncated = true
			break
		}
		chosen[n.ID] = true
	}
	return chosen
}

// way is a shortest way between two nodes, along the worst.
func way(from, to string, beside map[string][]string, steps map[string]int) []string {
	out := []string{to}
	for at := to; at != from; {
		for _, id := range beside[at] {
			if d, ok := steps[id]; ok && d == steps[at]-1 {
				at = id
				break
			}
		}
		out = append(out, at)
	}
	slices.Reverse(out)
	return out
}
