package face

import (
	"fmt"
	"math"
)

const (
	meshSide   = 192
	meshPoints = 468
	irisSide   = 64
	// minMesh is how sure the mesh must be that its crop shows a face at all: the second look at what the detector found.
	minMesh = 0.5
)

// point3 is a point of a face's surface: x and y in pixels, z the depth in the crop's pixels, nearer being smaller.
type point3 struct{ x, y, z float64 }

// mesh is a face's surface in the image: 468 points, then five of each iris (centre, right, above, left, below), the subject's left eye first.
type mesh struct {
	points []point3
	score  float64
	crop   []float32 // the upright crop it was found in, meshSide x meshSide x 3, 0..1
	side   float64   // of the square that crop shows, in pixels of the image
}

// surface finds the mesh of a candidate.
func (m *Models) surface(img *Image, c *candidate) (*mesh, error) {
	x1, y1, x2, y2 := c.square()
	angle := c.angle()
	out := &mesh{crop: img.crop(x1, y1, x2, y2, angle, meshSide), side: x2 - x1}
	res, err := m.mesh.Run(out.crop)
	if err != nil {
		return nil, fmt.Errorf("face mesh: %w", err)
	}
	if out.score = float64(res[1][0]); !(out.score >= minMesh) {
		return out, nil
	}
	raw := make([]point3, meshPoints, meshPoints+10)
	for i := range raw {
		raw[i] = point3{float64(res[0][3*i]), float64(res[0][3*i+1]), float64(res[0][3*i+2])}
	}
	if raw, err = m.eyes(raw, out.crop); err != nil {
		return nil, err
	}
	// Back from the crop into the image: scaled around the centre, turned, moved.
	sin, cos := math.Sincos(angle)
	cx, cy, scale := (x1+x2)/2, (y1+y2)/2, (x2-x1)/meshSide
	for _, p := range raw {
		x, y := scale*(p.x-meshSide/2), scale*(p.y-meshSide/2)
		out.points = append(out.points, point3{cx + x*cos - y*sin, cy + x*sin + y*cos, p.z})
	}
	return out, nil
}

// contour says which points of the mesh some of the iris network's points refine, for the subject's right and left eye.
type contour struct {
	from        int
	right, left []int
	lid         bool // one of the eye's own rims, refined even where the head is turned away
}

// contours are the network's 71 points around the eye, in its order of rims.
func contours() []contour {
	return []contour{
		{9, []int{246, 161, 160, 159, 158, 157, 173}, []int{466, 388, 387, 386, 385, 384, 398}, true},
		{25, []int{247, 30, 29, 27, 28, 56, 190}, []int{467, 260, 259, 257, 258, 286, 414}, false},
		{41, []int{113, 225, 224, 223, 222, 221, 189}, []int{342, 445, 444, 443, 442, 441, 413}, false},
		{0, []int{33, 7, 163, 144, 145, 153, 154, 155, 133}, []int{263, 249, 390, 373, 374, 380, 381, 382, 362}, true},
		{16, []int{130, 25, 110, 24, 23, 22, 26, 112, 243}, []int{359, 255, 339, 254, 253, 252, 256, 341, 463}, false},
		{32, []int{226, 31, 228, 229, 230, 231, 232, 233, 244}, []int{446, 261, 448, 449, 450, 451, 452, 453, 464}, false},
		{54, []int{143, 111, 117, 118, 119, 120, 121, 128, 245}, []int{372, 340, 346, 347, 348, 349, 350, 357, 465}, false},
		{63, []int{156, 70, 63, 105, 66, 107, 55, 193}, []int{383, 300, 293, 334, 296, 336, 285, 417}, false},
		{48, []int{35, 124, 46, 53, 52, 65}, []int{265, 353, 276, 283, 282, 295}, false},
	}
}

// eyes refines the points around both eyes and appends the irises'.
func (m *Models) eyes(raw []point3, crop []float32) ([]point3, error) {
	// The original mirrors both crops for a network made for one eye, but turns only the left one's points back; kept, so that the results are the same.
	left, right := eyeBox(raw[263], raw[362]), eyeBox(raw[33], raw[133])
	in := append(part(crop, meshSide, left[0], left[1], left[2], left[3], irisSide, true), part(crop, meshSide, right[0], right[1], right[2], right[3], irisSide, true)...)
	res, err := m.iris.Run(in)
	if err != nil {
		return nil, fmt.Errorf("iris: %w", err)
	}
	l, r := eyePoints(res[0][:228], left, true), eyePoints(res[0][228:], right, false)
	turn := raw[263].z - raw[33].z
	for _, c := range contours() {
		for j := range c.left {
			if math.Abs(turn) < 30 || turn < 1 && c.lid {
				refine(&raw[c.left[j]], l[c.from+j])
			}
			if math.Abs(turn) < 30 || turn >= 1 && c.lid {
				refine(&raw[c.right[j]], r[c.from+j])
			}
		}
	}
	return append(append(raw, l[71:]...), r[71:]...), nil
}

// refine takes the better place, and the mean of both depths.
func refine(p *point3, better point3) {
	p.x, p.y, p.z = better.x, better.y, (better.z+p.z)/2
}

// eyeBox is the square around an eye's corners, grown 2.3 times, on whole pixels: x1, y1, x2, y2.
func eyeBox(a, b point3) [4]float64 {
	cx, cy := (a.x+b.x)/2, (a.y+b.y)/2
	half := 2.3 * max(math.Abs(a.x-b.x), math.Abs(a.y-b.y)) / 2
	return [4]float64{round(cx - half), round(cy - half), round(cx + half), round(cy + half)}
}

// eyePoints brings the network's 76 points from its crop to the mesh's.
func eyePoints(out []float32, box [4]float64, flip bool) []point3 {
	pts := make([]point3, 76)
	for i := range pts {
		x, y := float64(out[3*i])/irisSide, float64(out[3*i+1])/irisSide
		if flip {
			x = 1 - x
		}
		pts[i] = point3{x*(box[2]-box[0]) + box[0], y*(box[3]-box[1]) + box[1], float64(out[3*i+2])}
	}
	return pts
}
