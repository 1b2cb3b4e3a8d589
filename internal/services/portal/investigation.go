package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// maxOpen bounds the nodes whose neighbours a page's address asks for.
const maxOpen = 50

// scope is the part of time that is looked at; zero times are open ends.
type scope struct{ From, To string }

// times reads the scope as the form's fields write it, or in RFC 3339, in UTC.
func (s scope) times() (from, to string, err error) {
	read := func(text string) string {
		if text == "" {
			return ""
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
			if t, e := time.Parse(layout, text); e == nil {
				return t.UTC().Format(time.RFC3339)
			}
		}
		err = fault.New(fault.Invalid, "InvalidTime", "%q is not a time such as 2018-11-20T14:30.", short(40, text))
		return ""
	}
	return read(s.From), read(s.To), err
}

func (s *Service) investigation(ctx context.Context, r *wire.Request, who *session) (any, error) {
	id := r.Query("id")
	if !alertID(id) {
		return nil, fault.New(fault.Invalid, "InvalidAlert", "%q is not the id of an alert.", short(200, id))
	}
	asked := scope{From: r.Query("from"), To: r.Query("to")}
	from, to, err := asked.times()
	if err != nil {
		return s.refused(who, "alerts", err)
	}
	q := url.Values{"api-version": {alertsVersion}, "depth": {"8"}}
	if from != "" {
		q.Set("from", from)
	}
	if to != "" {
		q.Set("to", to)
	}
	var got investigationAnswer
	if err := s.call(ctx, r, who, http.MethodGet, id+"/investigation?"+q.Encode(), nil, &got); err != nil {
		return s.refused(who, "alerts", err)
	}
	g := newGraph(got.Nodes, got.Edges)
	focus := r.Query("focus")
	if g.nodes[focus] == nil {
		focus = got.Focus
	}
	open := r.HTTP.URL.Query()["open"]
	open = open[:min(len(open), maxOpen)]
	way := got.Path
	if focus != got.Focus && len(way) > 0 {
		way = g.path(way[0], focus)
	}
	view := address{id: id, focus: focus, open: open, scope: asked}
	way = slices.DeleteFunc(way, func(id string) bool { return g.nodes[id] == nil }) // outside of the time asked for
	d := g.draw(focus, open, way)
	for i := range d.Nodes {
		n := &d.Nodes[i]
		n.FocusOn = view.on(n.ID)
		if n.Hidden > 0 {
			n.ExpandTo = view.with(n.ID)
		}
	}
	data := struct {
		Drawing *drawing
		Way     []box
		Focus   *node
		Facts   []fact
		Near    []neighbour
		ID      string
		Scope   scope
		Back    string
		Cut     bool
	}{Cut: got.Truncated, Drawing: d, Focus: g.nodes[focus], ID: id, Scope: asked, Back: alert{ID: id}.Link()}
	for _, n := range way {
		data.Way = append(data.Way, box{node: *g.nodes[n], FocusOn: view.on(n)})
	}
	if data.Focus != nil {
		data.Facts, data.Near = facts(data.Focus), g.neighbours(focus, view)
	}
	return s.render("investigation", http.StatusOK, page{
		Title: "Investigation", Who: who, Room: "alerts", Path: []step{{"Home", "/"}, {"Security", "/security"}, {"Alerts", "/security/alerts"}, {"Alert", data.Back}}, Script: "graph.js", Data: data,
	})
}

// investigationAnswer is the service's.
type investigationAnswer struct {
	Focus     string   `json:"focus"`
	Path      []string `json:"path"` // from the incident, if there is one, to the focus
	Nodes     []node   `json:"nodes"`
	Edges     []edge   `json:"edges"`
	Truncated bool     `json:"truncated"`
}

// address is that of an investigation's page.
type address struct {
	id, focus string
	open      []string
	scope     scope
}

func (a address) link() string {
	q := url.Values{"id": {a.id}, "focus": {a.focus}}
	for _, o := range a.open {
		q.Add("open", o)
	}
	if a.scope.From != "" {
		q.Set("from", a.scope.From)
	}
	if a.scope.To != "" {
		q.Set("to", a.scope.To)
	}
	return "/security/investigation?" + q.Encode()
}

// on is the same page with another focus.
func (a address) on(focus string) string { a.focus = focus; return a.link() }

// with is the same page with the neighbours of a node, too.
func (a address) with(open string) string {
	if !slices.Contains(a.open, open) {
		a.open = append(slices.Clone(a.open), open)
	}
	return a.link()
}

// fact is a line about the focus.
type fact struct{ Name, Value string }

func facts(n *node) []fact {
	out := []fact{{"Kind", n.Type}, {"Name", n.Label}}
	if n.Severity != "" {
		out = append(out, fact{"Severity", n.Severity})
	}
	if d := n.Details; d != nil {
		for _, f := range []fact{
			{"Command line", d.CommandLine},
			{"Running file", d.Image},
			{"Started in", d.Dir},
			{"Resource", d.ResourceID},
			{"Type", d.AlertType},
			{"Phase", d.Intent},
			{"Status", d.Status},
			{"What was seen", d.Description},
		} {
			if f.Value != "" {
				out = append(out, f)
			}
		}
		if d.PID != 0 {
			out = append(out, fact{"Process", strconv.FormatUint(uint64(d.PID), 10)})
		}
	}
	if !n.From.IsZero() {
		out = append(out, fact{"From", clockTime(n.From)})
	}
	if !n.To.IsZero() && !n.To.Equal(n.From) {
		out = append(out, fact{"To", clockTime(n.To)})
	}
	return out
}

// neighbour is what the focus has to do with directly.
type neighbour struct{ How, Kind, Label, Link, Time string }

func (g *graph) neighbours(focus string, view address) []neighbour {
	var out []neighbour
	for _, e := range g.edges {
		other, how := e.To, e.Type
		if e.To == focus {
			other, how = e.From, "is what this "+e.Type
		} else if e.From != focus {
			continue
		}
		n := g.nodes[other]
		out = append(out, neighbour{how, n.Type, n.Label, view.on(other), clockTime(e.Time)})
	}
	slices.SortStableFunc(out, func(a, b neighbour) int { return strings.Compare(a.Time, b.Time) })
	return out[:min(len(out), 200)]
}
