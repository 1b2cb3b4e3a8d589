package face

import (
	"cmp"
	"math"
	"slices"
)

// What a photo is searched with besides the look at the whole of it, in which small faces vanish: parts of it, each with the detector's full sharpness.
const (
	// leastFace is the side of the smallest face that is looked for, in pixels of a photo whose longer side is fullSide; in a larger one it is as much larger.
	leastFace, fullSide = 36, 1920
	// leastSeen is the side that such a face has in the detector's input. With 14 it finds as many, with 12 one in ten fewer.
	leastSeen = 16
	// mostTiles bounds the parts: a photo has 25 of them at most unless it is a strip.
	mostTiles = 32
	// tiny is the side in the detector's input below which its boxes may be too rough for the mesh: those are looked at again, closer.
	tiny = 24
	// closer is how many times a face's side the second look shows.
	closer = 3
	// sureEnough is the confidence that a second look must have, faint that of a first one below which it isn't worth a second, or believed without.
	sureEnough, faint = 0.6, 0.35
)

// tile is a part of an image.
type tile struct{ x, y, w, h int }

// tiles are the parts that an image is searched in; none where the whole shows small faces well enough. Neighbours share a band as wide as the faces that the
// whole shows badly, so that each of those lies in one part entirely.
func tiles(w, h int) []tile {
	scale := max(1, float64(max(w, h))/fullSide)
	side := leastFace * scale * detectorSide / leastSeen
	// A part is at most half as long again as high: the detector knows no faces that are pressed any flatter.
	side = min(side, 1.5*float64(min(w, h)))
	if float64(max(w, h)) <= 1.25*side {
		return nil
	}
	shared := 4 * leastFace * scale
	shared = min(shared, side/2)
	count := func(length int) int {
		if float64(length) <= side {
			return 1
		}
		return int(math.Ceil((float64(length) - shared) / (side - shared)))
	}
	nx, ny := count(w), count(h)
	nx, ny = min(nx, mostTiles), min(ny, mostTiles)
	for nx*ny > mostTiles {
		if nx > ny {
			nx--
		} else {
			ny--
		}
	}
	var out []tile
	for iy := range ny {
		for ix := range nx {
			x, tw := span(w, nx, ix, side, shared)
			y, th := span(h, ny, iy, side, shared)
			out = append(out, tile{x, y, tw, th})
		}
	}
	return out
}

// span is where the i-th of n parts of a length begins, and how long it is.
func span(length, n, i int, side, shared float64) (from, size int) {
	if n == 1 {
		return 0, length
	}
	// Parts are as long as n of them need to be to cover the length with the shared bands.
	s := (float64(length) + float64(n-1)*shared) / float64(n)
	from = int(float64(i) * (s - shared))
	return from, min(length-from, int(math.Ceil(s)))
}

// search is the search of one image.
type search struct {
	m     *Models
	img   *Image
	faces []Face
	boxes []candidate // of the faces
}

// whole takes what the detector found in the whole image, as the original does. Of a face that is tiny there the box may be far off: a closer look decides whether there is
// one, and where.
func (s *search) whole(found []candidate) error {
	for _, c := range distinct(found, MaxFaces) {
		f, err := s.face(&c)
		if err != nil {
			return err
		}
		w, h := (c.x2-c.x1)*detectorSide/float64(s.img.W), (c.y2-c.y1)*detectorSide/float64(s.img.H)
		if min(w, h) < tiny {
			near, at, err := s.closer(&c)
			if err != nil {
				return err
			}
			switch {
			case near == nil && c.confidence < faint:
				f = nil
			case near != nil && (f == nil || overlap(f.Rectangle.box(), near.Rectangle.box()) < 0.6):
				f, c = near, at
			}
		}
		s.take(f, &c)
	}
	return nil
}

// parts searches parts of the image for what the whole didn't show.
func (s *search) parts(all []tile) error {
	var found []candidate
	for _, t := range all {
		cs, err := s.m.candidates(s.img, t.x, t.y, t.w, t.h)
		if err != nil {
			return err
		}
		found = append(found, cs...)
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.confidence, a.confidence) })
	var seen []candidate
	for _, c := range found {
		if len(s.faces) >= MaxFaces || len(seen) >= MaxFaces {
			break
		}
		if c.confidence < faint || known(&c, s.boxes) || known(&c, seen) {
			continue
		}
		seen = append(seen, c)
		f, at, err := s.closer(&c)
		if err != nil {
			return err
		}
		s.take(f, &at)
	}
	return nil
}

// known tells whether a box is about one of those that were looked at.
func known(c *candidate, boxes []candidate) bool {
	cx, cy := (c.x1+c.x2)/2, (c.y1+c.y2)/2
	return slices.ContainsFunc(boxes, func(b candidate) bool {
		return cx > b.x1 && cx < b.x2 && cy > b.y1 && cy < b.y2 || overlap(*c, b) >= 0.3
	})
}

// closer looks again at the surroundings of a box, and gives the face that is in it, with its better box; nil for none.
func (s *search) closer(c *candidate) (*Face, candidate, error) {
	cx, cy := (c.x1+c.x2)/2, (c.y1+c.y2)/2
	size := max(c.x2-c.x1, c.y2-c.y1)
	side := min(int(math.Ceil(closer*size)), s.img.W, s.img.H)
	x := int(min(max(cx-float64(side)/2, 0), float64(s.img.W-side)))
	y := int(min(max(cy-float64(side)/2, 0), float64(s.img.H-side)))
	found, err := s.m.candidates(s.img, x, y, side, side)
	if err != nil {
		return nil, *c, err
	}
	for _, b := range distinct(found, 4) {
		bx, by := (b.x1+b.x2)/2, (b.y1+b.y2)/2
		if b.confidence < sureEnough || math.Abs(bx-cx) > size/2 || math.Abs(by-cy) > size/2 || known(&b, s.boxes) {
			continue
		}
		f, err := s.face(&b)
		return f, b, err
	}
	return nil, *c, nil
}

// face is the face in a box, nil if the mesh sees none.
func (s *search) face(c *candidate) (*Face, error) {
	surface, err := s.m.surface(s.img, c)
	if err != nil || surface.score < minMesh {
		return nil, err
	}
	f := &Face{Landmarks: surface.landmarks(), Pose: surface.pose(), Quality: surface.measure(), Score: surface.score, mesh: surface}
	if f.Rectangle = surface.rectangle(s.img); f.Rectangle.Width < 1 || f.Rectangle.Height < 1 {
		return nil, nil
	}
	return f, nil
}

// take keeps a face, if it is one. Of two in one place the surer box's stays: a tiny one's first box may have been that of its neck.
func (s *search) take(f *Face, c *candidate) {
	if f == nil {
		return
	}
	i := slices.IndexFunc(s.faces, func(o Face) bool { return overlap(o.Rectangle.box(), f.Rectangle.box()) >= 0.3 })
	switch {
	case i < 0:
		s.faces, s.boxes = append(s.faces, *f), append(s.boxes, *c)
	case c.confidence > s.boxes[i].confidence:
		s.faces[i], s.boxes[i] = *f, *c
	}
}

func (r Rectangle) box() candidate {
	return candidate{x1: float64(r.Left), y1: float64(r.Top), x2: float64(r.Left + r.Width), y2: float64(r.Top + r.Height)}
}
