package sigma

import (
	"container/heap"
	"container/list"
	"encoding/binary"
	"slices"
	"time"
)

// CorrelatorLimits bound what a correlator remembers. The zero value is a sensible choice.
type CorrelatorLimits struct {
	Groups  int // of all correlations together; 65,536 if zero
	Entries int // times and values of all groups together; 1,048,576 if zero
}

// Hit is one match of a rule, as Match gives it.
type Hit struct {
	Rule   int32
	Time   time.Time // of the event
	Values [][]byte  // of the event, by number of field
}

// Firing is a correlation whose condition holds.
type Firing struct {
	Correlation int // its number in the set
	First, Last time.Time
	Group       []string // the values of its group-by fields
	Measure     float64  // the count, sum, average or percentile that met the condition
	Silent      bool     // only there for another correlation
}

// Correlator watches the matches of one set's rules. It is deterministic: it knows no time but that of hits and of Advance, and what it answers depends only on
// the order of the calls. It is not safe for concurrent use.
//
// A condition of gt or gte is judged at each hit, over the time span that ends with it; when it holds, what it was made of is used up. Other conditions, and
// those of averages and percentiles, are judged when the time span that began with a group's first hit has passed.
type Correlator struct {
	set     *Set
	limits  CorrelatorLimits
	groups  map[string]*group
	used    *list.List // of *group, the least recently used first
	due     dueGroups
	entries int
	serial  uint64
	evicted uint64
	key     []byte
	out     []Firing
}

// NewCorrelator makes one for the correlations of a set.
func NewCorrelator(s *Set, l CorrelatorLimits) *Correlator {
	if l.Groups <= 0 {
		l.Groups = 1 << 16
	}
	if l.Entries <= 0 {
		l.Entries = 1 << 20
	}
	return &Correlator{set: s, limits: l, groups: map[string]*group{}, used: list.New()}
}

// Evicted counts the groups that were forgotten before their time because the limits were reached.
func (c *Correlator) Evicted() uint64 { return c.evicted }

// Groups counts the groups that are remembered.
func (c *Correlator) Groups() int { return len(c.groups) }

// Feed takes a match and gives what fires by it; of windows that have passed only those of the groups that it belongs to. An event without one of the
// group-by fields belongs to none. Hits may come somewhat out of order; one that is older than a group's time span is passed over. What is given is valid until
// the next call.
func (c *Correlator) Feed(h Hit) []Firing {
	c.out = c.out[:0]
	for _, l := range c.set.links[h.Rule] {
		p := &c.set.chains[l.chain].parts[l.part]
		if !hasAll(h.Values, p.group) {
			continue
		}
		c.hit(l, h.Time, func(place int32) []byte { return value(h.Values, place) })
	}
	return c.out
}

// Advance tells the time, so that windows end also when nothing comes, and gives what fires by it. What is given is valid until the next call.
func (c *Correlator) Advance(now time.Time) []Firing {
	c.out = c.out[:0]
	for len(c.due) > 0 && !c.due[0].end().After(now) {
		g := c.due[0]
		c.close(g)
	}
	for e := c.used.Front(); e != nil; e = c.used.Front() {
		g := e.Value.(*group)
		if g.rule.Timespan >= now.Sub(g.last) {
			break
		}
		c.forget(g)
	}
	return c.out
}

func hasAll(values [][]byte, fields []int32) bool {
	for _, f := range fields {
		if value(values, f) == nil {
			return false
		}
	}
	return true
}

// hit adds one match to the group it belongs to.
func (c *Correlator) hit(l link, at time.Time, get func(place int32) []byte) {
	ch := &c.set.chains[l.chain]
	p := &ch.parts[l.part]
	g := c.find(l.chain, p, get)
	if g != nil && g.due >= 0 && !at.Before(g.end()) {
		c.close(g) // may come back here for another chain
		g = c.find(l.chain, p, get)
	}
	if g == nil {
		g = c.open(l.chain, ch)
		for _, f := range p.group {
			g.values = append(g.values, string(get(f)))
		}
	}
	c.used.MoveToBack(g.element)
	before := g.size()
	measure, fires := g.take(int(l.part), at, p, get)
	c.entries += g.size() - before
	switch {
	case fires:
		first, last := g.first, g.last
		c.forget(g)
		c.fire(g, first, last, measure)
	case g.due < 0 && g.count > 0:
		heap.Push(&c.due, g)
	}
	c.shrink(g)
}

// find looks for the group of a match; its key stays in c.key.
func (c *Correlator) find(number int32, p *part, get func(place int32) []byte) *group {
	c.key = binary.AppendVarint(c.key[:0], int64(number))
	for _, f := range p.group {
		v := get(f)
		c.key = binary.AppendUvarint(c.key, uint64(len(v)))
		c.key = append(c.key, v...)
	}
	return c.groups[string(c.key)]
}

// open makes the group that was not found.
func (c *Correlator) open(number int32, ch *chain) *group {
	c.serial++
	g := &group{
		chain: number, rule: c.set.Correlations[ch.correlation], correlation: int(ch.correlation), key: string(c.key), due: -1, serial: c.serial,
	}
	g.element = c.used.PushBack(g)
	c.groups[g.key] = g
	c.entries += g.size()
	return g
}

// close judges a window that has passed.
func (c *Correlator) close(g *group) {
	first, last := g.first, g.end()
	measure, ok := g.measure()
	c.forget(g)
	if ok && g.rule.holds(measure) {
		c.fire(g, first, last, measure)
	}
}

func (c *Correlator) forget(g *group) {
	if c.groups[g.key] != g {
		return
	}
	delete(c.groups, g.key)
	c.used.Remove(g.element)
	if g.due >= 0 {
		heap.Remove(&c.due, g.due)
	}
	c.entries -= g.size()
}

// shrink keeps the limits: the group that was not used for longest goes first.
func (c *Correlator) shrink(keep *group) {
	for len(c.groups) > c.limits.Groups || c.entries > c.limits.Entries {
		g := c.used.Front().Value.(*group)
		c.forget(g)
		c.evicted++
		if g == keep {
			return
		}
	}
}

// fire tells of a correlation and hands it to those that build on it.
func (c *Correlator) fire(g *group, first, last time.Time, measure float64) {
	parents := c.set.links[linkOf(g.chain)]
	generates := func(l link) bool { return c.set.Correlations[c.set.chains[l.chain].correlation].Generate }
	c.out = append(c.out, Firing{
		Correlation: g.correlation, First: first, Last: last, Group: g.values, Measure: measure,
		Silent: len(parents) > 0 && !slices.ContainsFunc(parents, generates),
	})
	for _, l := range parents {
		c.hit(l, last, func(place int32) []byte { return []byte(g.values[place]) })
	}
}

// dueGroups is a heap of the groups that wait for the end of their window.
type dueGroups []*group

func (d dueGroups) Len() int { return len(d) }

func (d dueGroups) Less(i, j int) bool {
	if a, b := d[i].end(), d[j].end(); !a.Equal(b) {
		return a.Before(b)
	}
	return d[i].serial < d[j].serial
}

func (d dueGroups) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].due, d[j].due = i, j
}

// Push is for container/heap.
func (d *dueGroups) Push(x any) {
	g := x.(*group)
	g.due = len(*d)
	*d = append(*d, g)
}

// Pop is for container/heap.
func (d *dueGroups) Pop() any {
	old := *d
	g := old[len(old)-1]
	*d = old[:len(old)-1]
	g.due = -1
	return g
}
