package portal

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// node is one of an investigation's, as the service answers it.
type node struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Label    string    `json:"label"`
	Severity string    `json:"severity"`
	From     time.Time `json:"startTimeUtc"`
	To       time.Time `json:"endTimeUtc"`
	More     int       `json:"more"` // neighbours that are not in the answer
	Details  *struct {
		PID         uint32 `json:"processId"`
		CommandLine string `json:"commandLine"`
		Image       string `json:"imageFile"`
		Dir         string `json:"currentDirectory"`
		ResourceID  string `json:"azureId"`
		AlertType   string `json:"alertType"`
		Intent      string `json:"intent"`
		Status      string `json:"status"`
		Description string `json:"description"`
	} `json:"details"`
}

// text is what a box of the node says: of a process its command line, which tells more than its file.
func (n *node) text() string {
	if n.Details != nil && n.Details.CommandLine != "" {
		return n.Details.CommandLine
	}
	return n.Label
}

// edge is an arrow of an investigation.
type edge struct {
	From string    `json:"from"`
	To   string    `json:"to"`
	Type string    `json:"type"`
	Time time.Time `json:"timeUtc"`
}

// drawing is a layered graph: a column for each kind of thing, from the incident on the left to files and networks on the right.
type drawing struct {
	Width, Height int
	Columns       []column
	Nodes         []box
	Arrows        []arrow
}

type column struct {
	X    int
	Name string
}

// box is a drawn node.
type box struct {
	node
	X, Y     int
	Text     string // the label, cut to fit
	Focus    bool
	OnPath   bool // between the incident and the focus
	Hidden   int  // neighbours that aren't drawn
	FocusOn  string
	ExpandTo string
}

// MoreX and MoreY are where the sign that there is more stands.
func (b box) MoreX() int { return b.X + boxWidth }

// MoreY is its height.
func (b box) MoreY() int { return b.Y + boxHeight/2 }

// arrow is a drawn edge.
type arrow struct {
	edge
	X1, Y1, X2, Y2 int
	C1, C2         int // the x of the curve's control points
	OnPath         bool
}

const (
	boxWidth, boxHeight    = 190, 34
	columnStep, rowStep    = 260, 46
	drawingLeft, drawingUp = 20, 40
	maxInColumn            = 40
)

// columnsOf says in which column a kind of node is drawn. Processes may take several: see layers.
var columnsOf = map[string]int{
	"incident": 0, "alert": 1, "machine": 2, "account": 2, "session": 3, "process": 4,
}

const (
	processColumn  = 4
	lastOfProcess  = 6 // processes of deeper ancestry are drawn here too
	rightmost      = 7 // files, addresses, names, networks
	columnHeadings = 8
)

var headings = [columnHeadings]string{"Incident", "Alerts", "Machines and accounts", "Sessions", "Processes", "", "", "Files, addresses, networks"}

// graph is an investigation with what is near to what.
type graph struct {
	nodes map[string]*node
	near  map[string][]string // both ways, in the order of the edges
	edges []edge
}

func newGraph(nodes []node, edges []edge) *graph {
	g := &graph{nodes: map[string]*node{}, near: map[string][]string{}}
	for i := range nodes {
		g.nodes[nodes[i].ID] = &nodes[i]
	}
	for _, e := range edges {
		if g.nodes[e.From] == nil || g.nodes[e.To] == nil {
			continue
		}
		g.edges = append(g.edges, e)
		g.near[e.From], g.near[e.To] = append(g.near[e.From], e.To), append(g.near[e.To], e.From)
	}
	return g
}

// path is the shortest way from one node to another, both included; nil if there is none.
func (g *graph) path(from, to string) []string {
	before := map[string]string{from: from}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == to {
			var way []string
			for ; at != from; at = before[at] {
				way = append(way, at)
			}
			way = append(way, from)
			slices.Reverse(way)
			return way
		}
		for _, n := range g.near[at] {
			if _, seen := before[n]; !seen {
				before[n] = at
				queue = append(queue, n)
			}
		}
	}
	return nil
}

// shown is what is drawn: what is within two steps of the focus, the neighbours of what was opened, and the way from the incident.
func (g *graph) shown(focus string, open, way []string) map[string]bool {
	const reach = 2
	depth := map[string]int{focus: 0}
	for queue := []string{focus}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		// An incident is near to all its alerts: it doesn't lead from one to the others.
		if depth[at] == reach || at != focus && g.nodes[at] != nil && g.nodes[at].Type == "incident" {
			continue
		}
		for _, n := range g.near[at] {
			if _, seen := depth[n]; !seen {
				depth[n] = depth[at] + 1
				queue = append(queue, n)
			}
		}
	}
	out := map[string]bool{}
	for id := range depth {
		out[id] = g.nodes[id] != nil
	}
	for _, id := range way {
		out[id] = g.nodes[id] != nil
	}
	for _, id := range open {
		if g.nodes[id] == nil {
			continue
		}
		out[id] = true
		for _, n := range g.near[id] {
			out[n] = true
		}
	}
	return out
}

// layers puts what is shown into columns. A process stands right of what started it, as far as there is room.
func (g *graph) layers(shown map[string]bool) [columnHeadings][]string {
	parent := map[string]string{}
	for _, e := range g.edges {
		if g.nodes[e.From].Type == "process" && g.nodes[e.To].Type == "process" && shown[e.From] && shown[e.To] {
			parent[e.To] = e.From
		}
	}
	var out [columnHeadings][]string
	for id := range shown {
		if !shown[id] {
			continue
		}
		at, ok := columnsOf[g.nodes[id].Type]
		if !ok {
			at = rightmost
		}
		if at == processColumn {
			for p, n := parent[id], 0; p != "" && at < lastOfProcess && n < len(shown); p, n = parent[p], n+1 {
				at++
			}
		}
		out[at] = append(out[at], id)
	}
	for i := range out {
		slices.SortFunc(out[i], func(a, b string) int {
			x, y := g.nodes[a], g.nodes[b]
			return cmp.Or(x.From.Compare(y.From), strings.Compare(x.Type, y.Type), strings.Compare(x.Label, y.Label), strings.Compare(a, b))
		})
	}
	return out
}

// untangle orders each column by where its neighbours stand, some times over, so that few arrows cross.
func (g *graph) untangle(layers *[columnHeadings][]string) {
	place := map[string]float64{}
	note := func(layer []string) {
		for i, id := range layer {
			place[id] = float64(i) - float64(len(layer))/2
		}
	}
	for i := range layers {
		note(layers[i])
	}
	for round := range 6 {
		for k := range layers {
			i := k
			if round%2 == 1 {
				i = len(layers) - 1 - k
			}
			middle := map[string]float64{}
			for _, id := range layers[i] {
				sum, n := place[id], 1.0
				for _, other := range g.near[id] {
					if p, ok := place[other]; ok {
						sum, n = sum+p, n+1
					}
				}
				middle[id] = sum / n
			}
			slices.SortStableFunc(layers[i], func(a, b string) int { return cmp.Compare(middle[a], middle[b]) })
			note(layers[i])
		}
	}
}

// draw lays out what is shown. Columns without anything take no room; of a column with very many nodes the first are drawn, and the focus and the way to it.
func (g *graph) draw(focus string, open, way []string) *drawing {
	shown := g.shown(focus, open, way)
	layers := g.layers(shown)
	keep := map[string]bool{focus: true}
	for _, id := range way {
		keep[id] = true
	}
	for i, layer := range layers {
		left := maxInColumn
		layers[i] = slices.DeleteFunc(layer, func(id string) bool {
			if left--; left >= 0 || keep[id] {
				return false
			}
			delete(shown, id)
			return true
		})
	}
	g.untangle(&layers)
	d := &drawing{}
	at := map[string]*box{}
	tallest := 0
	for _, layer := range layers {
		tallest = max(tallest, len(layer))
	}
	x := drawingLeft
	boxes := make([]box, 0, len(shown))
	for i, layer := range layers {
		if len(layer) == 0 {
			continue
		}
		d.Columns = append(d.Columns, column{x, headings[i]})
		y := drawingUp + (tallest-len(layer))*rowStep/2
		for _, id := range layer {
			boxes = append(boxes, box{node: *g.nodes[id], X: x, Y: y, Text: short(27, g.nodes[id].text()), Focus: id == focus, OnPath: slices.Contains(way, id)})
			y += rowStep
		}
		x += columnStep
	}
	for i := range boxes {
		at[boxes[i].ID] = &boxes[i]
	}
	for i := range boxes {
		seen := map[string]bool{}
		for _, n := range g.near[boxes[i].ID] {
			if at[n] == nil && !seen[n] {
				seen[n] = true
				boxes[i].Hidden++
			}
		}
	}
	for _, e := range g.edges {
		if a, b := at[e.From], at[e.To]; a != nil && b != nil && e.From != e.To {
			d.Arrows = append(d.Arrows, join(e, a, b, way))
		}
	}
	d.Nodes = boxes
	d.Width, d.Height = max(x-columnStep+boxWidth+drawingLeft, 400), drawingUp+max(tallest, 1)*rowStep+10
	return d
}

// join makes the arrow between two boxes: from side to side, or around the right where both stand in one column.
func join(e edge, a, b *box, way []string) arrow {
	w := arrow{edge: e, X1: a.X + boxWidth, Y1: a.Y + boxHeight/2, X2: b.X, Y2: b.Y + boxHeight/2}
	switch {
	case a.X > b.X:
		w.X1, w.X2 = a.X, b.X+boxWidth
		w.C1, w.C2 = w.X1-50, w.X2+50
	case a.X == b.X:
		w.X2 = b.X + boxWidth
		w.C1, w.C2 = w.X1+50, w.X2+50
	default:
		w.C1, w.C2 = w.X1+50, w.X2-50
	}
	for i := 1; i < len(way); i++ {
		if way[i-1] == e.From && way[i] == e.To || way[i] == e.From && way[i-1] == e.To {
			w.OnPath = true
		}
	}
	return w
}
