// Package picturetest makes pictures for tests: ones that are stored turned, with an Exif note of it, as cameras store them.
package picturetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/tiff"

	"github.com/bulkheadhq/bulkhead/internal/infer/picture"
)

// Stored is a picture as a camera stores it whose sensor lay as the orientation says: put upright it is m again.
func Stored(m image.Image, o picture.Orientation) image.Image {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	sw, sh := w, h
	if o.Sideways() {
		sw, sh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, sw, sh))
	first, across, down := o.Steps(sw, sh)
	for y := range sh {
		for x := range sw {
			at := first + x*across + y*down
			out.Set(x, y, color.RGBAModel.Convert(m.At(b.Min.X+at%w, b.Min.Y+at/w)))
		}
	}
	return out
}

// Exif is a block of Exif with an orientation.
func Exif(o picture.Orientation) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	return append(b, byte(o), 0, 0, 0, 0, 0, 0)
}

// JPEG encodes a picture with an Exif note of its orientation. The errors of this package are the encoders'.
func JPEG(m image.Image, o picture.Orientation) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		return nil, err
	}
	segment := append([]byte("Exif\x00\x00"), Exif(o)...)
	head := binary.BigEndian.AppendUint16([]byte("\xff\xd8\xff\xe1"), uint16(len(segment)+2))
	return append(append(head, segment...), b.Bytes()[2:]...), nil
}

// PNG is like JPEG, for PNG.
func PNG(m image.Image, o picture.Orientation) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, err
	}
	const header = 8 + 25 // of the file, and the first chunk
	chunk := append([]byte("eXIf"), Exif(o)...)
	out := binary.BigEndian.AppendUint32(bytes.Clone(b.Bytes()[:header]), uint32(len(chunk)-4))
	out = binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
	return append(out, b.Bytes()[header:]...), nil
}

// TIFF is like JPEG, for TIFF: the directory that the encoder writes at the end gets one entry more.
func TIFF(m image.Image, o picture.Orientation) ([]byte, error) {
	var buf bytes.Buffer
	if err := tiff.Encode(&buf, m, nil); err != nil {
		return nil, err
	}
	b, le := buf.Bytes(), binary.LittleEndian
	at := le.Uint32(b[4:])
	n := le.Uint16(b[at:])
	entries := b[at+2 : at+2+12*uint32(n)]
	// A copy of the directory at the end of the file, with the entry in its place: entries are in order of their tags.
	out := bytes.Clone(b)
	le.PutUint32(out[4:], uint32(len(out)))
	out = le.AppendUint16(out, n+1)
	placed := false
	for ; len(entries) > 0; entries = entries[12:] {
		tag := le.Uint16(entries)
		if tag == 0x112 {
			return nil, errors.New("the encoder writes an orientation")
		}
		if tag > 0x112 && !placed {
			out = append(out, 0x12, 1, 3, 0, 1, 0, 0, 0, byte(o), 0, 0, 0)
			placed = true
		}
		out = append(out, entries[:12]...)
	}
	return append(out, 0, 0, 0, 0), nil
}
