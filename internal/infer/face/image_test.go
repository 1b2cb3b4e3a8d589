package face

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
	"github.com/bulkheadhq/bulkhead/internal/infer/picture/picturetest"
)

// sample is a picture of 40x36 whose left half is red and right half blue, in each form that can be read.
func sample(t testing.TB) map[string][]byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, 40, 36), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}})
	for y := range 36 {
		for x := 20; x < 40; x++ {
			m.SetColorIndex(x, y, 1)
		}
	}
	out := map[string][]byte{}
	for name, encode := range map[string]func(b *bytes.Buffer) error{
		"png": func(b *bytes.Buffer) error { return png.Encode(b, m) }, "gif": func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
		"bmp": func(b *bytes.Buffer) error { return bmp.Encode(b, m) }, "jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	return out
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, b := range sample(t) {
		m, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		l, r := m.Pix[:3], m.Pix[3*39:3*40]
		if m.W != 40 || m.H != 36 || l[0] < 240 || l[2] > 20 || r[0] > 20 || r[2] < 240 {
			t.Errorf("%s: %dx%d, %v and %v", name, m.W, m.H, l, r)
		}
		if _, err := Decode(b[:len(b)/2]); err == nil && name != "bmp" {
			t.Errorf("%s: a half of the file is read", name)
		}
	}
}

// claimed is a PNG that says it has a size, with a small honest stream behind it.
func claimed(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		c := append([]byte(kind), data...)
		b = append(b, c...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(c))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, 16, 6, 0, 0, 0))
	chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})
	return b
}

// TestDecode_Hostile: sizes are judged before pixels are made: what is refused takes no memory of its size.
func TestDecode_Hostile(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"one pixel", claimed(1, 1), ErrSize},
		{"a row", claimed(20_000, 1), ErrSize},
		{"20k pixels each way", claimed(20_000, 20_000), ErrSize},
		{"just too many pixels", claimed(4097, 4096), ErrSize},
		{"2^31 pixels", claimed(1<<31-1, 36), ErrSize},
		{"nothing", nil, ErrFormat},
		{"a text", []byte(strings.Repeat("x", 1000)), ErrFormat},
		{"a JPEG's beginning", []byte("\xff\xd8\xff"), ErrFormat},
		{"a GIF's beginning", []byte("GIF89a\xff\xff\xff\xff"), ErrFormat},
		{"a BMP's beginning", []byte("BM\xff\xff\xff\xff"), ErrFormat},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(c.b)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: refusing it took %d bytes", c.name, n)
		}
	}
}

// TestDecode_Orientation: a picture that is stored in any of the eight ways is seen upright.
func TestDecode_Orientation(t *testing.T) {
	t.Parallel()
	// The corners differ, so that no two ways look alike.
	want := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			want.Set(x, y, color.RGBA{uint8(x / 32 * 250), uint8(y / 24 * 250), uint8(x / 32 * (y / 24) * 250), 255})
		}
	}
	for o := picture.Orientation(1); o <= 8; o++ {
		jpg, err := picturetest.JPEG(picturetest.Stored(want, o), o)
		if err != nil {
			t.Fatal(err)
		}
		pn, err := picturetest.PNG(picturetest.Stored(want, o), o)
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"JPEG": jpg, "PNG": pn} {
			m, err := Decode(b)
			if err != nil || m.W != 64 || m.H != 48 {
				t.Errorf("%s, %d: %+v %v", name, o, m, err)
				continue
			}
			for _, p := range []image.Point{{8, 8}, {56, 8}, {8, 40}, {56, 40}} {
				r, g, bl, _ := want.At(p.X, p.Y).RGBA()
				got := m.Pix[3*(p.Y*m.W+p.X):]
				for i, v := range []uint32{r, g, bl} {
					if d := int(got[i]) - int(v>>8); d < -8 || d > 8 {
						t.Errorf("%s, %d: at %v it is %v, want %v", name, o, p, got[:3], want.At(p.X, p.Y))
						break
					}
				}
			}
		}
	}
}

// TestDecode_Kinds: four colours, 16 bits, interlaced and progressive ones, and the first frame of several.
func TestDecode_Kinds(t *testing.T) {
	t.Parallel()
	deep := image.NewNRGBA64(image.Rect(0, 0, 40, 36))
	for y := range 36 {
		for x := range 40 {
			deep.Set(x, y, color.RGBA64{0xffff, 0, 0, 0xffff})
			if x >= 20 {
				deep.Set(x, y, color.RGBA64{0, 0, 0xffff, 0xffff})
			}
		}
	}
	var b, moving bytes.Buffer
	if err := png.Encode(&b, deep); err != nil {
		t.Fatal(err)
	}
	first, err := gif.Decode(bytes.NewReader(sample(t)["gif"]))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := first.(*image.Paletted)
	second := image.NewPaletted(image.Rect(0, 0, 5, 5), p.Palette)
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{p, second}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	four, err := base64.StdEncoding.DecodeString(cmyk)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"16 bits": b.Bytes(), "moving": moving.Bytes(), "four colours": four} {
		m, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		l, r := m.Pix[3*5:3*6], m.Pix[3*35:3*36]
		if m.W != 40 || m.H != 36 || l[0] < 220 || l[2] > 40 || r[0] > 40 || r[2] < 220 {
			t.Errorf("%s: %dx%d, %v and %v", name, m.W, m.H, l, r)
		}
	}
}

// cmyk is a JPEG of 40x36 in four colours: the left half red, the right half blue.
const cmyk = "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZHhcZWdj/8AAFAgAJAAoBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAHCP/EABgQAQADAQAAAAAAAAAAAAAAAAAHRYPC/9oADgRDAE0AWQBLAAA/AKAn6fqAAJ/KlXrwKBFdpl2J+KAADQAz+ACfypV68CgRXaZdifigAA0AM/gAn8qVevAoEV2mXYn4oAANADP4AJ/KlXrwKBFdpl2J+KAADQAz+ACfypV68CgRXaZdifigAA//2Q=="

// TestDecode_Bounded: what is taken takes no more memory than its pixels call for, however small the file.
func TestDecode_Bounded(t *testing.T) {
	var blank bytes.Buffer
	if err := png.Encode(&blank, image.NewGray(image.Rect(0, 0, 1500, 1500))); err != nil {
		t.Fatal(err)
	}
	// A small picture with 20 MB of zeros behind its rows, pressed into 20 KB.
	var rows, pressed bytes.Buffer
	if err := png.Encode(&rows, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	z := zlib.NewWriter(&pressed)
	for range 20 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25
	chunk := append([]byte("IDAT"), pressed.Bytes()...)
	bomb := binary.BigEndian.AppendUint32(bytes.Clone(rows.Bytes()[:header]), uint32(pressed.Len()))
	bomb = binary.BigEndian.AppendUint32(append(bomb, chunk...), crc32.ChecksumIEEE(chunk))
	bomb = append(bomb, rows.Bytes()[rows.Len()-12:]...)
	for _, c := range []struct {
		name string
		b    []byte
		most uint64 // bytes
	}{
		{"2 megapixels in a kilobyte", blank.Bytes(), 12 << 20},
		{"zeros behind the rows", bomb, 4 << 20},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(c.b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > c.most {
			t.Errorf("%s: %d bytes of file took %d bytes of memory, at most %d are wanted", c.name, len(c.b), n, c.most)
		}
		if err == nil && len(m.Pix) != 3*m.W*m.H || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzDecode: no bytes make Decode panic, and what it gives has the size it says.
func FuzzDecode(f *testing.F) {
	for _, b := range sample(f) {
		f.Add(b)
	}
	f.Add(claimed(40, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		// What is small on disk may say it has many pixels: those take long to make, not wrong.
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && c.Width*c.Height > 1<<16 {
			return
		}
		m, err := Decode(b)
		if err == nil && (m.W < MinSide || m.H < MinSide || len(m.Pix) != 3*m.W*m.H) {
			t.Errorf("%dx%d with %d bytes", m.W, m.H, len(m.Pix))
		}
	})
}

// TestOpen_Missing: what isn't there is named, with how to get it; what is there and other than it should be isn't taken.
func TestOpen_Missing(t *testing.T) {
	t.Parallel()
	_, err := Open(t.TempDir())
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "facemesh.json") || !strings.Contains(err.Error(), "scripts/face-models") {
		t.Errorf("got %v", err)
	}
}
