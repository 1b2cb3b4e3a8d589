package face

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Of the detector: the side of its input, how sure it must be, how much two faces may overlap, and by how much a box grows for the crop. All as the original has them.
const (
	detectorSide  = 256
	minConfidence = 0.2
	maxOverlap    = 0.1
	growth        = 1.4
)

// Point is a place in the image, in pixels from its upper left corner.
type Point struct{ X, Y float64 }

// candidate is a face as the detector sees it.
type candidate struct {
	x1, y1, x2, y2 float64
	keys           [6]Point // eyes, nose, mouth, ears
	confidence     float64
}

// candidates runs the detector on a part of the image.
func (m *Models) candidates(img *Image, x0, y0, w, h int) ([]candidate, error) {
	in := img.resized(x0, y0, w, h, detectorSide)
	for i, v := range in {
		in[i] = v/127.5 - 1
	}
	out, err := m.detector.Run(in)
	if err != nil {
		return nil, fmt.Errorf("face detector: %w", err)
	}
	var found []candidate
	fx, fy := float64(w)/detectorSide, float64(h)/detectorSide
	for _, grid := range []struct{ stride, anchors, score, box int }{{16, 2, 0, 2}, {32, 6, 1, 3}} {
		side := detectorSide / grid.stride
		for i, logit := range out[grid.score] {
			confidence := 1 / (1 + math.Exp(-float64(logit)))
			if !(confidence > minConfidence) {
				continue
			}
			cell := i / grid.anchors
			ax := float64(grid.stride) * (float64(cell%side) + 0.5)
			ay := float64(grid.stride) * (float64(cell/side) + 0.5)
			b := out[grid.box][16*i : 16*i+16]
			at := func(k int) (x, y float64) { return float64(b[k]), float64(b[k+1]) }
			cx, cy := at(0)
			bw, bh := at(2)
			c := candidate{confidence: confidence}
			c.x1, c.x2 = float64(x0)+fx*(ax+cx-bw/2), float64(x0)+fx*(ax+cx+bw/2)
			c.y1, c.y2 = float64(y0)+fy*(ay+cy-bh/2), float64(y0)+fy*(ay+cy+bh/2)
			for k := range c.keys {
				kx, ky := at(4 + 2*k)
				c.keys[k] = Point{float64(x0) + fx*(ax+kx), float64(y0) + fy*(ay+ky)}
			}
			if !finite(c.x1, c.y1, c.x2, c.y2) || c.x2-c.x1 < 1 || c.y2-c.y1 < 1 {
				continue
			}
			found = append(found, c)
		}
	}
	return found, nil
}

func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.Abs(v) > 1e7 {
			return false
		}
	}
	return true
}

// distinct keeps the surest of overlapping faces, at most limit of them.
func distinct(found []candidate, limit int) []candidate {
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.confidence, a.confidence) })
	var kept []candidate
	for _, c := range found {
		if len(kept) == limit {
			break
		}
		if !slices.ContainsFunc(kept, func(k candidate) bool { return overlap(c, k) >= maxOverlap }) {
			kept = append(kept, c)
		}
	}
	return kept
}

// overlap is the shared area of two boxes by their joint one.
func overlap(a, b candidate) float64 {
	w, h := min(a.x2, b.x2)-max(a.x1, b.x1), min(a.y2, b.y2)-max(a.y1, b.y1)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / ((a.x2-a.x1)*(a.y2-a.y1) + (b.x2-b.x1)*(b.y2-b.y1) - w*h)
}

// square is a candidate's box grown and made square, on whole pixels: centre and half a side.
func (c *candidate) square() (x1, y1, x2, y2 float64) {
	cx, cy := (c.x1+c.x2)/2, (c.y1+c.y2)/2
	half := growth * max(c.x2-c.x1, c.y2-c.y1) / 2
	return round(cx - half), round(cy - half), round(cx + half), round(cy + half)
}

// round is JavaScript's: a half goes up.
func round(v float64) float64 { return math.Floor(v + 0.5) }

// angle is how far the line from the mouth to the nose leans, in radians; 0 for what is too little to turn the crop.
func (c *candidate) angle() float64 {
	mouth, nose := c.keys[3], c.keys[2]
	a := math.Pi/2 - math.Atan2(-(nose.Y-mouth.Y), nose.X-mouth.X)
	a -= 2 * math.Pi * math.Floor((a+math.Pi)/(2*math.Pi))
	if math.Abs(a) <= 0.2 {
		return 0
	}
	return a
}
