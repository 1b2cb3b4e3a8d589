package metrics

import "math"

// ring is the cells of minutes that follow each other. While each is empty or of a single measurement, which is what most series have, one number stands for a cell; from the
// first that is not, four do. The zero value has none.
type ring struct {
	v    []float64
	wide bool
}

// Positions of a wide cell's numbers.
const (
	ringSum = iota
	ringMin
	ringMax
	ringCount
	ringWide
)

// nothing stands for an empty cell while a cell is one number: what is kept is never NaN.
var nothing = math.NaN()

// single tells whether one number is all there is to know of a cell.
func (c *Cell) single() bool { return c.Count == 1 && c.Min == c.Sum && c.Max == c.Sum }

func (g *ring) len() int {
	if g.wide {
		return len(g.v) / ringWide
	}
	return len(g.v)
}

func (g *ring) at(i int) Cell {
	if g.wide {
		v := g.v[i*ringWide : i*ringWide+ringWide]
		return Cell{v[ringSum], v[ringMin], v[ringMax], v[ringCount]}
	}
	if v := g.v[i]; v == v { //nolint:gocritic // not NaN
		return Of(v)
	}
	return Cell{}
}

func (g *ring) merge(i int, c Cell) {
	if !g.wide {
		if g.v[i] != g.v[i] && c.single() { //nolint:gocritic // NaN
			g.v[i] = c.Sum
			return
		}
		g.widen()
	}
	have := g.at(i)
	have.Merge(c)
	v := g.v[i*ringWide : i*ringWide+ringWide]
	v[ringSum], v[ringMin], v[ringMax], v[ringCount] = have.Sum, have.Min, have.Max, have.Count
}

func (g *ring) widen() {
	next := ring{v: make([]float64, len(g.v)*ringWide, max(cap(g.v), len(g.v))*ringWide), wide: true}
	for i := range g.v {
		c := g.at(i)
		v := next.v[i*ringWide : i*ringWide+ringWide]
		v[ringSum], v[ringMin], v[ringMax], v[ringCount] = c.Sum, c.Min, c.Max, c.Count
	}
	*g = next
}

// resize makes the ring n cells long, with at least as many as it has; what is new is empty and, as front says, before or after what there is.
func (g *ring) resize(n int, front bool) {
	each := 1
	if g.wide {
		each = ringWide
	}
	old := g.v
	if n*each > cap(old) {
		size := 4
		for _, s := range []int{16, ringMinutes} {
			if n > size {
				size = s
			}
		}
		g.v = make([]float64, n*each, size*each)
	} else {
		g.v = old[:n*each]
	}
	added := len(g.v) - len(old)
	from, to := len(old), len(g.v)
	if front {
		from, to = 0, added
		copy(g.v[added:], old)
	} else {
		copy(g.v, old)
	}
	blank := nothing
	if g.wide {
		blank = 0
	}
	for i := from; i < to; i++ {
		g.v[i] = blank
	}
}

// drop takes out the first n cells.
func (g *ring) drop(n int) {
	if g.wide {
		n *= ringWide
	}
	g.v = g.v[:copy(g.v, g.v[n:])]
}

// window merges the cells [lo, hi), and tells how many of them have data.
func (g *ring) window(lo, hi int) (c Cell, present int) {
	if !g.wide {
		c.Min, c.Max = math.Inf(1), math.Inf(-1)
		for _, v := range g.v[lo:hi] {
			if v != v { //nolint:gocritic // NaN
				continue
			}
			present++
			c.Sum += v
			if v < c.Min {
				c.Min = v
			}
			if v > c.Max {
				c.Max = v
			}
		}
		if c.Count = float64(present); present == 0 {
			return Cell{}, 0
		}
		return c, present
	}
	for v := g.v[lo*ringWide : hi*ringWide]; len(v) >= ringWide; v = v[ringWide:] {
		if v[ringCount] == 0 {
			continue
		}
		if present++; present == 1 {
			c = Cell{v[ringSum], v[ringMin], v[ringMax], v[ringCount]}
			continue
		}
		c.Sum += v[ringSum]
		c.Count += v[ringCount]
		if v[ringMin] < c.Min {
			c.Min = v[ringMin]
		}
		if v[ringMax] > c.Max {
			c.Max = v[ringMax]
		}
	}
	return c, present
}
