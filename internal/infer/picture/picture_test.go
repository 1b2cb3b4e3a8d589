package picture

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"golang.org/x/image/bmp"
)

// tiff is an Exif block of one byte order with entries before that of the orientation.
func tiff(order binary.AppendByteOrder, before int, value uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 10)
	b = append(b, 0, 0) // the directory needn't follow at once
	b = order.AppendUint16(b, uint16(before+1))
	for i := range before {
		b = order.AppendUint16(order.AppendUint16(b, uint16(0x10b+i)), 4)
		b = order.AppendUint32(order.AppendUint32(b, 1), 7)
	}
	b = order.AppendUint16(order.AppendUint16(b, tagOrientation), 3)
	b = order.AppendUint32(b, 1)
	b = append(order.AppendUint16(b, value), 0, 0)
	return order.AppendUint32(b, 0)
}

// inJPEG puts Exif into a JPEG, after what is there already.
func inJPEG(b, exif []byte) []byte {
	segment := append([]byte("Exif\x00\x00"), exif...)
	out := append([]byte("\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xe1"), 0, 0)
	binary.BigEndian.PutUint16(out[len(out)-2:], uint16(len(segment)+2))
	return append(append(out, segment...), b[2:]...)
}

// inPNG puts Exif into a PNG, before its end.
func inPNG(b, exif []byte) []byte {
	end := len(b) - 12
	chunk := append([]byte("eXIf"), exif...)
	out := binary.BigEndian.AppendUint32(bytes.Clone(b[:end]), uint32(len(exif)))
	out = binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
	return append(out, b[end:]...)
}

func encoded(t testing.TB, m image.Image) (jpg, pn []byte) {
	t.Helper()
	var j, p bytes.Buffer
	if err := errors.Join(jpeg.Encode(&j, m, nil), png.Encode(&p, m)); err != nil {
		t.Fatal(err)
	}
	return j.Bytes(), p.Bytes()
}

// TestOrientation: all eight are read, of JPEG and PNG, in both byte orders; what isn't right is no orientation.
func TestOrientation(t *testing.T) {
	t.Parallel()
	jpg, pn := encoded(t, image.NewGray(image.Rect(0, 0, 3, 2)))
	for value := range uint16(11) {
		want := Upright
		if value >= 1 && value <= 8 {
			want = Orientation(value)
		}
		w, h := 3, 2
		if value >= 5 && value <= 8 {
			w, h = 2, 3
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			exif := tiff(order, 3, value)
			for name, b := range map[string][]byte{"JPEG": inJPEG(jpg, exif), "PNG": inPNG(pn, exif)} {
				p, err := Open(b)
				if err != nil {
					t.Fatal(name, err)
				}
				gw, gh := p.Size()
				if p.Orientation != want || gw != w || gh != h || p.Width != 3 || p.Height != 2 {
					t.Errorf("%s, %v, %d: orientation %d, %dx%d", name, order, value, p.Orientation, gw, gh)
				}
				if m, err := p.Decode(); err != nil || m.Bounds() != image.Rect(0, 0, 3, 2) {
					t.Errorf("%s, %v, %d: %v", name, order, value, err)
				}
			}
		}
	}
	good := tiff(binary.LittleEndian, 0, 6)
	altered := func(at int, v byte) []byte { b := bytes.Clone(good); b[at] = v; return b }
	for name, exif := range map[string][]byte{
		"empty": nil, "cut off": good[:len(good)-8], "another order": altered(0, 'M'), "directory beyond the end": altered(4, 200), "a long": altered(14, 4), "two values": altered(16, 2),
	} {
		if p, err := Open(inJPEG(jpg, exif)); err != nil || p.Orientation != Upright {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	if p, err := Open(jpg); err != nil || p.Orientation != Upright {
		t.Errorf("without Exif: %v", err)
	}
}

// TestSteps: the pixels of "ab/cd/ef", stored in each way, go where they are seen.
func TestSteps(t *testing.T) {
	t.Parallel()
	const upright, w, h = "abcdef", 2, 3
	for o, stored := range map[Orientation]struct {
		text string
		w, h int
	}{
		0: {"abcdef", 2, 3}, 1: {"abcdef", 2, 3}, 2: {"badcfe", 2, 3}, 3: {"fedcba", 2, 3}, 4: {"efcdab", 2, 3},
		5: {"acebdf", 3, 2}, 6: {"bdface", 3, 2}, 7: {"fdbeca", 3, 2}, 8: {"ecafdb", 3, 2},
	} {
		first, across, down := o.Steps(stored.w, stored.h)
		got := make([]byte, w*h)
		for y := range stored.h {
			for x := range stored.w {
				got[first+x*across+y*down] = stored.text[y*stored.w+x]
			}
		}
		if string(got) != upright {
			t.Errorf("%d: %s becomes %s", o, stored.text, got)
		}
	}
}

// progressive is a progressive JPEG of 40x36.
const progressive = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wgARCAAkACgDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAME/8QAFgEBAQEAAAAAAAAAAAAAAAAABAUG/9oADAMBAAIQAxAAAAHEC3oxtG9FBRtgy+jjG0b0UFG2DL6OMS9FBRv/xAAWEAEBAQAAAAAAAAAAAAAAAAACIBD/2gAIAQEAAQUCxy5cuXv/xAAYEQADAQEAAAAAAAAAAAAAAAABBBAzAP/aAAgBAwEBPwHmtTWtTWtTP//EABgRAAMBAQAAAAAAAAAAAAAAAAEEEDMA/9oACAECAQE/AeTxFTxFTxE//8QAFhABAQEAAAAAAAAAAAAAAAAAASAQ/9oACAEBAAY/AsJJJJN//8QAFBABAAAAAAAAAAAAAAAAAAAAQP/aAAgBAQABPyFNVf/aAAwDAQACAAMAAAAQAAAAAAAAA//EABcRAQEBAQAAAAAAAAAAAAAAALEBEAD/2gAIAQMBAT8Q45NOTTkz/8QAFxEBAQEBAAAAAAAAAAAAAAAAsQEQAP/aAAgBAgEBPxDlt1bdW3P/xAAWEAEBAQAAAAAAAAAAAAAAAADBIBD/2gAIAQEAAT8QxiWJYliWN//Z"

// cmyk is a JPEG of 40x36 in four colours: the left half red, the right half blue.
const cmyk = "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZHhcZWdj/8AAFAgAJAAoBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAHCP/EABgQAQADAQAAAAAAAAAAAAAAAAAHRYPC/9oADgRDAE0AWQBLAAA/AKAn6fqAAJ/KlXrwKBFdpl2J+KAADQAz+ACfypV68CgRXaZdifigAA0AM/gAn8qVevAoEV2mXYn4oAANADP4AJ/KlXrwKBFdpl2J+KAADQAz+ACfypV68CgRXaZdifigAA//2Q=="

func decoded(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMemory: how much unpacking takes is told before, by how the pixels are kept meanwhile.
func TestMemory(t *testing.T) {
	t.Parallel()
	r := image.Rect(0, 0, 40, 36)
	const pixels = 40 * 36
	files := map[string][]byte{"progressive": decoded(t, progressive), "cmyk": decoded(t, cmyk)}
	add := func(name string, encode func(b *bytes.Buffer) error) {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	add("16 bits", func(b *bytes.Buffer) error { return png.Encode(b, image.NewNRGBA64(r)) })
	add("8 bits", func(b *bytes.Buffer) error { return png.Encode(b, image.NewNRGBA(r)) })
	add("gray", func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(r)) })
	add("palette", func(b *bytes.Buffer) error {
		return gif.Encode(b, image.NewPaletted(r, color.Palette{color.Black, color.White}), nil)
	})
	add("bmp", func(b *bytes.Buffer) error { return bmp.Encode(b, image.NewNRGBA(r)) })
	add("jpeg", func(b *bytes.Buffer) error { return jpeg.Encode(b, image.NewNRGBA(r), nil) })
	got := map[string]int64{}
	for name, b := range files {
		p, err := Open(b)
		if err != nil {
			t.Fatal(name, err)
		}
		got[name] = p.Memory / pixels
		if m, err := p.Decode(); err != nil || m.Bounds() != r {
			t.Errorf("%s: %v", name, err)
		}
	}
	const want = "map[16 bits:8 8 bits:4 bmp:4 cmyk:8 gray:1 jpeg:3 palette:1 progressive:15]"
	if s := fmt.Sprint(got); s != want {
		t.Errorf("bytes a pixel: %s, want %s", s, want)
	}
}

func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "x", "\xff\xd8", "\xff\xd8\xff\xe1\x00", "\x89PNG\r\n\x1a\n", "GIF89a", "BM", "RIFF....WEBP"} {
		if _, err := Open([]byte(s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	jpg, pn := encoded(f, image.NewGray(image.Rect(0, 0, 3, 2)))
	f.Add(inJPEG(jpg, tiff(binary.BigEndian, 2, 6)))
	f.Add(inPNG(pn, tiff(binary.LittleEndian, 0, 8)))
	f.Add(decoded(f, progressive))
	f.Add(decoded(f, cmyk))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Open(b)
		if err == nil && (p.Orientation < 1 || p.Orientation > 8 || p.Memory < 0) {
			t.Errorf("%+v", p)
		}
	})
}

func FuzzTIFF(f *testing.F) {
	f.Add(tiff(binary.BigEndian, 2, 6), uint32(10))
	f.Add(tiff(binary.LittleEndian, 0, 3), uint32(10))
	f.Fuzz(func(t *testing.T, b []byte, at uint32) {
		for _, o := range []Orientation{TIFF(b, at), exif(b)} {
			if o < 1 || o > 8 {
				t.Error(o)
			}
		}
	})
}
