package correlate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

// set is alerts that are connected by links.
type set struct {
	members []*node
	touched time.Time
	name    string    // of the incident, "" for none
	born    time.Time // when it was made one
	lost    bool      // some of its alerts belong elsewhere now
}

// older tells which of two incidents keeps its name.
func (s *set) older(t *set) bool {
	if c := s.born.Compare(t.born); c != 0 {
		return c < 0
	}
	return s.name > t.name // names sort newest first
}

// join makes one set of two.
func (c *Correlator) join(s, t *set) {
	if s == t {
		return
	}
	if len(s.members) < len(t.members) {
		s, t = t, s
	}
	for _, n := range t.members {
		n.set = s
	}
	s.members = append(s.members, t.members...)
	s.touched = later(s.touched, t.touched)
	s.lost = s.lost || t.lost
	c.inherit(s, t)
	delete(c.sets, t)
	delete(c.dirty, t)
	c.dirty[s] = struct{}{}
}

// inherit gives the name of one set to another, which has a name already or none.
func (c *Correlator) inherit(s, t *set) {
	if t.name == "" || t.name == s.name {
		return
	}
	if s.name == "" || t.older(s) {
		s.name, t.name, s.born, t.born = t.name, s.name, t.born, s.born
	}
	if t.name != "" {
		c.merged[t.name] = s.name
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// again judges the links within the changed sets anew. No link leads out of them: what could, led to a set that is marked as well.
func (c *Correlator) again() {
	var all []*node
	var old []*set
	for s := range c.changed {
		if _, ok := c.sets[s]; !ok {
			continue
		}
		old = append(old, s)
		all = append(all, s.members...)
		delete(c.sets, s)
		delete(c.dirty, s)
	}
	clear(c.changed)
	slices.SortFunc(all, byTime)
	for _, n := range all {
		n.was, n.set = n.set, nil
	}
	for _, n := range all {
		if n.set != nil {
			continue
		}
		s := &set{}
		n.set = s
		s.members = append(s.members, n)
		for i := 0; i < len(s.members); i++ {
			s.touched = later(s.touched, s.members[i].was.touched)
			for _, m := range c.near(s.members[i]) {
				if m.set == nil {
					m.set = s
					s.members = append(s.members, m)
				}
			}
		}
		c.sets[s] = struct{}{}
		c.dirty[s] = struct{}{}
	}
	slices.SortFunc(old, func(a, b *set) int { return cmp.Or(a.born.Compare(b.born), -strings.Compare(a.name, b.name)) })
	for _, s := range old {
		if s.name != "" {
			heir := slices.MinFunc(s.members, byTime).set
			c.inherit(heir, &set{name: s.name, born: s.born})
			heir.lost = heir.lost || s.lost || slices.ContainsFunc(s.members, func(n *node) bool { return n.set != heir })
		}
	}
	for _, n := range all {
		n.was = nil
	}
}

// changes judges the sets that the call touched, and tells what is different.
func (c *Correlator) changes(now time.Time) *Changes {
	out := &Changes{}
	touched := make([]*set, 0, len(c.dirty))
	for s := range c.dirty {
		if _, ok := c.sets[s]; ok {
			slices.SortFunc(s.members, byTime)
			touched = append(touched, s)
		}
	}
	slices.SortFunc(touched, func(a, b *set) int { return byTime(a.members[0], b.members[0]) })
	for _, s := range touched {
		if s.lost && s.name != "" && !s.qualifies(c.p) {
			out.Ended = append(out.Ended, s.name)
			s.name = ""
		}
		s.lost = false
	}
	for _, s := range touched {
		if s.name == "" && s.qualifies(c.p) {
			s.name, s.born = c.newName(s.members[0], out.Ended), now
		}
		for _, n := range s.members {
			if n.incident != s.name {
				n.incident = s.name
				out.Members = append(out.Members, Membership{n.name, s.name})
			}
		}
		if s.name != "" {
			out.Incidents = append(out.Incidents, c.incident(s, now))
		}
	}
	for from := range c.merged {
		into := c.merged[from]
		for c.merged[into] != "" {
			into = c.merged[into]
		}
		out.Merged = append(out.Merged, Merged{from, into})
	}
	clear(c.dirty)
	clear(c.merged)
	slices.SortFunc(out.Incidents, func(a, b *alerts.Alert) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Merged, func(a, b Merged) int { return strings.Compare(a.From, b.From) })
	slices.SortFunc(out.Members, func(a, b Membership) int { return strings.Compare(a.Alert, b.Alert) })
	slices.Sort(out.Ended)
	return out
}

// newName is the name of an incident that begins with an alert: made of the alert's, so that the same input gives the same names.
func (c *Correlator) newName(first *node, ended []string) string {
	used := map[string]bool{}
	for s := range c.sets {
		used[s.name] = true
	}
	for _, name := range ended {
		used[name] = true
	}
	for n := 0; ; n++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "incident|%s|%s|%d", first.subscription, first.name, n))
		sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // a GUID of version 8, "custom"
		h := hex.EncodeToString(sum[:16])
		name := alerts.NewName(first.first, h[:8]+"-"+h[8:12]+"-"+h[12:16]+"-"+h[16:20]+"-"+h[20:])
		if _, gone := c.merged[name]; !gone && !used[name] {
			return name
		}
	}
}

// named reports whether a set has a name.
func (c *Correlator) named(name string) bool {
	for s := range c.sets {
		if s.name == name {
			return true
		}
	}
	return false
}

// sweep forgets the sets that nothing was added to for long, once an hour.
func (c *Correlator) sweep(now time.Time) {
	if len(c.nodes) >= c.p.MaxAlerts {
		all := make([]*set, 0, len(c.sets))
		for s := range c.sets {
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b *set) int { return cmp.Or(a.touched.Compare(b.touched), byTime(a.members[0], b.members[0])) })
		for _, s := range all {
			if len(c.nodes) <= c.p.MaxAlerts*9/10 {
				break
			}
			c.forget(s)
		}
	}
	if now.Sub(c.swept) < time.Hour && now.After(c.swept) {
		return
	}
	c.swept = now
	for s := range c.sets {
		if now.Sub(s.touched) > c.p.Keep {
			c.forget(s)
		}
	}
}

func (c *Correlator) forget(s *set) {
	for _, n := range s.members {
		c.unlist(n)
		delete(c.nodes, n.name)
	}
	delete(c.sets, s)
	delete(c.dirty, s)
}

// bound forgets the oldest alerts of a set that is too large.
func (c *Correlator) bound(s *set) {
	if len(s.members) <= c.p.MaxMembers {
		return
	}
	slices.SortFunc(s.members, byTime)
	for _, n := range s.members[:len(s.members)-c.p.MaxMembers*9/10] {
		c.unlist(n)
		delete(c.nodes, n.name)
	}
	s.members = slices.Clone(s.members[len(s.members)-c.p.MaxMembers*9/10:])
}

// Restore enters what was kept: alerts, and the incidents they are in, which keep their names. It tells what is to be put right, as after a crash; most often nothing.
func (c *Correlator) Restore(kept []*alerts.Alert) *Changes {
	born := map[string]time.Time{}
	for _, a := range kept {
		if a.IsIncident() {
			born[a.Name] = a.Generated
		}
	}
	var now time.Time
	for _, a := range kept {
		if !Correlates(a) {
			continue
		}
		now = later(now, a.Processed)
		c.add(a.Processed, a)
		c.nodes[a.Name].incident = a.Incident
	}
	for s := range c.sets {
		right := true
		for _, n := range s.members {
			if at, ok := born[n.incident]; ok {
				c.inherit(s, &set{name: n.incident, born: at})
			}
			right = right && n.incident == s.members[0].incident
		}
		if right && s.name == s.members[0].incident && (s.name != "" || !s.qualifies(c.p)) {
			delete(c.dirty, s)
		}
	}
	return c.changes(now)
}
