package correlate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// Params are the thresholds. The zero value is not useful; DefaultParams is.
type Params struct {
	Window time.Duration // alerts further apart are not linked
	Keep   time.Duration // sets that no alert was added to for so long are forgotten

	MaxAlerts  int // that are held; beyond, the sets that were not added to for longest are forgotten
	MaxMembers int // of one set; beyond, its oldest are forgotten

	Tactics   int     // an incident has so many tactics,
	Severity  int     // or so bad alerts: Low counts 1, Medium 3, High 6;
	Witnesses int     // in any case so many types of alerts that are Medium or worse and Sure; a High one counts for two, one that isn't sure for a quarter
	Sure      float64 // the confidence from which on an alert is
	Score     float64 // and is this sure
}

// DefaultParams are those of correlation where none are set.
func DefaultParams() Params {
	return Params{Window: 48 * time.Hour, Keep: 72 * time.Hour, MaxAlerts: 20_000, MaxMembers: 1000, Tactics: 2, Severity: 9, Witnesses: 2, Sure: 0.65, Score: 0.6}
}

// maxNear is how many alerts that share a thing are compared with a new one: those nearest in time.
const maxNear = 256

// Correlator holds the alerts of one subscription that may still be joined. Not for concurrent use.
type Correlator struct {
	p     Params
	nodes map[string]*node
	keys  map[key]*entry
	sets  map[*set]struct{}
	swept time.Time
	pairs int // compared so far

	// of the call that is under way
	dirty   map[*set]struct{}
	changed map[*set]struct{} // that rest on what became common, or rare
	merged  map[string]string
}

// entry is one thing that alerts have.
type entry struct {
	members  []*node // by time
	contexts []occasion
}

type occasion struct {
	context uint64
	n       int
}

func (e *entry) count() int { return len(e.contexts) }

// New makes a Correlator that holds nothing.
func New(p Params) *Correlator {
	return &Correlator{
		p: p, nodes: map[string]*node{}, keys: map[key]*entry{}, sets: map[*set]struct{}{},
		dirty: map[*set]struct{}{}, changed: map[*set]struct{}{}, merged: map[string]string{},
	}
}

// Changes is what a call did.
type Changes struct {
	Incidents []*alerts.Alert // made or changed, as alerts; by name. Generated and Processed are the time of the call.
	Merged    []Merged        // incidents that are part of another now, by name
	Ended     []string        // incidents that are none any more: what joined their alerts turned out to be common
	Members   []Membership    // alerts that are in another incident than before, by name
}

// Merged tells which incident went into which.
type Merged struct{ From, Into string }

// Membership tells in which incident an alert is; "" is none.
type Membership struct{ Alert, Incident string }

// Len is how many alerts are held.
func (c *Correlator) Len() int { return len(c.nodes) }

// Correlates reports whether an alert takes part: incidents, simulated alerts and those that a suppression rule dismissed don't.
func Correlates(a *alerts.Alert) bool {
	return !a.IsIncident() && !a.Simulated && a.Suppressed == "" && a.Name != ""
}

// Add enters alerts, new ones and ones that changed, and tells what that did. The alerts are not kept. now is when they are added; it decides what is forgotten and how old
// incidents are, not what is joined.
func (c *Correlator) Add(now time.Time, add ...*alerts.Alert) *Changes {
	c.sweep(now)
	for _, a := range add {
		if !Correlates(a) {
			continue
		}
		_, held := c.nodes[a.Name]
		c.add(now, a)
		if n := c.nodes[a.Name]; !held && n != nil && a.Incident != "" { // of an incident that was forgotten meanwhile: it goes on
			n.incident = a.Incident
			if !c.named(a.Incident) {
				c.inherit(n.set, &set{name: a.Incident, born: now})
			}
		}
	}
	return c.changes(now)
}

func (c *Correlator) add(now time.Time, a *alerts.Alert) {
	n := newNode(a)
	was := c.nodes[n.name]
	if was == nil {
		n.set = &set{members: []*node{n}}
		c.sets[n.set] = struct{}{}
	} else {
		n.set, n.incident = was.set, was.incident
		n.set.members[slices.Index(n.set.members, was)] = n
		if !grown(was, n) {
			c.changed[n.set] = struct{}{}
		}
	}
	c.nodes[n.name] = n
	c.relist(was, n)
	n.set.touched = now
	c.dirty[n.set] = struct{}{}
	near := c.near(n)
	if len(c.changed) == 0 {
		for _, m := range near {
			c.join(n.set, m.set)
		}
	} else {
		c.changed[n.set] = struct{}{}
		for _, m := range near {
			c.changed[m.set] = struct{}{}
		}
		c.again()
	}
	c.bound(n.set)
}

// grown reports whether an alert has all it had, so that no link of it can have ended.
func grown(was, n *node) bool {
	if n.first.After(was.first) || n.last.Before(was.last) || n.machine != was.machine {
		return false
	}
	i := 0
	for _, f := range was.features {
		for i < len(n.features) && n.features[i] != f {
			i++
		}
		if i == len(n.features) {
			return false
		}
	}
	return true
}

// relist enters an alert under all it has, in the place of what it was, and marks the sets that rest on what became more or less common by it.
func (c *Correlator) relist(was, n *node) {
	type count struct{ free, before int }
	counts := map[key]count{}
	note := func(n *node) {
		for _, f := range n.features {
			if f.free > 0 {
				counts[f.key] = count{f.free, c.contexts(f.key)}
			}
		}
	}
	note(n)
	if was != nil {
		note(was)
		c.unlist(was)
	}
	c.list(n)
	for k, x := range counts {
		if e := c.keys[k]; e != nil && rare(linkAt, x.free, x.before) != rare(linkAt, x.free, e.count()) {
			for _, m := range e.members {
				c.changed[m.set] = struct{}{}
			}
		}
	}
}

func (c *Correlator) contexts(k key) int {
	if e := c.keys[k]; e != nil {
		return e.count()
	}
	return 0
}

// list enters an alert under each thing it has.
func (c *Correlator) list(n *node) {
	for i, f := range n.features {
		if i > 0 && n.features[i-1].key == f.key {
			continue // in another role
		}
		e := c.keys[f.key]
		if e == nil {
			e = &entry{}
			c.keys[f.key] = e
		}
		at, _ := slices.BinarySearchFunc(e.members, n, byTime)
		e.members = slices.Insert(e.members, at, n)
		if f.context != 0 {
			e.counts(f.context, 1)
		}
	}
}

func (c *Correlator) unlist(n *node) {
	for i, f := range n.features {
		if i > 0 && n.features[i-1].key == f.key {
			continue
		}
		e := c.keys[f.key]
		if at, ok := slices.BinarySearchFunc(e.members, n, byTime); ok {
			e.members = slices.Delete(e.members, at, at+1)
		}
		if f.context != 0 {
			e.counts(f.context, -1)
		}
		if len(e.members) == 0 {
			delete(c.keys, f.key)
		}
	}
}

// counts adds to how many alerts have a thing in a context. Of those that are common already no more contexts are kept than it takes to know.
func (e *entry) counts(context uint64, n int) {
	at := slices.IndexFunc(e.contexts, func(o occasion) bool { return o.context == context })
	switch {
	case at >= 0:
		if e.contexts[at].n += n; e.contexts[at].n <= 0 {
			e.contexts = slices.Delete(e.contexts, at, at+1)
		}
	case n > 0 && len(e.contexts) < maxContexts:
		e.contexts = append(e.contexts, occasion{context, n})
	}
}

// near are the alerts that one is linked with.
func (c *Correlator) near(n *node) (linked []*node) {
	seen := map[*node]bool{n: true}
	for i := range n.features {
		f := &n.features[i]
		e := c.keys[f.key]
		if rare(max(f.weight, f.across), f.free, e.count()) == 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(e.members, n, byTime)
		for _, m := range e.members[max(0, at-maxNear/2):min(len(e.members), at+maxNear/2)] {
			if !seen[m] {
				seen[m] = true
				if c.linked(n, m) {
					linked = append(linked, m)
				}
			}
		}
	}
	return linked
}

func byTime(a, b *node) int {
	return cmp.Or(a.first.Compare(b.first), strings.Compare(a.name, b.name))
}
