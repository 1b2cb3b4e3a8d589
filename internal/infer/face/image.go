package face

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
)

// MaxSide and MaxPixels bound an image; MaxPixels is 4096x4096, so that a decoded one takes 50 MB. Decoding takes at most 24 bytes a pixel besides, which only a progressive JPEG in
// four colours needs: 400 MB.
const (
	MaxSide   = 20_000
	MaxPixels = 4096 * 4096
	MinSide   = 36
)

// ErrFormat is an image that is none of JPEG, PNG, GIF and BMP, or broken; ErrSize one that is too small or too large.
var (
	ErrFormat = errors.New("the image is not a JPEG, PNG, GIF or BMP file that can be read")
	ErrSize   = errors.New("the image is too small or too large")
)

// Image is a decoded photo: three bytes for each pixel, row by row.
type Image struct {
	W, H int
	Pix  []byte
}

// Decode reads a JPEG, PNG, BMP, or the first frame of a GIF, and puts it upright by its Exif. The size is judged before any pixel is decoded.
func Decode(b []byte) (*Image, error) {
	p, err := picture.Open(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if p.Width < MinSide || p.Height < MinSide || p.Width > MaxSide || p.Height > MaxSide || p.Width*p.Height > MaxPixels {
		return nil, fmt.Errorf("%w: it is %dx%d, from %dx%d to %d pixels are possible", ErrSize, p.Width, p.Height, MinSide, MinSide, MaxPixels)
	}
	m, err := p.Decode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	// A GIF's first frame may be smaller than its screen, never larger than the limits: the size that counts is the frame's.
	if s := m.Bounds(); s.Dx() < MinSide || s.Dy() < MinSide {
		return nil, fmt.Errorf("%w: its first frame is %dx%d", ErrSize, s.Dx(), s.Dy())
	}
	return fromImage(m, p.Orientation), nil
}

// fromImage is a picture put upright.
func fromImage(m image.Image, o picture.Orientation) *Image {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	out := &Image{W: w, H: h, Pix: make([]byte, 3*w*h)}
	if o.Sideways() {
		out.W, out.H = h, w
	}
	first, across, down := o.Steps(w, h)
	var colour func(x, y int) (r, g, b byte)
	switch m := m.(type) {
	case *image.YCbCr:
		colour = func(x, y int) (r, g, b byte) {
			yi, ci := m.YOffset(x, y), m.COffset(x, y)
			return color.YCbCrToRGB(m.Y[yi], m.Cb[ci], m.Cr[ci])
		}
	case *image.Gray:
		colour = func(x, y int) (r, g, b byte) {
			v := m.Pix[m.PixOffset(x, y)]
			return v, v, v
		}
	default:
		colour = func(x, y int) (byte, byte, byte) {
			// What is transparent is seen on black, as the colours come multiplied by their opacity.
			r, g, b, _ := m.At(x, y).RGBA()
			return byte(r >> 8), byte(g >> 8), byte(b >> 8)
		}
	}
	for y := range h {
		at := first + y*down
		for x := range w {
			to := out.Pix[3*at : 3*at+3]
			to[0], to[1], to[2] = colour(b.Min.X+x, b.Min.Y+y)
			at += across
		}
	}
	return out
}

// resized is the part x0..x0+w, y0..y0+h of the image as size x size values of 0..255, sampled between the four nearest pixels the way TensorFlow's ResizeBilinear does
// (pixel 0 stays pixel 0).
func (m *Image) resized(x0, y0, w, h, size int) []float32 {
	out := make([]float32, 3*size*size)
	ry, rx := float64(h)/float64(size), float64(w)/float64(size)
	for r := range size {
		fy := ry * float64(r)
		top := int(fy)
		bottom, ty := min(h-1, int(math.Ceil(fy))), float32(fy-float64(top))
		for c := range size {
			fx := rx * float64(c)
			left := int(fx)
			right, tx := min(w-1, int(math.Ceil(fx))), float32(fx-float64(left))
			tl, tr := 3*((y0+top)*m.W+x0+left), 3*((y0+top)*m.W+x0+right)
			bl, br := 3*((y0+bottom)*m.W+x0+left), 3*((y0+bottom)*m.W+x0+right)
			for d := range 3 {
				a, b := float32(m.Pix[tl+d]), float32(m.Pix[bl+d])
				a += (float32(m.Pix[tr+d]) - a) * tx
				b += (float32(m.Pix[br+d]) - b) * tx
				out[3*(r*size+c)+d] = a + (b-a)*ty
			}
		}
	}
	return out
}

// crop is a square of the image, turned by angle around its centre, as size x size values of 0..1. It is TensorFlow's RotateWithOffset followed by CropAndResize without
// the whole turned image in between: each sample is taken between four pixels of that image, each of them the nearest pixel of this one. Outside it's black.
func (m *Image) crop(x1, y1, x2, y2, angle float64, size int) []float32 {
	out := make([]float32, 3*size*size)
	cx, cy := (x1+x2)/2, (y1+y2)/2
	sin, cos := math.Sincos(angle)
	at := func(x, y int) (int, bool) {
		if angle != 0 {
			dx, dy := float64(x)-cx, float64(y)-cy
			x, y = int(math.Floor(dx*cos-dy*sin+cx+0.5)), int(math.Floor(dx*sin+dy*cos+cy+0.5))
		}
		return 3 * (y*m.W + x), x >= 0 && x < m.W && y >= 0 && y < m.H
	}
	h, w := float64(m.H), float64(m.W)
	for r := range size {
		fy := y1/h*(h-1) + float64(r)*(y2-y1)/h*(h-1)/float64(size-1)
		if fy < 0 || fy > h-1 {
			continue
		}
		top, bottom := int(fy), int(math.Ceil(fy))
		ty := float32(fy - float64(top))
		for c := range size {
			fx := x1/w*(w-1) + float64(c)*(x2-x1)/w*(w-1)/float64(size-1)
			if fx < 0 || fx > w-1 {
				continue
			}
			left, right := int(fx), int(math.Ceil(fx))
			tx := float32(fx - float64(left))
			var p [4][3]float32
			for i, q := range [4][2]int{{left, top}, {right, top}, {left, bottom}, {right, bottom}} {
				if o, ok := at(q[0], q[1]); ok {
					p[i] = [3]float32{float32(m.Pix[o]), float32(m.Pix[o+1]), float32(m.Pix[o+2])}
				}
			}
			for d := range 3 {
				a := p[0][d] + (p[1][d]-p[0][d])*tx
				b := p[2][d] + (p[3][d]-p[2][d])*tx
				out[3*(r*size+c)+d] = (a + (b-a)*ty) / 255
			}
		}
	}
	return out
}

// resample is a square crop of from x from values as one of size x size, like resized.
func resample(in []float32, from, size int) []float32 {
	out := make([]float32, 3*size*size)
	ratio := float64(from) / float64(size)
	for r := range size {
		fy := ratio * float64(r)
		top := int(fy)
		bottom, ty := min(from-1, int(math.Ceil(fy))), float32(fy-float64(top))
		for c := range size {
			fx := ratio * float64(c)
			left := int(fx)
			right, tx := min(from-1, int(math.Ceil(fx))), float32(fx-float64(left))
			for d := range 3 {
				a, b := in[3*(top*from+left)+d], in[3*(bottom*from+left)+d]
				a += (in[3*(top*from+right)+d] - a) * tx
				b += (in[3*(bottom*from+right)+d] - b) * tx
				out[3*(r*size+c)+d] = a + (b-a)*ty
			}
		}
	}
	return out
}

// part is a box of a square crop of from x from values as one of size x size, like crop without turning; flip mirrors it.
func part(in []float32, from int, x1, y1, x2, y2 float64, size int, flip bool) []float32 {
	out := make([]float32, 3*size*size)
	n := float64(from)
	for r := range size {
		fy := y1/n*(n-1) + float64(r)*(y2-y1)/n*(n-1)/float64(size-1)
		if fy < 0 || fy > n-1 {
			continue
		}
		top, bottom := int(fy), int(math.Ceil(fy))
		ty := float32(fy - float64(top))
		for c := range size {
			fx := x1/n*(n-1) + float64(c)*(x2-x1)/n*(n-1)/float64(size-1)
			if fx < 0 || fx > n-1 {
				continue
			}
			left, right := int(fx), int(math.Ceil(fx))
			tx := float32(fx - float64(left))
			to := c
			if flip {
				to = size - 1 - c
			}
			for d := range 3 {
				a, b := in[3*(top*from+left)+d], in[3*(bottom*from+left)+d]
				a += (in[3*(top*from+right)+d] - a) * tx
				b += (in[3*(bottom*from+right)+d] - b) * tx
				out[3*(r*size+to)+d] = a + (b-a)*ty
			}
		}
	}
	return out
}
