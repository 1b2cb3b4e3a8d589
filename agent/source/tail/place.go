package tail

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
)

const (
	headBytes    = 256 // by whose sum a file is known
	leastHead    = 32  // fewer bytes are no line, and might be any file's
	maxOpen      = 1 << 20
	maxKnown     = 512 // older files that are looked at
	maxLooks     = 50  // at a folder whose names change
	placeVersion = 1
)

type fileID struct {
	Dev   uint64 `json:"dev"`
	Inode uint64 `json:"inode"`
}

// place is where reading goes on: the form of a position.
type place struct {
	Version int    `json:"v"`
	ID      fileID `json:"id"`
	Head    head   `json:"head"`
	Offset  int64  `json:"at"`              // where the next line begins
	Inside  bool   `json:"in,omitempty"`    // of a line that is too long: what comes until its end is passed over
	Known   []byte `json:"known,omitempty"` // heads of the older files, which are not to be read
	Open    []byte `json:"open,omitempty"`  // records of audit events whose end hasn't come, as lines
}

// head is how a file begins.
type head struct {
	Bytes int    `json:"n"`
	Sum   uint64 `json:"sum"`
}

const packedHead = 2 + 8

// pack is the form that heads have in a place.
func pack(heads []head) (b []byte) {
	for _, h := range heads {
		b = binary.LittleEndian.AppendUint16(b, uint16(h.Bytes))
		b = binary.LittleEndian.AppendUint64(b, h.Sum)
	}
	return b
}

func unpack(b []byte) (heads []head) {
	for ; len(b) >= packedHead; b = b[packedHead:] {
		heads = append(heads, head{Bytes: int(binary.LittleEndian.Uint16(b)), Sum: binary.LittleEndian.Uint64(b[2:])})
	}
	return heads
}

// headOf reads how a file begins, at most n bytes.
func headOf(r io.ReaderAt, n int) (head, error) {
	buf := make([]byte, n)
	got, err := r.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return head{}, err
	}
	return sum(buf[:got]), nil
}

func sum(b []byte) head {
	h := fnv.New64a()
	h.Write(b)
	return head{Bytes: len(b), Sum: h.Sum64()}
}

func (p *place) encode() []byte {
	p.Version = placeVersion
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of numbers and bytes
	}
	return b
}

func decodePlace(b []byte) (p place, err error) {
	if err := json.Unmarshal(b, &p); err != nil {
		return place{}, fmt.Errorf("the position isn't one of a file: %w", err)
	}
	if p.Version < 1 || p.Version > placeVersion {
		return place{}, fmt.Errorf("the position has version %d; this program knows %d", p.Version, placeVersion)
	}
	if p.Offset < 0 || p.Head.Bytes < 0 || p.Head.Bytes > headBytes || len(p.Known)%packedHead != 0 || len(p.Known) > 2*maxKnown*packedHead {
		return place{}, fmt.Errorf("the position is damaged")
	}
	return p, nil
}
