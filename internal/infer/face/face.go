package face

import (
	"cmp"
	"math"
	"slices"
)

// MaxFaces is how many faces of one image are told, the largest ones.
const MaxFaces = 100

// Rectangle is a face's place in the image, in whole pixels.
type Rectangle struct{ Left, Top, Width, Height int }

// Face is one face of an image.
type Face struct {
	Rectangle Rectangle
	Landmarks Landmarks
	Pose      Pose
	Quality   Quality
	Score     float64 // how sure it is that this is a face, 0.5 to 1

	mesh *mesh
}

// Landmarks are the 27 points of the Face API. Left and right are the viewer's.
type Landmarks struct {
	PupilLeft, PupilRight, NoseTip, MouthLeft, MouthRight,
	EyebrowLeftOuter, EyebrowLeftInner, EyeLeftOuter, EyeLeftTop, EyeLeftBottom, EyeLeftInner,
	EyebrowRightInner, EyebrowRightOuter, EyeRightInner, EyeRightTop, EyeRightBottom, EyeRightOuter,
	NoseRootLeft, NoseRootRight, NoseLeftAlarTop, NoseRightAlarTop, NoseLeftAlarOutTip, NoseRightAlarOutTip,
	UpperLipTop, UpperLipBottom, UnderLipTop, UnderLipBottom Point
}

// Detect finds the faces of an image, the largest first.
func (m *Models) Detect(img *Image) ([]Face, error) {
	found, err := m.candidates(img, 0, 0, img.W, img.H)
	if err != nil {
		return nil, err
	}
	s := search{m: m, img: img}
	if err := s.whole(found); err != nil {
		return nil, err
	}
	if err := s.parts(tiles(img.W, img.H)); err != nil {
		return nil, err
	}
	faces := s.faces
	slices.SortStableFunc(faces, func(a, b Face) int {
		return cmp.Compare(b.Rectangle.Width*b.Rectangle.Height, a.Rectangle.Width*a.Rectangle.Height)
	})
	return faces, nil
}

// Person is what a face says of the person.
type Person struct {
	Age  float64
	Male float64 // the probability
}

// Describe estimates age and gender.
func (m *Models) Describe(f *Face) (Person, error) {
	d, err := m.describe(f.mesh.crop)
	return Person{Age: d.age, Male: d.male}, err
}

// Embed computes the embedding of a face that was detected in the image.
func (m *Models) Embed(img *Image, f *Face) (Embedding, error) { return m.embed(f.mesh.chip(img)) }

// Emotion estimates what the face shows.
func (m *Models) Emotion(f *Face) (Emotion, error) { return m.feel(f.mesh.crop) }

// rectangle is the square around the face's points, cut at the image's edges.
func (f *mesh) rectangle(img *Image) Rectangle {
	x1, y1, x2, y2 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range f.points[:meshPoints] {
		x1, y1, x2, y2 = min(x1, p.x), min(y1, p.y), max(x2, p.x), max(y2, p.y)
	}
	side := max(x2-x1, y2-y1)
	cx, cy := (x1+x2)/2, (y1+y2)/2
	clamp := func(v float64, top int) int { return int(min(max(v, 0), float64(top))) }
	r := Rectangle{Left: clamp(round(cx-side/2), img.W), Top: clamp(round(cy-side/2), img.H)}
	r.Width, r.Height = clamp(round(cx+side/2), img.W)-r.Left, clamp(round(cy+side/2), img.H)-r.Top
	return r
}

// landmarks picks the Face API's points out of the mesh.
func (f *mesh) landmarks() Landmarks {
	p := func(i int) Point { return Point{f.points[i].x, f.points[i].y} }
	return Landmarks{
		PupilLeft: p(473), PupilRight: p(468), NoseTip: p(1), MouthLeft: p(61), MouthRight: p(291),
		EyebrowLeftOuter: p(70), EyebrowLeftInner: p(107), EyebrowRightInner: p(336), EyebrowRightOuter: p(300),
		EyeLeftOuter: p(33), EyeLeftTop: p(159), EyeLeftBottom: p(145), EyeLeftInner: p(133),
		EyeRightInner: p(362), EyeRightTop: p(386), EyeRightBottom: p(374), EyeRightOuter: p(263),
		NoseRootLeft: p(122), NoseRootRight: p(351), NoseLeftAlarTop: p(49), NoseRightAlarTop: p(279),
		NoseLeftAlarOutTip: p(64), NoseRightAlarOutTip: p(294),
		UpperLipTop: p(0), UpperLipBottom: p(13), UnderLipTop: p(14), UnderLipBottom: p(17),
	}
}
