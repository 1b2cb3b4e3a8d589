package detect

import (
	"cmp"
	"slices"
	"strings"
)

// clues tell cheaply what an event's commands can't contain, so that analytics look through the texts of few events: nearly all programs that start are nobody's
// business. They are made in one pass, of the pairs of neighbouring bytes, without regard to the case of ASCII.
type clues struct {
	seen    uint64 // of the pairs that were chosen for marks
	network bool   // a dot between two digits: an address, a network, or a version
	url     bool   // "://"
}

const (
	perMark = 3  // pairs that are looked for of each
	maxMark = 21 // so many have room in a number
)

// marks are texts, in lower case, that an analytic looks for.
type marks struct {
	texts []string
	pairs [1024]uint64 // by a pair, of which texts it was chosen
}

// newMarks makes at most maxMark texts ready to be looked for. Each has at least four bytes, else it would be in most events.
func newMarks(texts ...string) *marks {
	m := &marks{texts: texts}
	for i, t := range texts {
		var at []int
		for j := 1; j < len(t); j++ {
			at = append(at, j)
		}
		slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(often(t[a-1])+often(t[a]), often(t[b-1])+often(t[b])) })
		for k := range perMark {
			j := at[k]
			m.pairs[pair(t[j-1], t[j])] |= 1 << (perMark*i + k)
		}
	}
	return m
}

// often ranks bytes by how many there are of them in command lines.
func often(b byte) int { return strings.IndexByte("+:xqzjkwvy0123456789=mhgfubpdlcnrsoitae.-/", b) }

func pair(a, b byte) uint { return (uint(a)*61 ^ uint(b)*5) & 1023 }

// add takes a text's pairs.
func (c *clues) add(m *marks, s string) {
	var before, last byte
	seen := c.seen
	for i := range len(s) {
		b := lowerByte[s[i]]
		seen |= m.pairs[pair(last, b)]
		if last == '.' && b-'0' <= 9 && before-'0' <= 9 {
			c.network = true
		}
		if b == '/' && last == '/' && before == ':' {
			c.url = true
		}
		before, last = last, b
	}
	c.seen = seen
}

var lowerByte = func() (t [256]byte) {
	for i := range t {
		if t[i] = byte(i); i >= 'A' && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// possible are the marks that the commands may contain; that they don't contain others is certain.
type possible uint64

func (c *clues) maybe() possible {
	const firsts = 0o111111111111111111111
	return possible(c.seen & (c.seen >> 1) & (c.seen >> 2) & firsts)
}

func (p possible) has(mark int) bool { return p>>(perMark*mark)&1 != 0 }
