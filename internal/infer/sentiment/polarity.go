package sentiment

import "math"

// polarities sums what the lexicon says of a text.
type polarities struct {
	good, bad, best, worst, turned, final float64
	glad, sad                             float64
	found                                 int
}

func (p *polarities) add(t *token, v float64) {
	p.found++
	if t.kind == emoji || t.kind == emoticon {
		if v > 0 {
			p.glad += v
		} else {
			p.sad -= v
		}
	}
	if v > 0 {
		p.good += v
		p.best = math.Max(p.best, v)
	} else {
		p.bad -= v
		p.worst = math.Max(p.worst, -v)
	}
	if t.turned {
		p.turned += v
	}
	p.final = v
}

// denseFeatures fills x.dense from the tokens.
func (x *scratch) denseFeatures(m *Model, lang int) {
	l := &m.tongues[lang]
	var p polarities
	var shout, ask, links, mentions, tags, long, negations, count float64
	boost := false
	for i := range x.tokens {
		t := &x.tokens[i]
		count++
		if t.tagged {
			tags++
		}
		if t.long {
			long++
		}
		switch t.kind {
		case link:
			links++
		case mention:
			mentions++
		case stop, mark:
			switch x.buf[t.start] {
			case '!':
				shout += float64(t.end - t.start)
			case '?':
				ask++
			}
		case word:
			if l.negation[t.hash] {
				negations++
			}
			if l.unspaced {
				x.wideLexicon(m, lang, t, &p)
				count += float64(t.end-t.start) / 6
				continue
			}
		}
		v := m.valence(t, l)
		if v != 0 {
			if t.negated {
				v *= -0.6
			}
			if boost {
				v *= 1.3
			}
			if t.long {
				v *= 1.2
			}
			p.add(t, v)
		}
		boost = t.kind == word && l.booster[t.hash]
	}
	root := math.Sqrt(count + 4)
	d := &x.dense
	set := func(i int, v float64) { d[i] = float32(v) }
	set(denseBias, 1)
	set(denseGood, p.good/root)
	set(denseBad, p.bad/root)
	set(denseBest, p.best)
	set(denseWorst, p.worst)
	set(denseNet, math.Tanh(1.5*(p.good-p.bad)/root*2))
	set(denseTurned, math.Tanh(p.turned))
	set(denseFinal, p.final)
	set(denseGlad, math.Tanh(p.glad))
	set(denseSad, math.Tanh(p.sad))
	set(denseShout, math.Min(shout, 3)/3)
	set(denseAsk, math.Min(ask, 2)/2)
	set(denseLinks, math.Min(links, 2)/2)
	set(denseMentions, math.Min(mentions, 3)/3)
	set(denseTags, math.Min(tags, 3)/3)
	set(denseCaps, math.Min(float64(x.caps), 4)/4)
	set(denseLong, math.Min(long, 2)/2)
	set(denseNegations, math.Min(negations, 3)/3)
	set(denseLength, math.Min(math.Log1p(count)/4, 2))
	d[denseBare] = 0
	if p.found == 0 {
		d[denseBare] = 1
	}
}

// wideLexicon finds the lexicon's words in a run of characters, the longest first.
func (x *scratch) wideLexicon(m *Model, lang int, t *token, p *polarities) {
	b := x.buf[t.start:t.end]
	n := x.cut(b)
	for from := 0; from < n; {
		var hashes [6]uint64
		h, most := uint64(hashStart), min(6, n-from)
		for size := range most {
			for k := x.runes[from+size]; k < x.runes[from+size+1]; k++ {
				h = (h ^ uint64(b[k])) * hashPrime
			}
			hashes[size] = h
		}
		step := 1
		for size := most; size >= 2; size-- {
			if v := m.lexicon.find(hashes[size-1] ^ m.tongues[lang].salt); v != 0 {
				p.add(t, v)
				step = size
				break
			}
		}
		from += step
	}
}

// valence is what the lexicon says of a token, -1..1; 0 where it says nothing.
func (m *Model) valence(t *token, l *loaded) float64 {
	if t.kind == emoji || t.kind == emoticon {
		return m.lexicon.find(t.hash)
	}
	if t.kind != word {
		return 0
	}
	return m.lexicon.find(t.hash ^ l.salt)
}

// lexicon is an open hash table of words' polarities.
type lexicon struct {
	keys   []uint32
	values []int8
	shift  uint
}

func (x *lexicon) find(h uint64) float64 {
	if len(x.keys) == 0 {
		return 0
	}
	h = mix(h)
	key := uint32(h) | 1
	for i, mask := int(h>>x.shift), len(x.keys)-1; ; i = (i + 1) & mask {
		switch x.keys[i] {
		case key:
			return float64(x.values[i]) / 100
		case 0:
			return 0
		}
	}
}
