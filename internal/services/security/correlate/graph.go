package correlate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Node is one thing of an investigation graph.
type Node struct {
	ID       string          `json:"id"`   // "alert:<name>", "incident:<name>", else the entity's (package alerts)
	Type     string          `json:"type"` // machine, account, session, process, file, ip, network, domain, url, alert, incident
	Label    string          `json:"label"`
	Severity alerts.Severity `json:"severity"` // of an alert; else the worst of the alerts that name it
	Start    time.Time       `json:"startTimeUtc"`
	End      time.Time       `json:"endTimeUtc"`
	Layer    int             `json:"layer"`    // steps from the first node of the path: the column to draw it in
	Distance int             `json:"distance"` // steps from the focus
	More     int             `json:"more"`     // neighbours that are not in this answer: a larger depth, or this node as the focus, shows them
	Alerts   []string        `json:"alerts,omitempty"`
	Details  *Details        `json:"details,omitempty"`
	at       *alerts.Entity  // what it was made of
}

// Details are what only some types of nodes have.
type Details struct {
	PID         uint32        `json:"processId,omitempty"`
	CommandLine string        `json:"commandLine,omitempty"`
	Image       string        `json:"imageFile,omitempty"`
	Dir         string        `json:"currentDirectory,omitempty"`
	ResourceID  string        `json:"azureId,omitempty"`
	AlertType   string        `json:"alertType,omitempty"`
	Intent      string        `json:"intent,omitempty"`
	Status      alerts.Status `json:"status,omitempty"`
	Description string        `json:"description,omitempty"`
}

// Link is an arrow of an investigation graph.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Type is how to read it: contains (incident, alert), about (alert, who did it), parent (process, what it started), exec (process, its file), in (process, session), as (session,
	// account), on (account or session, machine), signed-in-from (session or account, ip), address (machine, ip), attacked-by (machine, ip), attacked (process, network), connected
	// (process, ip or domain), fetched (process, url or file), served-by (url, domain or ip), wrote, ran, read, removed, touched (process, file).
	Type string    `json:"type"`
	Time time.Time `json:"timeUtc"`
	Path bool      `json:"onPath"` // it is part of the way from the incident to the focus
}

// graph is all that alerts tell, before a part of it is chosen.
type graph struct {
	nodes map[string]*Node
	links []*Link
	by    map[Link]*Link // by ends and type
}

// types are the words for kinds of entities.
func typeOf(k alerts.Kind) string {
	switch k {
	case alerts.Host:
		return "machine"
	case alerts.Session:
		return "session"
	case alerts.DNS:
		return "domain"
	}
	return string(k)
}

// newGraph draws alerts and incidents.
func newGraph(all []*alerts.Alert) *graph {
	g := &graph{nodes: map[string]*Node{}, by: map[Link]*Link{}}
	for _, a := range all {
		g.alert(a)
	}
	for _, a := range all {
		for _, name := range a.Members {
			if m := g.nodes["alert:"+name]; m != nil {
				g.link("incident:"+a.Name, m.ID, "contains", m.Start)
			}
		}
	}
	return g
}

// NodeOf is the node of an alert or incident.
func NodeOf(a *alerts.Alert) string {
	if a.IsIncident() {
		return "incident:" + a.Name
	}
	return "alert:" + a.Name
}

func (g *graph) alert(a *alerts.Alert) {
	n := &Node{
		ID: NodeOf(a), Type: "alert", Label: a.DisplayName, Severity: a.Severity, Start: a.First, End: later(a.First, a.Last),
		Details: &Details{AlertType: a.Type, Intent: a.Intent, Status: a.Status, Description: cut(a.Why)},
	}
	g.nodes[n.ID] = n
	if a.IsIncident() { // what it is about, its alerts tell
		n.Type = "incident"
		return
	}
	for i := range a.Entities {
		g.entity(a, &a.Entities[i])
	}
	child := map[string]bool{}
	for _, e := range a.Edges {
		if e.Kind == alerts.EdgeStarted {
			child[e.From] = true
		}
	}
	for _, e := range a.Edges {
		g.edge(a, e, child[e.From])
	}
	for _, id := range actors(a, child) {
		g.link(n.ID, id, "about", a.First)
	}
}

// actors are who did what an alert tells: the last processes of their chains, else the session, the account or the machine.
func actors(a *alerts.Alert, child map[string]bool) (ids []string) {
	for _, kind := range [...]alerts.Kind{alerts.Process, alerts.Session, alerts.Account, alerts.Host} {
		for _, e := range a.Entities {
			if e.Kind == kind && !child[e.ID] {
				ids = append(ids, e.ID)
			}
		}
		if len(ids) > 0 {
			return ids
		}
	}
	return nil
}

func (g *graph) entity(a *alerts.Alert, e *alerts.Entity) {
	n := g.nodes[e.ID]
	if n == nil {
		n = &Node{ID: e.ID, Type: typeOf(e.Kind), Label: cut(e.Name), Start: a.First, End: a.First, Severity: alerts.Informational, at: e}
		switch e.Kind {
		case alerts.Process:
			n.Details = &Details{PID: e.PID, CommandLine: cut(e.Line), Image: e.Image, Dir: e.Dir}
		case alerts.Host:
			n.Details = &Details{ResourceID: e.Resource}
		}
		if !e.Time.IsZero() {
			n.Start, n.End = e.Time, e.Time
		}
		g.nodes[e.ID] = n
	}
	if a.First.Before(n.Start) && e.Time.IsZero() {
		n.Start = a.First
	}
	if n.Type != "process" || n.End.Before(a.First) {
		n.End = later(n.End, a.Last)
	}
	if a.Severity.Rank() > n.Severity.Rank() {
		n.Severity = a.Severity
	}
	if len(n.Alerts) < maxShown && !slices.Contains(n.Alerts, a.Name) {
		n.Alerts = append(n.Alerts, a.Name)
	}
}

// edge draws an arrow of an alert. ancestor: its beginning is a process that started another, which did what the alert tells.
func (g *graph) edge(a *alerts.Alert, e alerts.Edge, ancestor bool) {
	from, to := g.nodes[e.From], g.nodes[e.To]
	if from == nil || to == nil {
		return
	}
	at := a.First
	for _, n := range []*Node{from, to} { // what began latest: the arrow can't be older
		if n.at != nil && n.at.Time.After(at) && !n.at.Time.After(a.Last) || n.at != nil && !n.at.Time.IsZero() && (ancestor || e.Kind == alerts.EdgeStarted || e.Kind == alerts.EdgeIn || e.Kind == alerts.EdgeOn) {
			at = n.at.Time
		}
	}
	g.link(e.From, e.To, arrow(a, e.Kind), at)
}

// arrow is the word for an edge. What was done to a file, the alert tells.
func arrow(a *alerts.Alert, k alerts.EdgeKind) string {
	switch k {
	case alerts.EdgeStarted:
		return "parent"
	case alerts.EdgeRan:
		return "exec"
	case alerts.EdgeFrom:
		return "signed-in-from"
	case alerts.EdgeHas:
		return "address"
	case alerts.EdgeDownloaded:
		return "fetched"
	case alerts.EdgeServed:
		return "served-by"
	case alerts.EdgeReached:
		return "connected"
	case alerts.EdgeTouched:
		switch a.Type {
		case "BH_KitRemoved", "VM_SystemLogRemoval", "BH_Shredded", "BH_Wiped":
			return "removed"
		case "VM_KnownLinuxAttackTool", "VM_SuspectDownloadArtifacts":
			return "wrote"
		case "VM_DownloadAndRunCombo", "VM_SuspectExecutablePath", "VM_KnownLinuxDDoSToolkit", "BH_OutgoingPortScan", "BH_OutgoingPasswordSpray", "BH_NetworkGiven", "VM_DigitalCurrencyMining":
			return "ran"
		case "BH_ResultsRead":
			return "read"
		}
	}
	return string(k)
}

func (g *graph) link(from, to, kind string, at time.Time) {
	id := Link{From: from, To: to, Type: kind}
	if l := g.by[id]; l != nil {
		if at.Before(l.Time) {
			l.Time = at
		}
		return
	}
	l := &Link{From: from, To: to, Type: kind, Time: at}
	g.by[id] = l
	g.links = append(g.links, l)
}

// neighbours are the nodes beside each, in an order that doesn't depend on chance.
func (g *graph) neighbours() map[string][]string {
	out := map[string][]string{}
	for _, l := range g.links {
		out[l.From] = append(out[l.From], l.To)
		out[l.To] = append(out[l.To], l.From)
	}
	for id, ids := range out {
		slices.SortFunc(ids, func(a, b string) int {
			x, y := g.nodes[a], g.nodes[b]
			return cmp.Or(y.Severity.Rank()-x.Severity.Rank(), x.Start.Compare(y.Start), strings.Compare(a, b))
		})
		out[id] = slices.Compact(ids)
	}
	return out
}

// distances are the steps from a node to each that can be reached.
func distances(from string, beside map[string][]string) map[string]int {
	out := map[string]int{from: 0}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, id := range beside[queue[0]] {
			if _, ok := out[id]; !ok {
				out[id] = out[queue[0]] + 1
				queue = append(queue, id)
			}
		}
	}
	return out
}
