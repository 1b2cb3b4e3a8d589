package portal

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func at(minutes int) time.Time {
	return time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func member(from, to int, intent string) alert {
	var a alert
	a.Properties.Start, a.Properties.End, a.Properties.Intent, a.Properties.Severity = at(from), at(to), intent, "Low"
	return a
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	l := newTimeline([]alert{member(0, 5, "Execution"), member(3, 3, "Discovery,Execution"), member(130, 140, "Impact"), member(131, 131, "NewWord")})
	var rows []string
	for _, r := range l.Rows {
		rows = append(rows, r.Name)
	}
	if got := strings.Join(rows, " "); got != "Execution Discovery Impact Unknown" {
		t.Errorf("rows are %s, want the kill chain's order", got)
	}
	if len(l.Gaps) != 1 || l.Gaps[0].Text != "2.1 h" {
		t.Errorf("gaps are %v, want the two hours between", l.Gaps)
	}
	for i, m := range l.Marks {
		if m.X < lineLeft || m.X+m.W > l.Width || m.W < 8 {
			t.Errorf("mark %d is drawn at %d, %d wide, in %d", i, m.X, m.W, l.Width)
		}
	}
	many := make([]alert, 0, 200)
	for i := range 200 { // more gaps than there is room for
		many = append(many, member(i*60, i*60, "Impact"))
	}
	if l := newTimeline(many); len(l.Marks) != 200 {
		t.Errorf("%d marks of 200", len(l.Marks))
	}
}

// chain is an incident of n alerts, each about one of a chain of processes, the last of which wrote a file.
func chain(n int) *graph {
	nodes, edges := []node{{ID: "i", Type: "incident"}, {ID: "f", Type: "file"}}, []edge{}
	for k := range n {
		a, p := fmt.Sprintf("a%d", k), fmt.Sprintf("p%d", k)
		nodes = append(nodes, node{ID: a, Type: "alert", From: at(k)}, node{ID: p, Type: "process", From: at(k)})
		edges = append(edges, edge{From: "i", To: a, Type: "contains"}, edge{From: a, To: p, Type: "about"})
		if k > 0 {
			edges = append(edges, edge{From: fmt.Sprintf("p%d", k-1), To: p, Type: "parent"})
		}
	}
	return newGraph(nodes, append(edges, edge{From: fmt.Sprintf("p%d", n-1), To: "f", Type: "wrote"}, edge{From: "f", To: "nowhere"}))
}

func TestGraph(t *testing.T) {
	t.Parallel()
	g := chain(12)
	way := g.path("i", "f")
	if got := strings.Join(way, " "); got != "i a11 p11 f" {
		t.Fatalf("the way is %s", got)
	}
	if g.path("i", "nowhere") != nil {
		t.Error("there is a way to nowhere")
	}
	d := g.draw("f", nil, way)
	places := map[[2]int]string{}
	for _, n := range d.Nodes {
		if other := places[[2]int{n.X, n.Y}]; other != "" {
			t.Errorf("%s is drawn over %s", n.ID, other)
		}
		places[[2]int{n.X, n.Y}] = n.ID
		if n.X < 0 || n.Y < 0 || n.X+boxWidth > d.Width || n.Y+boxHeight > d.Height {
			t.Errorf("%s is drawn outside", n.ID)
		}
		if n.ID == "i" && n.Hidden != 11 {
			t.Errorf("the incident hides %d alerts, want 11", n.Hidden)
		}
	}
	on := 0
	for _, a := range d.Arrows {
		if a.OnPath {
			on++
		}
	}
	if on != 3 {
		t.Errorf("%d arrows stand out, want 3", on)
	}
	if more := g.draw("f", []string{"i"}, way); len(more.Nodes) <= len(d.Nodes) {
		t.Errorf("opened, it has %d nodes, before %d", len(more.Nodes), len(d.Nodes))
	}
	if d := g.draw("a3", nil, g.path("i", "a3")); len(d.Nodes) > 6 {
		t.Errorf("an alert leads to %d nodes: its incident's other alerts are among them", len(d.Nodes))
	}
	if d := chain(200).draw("i", nil, []string{"i"}); len(d.Nodes) > 6*maxInColumn {
		t.Errorf("%d nodes are drawn", len(d.Nodes))
	}
	loop := newGraph([]node{{ID: "x", Type: "process"}, {ID: "y", Type: "process"}}, []edge{{From: "x", To: "y"}, {From: "y", To: "x"}, {From: "x", To: "x"}})
	if d := loop.draw("x", nil, nil); len(d.Nodes) != 2 || len(d.Arrows) != 2 {
		t.Errorf("a loop has %d nodes and %d arrows", len(d.Nodes), len(d.Arrows))
	}
	if d := newGraph(nil, nil).draw("x", []string{"y"}, []string{"z", "x"}); len(d.Nodes) != 0 {
		t.Errorf("nothing has %d nodes", len(d.Nodes))
	}
}
