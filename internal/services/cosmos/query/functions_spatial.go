package query

import (
	"math"

	"github.com/golang/geo/s2"
)

// spatialFunctions work on GeoJSON, on the earth or, where Env.Flat, on a plane. What is no valid shape gives undefined.
var spatialFunctions = []function{
	{name: "ST_AREA", min: 1, max: 1, with: func(f *frame, args []Value) Value {
		s, ok := f.shape(args[0])
		if !ok || len(s.polygons) == 0 {
			return Undefined
		}
		return Number(s.area())
	}},
	{name: "ST_DISTANCE", also: "_ST_DISTANCE", min: 2, max: 2, compile: shapes(func(f *frame, a, b *shape) Value { return Number(distance(a, b)) })},
	{name: "ST_INTERSECTS", also: "_ST_INTERSECTS", min: 2, max: 2, compile: shapes(func(_ *frame, a, b *shape) Value { return Bool(intersects(a, b)) })},
	{name: "ST_WITHIN", also: "_ST_WITHIN", min: 2, max: 2, compile: shapes(func(_ *frame, a, b *shape) Value { return Bool(within(a, b)) })},
	{name: "ST_ISVALID", min: 1, max: 1, with: func(f *frame, args []Value) Value {
		if args[0].kind != KindObject {
			return Undefined
		}
		_, reason := parseShape(args[0], f.env.Flat)
		return Bool(reason == "")
	}},
	{name: "ST_ISVALIDDETAILED", min: 1, max: 1, with: func(f *frame, args []Value) Value {
		if args[0].kind != KindObject {
			return Undefined
		}
		_, reason := parseShape(args[0], f.env.Flat)
		if reason == "" {
			return Object([]string{"valid"}, []Value{Bool(true)})
		}
		return Object([]string{"valid", "reason"}, []Value{Bool(false), String(reason)})
	}},
}

// shape reads a valid shape and counts the work on it.
func (f *frame) shape(v Value) (*shape, bool) {
	if v.kind != KindObject {
		return nil, false
	}
	s, reason := parseShape(v, f.env.Flat)
	return s, reason == "" && f.spend(32*s.coords)
}

// shapes compiles a function of two shapes. A constant one is read once.
func shapes(apply func(f *frame, a, b *shape) Value) func(*compiler, *Call, []evalFn) evalFn {
	return func(c *compiler, e *Call, args []evalFn) evalFn {
		var fixed [2][2]*shape // by argument; on the earth, on the plane
		for i, arg := range e.Args {
			if v, ok := c.constantOf(arg); ok && v.kind == KindObject {
				for j, flat := range [2]bool{false, true} {
					if s, reason := parseShape(v, flat); reason == "" {
						fixed[i][j] = s
					}
				}
			}
		}
		return func(f *frame) Value {
			var both [2]*shape
			for i := range both {
				if both[i] = fixed[i][boolInt(f.env.Flat)]; both[i] == nil {
					s, ok := f.shape(args[i](f))
					if !ok {
						return Undefined
					}
					both[i] = s
				}
			}
			if !f.spend(both[0].coords * both[1].coords * 8) {
				return Undefined
			}
			return apply(f, both[0], both[1])
		}
	}
}

func (s *shape) area() float64 {
	sum := 0.0
	for i := range s.polygons {
		p := &s.polygons[i]
		if s.flat {
			sum += p.outer[0].flatArea()
		} else {
			sum += p.outer[0].squareMetres()
		}
		for j := range p.holes {
			h := &p.holes[j]
			if s.flat {
				sum -= h.flatArea()
			} else {
				sum -= (&ring{points: h.loop.Vertices()}).squareMetres()
			}
		}
	}
	return max(0, sum)
}

// holds tells whether a point is in the shape or on it.
func (s *shape) holds(p s2.Point) bool {
	for i := range s.polygons {
		if s.polygons[i].contains(p, s.flat) {
			return true
		}
	}
	for _, q := range s.points {
		if gap(p, q, s.flat) <= touching {
			return true
		}
	}
	for _, l := range s.lines {
		if !eachEdge(l, false, func(a, b s2.Point) bool { return gap(p, nearest(p, a, b, s.flat), s.flat) > touching }) {
			return true
		}
	}
	return false
}

// crossing tells whether any edges of the two cross.
func crossing(a, b *shape) bool {
	return !a.edges(func(p, q s2.Point) bool {
		return b.edges(func(r, s s2.Point) bool { return !cross(p, q, r, s, a.flat) })
	})
}

func intersects(a, b *shape) bool {
	return !a.vertices(func(p s2.Point) bool { return !b.holds(p) }) || !b.vertices(func(p s2.Point) bool { return !a.holds(p) }) || crossing(a, b)
}

// within tells whether all of a is in b: its points are, no edge leaves, and no hole of b is in it.
func within(a, b *shape) bool {
	if !a.vertices(b.holds) || crossing(a, b) {
		return false
	}
	for i := range b.polygons {
		for j := range b.polygons[i].holes {
			for _, p := range b.polygons[i].holes[j].points {
				for k := range a.polygons {
					if at := &a.polygons[k]; at.contains(p, a.flat) && !at.outer[0].near(p, a.flat) {
						return false
					}
				}
			}
		}
	}
	return true
}

// distance is the smallest distance between two shapes: metres on the earth, units on the plane.
func distance(a, b *shape) float64 {
	best, from, to := math.Inf(1), s2.Point{}, s2.Point{}
	try := func(p, q s2.Point) bool {
		if d := gap(p, q, a.flat); d < best {
			best, from, to = d, p, q
		}
		return true
	}
	if len(a.points) > 0 && len(b.points) > 0 {
		try(a.points[0], b.points[0])
	} else if intersects(a, b) {
		return 0
	}
	for _, pair := range [2][2]*shape{{a, b}, {b, a}} {
		pair[0].vertices(func(p s2.Point) bool {
			for _, q := range pair[1].points {
				try(p, q)
			}
			return pair[1].edges(func(r, s s2.Point) bool { return try(p, nearest(p, r, s, a.flat)) })
		})
	}
	if a.flat {
		return best
	}
	return metres(from, to)
}
