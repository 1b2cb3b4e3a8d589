package pkey

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"unicode/utf8"
)

// The two ends of the space of effective partition keys.
const (
	MinEPK = ""
	MaxEPK = "FF"
)

// EPK is the effective partition key as upper-case hexadecimal text. Compared as text, EPKs order the items of a container. The
// empty key is MinEPK. A prefix of a hierarchical key gives the common beginning of all EPKs under it; see PrefixRange.
func (k Key) EPK(def Definition) string {
	if len(k) == 0 {
		return MinEPK
	}
	switch {
	case def.Kind == "MultiHash":
		b := make([]byte, 0, 16*len(k))
		for _, v := range k {
			b = appendMasked(b, hashV2(v))
		}
		return upperHex(b)
	case def.Version == 2:
		return upperHex(appendMasked(nil, hashV2(k...)))
	default:
		return upperHex(k.epkV1())
	}
}

// PrefixRange is the range [min, max) of the EPKs of all items whose key begins with k.
func (k Key) PrefixRange(def Definition) (low, high string) {
	if len(k) == 0 {
		return MinEPK, MaxEPK
	}
	low = k.EPK(def)
	return low, low + MaxEPK
}

// hashV2 hashes the values as one run of bytes; the result is in big-endian order, high half first.
func hashV2(vs ...Value) [16]byte {
	var in []byte
	for _, v := range vs {
		in = v.appendHashInput(in, 0xFF)
	}
	lo, hi := murmur128(in)
	var out [16]byte
	binary.BigEndian.PutUint64(out[:8], hi)
	binary.BigEndian.PutUint64(out[8:], lo)
	return out
}

// appendMasked clears the two top bits, which keeps every EPK below MaxEPK.
func appendMasked(b []byte, h [16]byte) []byte {
	h[0] &= 0x3F
	return append(b, h[:]...)
}

// hashV1 hashes the values as one run of bytes.
func hashV1(vs ...Value) uint32 {
	var in []byte
	for _, v := range vs {
		in = v.truncate().appendHashInput(in, 0x00)
	}
	return murmur32(in, 0)
}

// appendHashInput writes marker byte, payload and, after a string, the suffix byte.
func (v Value) appendHashInput(b []byte, suffix byte) []byte {
	b = append(b, byte(v.Type))
	switch v.Type {
	case Number:
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Num))
	case String:
		b = append(append(b, v.Str...), suffix)
	}
	return b
}

const maxStringV1 = 100

// truncate keeps the first 100 UTF-16 units of a string, which is all version 1 looks at.
func (v Value) truncate() Value {
	if v.Type != String || len(v.Str) <= maxStringV1 {
		return v
	}
	units := 0
	for i, r := range v.Str {
		n := 1
		if r > 0xFFFF {
			n = 2
		}
		switch {
		case units+n > maxStringV1 && n == 2 && units < maxStringV1:
			v.Str = v.Str[:i] + string(utf8.RuneError) // a pair cut in half encodes as the replacement character
			return v
		case units+n > maxStringV1:
			v.Str = v.Str[:i]
			return v
		}
		units += n
	}
	return v
}

// epkV1 is the hash, encoded as a number, followed by the truncated values.
func (k Key) epkV1() []byte {
	b := NumberValue(float64(hashV1(k...))).appendBinary(nil)
	for _, v := range k {
		b = v.truncate().appendBinary(b)
	}
	return b
}

// appendBinary writes the order-preserving form of a value.
func (v Value) appendBinary(b []byte) []byte {
	b = append(b, byte(v.Type))
	switch v.Type {
	case Number:
		return appendOrderedNumber(b, v.Num)
	case String:
		s := v.Str
		long := len(s) > maxStringV1
		if long {
			s = s[:maxStringV1+1]
		}
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c < 0xFF {
				c++
			}
			b = append(b, c)
		}
		if !long {
			b = append(b, 0)
		}
	}
	return b
}

// appendOrderedNumber writes eight bits, then chunks of seven bits with a continuation bit, which is clear in the last one.
func appendOrderedNumber(b []byte, f float64) []byte {
	const sign = 1 << 63
	p := math.Float64bits(f)
	if p < sign {
		p ^= sign
	} else {
		p = ^p + 1
	}
	b = append(b, byte(p>>56))
	p <<= 8
	var chunk byte
	for first := true; p != 0; first = false {
		if !first {
			b = append(b, chunk)
		}
		chunk = byte(p>>56) | 1
		p <<= 7
	}
	return append(b, chunk&0xFE)
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
