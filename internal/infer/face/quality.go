package face

import "math"

// Quality are measures of a face's picture, each 0..1: how blurred, how bright and how noisy it is. They are measured, not learned; docs/models/face.md has the formulas.
type Quality struct{ Blur, Exposure, Noise float64 }

// measure looks at the face's middle: the inner two thirds of the crop, which show skin and features instead of hair and background.
func (f *mesh) measure() Quality {
	const from, to = meshSide / 6, meshSide - meshSide/6
	grey := func(x, y int) float64 {
		p := f.crop[3*(y*meshSide+x):]
		return 0.2989*float64(p[0]) + 0.5870*float64(p[1]) + 0.1140*float64(p[2])
	}
	var sum, lap, lap2, noise float64
	n := 0
	for y := from; y < to; y++ {
		for x := from; x < to; x++ {
			c := grey(x, y)
			sum += c
			cross := grey(x-1, y) + grey(x+1, y) + grey(x, y-1) + grey(x, y+1)
			corners := grey(x-1, y-1) + grey(x+1, y-1) + grey(x-1, y+1) + grey(x+1, y+1)
			l := cross - 4*c
			lap += l
			lap2 += l * l
			// The difference of two Laplacians sees neither edges nor slopes, only what changes from pixel to pixel (Immerkaer's estimate).
			noise += math.Abs(corners - 2*cross + 4*c)
			n++
		}
	}
	count := float64(n)
	variance := lap2/count - lap*lap/count/count
	sigma := noise / count * math.Sqrt(math.Pi/2) / 6
	return Quality{
		Blur:     1 / (1 + variance/sharp),
		Exposure: min(max(sum/count, 0), 1),
		Noise:    min(sigma/noisy, 1),
	}
}

// sharp is the variance of the Laplacian at which a face counts as half blurred, noisy the standard deviation of the noise that counts as all noise, both of grey values 0..1 in the crop.
const (
	sharp = 0.0004
	noisy = 0.05
)
