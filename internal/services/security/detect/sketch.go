package detect

import (
	"github.com/axiomhq/hyperloglog"
)

const (
	maxExact  = 64        // members of a set that are kept one by one; of more, only how many there are is
	precision = 11        // of what counts larger sets: off by 2.3 % as a rule, in 2 KiB
	half      = 12 * hour // sets and counts of a day are kept in two halves, of which the older is forgotten at once
	hour      = 3600 * 1000
)

// distinct counts different things, exactly while there are few. The zero value is empty.
type distinct struct {
	exact  map[uint64]struct{}
	sketch *hyperloglog.Sketch
}

func (d *distinct) add(hash uint64) {
	if d.sketch != nil {
		d.sketch.InsertHash(mix(hash))
		return
	}
	if d.exact == nil {
		d.exact = map[uint64]struct{}{}
	}
	if d.exact[hash] = struct{}{}; len(d.exact) <= maxExact {
		return
	}
	d.sketch, _ = hyperloglog.NewSketch(precision, true)
	for h := range d.exact {
		d.sketch.InsertHash(mix(h))
	}
	d.exact = nil
}

// day counts what happened, and different things, in the last 12 to 24 hours.
type day struct {
	from   int64 // when the younger half began, 0 before the first
	events [2]int
	things [2]distinct
}

func (d *day) add(millis int64, n int, thing uint64) {
	d.turn(millis)
	d.events[0] += n
	d.things[0].add(thing)
}

func (d *day) turn(millis int64) {
	if age := millis - d.from; d.from == 0 || age >= 2*half {
		*d = day{from: millis}
	} else if age >= half {
		d.from += half
		d.events = [2]int{0, d.events[0]}
		d.things = [2]distinct{{}, d.things[0]}
	}
}

// count is how often, and of how many things; a thing of both halves counts once while the numbers are small.
func (d *day) count() (events, things int) {
	events = d.events[0] + d.events[1]
	a, b := &d.things[0], &d.things[1]
	if a.sketch == nil && b.sketch == nil {
		things = len(a.exact)
		for h := range b.exact {
			if _, ok := a.exact[h]; !ok {
				things++
			}
		}
		return events, things
	}
	all, _ := hyperloglog.NewSketch(precision, true)
	for _, d := range [...]*distinct{a, b} {
		if d.sketch != nil {
			_ = all.Merge(d.sketch) // fails only where precisions differ
		}
		for h := range d.exact {
			all.InsertHash(mix(h))
		}
	}
	return events, int(all.Estimate())
}

// countMin tells how often things happened, never less than it was, in memory that doesn't grow: what is counted for those that are no longer kept one by one.
type countMin struct {
	rows [countRows][countColumns]uint16
}

const (
	countRows    = 4
	countColumns = 2048
)

func (c *countMin) cell(row int, hash uint64) *uint16 {
	h := mix(hash + uint64(row)*0x9e3779b97f4a7c15)
	return &c.rows[row][h%countColumns]
}

// raise makes the count of a thing at least n. Only cells that are below are changed.
func (c *countMin) raise(hash uint64, n int) {
	for row := range countRows {
		if cell := c.cell(row, hash); int(*cell) < n {
			*cell = uint16(min(n, 1<<16-1))
		}
	}
}

func (c *countMin) count(hash uint64) int {
	n := 1 << 16
	for row := range countRows {
		n = min(n, int(*c.cell(row, hash)))
	}
	return n
}

// hashOf is FNV-1a.
func hashOf(parts ...[]byte) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for _, c := range p {
			h = (h ^ uint64(c)) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return h
}

// mix spreads a hash over all its bits (the end of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
