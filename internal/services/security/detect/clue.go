package detect

// clues tell cheaply what an event's commands can't contain, so that analytics look through the texts of few events: nearly all programs that start are nobody's
// business. They are made in one pass, of the pairs of neighbouring bytes, without regard to the case of ASCII.
type clues struct {
	pairs   [16]uint64
	network bool // a dot between two digits: an address, a network, or a version
	url     bool // "://"
}

func pair(a, b byte) uint { return (uint(a)*61 ^ uint(b)*5) & 1023 }

// add takes a text's pairs.
func (c *clues) add(s string) {
	var before, last byte
	for i := range len(s) {
		b := lowerByte[s[i]]
		p := pair(last, b)
		c.pairs[p>>6] |= 1 << (p & 63)
		if last == '.' && b-'0' <= 9 && before-'0' <= 9 {
			c.network = true
		}
		if b == '/' && last == '/' && before == ':' {
			c.url = true
		}
		before, last = last, b
	}
}

var lowerByte = func() (t [256]byte) {
	for i := range t {
		if t[i] = byte(i); i >= 'A' && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// mark is a text, in lower case, that an analytic looks for.
type mark struct {
	text  string
	pairs [8]uint16
}

// marks makes texts ready to be looked for. Each has at least four bytes, else it would be in most events.
func marks(texts ...string) []mark {
	out := make([]mark, len(texts))
	for i, t := range texts {
		out[i].text = t
		for j := range out[i].pairs {
			at := 1 + j%(len(t)-1)
			out[i].pairs[j] = uint16(pair(t[at-1], t[at]))
		}
	}
	return out
}

// may reports whether the commands may contain a text; false is certain.
func (c *clues) may(m *mark) bool {
	for _, p := range m.pairs {
		if c.pairs[p>>6]&(1<<(p&63)) == 0 {
			return false
		}
	}
	return true
}

// some tells which of the texts, at most 64, the commands may contain, by their places; the others they certainly don't.
func (c *clues) some(ms []mark) (found uint64) {
	for i := range ms {
		if c.may(&ms[i]) {
			found |= 1 << i
		}
	}
	return found
}
