package detect

import (
	"cmp"
	"slices"
	"strings"
)

// clues tell cheaply what an event's commands can't contain, so that analytics look through the texts of few events: nearly all programs that start are nobody's
// business. They are made in one pass, of every three neighbouring bytes, without regard to the case of ASCII.
type clues struct {
	seen    uint64 // of the threes that were chosen for marks
	network bool   // a dot between two digits: an address, a network, or a version
	url     bool   // "://"
}

const (
	perMark = 3  // threes that are looked for of each
	maxMark = 21 // so many have room in a number
	threes  = 2048
)

// marks are texts, in lower case, that an analytic looks for.
type marks struct {
	texts  []string
	threes [threes]uint64 // by three bytes, of which texts they were chosen
}

// newMarks makes at most maxMark texts ready to be looked for. Each has at least six bytes.
func newMarks(texts ...string) *marks {
	m := &marks{texts: texts}
	for i, t := range texts {
		var at []int
		for j := 2; j < len(t); j++ {
			at = append(at, j)
		}
		rank := func(j int) int { return often(t[j-2]) + often(t[j-1]) + often(t[j]) }
		slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
		for k := range perMark {
			j := at[k]
			m.threes[three(t[j-2], t[j-1], t[j])] |= 1 << (perMark*i + k)
		}
	}
	return m
}

// often ranks bytes by how many there are of them in command lines.
func often(b byte) int { return strings.IndexByte("+:xqzjkwvy0123456789=mhgfubpdlcnrsoitae.-/", b) }

func three(a, b, c byte) uint { return (uint(a)*199 ^ uint(b)*37 ^ uint(c)*5) % threes }

// add takes a text's threes.
func (c *clues) add(m *marks, s string) {
	var before, last byte
	seen := c.seen
	for i := range len(s) {
		b := lowerByte[s[i]]
		seen |= m.threes[three(before, last, b)]
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
