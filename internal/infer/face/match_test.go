package face

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"
)

// altered are copies of a photo as other cameras and programs would make them, each with where one of its points comes to lie.
func altered(t *testing.T, m *Image) map[string]struct {
	img  *Image
	move func(Point) Point
} {
	t.Helper()
	type copied = struct {
		img  *Image
		move func(Point) Point
	}
	same := func(p Point) Point { return p }
	// from makes an image of w x h whose pixels come from the original's.
	from := func(w, h int, at func(x, y int) (int, int), light float64) *Image {
		o := &Image{W: w, H: h, Pix: make([]byte, 3*w*h)}
		for i := range w * h {
			if x, y := at(i%w, i/w); x >= 0 && y >= 0 && x < m.W && y < m.H {
				for d := range 3 {
					o.Pix[3*i+d] = byte(min(255, light*float64(m.Pix[3*(y*m.W+x)+d])))
				}
			}
		}
		return o
	}
	stay := func(x, y int) (int, int) { return x, y }
	sin, cos := math.Sincos(0.15)
	cx, cy := float64(m.W)/2, float64(m.H)/2
	turned := func(x, y int) (int, int) {
		dx, dy := float64(x)-cx, float64(y)-cy
		return int(dx*cos - dy*sin + cx), int(dx*sin + dy*cos + cy)
	}
	rgba := image.NewRGBA(image.Rect(0, 0, m.W, m.H))
	for i := range m.W * m.H {
		rgba.SetRGBA(i%m.W, i/m.W, color.RGBA{m.Pix[3*i], m.Pix[3*i+1], m.Pix[3*i+2], 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, rgba, &jpeg.Options{Quality: 20}); err != nil {
		t.Fatal(err)
	}
	coarse, err := Decode(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]copied{
		"half as large": {from(m.W/2, m.H/2, func(x, y int) (int, int) { return 2 * x, 2 * y }, 1), func(p Point) Point { return Point{p.X / 2, p.Y / 2} }},
		"mirrored":      {from(m.W, m.H, func(x, y int) (int, int) { return m.W - 1 - x, y }, 1), func(p Point) Point { return Point{float64(m.W) - p.X, p.Y} }},
		"darker":        {from(m.W, m.H, stay, 0.6), same},
		"turned": {from(m.W, m.H, turned, 1), func(p Point) Point {
			dx, dy := p.X-cx, p.Y-cy
			return Point{dx*cos + dy*sin + cx, -dx*sin + dy*cos + cy}
		}},
		"compressed": {coarse, same},
	}
}

// TestSamePersonOrAnother: the people in one photo are different ones, and a face in an altered copy of a photo is that of the same person. No photo is told apart by
// looking at it. At most 2 % of either kind may come out wrong, and no two faces of one original photo may be taken for one person.
func TestSamePersonOrAnother(t *testing.T) {
	t.Parallel()
	m := models(t)
	var same, wrongSame, other, wrongOther int
	for name, img := range photos(t) {
		if name == "samples.jpg" {
			continue // a collage, whose people may well be in it twice
		}
		faces, embeddings := embedded(t, m, img)
		for i, e := range embeddings {
			for _, o := range embeddings[:i] {
				if c := e.Confidence(o); c >= 0.5 {
					t.Errorf("%s: two of its people are one with a confidence of %.2f", name, c)
				}
			}
		}
		for how, a := range altered(t, img) {
			seen, es := embedded(t, m, a.img)
			for k, e := range es {
				of := -1
				for i := range faces {
					p := a.move(faces[i].Landmarks.NoseTip)
					if math.Hypot(p.X-seen[k].Landmarks.NoseTip.X, p.Y-seen[k].Landmarks.NoseTip.Y) < 30 {
						of = i
					}
				}
				if of < 0 {
					continue // a face that only the altered copy shows
				}
				for i, o := range embeddings {
					c := e.Confidence(o)
					switch {
					case i == of:
						same++
						if c < 0.5 {
							wrongSame++
							t.Logf("%s, %s: a person isn't recognised (%.2f)", name, how, c)
						}
					default:
						other++
						if c >= 0.5 {
							wrongOther++
							t.Logf("%s, %s: a person is taken for another (%.2f)", name, how, c)
						}
					}
				}
			}
		}
	}
	t.Logf("of %d pairs of the same person %d, of %d pairs of others %d came out wrong", same, wrongSame, other, wrongOther)
	if same < 80 || other < 200 || wrongSame*50 > same || wrongOther*50 > other {
		t.Errorf("of %d pairs of the same person %d, of %d pairs of others %d came out wrong", same, wrongSame, other, wrongOther)
	}
}

func embedded(t *testing.T, m *Models, img *Image) ([]Face, []Embedding) {
	t.Helper()
	faces, err := m.Detect(img)
	if err != nil {
		t.Fatal(err)
	}
	var out []Embedding
	for i := range faces {
		e, err := m.Embed(img, &faces[i])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return faces, out
}
