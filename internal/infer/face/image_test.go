package face

import (
	"bytes"
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
