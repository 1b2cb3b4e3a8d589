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
	left := math.MaxInt
	return equal(a, b, &left)
}

// equal is Equal that takes its steps off left and gives up, with false, where that is used up.
func equal(a, b Value, left *int) bool {
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
			if *left--; *left < 0 || !equal(a.At(i), b.At(i), left) {
				return false
			}
		}
		return true
	case KindObject:
		const small = 16 // finding a member takes a walk over all
		n := a.Len()
		if n != b.Len() {
			return false
		}
		if n > small {
			x, y := appendKey(nil, a), appendKey(nil, b)
			*left -= len(x) + len(y)
			return *left >= 0 && string(x) == string(y)
		}
		same := true
		a.Members(func(name string, v Value) {
			if same {
				*left -= 1 + n>>2
				same = *left >= 0 && equal(v, b.Field(name), left)
			}
		})
		return same
	}
	return true
}

// equal is Equal within the frame's bounds.
func (f *frame) equal(a, b Value) bool {
	if a.kind < KindArray || a.kind != b.kind {
		return Equal(a, b)
	}
	left := f.limit - f.steps
	same := equal(a, b, &left)
	f.spend(f.limit - f.steps - left)
	return same
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
	return strings.Compare(a.sortKey(), b.sortKey())
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
		members := make([]member, 0, v.Len())
		v.Members(func(name string, m Value) { members = append(members, member{name, m}) })
		slices.SortStableFunc(members, func(x, y member) int { return strings.Compare(x.name, y.name) })
		b = binary.AppendUvarint(b, uint64(len(members)))
		for _, m := range members {
			b = append(binary.AppendUvarint(b, uint64(len(m.name))), m.name...)
			b = appendKey(b, m.value)
		}
	}
	return b
}

type member struct {
	name  string
	value Value
}

// forSorting is v as Order needs it: of an array or an object only the key.
func (v Value) forSorting() Value {
	if v.kind < KindArray {
		return v.Detach()
	}
	return Value{kind: v.kind, str: v.sortKey()}
}

// sortKey is the key of an array or an object, which forSorting may have worked out before.
func (v Value) sortKey() string {
	if v.node == nil && v.comp == nil {
		return v.str
	}
	return string(appendKey(nil, v))
}
