package index

import (
	"bytes"
	"slices"
)

// span is an interval of values in the form of terms: [low, high).
type span struct{ low, high []byte }

// successor is the first of the byte strings that come after all that begin with b.
func successor(b []byte) []byte {
	out := bytes.Clone(b)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i]++; out[i] != 0 {
			return out[:i+1]
		}
	}
	return []byte{0xff, 0xff}
}

func equalTo(term []byte) span { return span{term, successor(term)} }

// equality tells whether the span is one value, and which.
func (s span) equality() (term []byte, ok bool) {
	n, _, err := valueLen(s.low, 0)
	return s.low, err == nil && n == len(s.low) && bytes.Equal(s.high, successor(s.low))
}

// intersect keeps what is in both lists.
func intersect(a, b []span) []span {
	var out []span
	for i, j := 0, 0; i < len(a) && j < len(b); {
		s := span{a[i].low, a[i].high}
		if bytes.Compare(b[j].low, s.low) > 0 {
			s.low = b[j].low
		}
		if bytes.Compare(b[j].high, s.high) < 0 {
			s.high = b[j].high
		}
		if bytes.Compare(s.low, s.high) < 0 {
			out = append(out, s)
		}
		if bytes.Compare(a[i].high, b[j].high) < 0 {
			i++
		} else {
			j++
		}
	}
	return out
}

// unite sorts spans and joins those that touch.
func unite(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(a.low, b.low) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && bytes.Compare(s.low, out[n-1].high) < 0 {
			if bytes.Compare(s.high, out[n-1].high) > 0 {
				out[n-1].high = s.high
			}
			continue
		}
		out = append(out, s)
	}
	return out
}
