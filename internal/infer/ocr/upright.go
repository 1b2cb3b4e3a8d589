package ocr

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
)

// turned is a page turned by degrees so that its print is upright, with the way back.
type turned struct {
	page *image.Gray
	back f64.Aff3 // from pixels of page to those of the original
}

// turn turns the page counter-clockwise by the degrees that its print leans clockwise, and scales it. What comes in at the corners is white.
func turn(page *image.Gray, degrees, scale float64) turned {
	b := page.Bounds()
	w, h := float64(b.Dx()), float64(b.Dy())
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	if degrees == 0 && scale == 1 {
		return turned{page, f64.Aff3{1, 0, 0, 0, 1, 0}}
	}
	nw := int(math.Ceil((w*math.Abs(cos) + h*math.Abs(sin)) * scale))
	nh := int(math.Ceil((w*math.Abs(sin) + h*math.Abs(cos)) * scale))
	nw, nh = max(nw, 1), max(nh, 1)
	// In pixel coordinates (y down) a clockwise turn by a is x' = x cos a - y sin a; the way there turns by -degrees about the middles.
	cx, cy, nx, ny := w/2, h/2, float64(nw)/2, float64(nh)/2
	to := f64.Aff3{scale * cos, scale * sin, nx - scale*(cos*cx+sin*cy), -scale * sin, scale * cos, ny - scale*(cos*cy-sin*cx)}
	back := f64.Aff3{cos / scale, -sin / scale, cx - (cos*nx-sin*ny)/scale, sin / scale, cos / scale, cy - (sin*nx+cos*ny)/scale}
	out := image.NewGray(image.Rect(0, 0, nw, nh))
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	to[2] -= to[0]*float64(b.Min.X) + to[1]*float64(b.Min.Y)
	to[5] -= to[3]*float64(b.Min.X) + to[4]*float64(b.Min.Y)
	kernel := draw.Interpolator(draw.BiLinear)
	if scale > 1 {
		kernel = draw.CatmullRom
	}
	kernel.Transform(out, to, page, b, draw.Src, nil)
	return turned{out, back}
}

// quad places a rectangle of the turned page on the original.
func (t turned) quad(left, top, width, height int) Quad {
	l, u := float64(left), float64(top)
	r, d := l+float64(width), u+float64(height)
	var q Quad
	for i, p := range [4][2]float64{{l, u}, {r, u}, {r, d}, {l, d}} {
		q[2*i] = t.back[0]*p[0] + t.back[1]*p[1] + t.back[2]
		q[2*i+1] = t.back[3]*p[0] + t.back[4]*p[1] + t.back[5]
	}
	return q
}

const (
	// maxLean is how far print may lean for it to be straightened; beyond, what looks like lines needn't be.
	maxLean = 20.0
	// leanSide is the longer side in pixels of what the lean is looked for in.
	leanSide = 900
	// leanPoints is how many points of ink are about enough to find it by.
	leanPoints = 12000
	// leanLeast is the lean below which a page is read as it is.
	leanLeast = 0.15
)

// lay is a way a page may lie: turned clockwise by quarters its print leans clockwise by lean degrees.
type lay struct {
	quarters int
	lean     float64
}

// layOf tells the ways a page may lie, the likely ones first; none where nothing is printed. Lines of print show across the page or along it; which end is up only
// reading shows.
func layOf(page *image.Gray) []lay {
	b := page.Bounds()
	scale := min(1, leanSide/float64(max(b.Dx(), b.Dy())))
	small := image.NewGray(image.Rect(0, 0, max(1, int(float64(b.Dx())*scale)), max(1, int(float64(b.Dy())*scale))))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), page, b, draw.Src, nil)
	ink := inked(small)
	if len(ink) == 0 {
		return nil
	}
	if every := len(ink)/leanPoints + 1; every > 1 {
		for i := range len(ink) / every {
			ink[i] = ink[i*every]
		}
		ink = ink[:len(ink)/every]
	}
	w, h := small.Rect.Dx(), small.Rect.Dy()
	across, clear := lean(ink, w, h)
	for i, p := range ink {
		ink[i] = image.Pt(h-1-p.Y, p.X) // a quarter clockwise
	}
	along, clearer := lean(ink, h, w)
	upright, sideways := []lay{{0, across}, {2, across}}, []lay{{1, along}, {3, along}}
	if clearer > 1.1*clear {
		return append(sideways, upright...)
	}
	return append(upright, sideways...)
}

// lean tells how far print whose ink is at these points of a page of width w and height h leans clockwise, in degrees, from -maxLean to maxLean; 0 where
// nothing shows it. It also tells how clearly lines stand out.
//
// Ink is counted by rows along each angle. Where the angle is the print's, lines and the gaps between them stand out, so that the sum of squares of
// the differences of neighbouring rows is greatest (Postl's criterion).
func lean(ink []image.Point, w, h int) (degrees, clear float64) {
	rows := make([]float64, w+2*h+2)
	best, at, flat := 0.0, 0.0, 0.0
	try := func(degrees float64) {
		score := profile(ink, degrees, rows, w)
		if degrees == 0 {
			flat = score
		}
		if score > best {
			best, at = score, degrees
		}
	}
	for d := -maxLean; d <= maxLean; d += 0.5 {
		try(d)
	}
	for _, step := range []float64{0.1, 0.02} {
		for mid, i := at, -5; i <= 5; i++ {
			try(mid + float64(i)*step)
		}
	}
	if math.Abs(at) < leanLeast || best < 1.05*flat {
		return 0, flat
	}
	return at, best
}

// inked are the points of the page's print: the rarer of the dark and the light ones, so that light print on dark counts, too.
func inked(page *image.Gray) []image.Point {
	border := threshold(page)
	var dark int
	for y := range page.Rect.Dy() {
		for _, v := range page.Pix[y*page.Stride : y*page.Stride+page.Rect.Dx()] {
			if v < border {
				dark++
			}
		}
	}
	all := page.Rect.Dx() * page.Rect.Dy()
	if dark == 0 || dark == all {
		return nil
	}
	light := dark > all/2
	var ink []image.Point
	for y := range page.Rect.Dy() {
		for x, v := range page.Pix[y*page.Stride : y*page.Stride+page.Rect.Dx()] {
			if v < border != light {
				ink = append(ink, image.Pt(x, y))
			}
		}
	}
	return ink
}

// threshold is Otsu's: what parts the page's grays so that each part varies least.
func threshold(page *image.Gray) uint8 {
	var count [256]float64
	for y := range page.Rect.Dy() {
		for _, v := range page.Pix[y*page.Stride : y*page.Stride+page.Rect.Dx()] {
			count[v]++
		}
	}
	var all, sum float64
	for v, n := range count {
		all += n
		sum += float64(v) * n
	}
	var below, belowSum, best float64
	at := 0
	for v, n := range count {
		below += n
		belowSum += float64(v) * n
		if below == 0 || below == all {
			continue
		}
		d := belowSum/below - (sum-belowSum)/(all-below)
		if s := below * (all - below) * d * d; s > best {
			best, at = s, v+1
		}
	}
	return uint8(min(at, 255))
}

func profile(ink []image.Point, degrees float64, rows []float64, width int) float64 {
	clear(rows)
	tan := math.Tan(degrees * math.Pi / 180)
	shift := float64(width) * math.Tan(maxLean*math.Pi/180+0.1)
	for _, p := range ink {
		y := float64(p.Y) - float64(p.X)*tan + shift
		i := int(y)
		if i < 0 || i+1 >= len(rows) {
			continue
		}
		f := y - float64(i) // a point counts for the two rows it lies between, so that no angle gains by rounding
		rows[i] += 1 - f
		rows[i+1] += f
	}
	var score float64
	for i := 1; i < len(rows); i++ {
		d := rows[i] - rows[i-1]
		score += d * d
	}
	return score
}

// quarters turns the page clockwise by so many right angles.
func quarters(page *image.Gray, n int) *image.Gray {
	b := page.Bounds()
	w, h := b.Dx(), b.Dy()
	switch n & 3 {
	case 1:
		out := image.NewGray(image.Rect(0, 0, h, w))
		for y := range h {
			for x, v := range page.Pix[y*page.Stride : y*page.Stride+w] {
				out.Pix[x*out.Stride+h-1-y] = v
			}
		}
		return out
	case 2:
		out := image.NewGray(image.Rect(0, 0, w, h))
		for y := range h {
			for x, v := range page.Pix[y*page.Stride : y*page.Stride+w] {
				out.Pix[(h-1-y)*out.Stride+w-1-x] = v
			}
		}
		return out
	case 3:
		out := image.NewGray(image.Rect(0, 0, h, w))
		for y := range h {
			for x, v := range page.Pix[y*page.Stride : y*page.Stride+w] {
				out.Pix[(w-1-x)*out.Stride+y] = v
			}
		}
		return out
	}
	return page
}

// unquarter places a quad of a page that quarters turned by n on the page as it was, of width w and height h.
func unquarter(q Quad, n, w, h int) Quad {
	for i := 0; i < 8; i += 2 {
		x, y := q[i], q[i+1]
		switch n & 3 {
		case 1:
			q[i], q[i+1] = y, float64(h)-x
		case 2:
			q[i], q[i+1] = float64(w)-x, float64(h)-y
		case 3:
			q[i], q[i+1] = float64(w)-y, x
		}
	}
	return q
}

// upright is a page put the way up that it was stored with a note of.
func upright(page *image.Gray, o picture.Orientation) *image.Gray {
	if o <= picture.Upright || o > 8 {
		return page
	}
	w, h := page.Rect.Dx(), page.Rect.Dy()
	first, across, down := o.Steps(w, h)
	out := image.NewGray(image.Rect(0, 0, w, h))
	if o.Sideways() {
		out = image.NewGray(image.Rect(0, 0, h, w))
	}
	for y := range h {
		at := first + y*down
		for _, v := range page.Pix[y*page.Stride : y*page.Stride+w] {
			out.Pix[at] = v
			at += across
		}
	}
	return out
}

// gray is the picture in gray over white, in memory of its own and from 0,0 on.
func gray(p image.Image) *image.Gray {
	b := p.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	row := func(y int) []uint8 { return out.Pix[y*out.Stride : y*out.Stride+b.Dx()] }
	// What pictures mostly are goes by the row: package draw asks for each pixel by itself.
	switch p := p.(type) {
	case *image.Gray:
		for y := range b.Dy() {
			copy(row(y), p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.YCbCr:
		for y := range b.Dy() {
			copy(row(y), p.Y[p.YOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.RGBA:
		for y := range b.Dy() {
			in := p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range row(y) {
				c := in[4*x : 4*x+4]
				row(y)[x] = luminance(c) + 255 - c[3]
			}
		}
	case *image.NRGBA:
		for y := range b.Dy() {
			in := p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range row(y) {
				c := in[4*x : 4*x+4]
				row(y)[x] = uint8((uint32(luminance(c))*uint32(c[3])+127)/255) + 255 - c[3]
			}
		}
	default:
		draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(out, out.Rect, p, b.Min, draw.Over)
	}
	return out
}

// luminance is how bright a colour is, by the weights of JPEG and of color.GrayModel.
func luminance(c []uint8) uint8 {
	return uint8((19595*uint32(c[0]) + 38470*uint32(c[1]) + 7471*uint32(c[2]) + 1<<15) >> 16)
}
