package linuxaudit

// horizon is how far apart serials may come, out of order, before those between are given up.
const horizon = 1024

// gaps counts serials that never came. Serials are given out one by one from a boot on, to one machine; events of several machines, and a new boot's, start anew. Where machines take turns nothing
// is counted: which serials are whose would have to be kept for each.
type gaps struct {
	node    uint64
	base    uint64 // everything below was judged
	top     uint64 // one more than the highest that came
	seen    [horizon / 64]uint64
	started bool
	missing uint64
}

func (g *gaps) add(k key) {
	s := k.serial
	if !g.started || g.node != k.node || s+horizon < g.base || s > g.base+1<<20 {
		if g.node == k.node {
			g.flush()
		}
		*g = gaps{node: k.node, base: s, started: true, missing: g.missing}
	}
	if s < g.base {
		return // late: it was given up already
	}
	for s >= g.base+horizon {
		g.judge()
	}
	i := s % horizon
	g.seen[i/64] |= 1 << (i % 64)
	g.top = max(g.top, s+1)
}

// judge gives up waiting for the lowest serial.
func (g *gaps) judge() {
	if i := g.base % horizon; g.seen[i/64]&(1<<(i%64)) == 0 {
		g.missing++
	} else {
		g.seen[i/64] &^= 1 << (i % 64)
	}
	g.base++
}

// flush gives up waiting altogether.
func (g *gaps) flush() {
	for g.base < g.top {
		g.judge()
	}
}
