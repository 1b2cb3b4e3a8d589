package sigma

import (
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// keptState is what a Correlator remembers, so that another one goes on where it was: after a restart, or with a set that changed in part.
type keptState struct {
	Groups []keptGroup `json:"g,omitempty"` // the least recently used first
}

type keptGroup struct {
	Of     string      `json:"of"` // what the correlation is, see identity
	Values [][]byte    `json:"v,omitempty"`
	First  int64       `json:"f"` // milliseconds
	Last   int64       `json:"l"`
	Count  int         `json:"c,omitempty"`
	Sum    uint64      `json:"s,omitempty"` // bits
	Every  int         `json:"y,omitempty"`
	Seen   [][]byte    `json:"n,omitempty"`
	Events []keptEntry `json:"e,omitempty"`
}

type keptEntry struct {
	At    int64  `json:"t"`
	Start *int64 `json:"b,omitempty"`
	Value []byte `json:"v,omitempty"`
	N     uint64 `json:"n,omitempty"` // bits
	Part  int    `json:"p,omitempty"`
}

// identity is what has to be the same for what was remembered of a correlation to mean the same: all of it but its title and the like. What its rules match may have changed.
func (c *Correlation) identity() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d %q %q %v %v", c.Key(), c.Type, c.Rules, c.GroupBy, c.Timespan, c.Fields, fmt.Sprint(c.Aliases), c.Percentile, c.bounds))
	return hex.EncodeToString(sum[:12])
}

// Snapshot is what is remembered, in about so many bytes at most: what was not used for longest is left out first. It gives nil if there is nothing.
func (c *Correlator) Snapshot(most int) []byte {
	var out keptState
	size := 0
	for e := c.used.Back(); e != nil; e = e.Prev() {
		g := e.Value.(*group)
		if g.last.IsZero() {
			continue
		}
		k := g.kept()
		for _, v := range slices.Concat(k.Values, k.Seen) {
			size += 4 + len(v)*4/3
		}
		for i := range k.Events {
			size += 60 + len(k.Events[i].Value)*4/3
		}
		if size += 120; size > most {
			break
		}
		out.Groups = append(out.Groups, k)
	}
	if len(out.Groups) == 0 {
		return nil
	}
	slices.Reverse(out.Groups)
	b, err := json.Marshal(out)
	if err != nil {
		return nil // it is made of what can be written
	}
	return b
}

func (g *group) kept() keptGroup {
	k := keptGroup{Of: g.rule.identity(), First: g.first.UnixMilli(), Last: g.last.UnixMilli(), Count: g.count, Sum: math.Float64bits(g.sum), Every: g.every}
	for _, v := range g.values {
		k.Values = append(k.Values, []byte(v))
	}
	for v := range g.seen {
		k.Seen = append(k.Seen, []byte(v))
	}
	slices.SortFunc(k.Seen, slices.Compare) // so that the same is written the same
	for _, e := range g.events {
		x := keptEntry{At: e.at.UnixMilli(), Value: []byte(e.value), N: math.Float64bits(e.n), Part: e.part}
		if !e.start.IsZero() {
			x.Start = new(int64)
			*x.Start = e.start.UnixMilli()
		}
		k.Events = append(k.Events, x)
	}
	return k
}

// Restore takes in what a Snapshot remembered, of the correlations that are the same in this set. It is for a Correlator that was just made; what can't be read is an error, and leaves it as it was.
func (c *Correlator) Restore(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	var in keptState
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("what correlations remembered can't be read: %w", err)
	}
	chains := map[string]int32{}
	for n := range c.set.chains {
		chains[c.set.Correlations[c.set.chains[n].correlation].identity()] = int32(n)
	}
	for i := range in.Groups {
		if number, ok := chains[in.Groups[i].Of]; ok {
			c.restore(number, &in.Groups[i])
		}
	}
	return nil
}

// restore takes in one group, unless it can't be one of the correlation's.
func (c *Correlator) restore(number int32, k *keptGroup) {
	ch := &c.set.chains[number]
	if len(ch.parts) == 0 || len(k.Values) != len(ch.parts[0].group) || k.Count < 0 || k.Every < 0 || len(k.Events) > mostEntries+1 || len(k.Seen) > largestCount || k.Last < k.First {
		return
	}
	for _, e := range k.Events {
		if e.Part < 0 || e.Part >= len(ch.parts) {
			return
		}
	}
	places := make([]int32, len(k.Values))
	for i := range places {
		places[i] = int32(i)
	}
	if c.find(number, &part{group: places}, func(n int32) []byte { return k.Values[n] }) != nil {
		return
	}
	g := c.open(number, ch)
	c.entries -= g.size()
	for _, v := range k.Values {
		g.values = append(g.values, string(v))
	}
	g.first, g.last = time.UnixMilli(k.First), time.UnixMilli(k.Last)
	g.count, g.sum, g.every = k.Count, math.Float64frombits(k.Sum), k.Every
	for _, v := range k.Seen {
		if g.seen == nil {
			g.seen = map[string]struct{}{}
		}
		g.seen[string(v)] = struct{}{}
	}
	for _, e := range k.Events {
		x := entry{at: time.UnixMilli(e.At), value: string(e.Value), n: math.Float64frombits(e.N), part: e.Part}
		if e.Start != nil {
			x.start = time.UnixMilli(*e.Start)
		}
		g.events = append(g.events, x)
	}
	if g.rule.atOnce() {
		slices.SortStableFunc(g.events, func(a, b entry) int { return cmp.Compare(a.at.UnixMilli(), b.at.UnixMilli()) })
		g.count = 0
	} else if g.count > 0 {
		heap.Push(&c.due, g)
	}
	c.entries += g.size()
	c.shrink(g)
}
