package queue

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/bulkheadhq/bulkhead/agent/batch"
)

const (
	headSize = 8
	fixed    = 9                       // number and flags
	maxFrame = batch.MaxPacked + 1<<20 // positions are small
	flagLast = 1
)

// frame is a batch as it is stored. Its slices point into what it was read from.
type frame struct {
	seq       uint64
	last      bool // of a turn
	positions map[string][]byte
	packed    []byte
}

// errTorn is what a frame is that a crash left unfinished, or that was damaged.
var errTorn = errors.New("a frame is torn")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // made once by the package itself

// appendFrame appends a frame's bytes.
func appendFrame(dst []byte, f *frame) []byte {
	from := len(dst)
	dst = append(dst, make([]byte, headSize)...)
	dst = binary.BigEndian.AppendUint64(dst, f.seq)
	var flags byte
	if f.last {
		flags = flagLast
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(len(f.positions)))
	for _, name := range slices.Sorted(maps.Keys(f.positions)) {
		dst = appendText(dst, []byte(name))
		dst = appendText(dst, f.positions[name])
	}
	dst = append(dst, f.packed...)
	putHead(dst[from:])
	return dst
}

// putHead fills the head of what is a frame otherwise.
func putHead(b []byte) {
	binary.BigEndian.PutUint32(b, uint32(len(b)-headSize))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[headSize:], castagnoli()))
}

func appendText(dst, text []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// readFrame reads the frame at the beginning of b, and how many bytes it takes.
func readFrame(b []byte) (frame, int, error) {
	if len(b) < headSize {
		return frame{}, 0, errTorn
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size < fixed+1 || size > maxFrame || size > int64(len(b)-headSize) {
		return frame{}, 0, errTorn
	}
	body := b[headSize : headSize+size]
	if crc32.Checksum(body, castagnoli()) != binary.BigEndian.Uint32(b[4:]) {
		return frame{}, 0, errTorn
	}
	f := frame{seq: binary.BigEndian.Uint64(body), last: body[8]&flagLast != 0}
	rest := body[fixed:]
	n, size2 := binary.Uvarint(rest)
	if size2 <= 0 || n > uint64(len(rest)) {
		return frame{}, 0, errTorn
	}
	rest = rest[size2:]
	if n > 0 {
		f.positions = make(map[string][]byte, min(n, 64))
	}
	for range n {
		var name, position []byte
		var ok bool
		if name, rest, ok = readText(rest); !ok {
			return frame{}, 0, errTorn
		}
		if position, rest, ok = readText(rest); !ok {
			return frame{}, 0, errTorn
		}
		f.positions[string(name)] = position
	}
	f.packed = rest
	return f, headSize + int(size), nil
}

func readText(b []byte) (text, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	return b[size : size+int(n)], b[size+int(n):], true
}
