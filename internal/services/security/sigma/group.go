package sigma

import (
	"container/list"
	"math"
	"slices"
	"strconv"
	"time"
)

// group is what a correlation remembers of the hits with the same values of its group-by fields.
type group struct {
	chain       int32
	rule        *Correlation
	correlation int
	key         string
	values      []string
	element     *list.Element
	serial      uint64
	due         int // its place among those that wait for an end, negative if it isn't there

	first, last time.Time
	events      []entry             // in order of time
	seen        map[string]struct{} // of value_count that waits for an end
	count       int
	sum         float64
	every       int // of percentiles: one value of so many is kept
}

// entry is one hit that still counts.
type entry struct {
	at    time.Time
	start time.Time // of temporal_ordered: when the best chain that ends here began
	value string
	n     float64
	part  int
}

// mostEntries bounds the entries of one group where the condition doesn't.
const mostEntries = 10_000

func (g *group) end() time.Time { return g.first.Add(g.rule.Timespan) }

func (g *group) size() int { return 1 + len(g.events) + len(g.seen) }

// take adds a hit. fires reports that the condition holds now.
func (g *group) take(part int, at time.Time, p *part, get func(int32) []byte) (measure float64, fires bool) {
	if g.last.IsZero() {
		g.first, g.last = at, at
	}
	if at.After(g.last) {
		g.last = at
	}
	if g.last.Sub(at) > g.rule.Timespan {
		return 0, false
	}
	e := entry{at: at, part: part, n: 1}
	switch g.rule.Type {
	case ValueCount:
		for _, f := range p.fields {
			v := get(f)
			if v == nil {
				return 0, false
			}
			e.value += strconv.Itoa(len(v)) + ":" + string(v)
		}
	case ValueSum, ValueAvg, ValuePercentile:
		n, ok := parseNumber(get(p.fields[0]))
		if !ok {
			return 0, false
		}
		e.n = n
	}
	if !g.rule.atOnce() {
		g.collect(e)
		return 0, false
	}
	g.expire()
	return g.judge(e)
}

// expire drops what is older than the time span.
func (g *group) expire() {
	from := g.last.Add(-g.rule.Timespan)
	n := 0
	for n < len(g.events) && g.events[n].at.Before(from) {
		n++
	}
	g.events = slices.Delete(g.events, 0, n)
}

func (g *group) insert(e entry) {
	i := len(g.events)
	for i > 0 && g.events[i-1].at.After(e.at) {
		i--
	}
	g.events = slices.Insert(g.events, i, e)
	g.first = g.events[0].at
}

func (g *group) judge(e entry) (float64, bool) {
	switch g.rule.Type {
	case TemporalOrdered:
		return g.inOrder(e)
	case ValueCount:
		g.replace(e, func(o entry) bool { return o.value == e.value })
	case Temporal:
		g.replace(e, func(o entry) bool { return o.part == e.part })
	case ValueSum:
		g.insert(e)
		if len(g.events) > mostEntries { // the two oldest become one, as old as the younger
			g.events[1].n += g.events[0].n
			g.events = slices.Delete(g.events, 0, 1)
		}
		sum := 0.0
		for _, o := range g.events {
			sum += o.n
		}
		return sum, g.rule.holds(sum)
	default:
		g.insert(e)
	}
	n := float64(len(g.events))
	return n, g.rule.holds(n)
}

// replace keeps only the latest of the entries that are the same.
func (g *group) replace(e entry, same func(entry) bool) {
	if i := slices.IndexFunc(g.events, same); i >= 0 {
		if g.events[i].at.After(e.at) {
			return
		}
		g.events = slices.Delete(g.events, i, i+1)
	}
	g.insert(e)
}

// inOrder keeps, for each part, the chain up to it that began last: if any chain will be complete in time, that one will.
func (g *group) inOrder(e entry) (float64, bool) {
	e.start = e.at
	if e.part > 0 {
		i := slices.IndexFunc(g.events, func(o entry) bool { return o.part == e.part-1 })
		if i < 0 || g.events[i].at.After(e.at) || e.at.Sub(g.events[i].start) > g.rule.Timespan {
			return 0, false
		}
		e.start = g.events[i].start
	}
	if n := len(g.rule.Rules); e.part == n-1 {
		g.first = e.start
		return float64(n), true
	}
	g.replace(e, func(o entry) bool { return o.part == e.part })
	return 0, false
}

// collect adds to a window that is judged at its end.
func (g *group) collect(e entry) {
	if g.count == 0 {
		g.first = e.at
	}
	g.count++
	g.sum += e.n
	switch g.rule.Type {
	case ValueCount:
		if g.seen == nil {
			g.seen = map[string]struct{}{}
		}
		if len(g.seen) < largestCount {
			g.seen[e.value] = struct{}{}
		}
	case ValuePercentile:
		if g.every == 0 {
			g.every = 1
		}
		if g.count%g.every != 0 {
			return
		}
		g.events = append(g.events, e)
		if len(g.events) >= mostEntries { // from now on one of twice as many
			kept := g.events[:0]
			for i := 1; i < len(g.events); i += 2 {
				kept = append(kept, g.events[i])
			}
			g.events, g.every = kept, 2*g.every
		}
	}
}

// measure is what the condition of a window is asked about.
func (g *group) measure() (float64, bool) {
	switch g.rule.Type {
	case ValueCount:
		return float64(len(g.seen)), true
	case ValueSum:
		return g.sum, true
	case ValueAvg:
		return g.sum / float64(g.count), g.count > 0
	case ValuePercentile:
		if len(g.events) == 0 {
			return 0, false
		}
		sorted := make([]float64, len(g.events))
		for i, e := range g.events {
			sorted[i] = e.n
		}
		slices.Sort(sorted)
		rank := int(math.Ceil(g.rule.Percentile / 100 * float64(len(sorted))))
		return sorted[max(rank, 1)-1], true
	}
	return float64(g.count), true
}
