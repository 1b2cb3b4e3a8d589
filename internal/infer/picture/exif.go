package picture

import (
	"bytes"
	"encoding/binary"
)

// Orientation is how a picture is stored, by Exif's numbers: 1 is upright, 2 mirrored, 3 on its head, 4 both, 5 to 8 on its side. What isn't one of them is as good as 1.
type Orientation uint8

// Upright is the orientation of a picture that is stored as it is to be seen.
const Upright Orientation = 1

// Sideways tells whether rows and columns change places.
func (o Orientation) Sideways() bool { return o >= 5 && o <= 8 }

// Steps tell where the pixel x, y of a picture stored as w by h goes when it is put upright: to the pixel first + x*across + y*down, counted row by row.
func (o Orientation) Steps(w, h int) (first, across, down int) {
	switch o {
	case 2:
		return w - 1, -1, w
	case 3:
		return w*h - 1, -1, -w
	case 4:
		return (h - 1) * w, 1, -w
	case 5:
		return 0, h, 1
	case 6:
		return h - 1, h, -1
	case 7:
		return w*h - 1, -h, -1
	case 8:
		return (w - 1) * h, -h, 1
	}
	return 0, 1, w
}

// tagOrientation is Exif's, and TIFF's.
const tagOrientation = 0x0112

// TIFF is the orientation in a directory of a TIFF file: the one that begins at the offset.
func TIFF(file []byte, offset uint32) Orientation {
	if len(file) < 8 {
		return Upright
	}
	var order binary.ByteOrder
	switch string(file[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return Upright
	}
	if uint64(offset)+2 > uint64(len(file)) {
		return Upright
	}
	entries := file[offset+2:]
	for range order.Uint16(file[offset:]) {
		if len(entries) < 12 {
			break
		}
		const short, one = 3, 1
		if order.Uint16(entries) == tagOrientation {
			if v := order.Uint16(entries[8:]); order.Uint16(entries[2:]) == short && order.Uint32(entries[4:]) == one && v >= 1 && v <= 8 {
				return Orientation(v)
			}
			break
		}
		entries = entries[12:]
	}
	return Upright
}

// exif is the orientation in a block of Exif, which is a TIFF file without a picture.
func exif(b []byte) Orientation {
	if len(b) < 8 {
		return Upright
	}
	if b[0] == 'M' {
		return TIFF(b, binary.BigEndian.Uint32(b[4:]))
	}
	return TIFF(b, binary.LittleEndian.Uint32(b[4:]))
}

// frame is what the segments of a JPEG before its data say.
type frame struct {
	orientation Orientation
	progressive bool
}

// segments walks over a JPEG's segments up to its data.
func segments(b []byte) frame {
	f := frame{orientation: Upright}
	told := false
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		switch {
		case marker == 0xff: // filling
			at++
			continue
		case marker == 0xda || marker == 0xd9: // data, end
			return f
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7: // without a length
			at += 2
			continue
		}
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		if size < 2 || at+2+size > len(b) {
			return f
		}
		segment := b[at+4 : at+2+size]
		switch {
		case marker == 0xe1 && !told && bytes.HasPrefix(segment, []byte("Exif\x00\x00")):
			f.orientation, told = exif(segment[6:]), true
		case marker == 0xc2:
			f.progressive = true
		}
		at += 2 + size
	}
	return f
}

// chunks walks over a PNG's chunks for its orientation.
func chunks(b []byte) Orientation {
	for at := 8; at+12 <= len(b); {
		size := binary.BigEndian.Uint32(b[at:])
		if uint64(size) > uint64(len(b)-at-12) {
			break
		}
		if string(b[at+4:at+8]) == "eXIf" {
			return exif(b[at+8 : at+8+int(size)])
		}
		at += 12 + int(size)
	}
	return Upright
}
