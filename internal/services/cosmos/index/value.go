package index

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// Types of values in terms, in the order of ORDER BY. Arrays and objects have none: their elements and members do.
const (
	typeUndefined = 0x08 // in composite entries, and as the place of documents without a property
	typeNull      = 0x10
	typeFalse     = 0x20
	typeTrue      = 0x21
	typeNumber    = 0x30
	typeString    = 0x40
	typeArray     = 0x50 // in composite entries only, as typeObject
	typeObject    = 0x60
	typeEnd       = 0x70 // above all
)

// maxString is how much of a string a term holds. A longer one is cut there; its order among those that begin alike is not in the index.
const maxString = 100

// Ends of a string in a term. A zero byte inside is written 00 FF, above both, as a longer string is.
const (
	endWhole = 0x01
	endCut   = 0x02
)

func appendNumber(b []byte, f float64) []byte {
	if f == 0 {
		f = 0 // minus zero equals zero
	}
	bits := math.Float64bits(f)
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(append(b, typeNumber), bits)
}

func appendString(b, s []byte) []byte {
	b = append(b, typeString)
	end := byte(endWhole)
	if len(s) > maxString {
		s, end = s[:maxString], endCut
	}
	for _, c := range s {
		if b = append(b, c); c == 0 {
			b = append(b, 0xff)
		}
	}
	return append(b, 0, end)
}

// appendPrefix is a string's term without its end: what the terms of all strings begin with that begin with s.
func appendPrefix(b []byte, s string) []byte {
	b = appendString(b, []byte(s))
	return b[:len(b)-2]
}

// appendValue appends a constant of a query. Arrays, objects and undefined have no terms.
func appendValue(b []byte, v query.Value) (term []byte, ok bool) {
	switch v.Kind() {
	case query.KindNull:
		return append(b, typeNull), true
	case query.KindBool:
		if v.IsTrue() {
			return append(b, typeTrue), true
		}
		return append(b, typeFalse), true
	case query.KindNumber:
		return appendNumber(b, v.Float()), true
	case query.KindString:
		return appendString(b, []byte(v.Str())), true
	}
	return b, false
}

var errTerm = errors.New("index: malformed term")

// valueLen is how long the value at the start of b is, and whether it is a cut string. mask is 0xff in the inverted parts of composite entries, else 0.
func valueLen(b []byte, mask byte) (n int, cut bool, err error) {
	if len(b) == 0 {
		return 0, false, errTerm
	}
	switch b[0] ^ mask {
	case typeUndefined, typeNull, typeFalse, typeTrue, typeArray, typeObject:
		return 1, false, nil
	case typeNumber:
		if len(b) < 9 {
			return 0, false, errTerm
		}
		return 9, false, nil
	case typeString:
		for i := 1; i+1 < len(b); i++ {
			if b[i]^mask != 0 {
				continue
			}
			switch b[i+1] ^ mask {
			case 0xff:
				i++
			case endWhole, endCut:
				return i + 2, b[i+1]^mask == endCut, nil
			default:
				return 0, false, errTerm
			}
		}
	}
	return 0, false, errTerm
}

// decodeValue reads a term's value back; a cut string comes back cut.
func decodeValue(b []byte) (v query.Value, cut bool, err error) {
	n, cut, err := valueLen(b, 0)
	if err != nil {
		return query.Undefined, false, err
	}
	switch b[0] {
	case typeNull:
		return query.Null, false, nil
	case typeFalse, typeTrue:
		return query.Bool(b[0] == typeTrue), false, nil
	case typeNumber:
		bits := binary.BigEndian.Uint64(b[1:])
		if bits>>63 != 0 {
			bits &^= 1 << 63
		} else {
			bits = ^bits
		}
		return query.Number(math.Float64frombits(bits)), false, nil
	case typeString:
		s := make([]byte, 0, n)
		for i := 1; i < n-2; i++ {
			if s = append(s, b[i]); b[i] == 0 {
				i++
			}
		}
		return query.String(string(s)), cut, nil
	}
	return query.Undefined, false, nil
}
