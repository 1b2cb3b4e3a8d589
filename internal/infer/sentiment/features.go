package sentiment

import "unicode/utf8"

// Groups of hashed features; each is scaled by one over the root of how many it has, so that long texts don't shout.
const (
	groupWords = iota
	groupPairs
	groupGrams
	groups
)

// Numbers that every text has beside its hashes, in the order of the model's dense weights.
const (
	denseBias      = iota
	denseGood      // lexicon words for it, by the root of the length
	denseBad       // and against
	denseBest      // the strongest word for it
	denseWorst     // and against
	denseNet       // the balance, squeezed to -1..1
	denseTurned    // the balance after the last "but"
	denseFinal     // the last word with a polarity
	denseGlad      // pictures and emoticons for it
	denseSad       // and against
	denseShout     // exclamation marks
	denseAsk       // question marks
	denseLinks     // links
	denseMentions  // names
	denseTags      // hashtags
	denseCaps      // words in capitals
	denseLong      // words with drawn-out letters
	denseNegations // negations
	denseLength    // how long the text is
	denseBare      // no word of the lexicon at all
	denses
)

// scratch holds one text's features; it is reused, so that an analysis allocates nothing.
type scratch struct {
	buf     []byte
	tokens  []token
	runes   []int // where each rune of a word begins
	caps    int
	buckets [groups][]uint32
	dense   [denses]float32
}

const (
	maxText    = 64 << 10 // bytes of a text that features are made of
	negated    = 0x9e3779b97f4a7c15
	afterTurn  = 0xc2b2ae3d27d4eb4f
	pairFactor = 0x9fb21c651e98df25
	gramSalt   = 0x589965cc75374cc3
	scope      = 4 // words that a negation reaches
)

// extract fills x with the text's features in the given language.
func (x *scratch) extract(text string, m *Model, lang int) {
	l := &m.tongues[lang]
	if len(text) > maxText {
		text = text[:maxText]
	}
	for g := range x.buckets {
		x.buckets[g] = x.buckets[g][:0]
	}
	x.tokenize(text, &l.tongue)
	x.scopes(l)
	if l.unspaced {
		x.wide(m, lang)
	} else {
		x.wordFeatures(m, lang)
	}
	x.denseFeatures(m, lang)
}

// scopes marks the tokens that a negation reaches and those after the last contrast.
func (x *scratch) scopes(l *loaded) {
	reach, turn := 0, -1
	for i := range x.tokens {
		t := &x.tokens[i]
		switch {
		case t.kind == stop:
			reach = 0
		case t.kind == word && l.contrast[t.hash]:
			reach, turn = 0, i
		case t.kind == word && l.negation[t.hash]:
			reach = scope
		case reach > 0:
			t.negated = true
			reach--
		}
	}
	if turn > 0 {
		for i := turn + 1; i < len(x.tokens); i++ {
			x.tokens[i].turned = true
		}
	}
}

func (x *scratch) wordFeatures(m *Model, lang int) {
	salt := m.tongues[lang].salt
	prev := uint64(hashStart)
	for i := range x.tokens {
		t := &x.tokens[i]
		h := t.hash
		own := salt
		if t.kind == emoji || t.kind == emoticon {
			own = 0 // pictures speak every language
		}
		x.put(m, groupWords, h^own)
		if t.negated {
			x.put(m, groupWords, h^own^negated)
		}
		if t.turned {
			x.put(m, groupWords, h^own^afterTurn)
		}
		x.put(m, groupPairs, (prev^salt)*pairFactor+h)
		prev = h
		if t.kind == word {
			x.grams(m, t)
		}
	}
	x.put(m, groupPairs, (prev^salt)*pairFactor+hashStart)
}

// grams are a word's runs of 3 to 5 characters, its ends marked.
func (x *scratch) grams(m *Model, t *token) {
	b := x.buf[t.start:t.end]
	n := min(24, x.cut(b))
	for from := -1; from < n-1; from++ {
		h := uint64(gramSalt)
		at := from
		if from < 0 {
			h = (h ^ '<') * hashPrime
			at = 0
		}
		for size := 1 + at - from; size < 6; size++ { // size counts the mark
			if at == n {
				if size > 3 {
					x.put(m, groupGrams, (h^'>')*hashPrime)
				}
				break
			}
			for k := x.runes[at]; k < x.runes[at+1]; k++ {
				h = (h ^ uint64(b[k])) * hashPrime
			}
			at++
			if size >= 3 {
				x.put(m, groupGrams, h)
			}
		}
	}
}

// cut fills x.runes with where each character of b begins, and its end, and returns how many there are.
func (x *scratch) cut(b []byte) int {
	x.runes = x.runes[:0]
	for i := 0; i < len(b); {
		x.runes = append(x.runes, i)
		_, n := utf8.DecodeRune(b[i:])
		i += n
	}
	n := len(x.runes)
	x.runes = append(x.runes, len(b))
	return n
}

func (x *scratch) put(m *Model, group int, h uint64) {
	x.buckets[group] = append(x.buckets[group], uint32(mix(h)>>(64-m.bits)))
}

// wide makes features of text without spaces: every run of one to five characters of a clause.
func (x *scratch) wide(m *Model, lang int) {
	salt := m.tongues[lang].salt
	for i := range x.tokens {
		t := &x.tokens[i]
		b := x.buf[t.start:t.end]
		if t.kind != word {
			x.put(m, groupWords, t.hash^salt)
			continue
		}
		n := x.cut(b)
		for from := range n {
			h := uint64(gramSalt) ^ salt
			for size := 1; size <= 5 && from+size <= n; size++ {
				for k := x.runes[from+size-1]; k < x.runes[from+size]; k++ {
					h = (h ^ uint64(b[k])) * hashPrime
				}
				switch size {
				case 1, 2:
					x.put(m, groupWords, h)
				case 3:
					x.put(m, groupPairs, h)
				default:
					x.put(m, groupGrams, h)
				}
			}
		}
	}
}
