package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
)

// Flags of a shape.
const (
	shapePart      = 1 << iota // it lacks some properties
	shapeDuplicate             // some property is there twice: no term is certain
)

const shapeVersion = 1

// shape works out the document's shape and leaves in dict what it stands for.
func (x *extractor) shape() (hash uint64) {
	flags := byte(0)
	if x.part {
		flags |= shapePart
	}
	slices.Sort(x.hashes)
	for i := 1; i < len(x.hashes); i++ {
		if x.hashes[i] == x.hashes[i-1] {
			flags |= shapeDuplicate
		}
	}
	slices.SortFunc(x.nodes, func(a, b property) int {
		if a.hash < b.hash {
			return -1
		}
		return 1
	})
	x.dict = append(x.dict, 'H', shapeVersion, flags)
	for _, n := range x.nodes {
		x.dict = append(binary.BigEndian.AppendUint64(x.dict, n.hash), byte(n.class))
	}
	return max(childHash(rootHash, x.dict), 1)
}

// Shape tells which properties a group of documents has.
type shape struct {
	key   []byte
	flags byte
	props map[uint64]class
}

func decodeShape(key, b []byte) (*shape, error) {
	if len(b) < 3 || b[0] != 'H' || b[1] != shapeVersion || (len(b)-3)%9 != 0 {
		return nil, errors.New("index: malformed shape " + strconv.Quote(string(b)))
	}
	s := &shape{key: bytes.Clone(key), flags: b[2], props: make(map[uint64]class, (len(b)-3)/9)}
	for b = b[3:]; len(b) > 0; b = b[9:] {
		s.props[binary.BigEndian.Uint64(b)] = class(b[8])
	}
	return s, nil
}

// at tells what documents of this shape have at a path without arrays.
func (s *shape) at(p Path) class {
	h := rootHash
	for i, st := range p {
		h = childHash(h, []byte(st.name))
		c, ok := s.props[h]
		switch {
		case !ok && (s.flags&shapePart != 0 || i >= 2):
			return unknown
		case !ok:
			return absent
		case i == len(p)-1:
			return c
		case c != object:
			return absent
		}
	}
	return unknown
}
