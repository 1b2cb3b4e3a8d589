package fasttext

import (
	"math/bits"
	"slices"
	"strings"
)

// scratch is the memory that finding a text's rows takes. Characters are those of "<", a word, ">", "<", the next word and so on; what is told of them lies apart, so that eight are
// done at a time.
type scratch struct {
	n                    int      // characters; the slices of them have lanes and pad more
	first, second, third []uint32 // the bytes of a character as the hash takes them, with their sign; 0 where it has fewer
	single               []uint32 // 0 for "<" and ">", which are no n-gram by themselves, else 1
	open                 []uint32 // 0 for ">", which no n-gram reaches beyond, else 1
	most                 int      // bytes of the longest character
	hash                 []uint32 // of the n-gram that begins at each character
	inside               []uint32 // 1 where it ends within the word
	odd                  []uint32 // hashes of n-grams that were found in another way
	hashes               []uint32 // of words
}

// lanes is how many characters are done at a time.
const lanes = 8

// pad is how far behind the last word n-grams may be read, and the longest n-gram that the fast way knows.
const pad = 5

func blank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f' || c == 0
}

// features appends the rows of a text's words and then those of its n-grams.
func (m *Model) features(text string, rows []int32, s *scratch) []int32 {
	pairs := m.args.WordNgrams > 1
	plain := m.grams.minN >= 1 && m.grams.maxN <= pad
	s.hashes, s.odd, s.n, s.most = s.hashes[:0], s.odd[:0], 0, 1
	at := 0
	for at < len(text) {
		if c := text[at]; blank(c) {
			if c == '\n' {
				break
			}
			at++
			continue
		}
		from := at
		h, all := uint32(fnvStart), byte(0)
		for at < len(text) && !blank(text[at]) {
			all |= text[at]
			h = (h ^ signed(text[at])) * fnvPrime
			at++
		}
		token := text[from:at]
		id := m.vocab.find(token, h)
		if id >= 0 && m.vocab.kinds[id] != 0 || id < 0 && strings.HasPrefix(token, labelPrefix) {
			continue // a label in the text is none of its words
		}
		if pairs {
			s.hashes = append(s.hashes, h)
		}
		if id >= 0 {
			rows = append(rows, id)
		}
		if token == endOfLine {
			return m.rest(rows, s) // the mark itself ends a text
		}
		switch {
		case m.grams.maxN == 0 || m.grams.nothing:
		case !plain || !s.split(token, all < 0x80):
			s.odd = m.grams.hashes(s.odd, "<"+token+">")
		}
	}
	// The end of the line is a word of its own.
	h := hashOf(endOfLine)
	if id := m.vocab.find(endOfLine, h); id >= 0 {
		rows = append(rows, id)
	}
	if pairs {
		s.hashes = append(s.hashes, h)
	}
	return m.rest(rows, s)
}

// rest appends the rows of the n-grams of characters and of words.
func (m *Model) rest(rows []int32, s *scratch) []int32 {
	if s.n > 0 {
		rows = m.grams.all(s, rows, int32(m.words))
	}
	rows = m.grams.rows(s.odd, nil, rows, int32(m.words))
	for i := range s.hashes {
		h := uint64(int64(int32(s.hashes[i])))
		for j := i + 1; j < len(s.hashes) && j < i+int(m.args.WordNgrams); j++ {
			h = h*116049371 + uint64(int64(int32(s.hashes[j])))
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

// all appends the rows of the n-grams of the characters in s: the shortest first, each in the order of the text. It makes as many n-grams from each character, those that reach beyond
// the end of their word among them; rows drops these. That is several times as fast as the jumps that would save it.
func (g *grams) all(s *scratch, rows []int32, base int32) []int32 {
	n := (s.n + lanes - 1) &^ (lanes - 1)
	for _, to := range [][]uint32{s.first, s.second, s.third, s.single, s.open} {
		clear(to[s.n : n+pad])
	}
	if cap(s.hash) < n {
		s.hash, s.inside = make([]uint32, n+n/2), make([]uint32, n+n/2)
	}
	hash, inside := s.hash[:n], s.inside[:n]
	for i := range hash {
		hash[i] = fnvStart
	}
	copy(inside, s.single)
	for k := range g.maxN {
		if k == 1 {
			copy(inside, s.open)
		} else if k > 1 {
			narrow(inside, s.open[k-1:])
		}
		extend(hash, s.first[k:], s.second[k:], s.third[k:], s.most)
		if k+1 >= g.minN {
			rows = g.rows(hash[:s.n], inside, rows, base)
		}
	}
	return rows
}

// extend adds the bytes of a character to each hash. Steps of bytes that aren't there are made and dropped. All slices have the length of hash, which lanes divides, or more.
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

// narrow clears what isn't open.
func narrow(inside, open []uint32) {
	if vectors() {
		narrowFast(inside, open)
		return
	}
	for i := range inside {
		inside[i] &= open[i]
	}
}

// rows appends the rows of the n-grams that have one and are inside; nil: all are. That is done without jumps that can't be foreseen: a bucket is always written, and only counted
// where its bit is set.
func (g *grams) rows(hashes, inside []uint32, rows []int32, base int32) []int32 {
	from := len(rows)
	rows = slices.Grow(rows, len(hashes)+1)
	out := rows[from : from+len(hashes)+1]
	magic, bucket, set := g.magic, uint64(g.bucket), g.bits
	n := 0
	switch {
	case set == nil:
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
			n += int(set[b>>6] >> (b & 63) & 1)
		}
	case bucket&(bucket-1) == 0:
		inside = inside[:len(hashes)]
		mask := uint32(bucket - 1)
		for i, h := range hashes {
			b := h & mask
			out[n] = int32(b)
			n += int(uint32(set[b>>6]>>(b&63)) & inside[i])
		}
	default:
		inside = inside[:len(hashes)]
		for i, h := range hashes {
			b, _ := bits.Mul64(magic*uint64(h), bucket)
			out[n] = int32(b)
			n += int(uint32(set[b>>6]>>(b&63)) & inside[i])
		}
	}
	out = out[:n]
	before := g.before[:len(set)]
	for i, b := range out {
		at := uint32(b) >> 6
		out[i] = base + int32(before[at]) + int32(bits.OnesCount64(set[at]&(1<<(uint32(b)&63)-1)))
	}
	return rows[:from+n]
}

// grow makes room for more characters.
func (s *scratch) grow(more int) {
	need := s.n + more + lanes + pad
	if len(s.first) >= need {
		return
	}
	for _, to := range []*[]uint32{&s.first, &s.second, &s.third, &s.single, &s.open} {
		*to = append((*to)[:s.n], make([]uint32, need+need/2-s.n)...)
	}
}

// split appends a word's characters with "<" and ">". It reports false, and appends nothing, where one has more than three bytes. plain says that all of them are ASCII.
func (s *scratch) split(word string, plain bool) bool {
	s.grow(len(word) + 2)
	n := s.n
	first, second, third, single, open := s.first[n:][:len(word)+2], s.second[n:][:len(word)+2], s.third[n:][:len(word)+2], s.single[n:][:len(word)+2], s.open[n:][:len(word)+2]
	clear(second)
	clear(third)
	first[0], single[0], open[0] = '<', 0, 1
	at, most := 1, s.most
	if plain {
		for i := range len(word) {
			first[i+1], single[i+1], open[i+1] = uint32(word[i]), 1, 1
		}
		at += len(word)
	} else {
		for i := 0; i < len(word); at++ {
			from := i
			for i++; i < len(word) && word[i]&0xC0 == 0x80; i++ {
			}
			first[at], single[at], open[at] = signed(word[from]), 1, 1
			switch i - from {
			case 1:
			case 2:
				second[at] = signed(word[from+1])
			case 3:
				second[at], third[at] = signed(word[from+1]), signed(word[from+2])
			default:
				return false
			}
			most = max(most, i-from)
		}
	}
	first[at], single[at], open[at] = '>', 0, 0
	s.n, s.most = n+at+1, most
	return true
}

// signed is a byte as the reference's hash takes it.
func signed(b byte) uint32 { return uint32(int32(int8(b))) }

// hashes appends the hashes of a word's n-grams, whatever they are.
func (g *grams) hashes(to []uint32, word string) []uint32 {
	for i := 0; i < len(word); i++ {
		if word[i]&0xC0 == 0x80 {
			continue
		}
		h := uint32(fnvStart)
		for j, n := i, 1; j < len(word) && n <= g.maxN; n++ {
			h = (h ^ signed(word[j])) * fnvPrime
			j++
			for j < len(word) && word[j]&0xC0 == 0x80 {
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
