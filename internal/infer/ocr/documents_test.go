package ocr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
	"github.com/bulkheadhq/bulkhead/internal/infer/picture/picturetest"
)

// many joins TIFF files of one page each: the directories' offsets and those in them move with the file they are in.
func many(t testing.TB, pages ...image.Image) []byte {
	t.Helper()
	var out []byte
	last := 4 // where the offset of the next directory goes
	for _, p := range pages {
		var b bytes.Buffer
		if err := tiff.Encode(&b, p, nil); err != nil {
			t.Fatal(err)
		}
		file, le := b.Bytes(), binary.LittleEndian
		base := uint32(len(out))
		dir := le.Uint32(file[4:])
		n := uint32(le.Uint16(file[dir:]))
		for i := range n {
			e := file[dir+2+12*i:]
			size := map[uint16]uint32{1: 1, 2: 1, 3: 2, 4: 4, 5: 8}[le.Uint16(e[2:])] * le.Uint32(e[4:])
			if size > 4 || le.Uint16(e) == 273 { // beyond the entry, or StripOffsets
				le.PutUint32(e[8:], le.Uint32(e[8:])+base)
			}
		}
		out = append(out, file...)
		le.PutUint32(out[last:], base+dir)
		last = int(base + dir + 2 + 12*n)
	}
	return out
}

func TestOpen_TIFF(t *testing.T) {
	t.Parallel()
	a, b := image.NewGray(image.Rect(0, 0, 60, 50)), image.NewGray(image.Rect(0, 0, 70, 80))
	a.Pix[5], b.Pix[9] = 200, 100
	d, err := Open(t.Context(), many(t, a, b), Bounds{50, 1000, 10})
	if err != nil || d.Pages != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	defer d.Close()
	for n, want := range []*image.Gray{a, b} {
		if got, err := d.Page(t.Context(), n); err != nil || !bytes.Equal(got.Pix, want.Pix) || got.Rect != want.Rect {
			t.Errorf("page %d: %v", n, err)
		}
	}
	if _, err := d.Page(t.Context(), 2); !errors.Is(err, ErrFormat) {
		t.Errorf("a third page: %v", err)
	}
	if d, err := Open(t.Context(), many(t, a, b), Bounds{50, 1000, 1}); err != nil || d.Pages != 1 {
		t.Errorf("one page is read: %v", err)
	}
	if _, err := Open(t.Context(), many(t, a, image.NewGray(image.Rect(0, 0, 20, 20))), Bounds{50, 1000, 10}); !errors.Is(err, ErrSize) {
		t.Errorf("a small second page: %v", err)
	}
}

// TestOpen_Orientation: a page that is stored in any of the eight ways is seen upright, and a TIFF's pages each by its own note.
func TestOpen_Orientation(t *testing.T) {
	t.Parallel()
	want := render(t, "Which way up?", 300, 120, 12)
	for o := picture.Orientation(1); o <= 8; o++ {
		stored := picturetest.Stored(want, o)
		for name, encode := range map[string]func(image.Image, picture.Orientation) ([]byte, error){"JPEG": picturetest.JPEG, "PNG": picturetest.PNG, "TIFF": picturetest.TIFF} {
			b, err := encode(stored, o)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(t.Context(), b, Bounds{50, 1000, 10})
			if err != nil {
				t.Fatal(name, o, err)
			}
			got, err := d.Page(t.Context(), 0)
			d.Close()
			if err != nil || got.Rect != want.Rect {
				t.Errorf("%s, %d: %v", name, o, err)
				continue
			}
			far := 0
			for i, v := range got.Pix {
				if diff := int(v) - int(want.Pix[i]); diff < -40 || diff > 40 {
					far++
				}
			}
			if far > 0 {
				t.Errorf("%s, %d: %d pixels of %d are others", name, o, far, len(got.Pix))
			}
		}
	}
}

// TestRead_Orientation: print of a photo that was taken on its side is told as it is seen: its angle, its size, the places of its words.
func TestRead_Orientation(t *testing.T) {
	t.Parallel()
	e := engine(t)
	text := first(texts["en"], 20)
	flat := render(t, text, 800, 400, 11)
	b, err := picturetest.JPEG(picturetest.Stored(flat, 6), 6)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), b, Bounds{50, 4200, 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	page, err := d.Page(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Read(t.Context(), page, "en")
	if err != nil || got.Width != 800 || got.Height != 400 || got.Angle != 0 || len(got.Lines) < 2 {
		t.Fatalf("%dx%d, angle %g, %d lines, %v", got.Width, got.Height, got.Angle, len(got.Lines), err)
	}
	if rate := errorRate(textOf(got), text); rate > 0.01 {
		t.Errorf("error rate %.4f: %q", rate, textOf(got))
	}
	if at := got.Lines[0].Box; at[0] > 120 || at[1] > 100 || at[2] < 600 || at[7] > 130 {
		t.Errorf("the first line is at %v", at)
	}
}

// TestPage_Bounded: a page takes no more memory than its pixels call for, whatever is pressed into its file.
func TestPage_Bounded(t *testing.T) {
	var pressed, file bytes.Buffer
	z := zlib.NewWriter(&pressed)
	for range 30 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), tiff.Encode(&file, image.NewGray(image.Rect(0, 0, 60, 60)), &tiff.Options{Compression: tiff.Deflate})); err != nil {
		t.Fatal(err)
	}
	// The strip becomes one of 30 MB behind the file.
	b, le := file.Bytes(), binary.LittleEndian
	dir := le.Uint32(b[4:])
	for i := range uint32(le.Uint16(b[dir:])) {
		switch e := b[dir+2+12*i:]; le.Uint16(e) {
		case 273: // StripOffsets
			le.PutUint32(e[8:], uint32(len(b)))
		case 279: // StripByteCounts
			le.PutUint32(e[8:], uint32(pressed.Len()))
		}
	}
	b = append(b, pressed.Bytes()...)
	blank := encode(t, image.NewGray(image.Rect(0, 0, 2500, 2500)))
	for _, c := range []struct {
		name string
		b    []byte
		most uint64
	}{{"a strip of 30 MB", b, 8 << 20}, {"6 megapixels in a small file", blank, 16 << 20}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := Open(t.Context(), c.b, Bounds{50, 10000, 10})
		if err != nil {
			t.Fatal(c.name, err)
		}
		page, err := d.Page(t.Context(), 0)
		runtime.ReadMemStats(&after)
		d.Close()
		if n := after.TotalAlloc - before.TotalAlloc; n > c.most || d.Memory > 2*int64(c.most) {
			t.Errorf("%s: %d bytes of file took %d bytes of memory, told were %d; at most %d are wanted", c.name, len(c.b), n, d.Memory, c.most)
		}
		if err == nil && len(page.Pix) != page.Rect.Dx()*page.Rect.Dy() || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// pdf is a file of pages that each print a line.
func pdf(lines ...string) []byte {
	var b bytes.Buffer
	var at []int
	object := func(format string, args ...any) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), fmt.Sprintf(format, args...))
	}
	b.WriteString("%PDF-1.4\n")
	var kids []string
	for i := range lines {
		kids = append(kids, fmt.Sprintf("%d 0 R", 4+2*i))
	}
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), len(lines))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	for i, l := range lines {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>", 5+2*i)
		text := fmt.Sprintf("BT /F1 18 Tf 30 120 Td (%s) Tj ET", l)
		object("<< /Length %d >>\nstream\n%s\nendstream", len(text), text)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}

func TestOpen_PDF(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pdftoppm"); err != nil {
		if _, err := Open(t.Context(), pdf("x"), Bounds{50, 10000, 10}); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "poppler-utils") {
			t.Errorf("without poppler: %v", err)
		}
		t.Skip("pdftoppm is not installed")
	}
	e := engine(t)
	lines := []string{"The first page of two", "And this is the second"}
	d, err := Open(t.Context(), pdf(lines...), Bounds{50, 10000, 10})
	if err != nil || d.Pages != 2 || d.DPI != pdfDPI {
		t.Fatalf("%+v, %v", d, err)
	}
	defer d.Close()
	for n, want := range lines {
		page, err := d.Page(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Read(t.Context(), page, "en"); err != nil || textOf(got) != want {
			t.Errorf("page %d: %q, %v", n, textOf(got), err)
		}
	}
}

func TestParseTSV(t *testing.T) {
	t.Parallel()
	const head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
	got, err := parseTSV([]byte(head + "4\t1\t1\t1\t1\t0\t10\t20\t30\t40\t-1\t\n5\t1\t1\t1\t1\t1\t10\t20\t15\t40\t96.5\ta\tb\n4\t1\t1\t1\t2\t0\t1\t2\t3\t4\t-1\t\n"))
	if err != nil || len(got) != 1 || got[0].box != (box{10, 20, 30, 40}) || len(got[0].words) != 1 || got[0].words[0].text != "a\tb" || got[0].words[0].confidence != 96.5 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "x\n", head + "5\t1\n", head + "4\t1\t1\t1\t1\t0\t-10\t20\t30\t40\t-1\t\n", head + "5\t1\t1\t1\t1\t1\t10\t20\t15\t40\t96\ta\n", head + "4\t1\t1\t1\t1\t0\t10\t20\t30\t40\t-1\t\n5\t1\t1\t1\t1\t1\t1\t2\t3\t4\tNaN\ta\n"} {
		if got, err := parseTSV([]byte(bad)); err == nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}

func FuzzParseTSV(f *testing.F) {
	f.Add([]byte("level\tx\n4\t1\t1\t1\t1\t0\t10\t20\t30\t40\t-1\t\n5\t1\t1\t1\t1\t1\t10\t20\t15\t40\t96.5\ta\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := parseTSV(b)
		if err != nil && lines != nil {
			t.Error("both lines and an error")
		}
		for _, l := range lines {
			if len(l.words) == 0 {
				t.Error("a line without words")
			}
		}
	})
}

// FuzzOpen looks at documents of pictures; PDF is poppler's to parse.
func FuzzOpen(f *testing.F) {
	f.Add(encode(f, image.NewGray(image.Rect(0, 0, 60, 60))))
	f.Add(many(f, image.NewGray(image.Rect(0, 0, 60, 50)), image.NewGray(image.Rect(0, 0, 50, 60))))
	f.Add([]byte("GIF89a"))
	f.Add([]byte("BM"))
	f.Add([]byte("\xff\xd8\xff\xe0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.HasPrefix(b, []byte("%PDF-")) {
			return
		}
		d, err := Open(t.Context(), b, Bounds{1, 500, 5})
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSize) {
				t.Error(err)
			}
			return
		}
		defer d.Close()
		for n := range d.Pages {
			if p, err := d.Page(t.Context(), n); err == nil && (p.Rect.Dx() > 500 || p.Rect.Dy() > 500) {
				t.Errorf("page %d: %v", n, p.Rect)
			}
		}
	})
}

func FuzzParsePGM(f *testing.F) {
	f.Add([]byte("P5\n2 1\n255\nab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePGM(b); err == nil && len(p.Pix) != p.Rect.Dx()*p.Rect.Dy() {
			t.Errorf("%v with %d pixels", p.Rect, len(p.Pix))
		}
	})
}
