package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// Bounds of one alert.
const (
	MaxEvidence  = 40   // rows
	MaxLine      = 4096 // bytes of a row's command line
	MaxEntities  = 200
	MaxEdges     = 400
	maxAncestors = 12
	maxReasons   = 8
	maxAddresses = 8 // of the machine itself
)

// Window is how long after its last observation an alert takes repetitions; later ones make a new alert.
const Window = 24 * time.Hour

// Source is the machine that a finding is about.
type Source struct {
	Machine      string // ARM id
	Subscription string
	Host         string // what it calls itself
	Addresses    []netip.Addr
}

// Scope is the short number that entity ids of a machine carry.
func Scope(machine string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(machine)))
	return hex.EncodeToString(sum[:6])
}

// Of makes the alert of a finding. Name, Generated and Processed are the caller's to fill; Status is Active.
func Of(s Source, f *detect.Finding) *Alert {
	scope := Scope(s.Machine)
	a := bare(s, f, scope)
	const usual = 12
	a.Entities, a.Edges = make([]Entity, 0, usual), make([]Edge, 0, 2*usual)
	g := graph{a: a, scope: scope}
	g.finding(s, f)
	return a
}

// Add is Merge of what Of makes of a finding with the alert's Key. An alert that has all the entities and edges that it may have costs little.
func (a *Alert) Add(s Source, f *detect.Finding) {
	if len(a.Entities) >= MaxEntities && len(a.Edges) >= MaxEdges {
		a.Merge(bare(s, f, Scope(s.Machine)))
		return
	}
	a.Merge(Of(s, f))
}

// bare is the alert of a finding without its graph.
func bare(s Source, f *detect.Finding, scope string) *Alert {
	at := At(f.Millis)
	a := &Alert{
		Subscription: s.Subscription, Machine: s.Machine, Host: s.Host, Key: scope + "|" + f.Alert.Type + "|" + f.Key,
		Type: f.Alert.Type, DisplayName: f.Alert.Name, Severity: Severity(f.Alert.Severity.String()), Intent: f.Alert.Intent,
		Techniques: slices.Clone(f.Alert.Techniques), Remedy: slices.Clone(f.Alert.Remedy), Rule: f.Rule, Why: f.Why,
		Status: Active, First: at, Last: at, Count: 1, Confidence: f.Confidence, Reasons: []Reason{{f.Rule, f.Why}},
	}
	for _, e := range f.Commands {
		a.evidence(Evidence{Time: At(e.Millis), PID: e.PID, Line: cut(e.Line)})
	}
	return a
}

// At is the time of an event. Times that a machine made up are moved into the years that JSON and .NET can tell.
func At(millis int64) time.Time {
	const first, last = -62135596800000, 253402300799999 // the years 1 to 9999
	return time.UnixMilli(min(max(millis, first), last)).UTC()
}

func cut(line string) string {
	if len(line) > MaxLine {
		return line[:MaxLine-3] + "..."
	}
	return line
}

// graph adds nodes and edges to an alert.
type graph struct {
	a     *Alert
	scope string
}

func (g *graph) own(kind, what string) string { return kind + ":" + g.scope + "/" + what }

func (g *graph) node(e Entity) string {
	if len(e.ID) > 1024 { // a path or URL of an attacker's making
		sum := sha256.Sum256([]byte(e.ID))
		e.ID = e.ID[:900] + "~" + hex.EncodeToString(sum[:8])
	}
	e.Name = cut(e.Name)
	if g.a.Entity(e.ID) == nil {
		if len(g.a.Entities) >= MaxEntities {
			return ""
		}
		g.a.Entities = append(g.a.Entities, e)
	}
	return e.ID
}

func (g *graph) edge(from, to string, kind EdgeKind) {
	e := Edge{from, to, kind}
	if from != "" && to != "" && from != to && len(g.a.Edges) < MaxEdges && !slices.Contains(g.a.Edges, e) {
		g.a.Edges = append(g.a.Edges, e)
	}
}

// finding enters all that a finding tells of.
func (g *graph) finding(s Source, f *detect.Finding) {
	name := s.Host
	if name == "" {
		name = path.Base(s.Machine)
	}
	host := g.node(Entity{ID: "host:" + g.scope, Kind: Host, Name: name, Resource: s.Machine})
	for _, addr := range s.Addresses[:min(len(s.Addresses), maxAddresses)] {
		g.edge(host, g.node(Entity{ID: "ip:" + addr.String(), Kind: IP, Name: addr.String()}), EdgeHas)
	}
	session, account := g.session(host, f.Session), ""
	if f.Account != "" {
		account = g.account(host, f.Account)
		g.edge(session, account, EdgeAs)
	}
	process := ""
	if f.Process != nil {
		process = g.process(f.Process, host)
	}
	actor := first(process, session, account, host)
	for _, file := range f.Files {
		g.edge(actor, g.node(Entity{ID: g.own("file", file), Kind: File, Name: file}), EdgeTouched)
	}
	for _, d := range f.Domains {
		g.edge(actor, g.node(Entity{ID: "dns:" + strings.ToLower(d), Kind: DNS, Name: d}), EdgeReached)
	}
	for _, u := range f.URLs {
		id := g.node(Entity{ID: "url:" + u, Kind: URL, Name: u})
		g.edge(actor, id, EdgeDownloaded)
		if len(f.URLs) == 1 && len(f.Domains) == 1 {
			g.edge(id, "dns:"+strings.ToLower(f.Domains[0]), EdgeServed)
		}
	}
	for _, addr := range f.Addrs {
		id := g.node(Entity{ID: "ip:" + addr.String(), Kind: IP, Name: addr.String()})
		switch {
		case process != "":
			g.edge(process, id, EdgeReached)
		case account != "":
			g.edge(account, id, EdgeFrom)
		default:
			g.edge(host, id, EdgeAttackedBy)
		}
	}
	for _, p := range f.Prefixes {
		g.edge(actor, g.node(Entity{ID: "network:" + p, Kind: Network, Name: p}), EdgeAttacked)
	}
}

func first(ids ...string) string {
	for _, id := range ids {
		if id != "" {
			return id
		}
	}
	return ""
}

func (g *graph) account(host, name string) string {
	id := g.node(Entity{ID: g.own("account", name), Kind: Account, Name: name})
	g.edge(id, host, EdgeOn)
	return id
}

func (g *graph) session(host string, s *detect.Session) string {
	if s == nil {
		return ""
	}
	id := g.node(Entity{ID: g.own("session", s.ID), Kind: Session, Name: s.ID, Time: At(s.First)})
	g.edge(id, host, EdgeOn)
	if s.Account != "" {
		g.edge(id, g.account(host, s.Account), EdgeAs)
	}
	if addr, err := netip.ParseAddr(s.From); err == nil {
		g.edge(id, g.node(Entity{ID: "ip:" + addr.String(), Kind: IP, Name: addr.String()}), EdgeFrom)
	}
	return id
}

// process enters a process with those it descends from.
func (g *graph) process(p *detect.Process, host string) string {
	bottom, below := "", ""
	for range maxAncestors {
		name := first(p.File, p.Image)
		if name == "" {
			name = fmt.Sprintf("pid %d", p.PID)
		}
		id := g.node(Entity{
			ID: g.own("process", strconv.FormatUint(uint64(p.PID), 10)+"@"+strconv.FormatInt(p.Millis, 10)), Kind: Process, Name: name, PID: p.PID, Line: cut(p.Line), Image: p.Image, Dir: p.Dir, UID: p.UID,
			Time: At(p.Millis),
		})
		if bottom == "" {
			bottom = id
			if p.File != "" {
				g.edge(id, g.node(Entity{ID: g.own("file", p.File), Kind: File, Name: p.File}), EdgeRan)
			}
		}
		g.edge(id, below, EdgeStarted)
		below = id
		g.edge(id, g.session(host, p.Session), EdgeIn)
		if p = p.Parent; p == nil {
			break
		}
	}
	return bottom
}

// evidence adds a row. Once there is no room, the second half is shifted: the first rows tell how it began, the last how it goes on.
func (a *Alert) evidence(e Evidence) {
	if slices.Contains(a.Evidence, e) {
		return
	}
	if len(a.Evidence) >= MaxEvidence {
		a.Evidence = slices.Delete(a.Evidence, MaxEvidence/2, MaxEvidence/2+1)
		a.Omitted++
	}
	a.Evidence = append(a.Evidence, e)
}

// Merge adds a repetition, made by Of a finding with the same Key, to the alert. The alert keeps its name, status and incident.
func (a *Alert) Merge(more *Alert) {
	a.Count += more.Count
	if more.First.Before(a.First) {
		a.First = more.First
	}
	if more.Last.After(a.Last) {
		a.Last = more.Last
	}
	if more.Severity.Rank() > a.Severity.Rank() {
		a.Severity = more.Severity
	}
	if more.Confidence >= a.Confidence {
		a.Confidence, a.Why = more.Confidence, more.Why
	}
	for _, r := range more.Reasons {
		if i := slices.IndexFunc(a.Reasons, func(x Reason) bool { return x.Type == r.Type }); i >= 0 {
			a.Reasons[i] = r
		} else if len(a.Reasons) < maxReasons {
			a.Reasons = append(a.Reasons, r)
		}
	}
	for _, e := range more.Evidence {
		a.evidence(e)
	}
	a.Omitted += more.Omitted
	g := graph{a: a}
	for _, e := range more.Entities {
		g.node(e)
	}
	for _, e := range more.Edges {
		if a.Entity(e.From) != nil && a.Entity(e.To) != nil {
			g.edge(e.From, e.To, e.Kind)
		}
	}
	for k, v := range more.Extended {
		if a.Extended == nil {
			a.Extended = map[string]string{}
		}
		a.Extended[k] = v
	}
}

// Repeats reports whether an observation of the same Key at a time still belongs to the alert: it isn't resolved, and the last observation is no longer ago than Window.
func (a *Alert) Repeats(at time.Time) bool {
	return a.Status != Resolved && at.Sub(a.Last) <= Window && a.First.Sub(at) <= Window
}
