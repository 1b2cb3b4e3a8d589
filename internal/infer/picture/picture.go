package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
)

// ErrFormat is what bytes answer that are no JPEG, PNG, GIF or BMP file, or a broken one.
var ErrFormat = errors.New("not a JPEG, PNG, GIF or BMP file that can be read")

// Picture is one that isn't unpacked yet.
type Picture struct {
	// Width and Height are as it is stored, in pixels.
	Width, Height int
	Orientation   Orientation
	// Memory is about how many bytes Decode takes at most.
	Memory int64

	data   []byte
	decode func(io.Reader) (image.Image, error)
}

// Open looks at a picture without unpacking it; the data must stay as it is. It answers [ErrFormat].
func Open(data []byte) (*Picture, error) {
	p := &Picture{data: data, Orientation: Upright}
	var config func(io.Reader) (image.Config, error)
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		config, p.decode = jpeg.DecodeConfig, jpeg.Decode
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n")):
		config, p.decode = png.DecodeConfig, png.Decode
	case bytes.HasPrefix(data, []byte("GIF8")):
		config, p.decode = gif.DecodeConfig, gif.Decode
	case bytes.HasPrefix(data, []byte("BM")):
		config, p.decode = bmp.DecodeConfig, bmp.Decode
	default:
		return nil, ErrFormat
	}
	c, err := config(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	p.Width, p.Height, p.Memory = c.Width, c.Height, Memory(c)
	switch data[0] {
	case 0xff:
		f := segments(data)
		p.Orientation = f.orientation
		if f.progressive {
			p.Memory += 4 * components(c.ColorModel) * int64(c.Width) * int64(c.Height) // all coefficients are kept until the last pass
		}
	case 0x89:
		p.Orientation = chunks(data)
		if len(data) > 28 && data[28] != 0 {
			p.Memory += p.Memory / 2 // interlaced: the largest pass beside the whole
		}
	}
	return p, nil
}

// Size is the width and height of the picture as it is to be seen.
func (p *Picture) Size() (w, h int) {
	if p.Orientation.Sideways() {
		return p.Height, p.Width
	}
	return p.Width, p.Height
}

// Decode unpacks the picture, of a GIF the first one, as it is stored. It answers [ErrFormat].
func (p *Picture) Decode() (image.Image, error) {
	m, err := p.decode(bytes.NewReader(p.data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return m, nil
}

// Memory is about how many bytes a picture takes unpacked.
func Memory(c image.Config) int64 {
	pixel := int64(4)
	switch c.ColorModel {
	case color.GrayModel:
		pixel = 1
	case color.Gray16Model:
		pixel = 2
	case color.YCbCrModel:
		pixel = 3
	case color.CMYKModel:
		pixel = 8 // the standard library makes it out of a second picture
	case color.RGBA64Model, color.NRGBA64Model:
		pixel = 8
	default:
		if _, ok := c.ColorModel.(color.Palette); ok {
			pixel = 1
		}
	}
	return pixel * int64(c.Width) * int64(c.Height)
}

// components is how many values a JPEG has for each pixel at most.
func components(m color.Model) int64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.CMYKModel:
		return 4
	}
	return 3
}
