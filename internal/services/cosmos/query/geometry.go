package query

import (
	"math"

	"github.com/golang/geo/r3"
	"github.com/golang/geo/s2"
)

// shape is a GeoJSON geometry. Its points are unit vectors on the earth, or lie on the plane z = 0.
type shape struct {
	kind     string
	flat     bool
	points   []s2.Point   // of a Point: one
	lines    [][]s2.Point // of a LineString: one
	polygons []polygon
	coords   int // how many positions there are
}

// polygon is an outer ring and its holes.
type polygon struct{ outer, holes []ring }

// ring is a closed line, its first point not repeated. On the earth its inside is to the left, so that a clockwise one is all but what it runs around.
type ring struct {
	points []s2.Point
	loop   *s2.Loop // nil on the plane
}

// parseShape reads a GeoJSON Point, LineString, Polygon or MultiPolygon; reason says why it is none.
func parseShape(v Value, flat bool) (s *shape, reason string) {
	kind := v.Field("type").Str()
	coordinates := v.Field("coordinates")
	s = &shape{kind: kind, flat: flat}
	switch kind {
	case "Point":
		p, reason := s.position(coordinates)
		s.points = []s2.Point{p}
		return s, reason
	case "LineString":
		line, reason := s.line(coordinates)
		if reason == "" && len(line) < 2 {
			reason = "The LineString input is not valid because it does not have at least two positions."
		}
		s.lines = [][]s2.Point{line}
		return s, reason
	case "Polygon":
		return s, s.polygon(coordinates)
	case "MultiPolygon":
		if coordinates.kind != KindArray || coordinates.Len() == 0 {
			return s, "The MultiPolygon input is not valid because it does not have coordinates."
		}
		for i := range coordinates.Len() {
			if reason := s.polygon(coordinates.At(i)); reason != "" {
				return s, reason
			}
		}
		return s, ""
	}
	return s, "The type of the GeoJSON input is not one of Point, LineString, Polygon and MultiPolygon."
}

func (s *shape) position(v Value) (p s2.Point, reason string) {
	x, y := v.At(0), v.At(1)
	if v.kind != KindArray || v.Len() < 2 || x.kind != KindNumber || y.kind != KindNumber {
		return p, "A position must be an array of at least two numbers."
	}
	s.coords++
	switch {
	case s.flat:
		return s2.Point{Vector: r3.Vector{X: x.num, Y: y.num}}, ""
	case y.num < -90 || y.num > 90:
		return p, "Latitude values must be between -90 and 90 degrees."
	case x.num < -180 || x.num > 180:
		return p, "Longitude values must be between -180 and 180 degrees."
	}
	return s2.PointFromLatLng(s2.LatLngFromDegrees(y.num, x.num)), ""
}

func (s *shape) line(v Value) (line []s2.Point, reason string) {
	if v.kind != KindArray {
		return nil, "Coordinates must be an array of positions."
	}
	line = make([]s2.Point, v.Len())
	for i := range line {
		if line[i], reason = s.position(v.At(i)); reason != "" {
			return nil, reason
		}
	}
	return line, ""
}

func (s *shape) polygon(v Value) (reason string) {
	if v.kind != KindArray || v.Len() == 0 {
		return "The Polygon input is not valid because it does not have rings."
	}
	var p polygon
	for i := range v.Len() {
		line, reason := s.line(v.At(i))
		switch {
		case reason != "":
			return reason
		case len(line) < 4:
			return "The Polygon input is not valid because a ring does not have at least four positions."
		case line[0] != line[len(line)-1]:
			return "The Polygon input is not valid because the start and end points of a ring are not the same. Each ring of a polygon must have the same start and end points."
		}
		r := ring{points: line[:len(line)-1]}
		if !s.flat {
			r.loop = s2.LoopFromPoints(r.points)
			if r.loop.Validate() != nil {
				return "The Polygon input is not valid because the positions of a ring do not make a valid loop."
			}
			if i > 0 {
				r.loop.Normalize()
			}
		}
		if i == 0 {
			p.outer = append(p.outer, r)
		} else {
			p.holes = append(p.holes, r)
		}
	}
	s.polygons = append(s.polygons, p)
	return ""
}

// contains tells whether the point is inside the ring, its line included or not.
func (r *ring) contains(p s2.Point) bool {
	if r.loop != nil {
		return r.loop.ContainsPoint(p)
	}
	in := false
	for i, j := 0, len(r.points)-1; i < len(r.points); j, i = i, i+1 {
		a, b := r.points[i], r.points[j]
		if (a.Y > p.Y) != (b.Y > p.Y) && p.X < (b.X-a.X)*(p.Y-a.Y)/(b.Y-a.Y)+a.X {
			in = !in
		}
	}
	return in
}

// touching is how near, in radians or in units of the plane, counts as on a line.
const touching = 1e-12

// contains tells whether the point is in the polygon or on its border.
func (p *polygon) contains(at s2.Point, flat bool) bool {
	if !p.outer[0].contains(at) {
		return p.outer[0].near(at, flat)
	}
	for i := range p.holes {
		if h := &p.holes[i]; h.contains(at) && !h.near(at, flat) {
			return false
		}
	}
	return true
}

func (r *ring) near(p s2.Point, flat bool) bool {
	found := false
	eachEdge(r.points, true, func(a, b s2.Point) bool {
		found = gap(p, nearest(p, a, b, flat), flat) <= touching
		return !found
	})
	return found
}

// eachEdge calls f for the edges of a line until that says false.
func eachEdge(line []s2.Point, closed bool, f func(a, b s2.Point) bool) bool {
	for i := 1; i < len(line); i++ {
		if !f(line[i-1], line[i]) {
			return false
		}
	}
	return !closed || f(line[len(line)-1], line[0])
}

// edges calls f for all edges of a shape.
func (s *shape) edges(f func(a, b s2.Point) bool) bool {
	for _, l := range s.lines {
		if !eachEdge(l, false, f) {
			return false
		}
	}
	for i := range s.polygons {
		for _, rings := range [2][]ring{s.polygons[i].outer, s.polygons[i].holes} {
			for j := range rings {
				if !eachEdge(rings[j].points, true, f) {
					return false
				}
			}
		}
	}
	return true
}

// vertices calls f for all points of a shape.
func (s *shape) vertices(f func(p s2.Point) bool) bool {
	for _, p := range s.points {
		if !f(p) {
			return false
		}
	}
	return s.edges(func(a, b s2.Point) bool { return f(a) && f(b) })
}

// nearest is the point of the edge from a to b that is nearest to p.
func nearest(p, a, b s2.Point, flat bool) s2.Point {
	if !flat {
		return s2.Project(p, a, b)
	}
	ab, ap := b.Sub(a.Vector), p.Sub(a.Vector)
	t := 0.0
	if n := ab.Norm2(); n > 0 {
		t = max(0, min(1, ap.Dot(ab)/n))
	}
	return s2.Point{Vector: a.Add(ab.Mul(t))}
}

// gap is the distance in radians or in units of the plane.
func gap(p, q s2.Point, flat bool) float64 {
	if flat {
		return p.Sub(q.Vector).Norm()
	}
	return float64(p.Distance(q))
}

// cross tells whether two edges cross at a point inside both.
func cross(a, b, c, d s2.Point, flat bool) bool {
	if !flat {
		return s2.CrossingSign(a, b, c, d) == s2.Cross
	}
	side := func(p, q, r s2.Point) float64 { return (q.X-p.X)*(r.Y-p.Y) - (q.Y-p.Y)*(r.X-p.X) }
	return side(a, b, c)*side(a, b, d) < 0 && side(c, d, a)*side(c, d, b) < 0
}

// The earth of WGS 84.
const (
	earthRadius     = 6378137.0
	earthFlattening = 1 / 298.257223563
)

// metres is the length of the geodesic on the ellipsoid, by Vincenty's formula; between near antipodes, where that does not converge, of the great circle.
func metres(p, q s2.Point) float64 {
	const f, b = earthFlattening, earthRadius * (1 - earthFlattening)
	if p == q {
		return 0
	}
	from, to := s2.LatLngFromPoint(p), s2.LatLngFromPoint(q)
	sin1, cos1 := math.Sincos(math.Atan((1 - f) * math.Tan(from.Lat.Radians())))
	sin2, cos2 := math.Sincos(math.Atan((1 - f) * math.Tan(to.Lat.Radians())))
	length := to.Lng.Radians() - from.Lng.Radians()
	lambda := length
	for range 100 {
		sinL, cosL := math.Sincos(lambda)
		sinS := math.Hypot(cos2*sinL, cos1*sin2-sin1*cos2*cosL)
		if sinS == 0 {
			return 0
		}
		cosS := sin1*sin2 + cos1*cos2*cosL
		sigma := math.Atan2(sinS, cosS)
		sinA := cos1 * cos2 * sinL / sinS
		cos2A := 1 - sinA*sinA
		cosM := 0.0
		if cos2A > 1e-15 {
			cosM = cosS - 2*sin1*sin2/cos2A
		}
		c := f / 16 * cos2A * (4 + f*(4-3*cos2A))
		last := lambda
		lambda = length + (1-c)*f*sinA*(sigma+c*sinS*(cosM+c*cosS*(2*cosM*cosM-1)))
		if math.Abs(lambda-last) > 1e-13 {
			continue
		}
		u := cos2A * (earthRadius*earthRadius - b*b) / (b * b)
		bigA := 1 + u/16384*(4096+u*(-768+u*(320-175*u)))
		bigB := u / 1024 * (256 + u*(-128+u*(74-47*u)))
		delta := bigB * sinS * (cosM + bigB/4*(cosS*(2*cosM*cosM-1)-bigB/6*cosM*(4*sinS*sinS-3)*(4*cosM*cosM-3)))
		return b * bigA * (sigma - delta)
	}
	return float64(p.Distance(q)) * 6371008.77
}

// squareMetres is the area of a ring on the ellipsoid: that of the ring on the sphere of the same surface, where latitudes are moved so that areas stay.
func (r *ring) squareMetres() float64 {
	const e2 = earthFlattening * (2 - earthFlattening)
	e := math.Sqrt(e2)
	q := func(sin float64) float64 {
		return (1 - e2) * (sin/(1-e2*sin*sin) - math.Log((1-e*sin)/(1+e*sin))/(2*e))
	}
	pole := q(1)
	points := make([]s2.Point, len(r.points))
	for i, p := range r.points {
		at := s2.LatLngFromPoint(p)
		lat := math.Asin(max(-1, min(1, q(math.Sin(at.Lat.Radians()))/pole)))
		sinLat, cosLat := math.Sincos(lat)
		sinLng, cosLng := math.Sincos(at.Lng.Radians())
		points[i] = s2.Point{Vector: r3.Vector{X: cosLat * cosLng, Y: cosLat * sinLng, Z: sinLat}}
	}
	return s2.LoopFromPoints(points).Area() * earthRadius * earthRadius * pole / 2
}

// flatArea is the area of a ring on the plane.
func (r *ring) flatArea() float64 {
	sum := 0.0
	eachEdge(r.points, true, func(a, b s2.Point) bool {
		sum += a.X*b.Y - b.X*a.Y
		return true
	})
	return math.Abs(sum) / 2
}
