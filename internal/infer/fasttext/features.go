package fasttext

import (
	"bytes"
	"math/bits"
	"slices"
	"strings"
)

// scratch is the memory that finding a text's rows takes. What is told of characters lies apart, so that eight are done at a time.
type scratch struct {
	text   []byte   // a blank, the text, and pad blanks
	blanks []uint64 // a bit for each byte of text
	n      int      // characters
	stride int      // between the planes
	planes []uint32 // what spread says of characters
	hash   []uint32 // of the n-gram that begins at each character
	inside []uint32 // 1 where it ends within its word
	start  []uint32 // what a hash begins as
	odd    []uint32 // hashes of n-grams that were found in the slow way
	word   []byte   // a word between "<" and ">", in the slow way
	hashes []uint32 // of words
}

// The planes of a scratch. A blank stands for the ">" of the word before and, where an n-gram begins, for the "<" of the one behind it.
const (
	begins  = iota // the first byte of a character where an n-gram begins with it, as the hash takes it: with its sign
	first          // the same where it doesn't
	second         // the second byte; 0 where there is none
	third          // the third byte
	letters        // 1, or 0 for a blank
	planes
)

const (
	lanes   = 8  // characters done at a time
	longest = 5  // of the n-grams that are found in the fast way, in characters
	pad     = 64 // what of text may be read behind its end
)

func blank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f' || c == 0
}

// features appends the rows of a text's words, its end, and then those of its n-grams: the shortest first, each in the order of the text.
func (m *Model) features(text string, rows []int32, s *scratch) []int32 {
	if at := strings.IndexByte(text, '\n'); at >= 0 {
		text = text[:at]
	}
	if m.args.WordNgrams < 2 && m.grams.minN >= 1 && m.grams.maxN <= longest && m.grams.maxN > 0 && !m.grams.nothing {
		if all, ok := m.fast(text, rows, s); ok {
			return all
		}
	}
	return m.slow(text, rows, s)
}

// fast is slow for models without n-grams of words. It reports false, and what it returns is of no use, for a text with a character of four bytes, none at all where there should be
// one, a label, or the mark of a text's end.
func (m *Model) fast(text string, rows []int32, s *scratch) ([]int32, bool) {
	s.take(text)
	most, ok := s.spread()
	if !ok {
		return rows, false
	}
	at := 1
	for i, word := range s.blanks {
		for ; word != 0; word &= word - 1 {
			end := i*64 + bits.TrailingZeros64(word)
			if end <= at {
				at = end + 1
				continue
			}
			token := s.text[at:end]
			id := m.vocab.find(token, wordHash(s.text[at:], len(token)))
			at = end + 1
			if id < 0 {
				if token[0] == '_' && bytes.HasPrefix(token, []byte(labelPrefix)) {
					return rows, false
				}
				continue
			}
			if m.vocab.kinds[id] != 0 || id == m.end {
				return rows, false
			}
			rows = append(rows, id)
		}
	}
	if m.end >= 0 {
		rows = append(rows, m.end)
	}
	return m.grams.all(s, most, rows, int32(m.words)), true
}

// slow knows all kinds of models and texts.
func (m *Model) slow(text string, rows []int32, s *scratch) []int32 {
	s.hashes, s.odd = s.hashes[:0], s.odd[:0]
	s.take(text)
	ended := false
	for from, to := 1, 1; from < len(text)+1 && !ended; from = to + 1 {
		for to = from; !blank(s.text[to]); to++ {
		}
		if from == to {
			continue
		}
		token := text[from-1 : to-1]
		id := m.vocab.find(s.text[from:to], wordHash(s.text[from:], to-from))
		if id >= 0 && m.vocab.kinds[id] != 0 || id < 0 && strings.HasPrefix(token, labelPrefix) {
			continue // a label in the text is none of its words
		}
		s.hashes = append(s.hashes, hashOf(token))
		if id >= 0 {
			rows = append(rows, id)
		}
		if ended = token == endOfLine; !ended && m.grams.maxN > 0 && !m.grams.nothing {
			s.word = append(append(append(s.word[:0], '<'), token...), '>')
			s.odd = m.grams.hashes(s.odd, s.word)
		}
	}
	if !ended { // the end of a text is a word of its own
		if m.end >= 0 {
			rows = append(rows, m.end)
		}
		s.hashes = append(s.hashes, hashOf(endOfLine))
	}
	rows = m.grams.rows(s.odd, nil, rows, int32(m.words))
	return m.pairs(s.hashes, rows)
}

// pairs appends the rows of the n-grams of words.
func (m *Model) pairs(hashes []uint32, rows []int32) []int32 {
	for i := range hashes {
		h := uint64(int64(int32(hashes[i])))
		for j := i + 1; j < len(hashes) && j < i+int(m.args.WordNgrams); j++ {
			h = h*116049371 + uint64(int64(int32(hashes[j])))
			if m.grams.nothing {
				continue
			}
			if r := m.grams.slot(uint32(h % uint64(m.args.Bucket))); r >= 0 {
				rows = append(rows, int32(m.words)+r)
			}
		}
	}
	return rows
}

// take copies a text between blanks.
func (s *scratch) take(text string) {
	if need := 1 + len(text) + pad; cap(s.text) < need {
		s.text = make([]byte, need+need/2)
	}
	s.text = append(append(s.text[:0], ' '), text...)
	s.text = append(s.text, "                                                                "...)
}

// spread fills the planes and marks blanks. It returns how many bytes the longest character has, and reports false where one has more than three or a letter of ASCII is followed by
// bytes that continue a character.
func (s *scratch) spread() (most int, ok bool) {
	size := (len(s.text) - pad + 1 + lanes - 1) &^ (lanes - 1) // with at least the blank behind the text
	words := (size + 63) / 64
	if s.stride < size+2*lanes+longest {
		s.stride = size + size/2 + 2*lanes + longest
		s.planes, s.hash, s.inside, s.start = make([]uint32, planes*s.stride), make([]uint32, s.stride), make([]uint32, s.stride), make([]uint32, s.stride)
		for i := range s.start {
			s.start[i] = fnvStart
		}
	}
	if cap(s.blanks) < words {
		s.blanks = make([]uint64, 2*words)
	}
	s.blanks = s.blanks[:words]
	clear(s.blanks)
	if vectors() {
		s.n, most, ok = spreadFast(s.text, size, s.planes, s.stride, s.blanks)
	} else {
		s.n, most, ok = spreadGeneric(s.text, size, s.planes, s.stride, s.blanks)
	}
	for p := range planes {
		clear(s.planes[p*s.stride+s.n:][:lanes+longest])
	}
	return most, ok
}

func spreadGeneric(text []byte, size int, to []uint32, stride int, blanks []uint64) (n, most int, ok bool) {
	most = 1
	for i := range size {
		c := text[i]
		if continues(c) {
			continue
		}
		b, f, letter := signed(c), signed(c), uint32(1)
		if blank(c) {
			b, f, letter = '<', '>', 0
			blanks[i/64] |= 1 << (i % 64)
		}
		var two, three uint32
		if continues(text[i+1]) {
			most = max(most, 2)
			two = signed(text[i+1])
			if continues(text[i+2]) {
				most = 3
				three = signed(text[i+2])
			}
			if c < 0x80 || three != 0 && continues(text[i+3]) {
				return n, most, false
			}
		}
		to[begins*stride+n], to[first*stride+n], to[second*stride+n], to[third*stride+n], to[letters*stride+n] = b, f, two, three, letter
		n++
	}
	return n, most, true
}

// continues says whether a byte is within a character.
func continues(b byte) bool { return b&0xC0 == 0x80 }

// all appends the rows of the n-grams of the characters in s, of most bytes. It makes as many n-grams from each character, those that reach beyond the end of their word among them;
// rows drops these. That is several times as fast as the jumps that would save it.
func (g *grams) all(s *scratch, most int, rows []int32, base int32) []int32 {
	n := (s.n + lanes - 1) &^ (lanes - 1)
	hash, inside := s.hash[:n], s.inside[:n]
	plane := func(p, k int) []uint32 { return s.planes[p*s.stride+k:][:n] }
	copy(hash, s.start)
	copy(inside, plane(letters, 0))
	for k := range g.maxN {
		one := first
		switch k {
		case 0:
			one = begins
		case 1:
			// From a blank there are n-grams where a letter follows.
			widen(inside, plane(letters, 1))
		default:
			narrow(inside, plane(letters, k-1))
		}
		extend(hash, plane(one, k), plane(second, k), plane(third, k), most)
		if k+1 >= g.minN {
			rows = g.rows(hash, inside, rows, base)
		}
	}
	return rows
}

// extend adds the bytes of a character to each hash. Steps of bytes that aren't there are made and dropped. All slices have the length of hash, which lanes divides.
func extend(hash, first, second, third []uint32, most int) {
	if vectors() {
		extendFast(hash, first, second, third, most)
		return
	}
	extendGeneric(hash, first, second, third, most)
}

func extendGeneric(hash, first, second, third []uint32, most int) {
	first, second, third = first[:len(hash)], second[:len(hash)], third[:len(hash)]
	for i, h := range hash {
		h = (h ^ first[i]) * fnvPrime
		if most > 1 {
			if h2 := (h ^ second[i]) * fnvPrime; second[i] != 0 {
				h = h2
			}
		}
		if most > 2 {
			if h3 := (h ^ third[i]) * fnvPrime; third[i] != 0 {
				h = h3
			}
		}
		hash[i] = h
	}
}

// widen sets what is a letter.
func widen(inside, letters []uint32) {
	if vectors() {
		widenFast(inside, letters)
		return
	}
	letters = letters[:len(inside)]
	for i := range inside {
		inside[i] |= letters[i]
	}
}

// narrow clears what isn't a letter.
func narrow(inside, letters []uint32) {
	if vectors() {
		narrowFast(inside, letters)
		return
	}
	for i := range inside {
		inside[i] &= letters[i]
	}
}

// rows appends the rows of the n-grams that have one and are inside; nil: all are. Slices that vectors work on have a length that lanes divides.
func (g *grams) rows(hashes, inside []uint32, rows []int32, base int32) []int32 {
	from := len(rows)
	rows = slices.Grow(rows, len(hashes)+lanes)
	out := rows[from : from+len(hashes)+lanes]
	n := 0
	switch {
	case g.bits == nil:
		for i, h := range hashes {
			out[n] = base + int32(g.mod(h))
			if inside == nil || inside[i] != 0 {
				n++
			}
		}
		return rows[:from+n]
	case inside == nil:
		for _, h := range hashes {
			b := g.mod(h)
			out[n] = int32(b)
			n += int(g.bits[b>>6] >> (b & 63) & 1)
		}
	case g.divide.ok && vectors():
		n = keepFast(hashes, inside, g, out)
	default:
		n = keepGeneric(hashes, inside, g, out)
	}
	out = out[:n]
	if vectors() && n > 0 {
		rankFast(out, g, base)
	} else {
		rankGeneric(out, g, base)
	}
	return rows[:from+n]
}

// keepGeneric writes the buckets of the n-grams that are inside and have a row. It does so without jumps that can't be foreseen: a bucket is always written, and only counted where
// its bit is set.
func keepGeneric(hashes, inside []uint32, g *grams, out []int32) (n int) {
	magic, bucket, set := g.magic, uint64(g.bucket), g.bits
	inside = inside[:len(hashes)]
	for i, h := range hashes {
		b, _ := bits.Mul64(magic*uint64(h), bucket)
		out[n] = int32(b)
		n += int(uint32(set[b>>6]>>(b&63)) & inside[i])
	}
	return n
}

// rankGeneric puts rows in the place of buckets that are kept.
func rankGeneric(out []int32, g *grams, base int32) {
	set, before := g.bits, g.before[:len(g.bits)]
	for i, b := range out {
		at := uint32(b) >> 6
		out[i] = base + int32(before[at]) + int32(bits.OnesCount64(set[at]&(1<<(uint32(b)&63)-1)))
	}
}

// signed is a byte as the reference's hash takes it.
func signed(b byte) uint32 { return uint32(int32(int8(b))) }

// hashes appends the hashes of a word's n-grams, whatever they are.
func (g *grams) hashes(to []uint32, word []byte) []uint32 {
	for i := 0; i < len(word); i++ {
		if continues(word[i]) {
			continue
		}
		h := uint32(fnvStart)
		for j, n := i, 1; j < len(word) && n <= g.maxN; n++ {
			h = (h ^ signed(word[j])) * fnvPrime
			j++
			for j < len(word) && continues(word[j]) {
				h = (h ^ signed(word[j])) * fnvPrime
				j++
			}
			if n < g.minN || n == 1 && (i == 0 || j == len(word)) {
				continue
			}
			to = append(to, h)
		}
	}
	return to
}
