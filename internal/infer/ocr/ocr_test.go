package ocr

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var texts = map[string]string{
	"en": "The harbour office opens at seven. Whoever brings goods ashore shows the list of them, signs it, and pays the duty before noon. Two clerks weigh every crate; a third writes down what they found. On Fridays the bridge stays closed until the ferry has left, and carts wait on the quay in the order in which they came.",
	"de": "Das Hafenamt öffnet um sieben Uhr. Wer Güter an Land bringt, zeigt die Liste vor, unterschreibt sie und bezahlt den Zoll vor Mittag. Zwei Schreiber wägen jede Kiste; ein dritter hält fest, was sie gefunden haben. Freitags bleibt die Brücke geschlossen, bis die Fähre abgelegt hat, und die Wagen warten der Reihe nach.",
}

// render prints text in lines on a page.
func render(t testing.TB, text string, w, h int, points float64) *image.Gray {
	t.Helper()
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: points, DPI: 150, Hinting: font.HintingNone})
	if err != nil {
		t.Fatal(err)
	}
	page := image.NewGray(image.Rect(0, 0, w, h))
	draw.Draw(page, page.Rect, image.NewUniform(color.Gray{Y: 250}), image.Point{}, draw.Src)
	d := font.Drawer{Dst: page, Src: image.NewUniform(color.Gray{Y: 20}), Face: face}
	margin := w / 12
	y := h/10 + face.Metrics().Ascent.Ceil()
	line := ""
	flush := func() {
		d.Dot = fixed.P(margin, y)
		d.DrawString(line)
		y += face.Metrics().Height.Ceil() * 5 / 4
		line = ""
	}
	for word := range strings.FieldsSeq(text) {
		if more := strings.TrimSpace(line + " " + word); d.MeasureString(more).Ceil() > w-2*margin {
			flush()
			line = word
		} else {
			line = more
		}
	}
	flush()
	if y > h {
		t.Fatalf("the page is too small: %d lines of pixels", y)
	}
	return page
}

// worn leans the page clockwise and sprinkles it with noise.
func worn(page *image.Gray, degrees, noise float64, seed uint64) *image.Gray {
	out := turn(page, -degrees, 1).page
	if out == page {
		out = &image.Gray{Pix: bytes.Clone(page.Pix), Stride: page.Stride, Rect: page.Rect}
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for i, v := range out.Pix {
		out.Pix[i] = uint8(min(255, max(0, float64(v)+r.NormFloat64()*noise)))
	}
	return out
}

func engine(t testing.TB) *Tesseract {
	t.Helper()
	e := &Tesseract{}
	all, err := e.Languages(t.Context())
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return e
}

func textOf(p Page) string {
	var lines []string
	for _, l := range p.Lines {
		lines = append(lines, l.Text)
	}
	return strings.Join(lines, " ")
}

// errorRate is the edit distance by characters of what was wanted. A straight apostrophe is as good as a curly one.
func errorRate(got, want string) float64 {
	straight := strings.NewReplacer("’", "'")
	a, b := []rune(straight.Replace(got)), []rune(straight.Replace(want))
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		last := row[0]
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, last+cost)
		}
	}
	return float64(row[len(b)]) / float64(len(b))
}

// first are the first words of a text: what takes long under the race detector is tried on few.
func first(text string, words int) string {
	return strings.Join(strings.Fields(text)[:words], " ")
}

// TestRead holds the error rates: 1 % of characters as printed, 3 % leaning and with noise.
func TestRead(t *testing.T) {
	t.Parallel()
	e := engine(t)
	text := first(texts["de"], 24)
	page := render(t, text, 800, 420, 10)
	for _, c := range []struct{ degrees, noise, most float64 }{{0, 0, 0.01}, {-5, 25, 0.03}, {180, 10, 0.02}, {-87, 10, 0.03}} {
		got, err := e.Read(t.Context(), worn(page, c.degrees, c.noise, 7), "de")
		if errors.Is(err, ErrLanguage) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		rate := errorRate(textOf(got), text)
		t.Logf("turned by %g, noise %g: %.2f %% of characters wrong, angle %.2f", c.degrees, c.noise, 100*rate, got.Angle)
		if rate > c.most || math.Abs(got.Angle-c.degrees) > 0.3 && math.Abs(got.Angle-c.degrees) < 359.7 {
			t.Errorf("turned by %g, noise %g: error rate %.4f, want at most %g; angle %g; read %q", c.degrees, c.noise, rate, c.most, got.Angle, textOf(got))
		}
	}
}

// TestRead_Places: a word's place on a page that leans is where it was printed.
func TestRead_Places(t *testing.T) {
	t.Parallel()
	e := engine(t)
	flat := render(t, first(texts["en"], 30), 900, 420, 11)
	straight, err := e.Read(t.Context(), flat, "en")
	if err != nil {
		t.Fatal(err)
	}
	for _, degrees := range []float64{7, 90} {
		page := worn(flat, degrees, 0, 1)
		leaning, err := e.Read(t.Context(), page, "en")
		if err != nil {
			t.Fatal(err)
		}
		if len(leaning.Lines) != len(straight.Lines) {
			t.Fatalf("%d lines, %d when straight", len(leaning.Lines), len(straight.Lines))
		}
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		for i, l := range leaning.Lines {
			for c := 0; c < 8; c += 2 {
				x, y := straight.Lines[i].Box[c]-450, straight.Lines[i].Box[c+1]-210
				wx, wy := x*cos-y*sin+float64(page.Rect.Dx())/2, x*sin+y*cos+float64(page.Rect.Dy())/2
				if math.Hypot(wx-l.Box[c], wy-l.Box[c+1]) > 8 {
					t.Errorf("turned by %g: corner %d of line %d is at %.0f,%.0f, want %.0f,%.0f", degrees, c/2, i, l.Box[c], l.Box[c+1], wx, wy)
				}
			}
		}
	}
}

// TestRead_Refused: languages that aren't there, an engine that isn't, a caller that gave up.
func TestRead_Refused(t *testing.T) {
	t.Parallel()
	page := image.NewGray(image.Rect(0, 0, 100, 100))
	missing := &Tesseract{Path: "no-such-program"}
	if _, err := missing.Read(t.Context(), page, ""); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt-get install tesseract-ocr") {
		t.Errorf("got %v", err)
	}
	e := engine(t)
	for _, language := range []string{"tlh", "../eng", "eng", "-l"} {
		if _, err := e.Read(t.Context(), page, language); !errors.Is(err, ErrLanguage) {
			t.Errorf("%s: got %v", language, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Read(ctx, render(t, "Too late", 400, 200, 10), "en"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got, err := e.Read(t.Context(), page, "en"); err != nil || len(got.Lines) != 0 {
		t.Errorf("an empty page: %+v, %v", got, err)
	}
}

// TestLean: the lean of print is found without an engine.
func TestLean(t *testing.T) {
	t.Parallel()
	page := render(t, first(texts["de"], 30), 700, 460, 10)
	for _, d := range []float64{-15, 0, 7.5} {
		if got := layOf(worn(page, d, 15, 3)); len(got) != 4 || got[0].quarters != 0 || math.Abs(got[0].lean-d) > 0.1 {
			t.Errorf("leaning by %g: got %v", d, got)
		}
		if got := layOf(worn(page, 90+d, 15, 3)); len(got) != 4 || got[0].quarters&1 != 1 || math.Abs(got[0].lean-d) > 0.1 {
			t.Errorf("on its side, leaning by %g: got %v", d, got)
		}
	}
	if got := layOf(image.NewGray(image.Rect(0, 0, 500, 500))); got != nil {
		t.Errorf("nothing printed: got %v", got)
	}
}

// TestGray: the short ways give what package draw gives, from wherever the picture begins.
func TestGray(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	all := image.Rect(-3, 2, 14, 13)
	random := func(pix []uint8) {
		for i := range pix {
			pix[i] = uint8(r.IntN(256))
		}
	}
	g, n, a, y := image.NewGray(all), image.NewNRGBA(all), image.NewRGBA(all), image.NewYCbCr(all, image.YCbCrSubsampleRatio420)
	random(g.Pix)
	random(n.Pix)
	draw.Draw(a, all, n, all.Min, draw.Src)
	random(y.Y)
	for i := range y.Cb {
		y.Cb[i], y.Cr[i] = 120+uint8(r.IntN(16)), 120+uint8(r.IntN(16))
	}
	for i, v := range y.Y {
		y.Y[i] = 40 + v/2 // no colour leaves its range
	}
	for _, p := range []interface {
		image.Image
		SubImage(image.Rectangle) image.Image
	}{g, n, a, y} {
		part := p.SubImage(image.Rect(1, 4, 11, 12))
		want := image.NewGray(image.Rect(0, 0, 10, 8))
		draw.Draw(want, want.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(want, want.Rect, part, part.Bounds().Min, draw.Over)
		got := gray(part)
		for i := range want.Pix {
			if d := int(got.Pix[i]) - int(want.Pix[i]); got.Rect != want.Rect || d < -1 || d > 1 {
				t.Fatalf("%T: pixel %d is %d, want %d", p, i, got.Pix[i], want.Pix[i])
			}
		}
	}
}

// TestQuarters: a corner goes where a turn takes it, and back.
func TestQuarters(t *testing.T) {
	t.Parallel()
	page := image.NewGray(image.Rect(0, 0, 3, 2))
	page.SetGray(0, 0, color.Gray{Y: 9})
	for n, want := range []image.Point{{0, 0}, {1, 0}, {2, 1}, {0, 2}} {
		got := quarters(page, n)
		if got.GrayAt(want.X, want.Y).Y != 9 {
			t.Errorf("%d quarters: the corner isn't at %v", n, want)
		}
		q := unquarter(Quad{float64(want.X) + 0.5, float64(want.Y) + 0.5}, n, 3, 2)
		if q[0] != 0.5 || q[1] != 0.5 {
			t.Errorf("%d quarters back: %v", n, q[:2])
		}
	}
}

func encode(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	bounds := Bounds{Least: 50, Most: 10000, Pages: 10}
	ctx := t.Context()
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":              {nil, ErrFormat},
		"text":                 {[]byte("hello"), ErrFormat},
		"small":                {encode(t, image.NewGray(image.Rect(0, 0, 49, 50))), ErrSize},
		"huge, claimed":        {bomb(t, 20000, 20000), ErrSize},
		"wide, claimed":        {bomb(t, 9999, 10001), ErrSize},
		"deep, claimed":        {deep(bomb(t, 9000, 9000)), ErrSize},
		"cut off":              {encode(t, image.NewGray(image.Rect(0, 0, 60, 60)))[:20], ErrFormat},
		"TIFF that goes round": {[]byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"), ErrFormat},
		"TIFF of nothing":      {[]byte("II*\x00\x00\x00\x00\x00"), ErrFormat},
		"TIFF cut off":         {[]byte("MM\x00*\x00\x00\x00\x08"), ErrFormat},
	} {
		if _, err := Open(ctx, c.data, bounds); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := exec.LookPath("pdfinfo"); err == nil {
		if _, err := Open(ctx, []byte("%PDF-1.4\nnonsense"), bounds); !errors.Is(err, ErrFormat) {
			t.Errorf("a broken PDF file: got %v", err)
		}
	}
}

// bomb is a picture of a few bytes that says it is larger.
func bomb(t testing.TB, w, h int) []byte {
	b := encode(t, image.NewGray(image.Rect(0, 0, 60, 60)))
	be := func(at, v int) { b[at], b[at+1], b[at+2], b[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v) }
	be(16, w)
	be(20, h)
	crc := crc32.ChecksumIEEE(b[12:29])
	be(29, int(crc))
	return b
}

// deep makes such a picture one of 16 bits in four channels.
func deep(b []byte) []byte {
	b[24], b[25] = 16, 6
	crc := crc32.ChecksumIEEE(b[12:29])
	b[29], b[30], b[31], b[32] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
	return b
}
