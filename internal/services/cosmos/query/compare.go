package query

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// Equal is deep equality of two defined values. Values of different types are not equal; objects compare regardless of
// member order.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case KindBool:
		return a.b == b.b
	case KindNumber:
		return a.num == b.num
	case KindString:
		return a.str == b.str
	case KindArray:
		n := a.Len()
		if n != b.Len() {
			return false
		}
		for i := range n {
			if !Equal(a.At(i), b.At(i)) {
				return false
			}
		}
		return true
	case KindObject:
		if a.Len() != b.Len() {
			return false
		}
		same := true
		a.Members(func(name string, v Value) { same = same && Equal(v, b.Field(name)) })
		return same
	}
	return true
}

// comparePrimitive compares two values of the same primitive type; ok is false for anything else.
func comparePrimitive(a, b Value) (c int, ok bool) {
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case KindNull:
		return 0, true
	case KindBool:
		return boolInt(a.b) - boolInt(b.b), true
	case KindNumber:
		return cmp.Compare(a.num, b.num), true
	case KindString:
		return strings.Compare(a.str, b.str), true
	}
	return 0, false
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Order is the total order of ORDER BY, MIN and MAX: first by type, undefined lowest, then by value. Arrays and objects, for which
// the language promises no order, compare by their canonical bytes.
func Order(a, b Value) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	if c, ok := comparePrimitive(a, b); ok || a.kind == KindUndefined {
		return c
	}
	return strings.Compare(string(appendKey(nil, a)), string(appendKey(nil, b)))
}

// appendKey appends bytes that are the same for two values exactly if they are Equal (or both undefined), and of which none is
// a prefix of another.
func appendKey(b []byte, v Value) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case KindBool:
		b = append(b, byte(boolInt(v.b)))
	case KindNumber:
		f := v.num
		if f == 0 {
			f = 0 // minus zero equals zero
		}
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(f))
	case KindString:
		b = append(binary.AppendUvarint(b, uint64(len(v.str))), v.str...)
	case KindArray:
		n := v.Len()
		b = binary.AppendUvarint(b, uint64(n))
		for i := range n {
			b = appendKey(b, v.At(i))
		}
	case KindObject:
		members := make([]string, 0, v.Len())
		v.Members(func(name string, m Value) {
			members = append(members, string(appendKey(appendKey(nil, String(name)), m)))
		})
		slices.Sort(members)
		b = binary.AppendUvarint(b, uint64(len(members)))
		for _, m := range members {
			b = append(b, m...)
		}
	}
	return b
}
