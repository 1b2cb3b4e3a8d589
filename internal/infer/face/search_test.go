package face

import (
	"fmt"
	"image"
	"image/color"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
)

// TestTiles: the parts cover the image, are few and lie in it, and every face of the least size lies in one of them entirely.
func TestTiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ w, h, most int }{
		{36, 36, 0},
		{640, 480, 0},
		{480, 640, 0},
		{800, 600, 4},
		{1280, 720, 8},
		{1920, 1080, 15},
		{1080, 1920, 15},
		{1920, 1920, 25},
		{4096, 4096, 25},
		{3000, 2000, 15},
		{20_000, 36, mostTiles},
		{36, 20_000, mostTiles},
		{20_000, 800, mostTiles},
		{16_000, 1000, mostTiles},
	} {
		all := tiles(c.w, c.h)
		if len(all) > c.most || len(all) == 0 && c.most > 0 {
			t.Errorf("%dx%d: %d parts, at most %d are wanted", c.w, c.h, len(all), c.most)
		}
		if len(all) == 0 {
			continue
		}
		for _, p := range all {
			if p.x < 0 || p.y < 0 || p.w < 1 || p.h < 1 || p.x+p.w > c.w || p.y+p.h > c.h {
				t.Errorf("%dx%d: the part %+v", c.w, c.h, p)
			}
		}
		least := int(min(leastFace*max(1, float64(max(c.w, c.h))/fullSide), float64(min(c.w, c.h))/4))
		if len(all) == mostTiles {
			least = 1
		}
		for y := 0; y+least <= c.h; y += max(1, (c.h-least)/50) {
			for x := 0; x+least <= c.w; x += max(1, (c.w-least)/50) {
				if !slices.ContainsFunc(all, func(p tile) bool { return x >= p.x && y >= p.y && x+least <= p.x+p.w && y+least <= p.y+p.h }) {
					t.Fatalf("%dx%d: a face of %d at %d,%d is in no part: %+v", c.w, c.h, least, x, y, all)
				}
			}
		}
	}
}

func rgba(m *Image) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, m.W, m.H))
	for i := range m.W * m.H {
		copy(out.Pix[4*i:4*i+3], m.Pix[3*i:])
		out.Pix[4*i+3] = 255
	}
	return out
}

// sheet pastes photos into a large picture of grey noise, shrunk so that their faces have about side pixels, and tells where these are then. What doesn't fit is left out.
func sheet(w, h int, side float64, all map[string]*Image, faces map[string][]Rectangle) (*Image, []Rectangle) {
	r := rand.New(rand.NewPCG(1, 2))
	canvas := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range canvas.Pix {
		canvas.Pix[i] = uint8(100 + r.IntN(30))
	}
	var want []Rectangle
	x, y, row := 10, 10, 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p, mean := all[name], 0.0
		for _, f := range faces[name] {
			mean += float64(f.Width) / float64(len(faces[name]))
		}
		k := side / mean
		pw, ph := int(float64(p.W)*k), int(float64(p.H)*k)
		if x+pw > w {
			x, y, row = 10, y+row+15, 0
		}
		if x+pw > w || y+ph > h {
			continue
		}
		draw.CatmullRom.Scale(canvas, image.Rect(x, y, x+pw, y+ph), rgba(p), image.Rect(0, 0, p.W, p.H), draw.Src, nil)
		at := func(v int) int { return int(float64(v) * k) }
		for _, f := range faces[name] {
			want = append(want, Rectangle{x + at(f.Left), y + at(f.Top), at(f.Width), at(f.Height)})
		}
		x, row = x+pw+40, max(row, ph)
	}
	return fromImage(canvas, picture.Upright), want
}

// TestSmallFaces: what the service promises, faces from 36 pixels on in photos up to 1920x1080. The sample photos are shrunk until their faces are that small, and pasted into a large
// picture: all are found, where they are, and nothing else.
func TestSmallFaces(t *testing.T) {
	t.Parallel()
	m := models(t)
	all, faces := photos(t), map[string][]Rectangle{}
	delete(all, "samples.jpg") // lines are drawn over its faces
	for name, img := range all {
		found, err := m.Detect(img)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			faces[name] = append(faces[name], f.Rectangle)
		}
	}
	for _, c := range []struct {
		w, h, least int
		side        float64
	}{{1920, 1080, 22, 36}, {1920, 1080, 22, 42}, {1920, 1080, 22, 60}, {1920, 1080, 13, 80}, {1080, 1920, 22, 38}, {640, 480, 6, 38}, {3840, 2160, 22, 76}} {
		t.Run(fmt.Sprintf("%dx%d,%g", c.w, c.h, c.side), func(t *testing.T) {
			img, want := sheet(c.w, c.h, c.side, all, faces)
			if len(want) < c.least {
				t.Fatalf("%d faces were pasted, want %d", len(want), c.least)
			}
			got, err := m.Detect(img)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				i := slices.IndexFunc(got, func(f Face) bool { return overlap(f.Rectangle.box(), w.box()) >= 0.5 })
				if i < 0 {
					t.Errorf("the face at %+v isn't found", w)
					continue
				}
				got = slices.Delete(got, i, i+1)
			}
			for _, f := range got {
				t.Errorf("there is no face at %+v (%.3f)", f.Rectangle, f.Score)
			}
		})
	}
}

// TestNoFaces: nothing is found where nothing is.
func TestNoFaces(t *testing.T) {
	t.Parallel()
	m := models(t)
	r := rand.New(rand.NewPCG(3, 4))
	const w, h = 1920, 1080
	paint := func(f func(x, y int) color.Color) image.Image {
		p := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				p.Set(x, y, f(x, y))
			}
		}
		return p
	}
	blobs := func(cell int) image.Image {
		coarse, p := image.NewRGBA(image.Rect(0, 0, w/cell, h/cell)), image.NewRGBA(image.Rect(0, 0, w, h))
		for i := range coarse.Pix {
			if coarse.Pix[i] = byte(r.IntN(256)); i%4 == 3 {
				coarse.Pix[i] = 255
			}
		}
		draw.BiLinear.Scale(p, p.Rect, coarse, coarse.Rect, draw.Src, nil)
		return p
	}
	for name, p := range map[string]image.Image{
		"black": paint(func(int, int) color.Color { return color.Black }), "white": paint(func(int, int) color.Color { return color.White }),
		"skin":     paint(func(int, int) color.Color { return color.RGBA{224, 172, 105, 255} }),
		"gradient": paint(func(x, y int) color.Color { return color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), 120, 255} }),
		"chequers": paint(func(x, y int) color.Color { return color.Gray{uint8((x/40 + y/40) % 2 * 255)} }),
		"noise": paint(func(int, int) color.Color {
			return color.RGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255}
		}),
		"blobs": blobs(16), "large blobs": blobs(48), "a page of text": printed(t, w, h, 14), "large print": printed(t, w, h, 40),
	} {
		got, err := m.Detect(fromImage(p, picture.Upright))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got {
			t.Errorf("%s: a face at %+v (%.3f)", name, f.Rectangle, f.Score)
		}
	}
}

// printed is a page full of words.
func printed(t *testing.T, w, h int, points float64) image.Image {
	t.Helper()
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: points, DPI: 100})
	if err != nil {
		t.Fatal(err)
	}
	page := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(page, page.Rect, image.White, image.Point{}, draw.Src)
	d := font.Drawer{Dst: page, Src: image.Black, Face: face}
	for y, i := face.Metrics().Height.Ceil(), 0; y < h; y += face.Metrics().Height.Ceil() {
		d.Dot = fixed.P(20, y)
		for d.Dot.X.Ceil() < w {
			d.DrawString([]string{"Boot ", "8 oo 8 ", "(o_o) ", "OQG ", "quay ", "O.O ", "eerie "}[i%7])
			i++
		}
	}
	return page
}
