package face

import (
	"fmt"
	"math"
)

// Emotion is how much each emotion shows, together 1. Contempt is always 0: the network doesn't know it.
type Emotion struct{ Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness, Surprise float64 }

// Pose is how the head is turned, in degrees: Roll to the image's right (clockwise as one looks at it), Yaw to the image's left, Pitch up.
type Pose struct{ Pitch, Roll, Yaw float64 }

// description is what one network says of a crop.
type description struct {
	male       float64 // the probability
	age        float64
	descriptor []float32 // the network's own embedding, which tells people apart less well than the recognition network's; only compared with the original's
}

// describe runs the network of age and gender.
func (m *Models) describe(crop []float32) (description, error) {
	in := resample(crop, meshSide, 224)
	for i := range in {
		in[i] *= 255
	}
	out, err := m.description.Run(in)
	if err != nil {
		return description{}, fmt.Errorf("face description: %w", err)
	}
	return description{male: float64(out[0][0]), age: age(out[1]), descriptor: out[2]}, nil
}

// age is in years: the network's likeliest decade-step, moved towards the likelier of its neighbours, as the original does it.
func age(p []float32) float64 {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	var before, after float64
	if best > 0 {
		before = float64(p[best-1])
	}
	if best+1 < len(p) {
		after = float64(p[best+1])
	}
	v := 10*float64(best) + 100*after
	if before > after {
		v = 10*float64(best) - 100*before
	}
	return round(v) / 10
}

// feel runs the network of emotions on the grey crop.
func (m *Models) feel(crop []float32) (Emotion, error) {
	rgb := resample(crop, meshSide, 64)
	in := make([]float32, 64*64)
	for i := range in {
		in[i] = (rgb[3*i]*0.2989 + rgb[3*i+1]*0.5870 + rgb[3*i+2]*0.1140 - 0.5) * 2
	}
	out, err := m.emotion.Run(in)
	if err != nil {
		return Emotion{}, fmt.Errorf("emotion: %w", err)
	}
	v := func(i int) float64 { return float64(out[0][i]) }
	return Emotion{Anger: v(0), Disgust: v(1), Fear: v(2), Happiness: v(3), Sadness: v(4), Surprise: v(5), Neutral: v(6)}, nil
}

// pose works out the head's axes from the mesh's top, bottom and sides, and their angles, as the original does it.
func (f *mesh) pose() Pose {
	size := f.side / 1.5
	if size <= 0 {
		return Pose{}
	}
	at := func(i int) [3]float64 {
		return [3]float64{f.points[i].x / size, f.points[i].y / size, f.points[i].z / meshSide}
	}
	y := unit(minus(at(152), at(10)))
	x := unit(minus(at(454), at(234)))
	z := unit(cross(x, y))
	x = cross(y, z)
	var px, py, pz float64
	switch {
	case y[0] >= 1:
		pz, py = math.Pi/2, math.Atan2(z[1], z[2])
	case y[0] <= -1:
		pz, py = -math.Pi/2, -math.Atan2(z[1], z[2])
	default:
		pz = math.Atan2(y[0], math.Hypot(x[0], z[0]))
		py = math.Atan2(-z[0], x[0])
		px = math.Atan2(-y[2], y[1])
	}
	degrees := func(r float64) float64 {
		if math.IsNaN(r) {
			return 0
		}
		return -r * 180 / math.Pi
	}
	return Pose{Pitch: degrees(px), Yaw: degrees(py), Roll: degrees(pz)}
}

func minus(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func unit(a [3]float64) [3]float64 {
	n := math.Sqrt(a[0]*a[0] + a[1]*a[1] + a[2]*a[2])
	return [3]float64{a[0] / n, a[1] / n, a[2] / n}
}
