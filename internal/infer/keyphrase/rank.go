package keyphrase

import "math"

const (
	dfBits   = 15
	wideBits = 16 // of the ranker that knows English words
	slimBits = 13 // of the one for every language
)

// rarity is how seldom words are in general: an inverse document frequency by hashed word, 0..255 in sixteenths.
type rarity []uint8

func (r rarity) of(stem uint64) float64 {
	return float64(r[mix(stem)>>(64-dfBits)]) / 16
}

// ranker weighs a candidate's features.
type ranker struct {
	bits    uint
	weights []int8
}

func (r *ranker) score(buckets []uint64) float64 {
	sum := int32(0)
	for _, h := range buckets {
		sum += int32(r.weights[h>>(64-r.bits)])
	}
	return float64(sum)
}

// bin cuts a number at the limits and tells between which it is.
func bin(v float64, limits ...float64) uint64 {
	for i, l := range limits {
		if v < l {
			return uint64(i)
		}
	}
	return uint64(len(limits))
}

// describe fills x.features with a candidate's: those that hold in every language first, x.slim of them, then its words.
func (x *scratch) describe(text string, c *candidate, r rarity, lexical bool) {
	x.features = x.features[:0]
	id := uint64(0)
	put := func(v uint64) {
		x.features = append(x.features, mix((v+id*0x9e3779b97f4a7c15)*0x9fb21c651e98df25))
	}
	next := func(v uint64) {
		id++
		put(v)
	}
	first, last := c.places[0], c.places[len(c.places)-1]
	n := first.to - first.from
	total := float64(len(x.tokens))
	lo, hi, sum, tf, most := math.Inf(1), 0.0, 0.0, math.Inf(1), 0.0
	pattern := uint64(1)
	caps, small, number, hyphened, verbs, adjectives := 0, 0, 0, 0, 0, 0
	for i := first.from; i < first.to; i++ {
		t := &x.tokens[i]
		v := r.of(x.stems[i])
		lo, hi, sum = math.Min(lo, v), math.Max(hi, v), sum+v
		count := float64(x.words[x.stems[i]])
		tf, most = math.Min(tf, count), math.Max(most, count)
		pattern = pattern*16 + uint64(t.tag)
		switch {
		case t.shape&capitals != 0:
			caps++
		case t.shape&capital != 0:
			small++
		}
		if t.shape&digits != 0 {
			number++
		}
		if t.shape&hyphen != 0 {
			hyphened++
		}
		switch t.tag {
		case verb:
			verbs++
		case adjective:
			adjectives++
		}
	}
	whole := 0
	for _, p := range c.places {
		if p.whole {
			whole++
		}
	}
	times := float64(len(c.places))
	words := uint64(n)
	length := bin(total, 60, 110, 170, 250)
	count := bin(times, 1.5, 2.5, 3.5, 5.5)
	at := bin(float64(first.from), 1, 5, 10, 20, 40, 70, 110, 160)
	share := uint64(0)
	switch {
	case whole == len(c.places):
		share = 3
	case whole > 0:
		share = 2
	case c.inside:
		share = 1
	}
	rare := bin(hi, 3, 4, 5, 6, 7, 8, 9)
	next(words)
	next(words<<8 | share)
	next(words<<8 | count)
	next(count<<8 | share)
	next(count<<8 | length)
	next(at)
	next(at<<8 | words)
	next(at<<8 | length)
	next(bin(float64(first.from)/total, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8))
	next(bin(float64(last.from-first.from)/total, 0.01, 0.2, 0.5, 0.8))
	next(rare)
	next(rare<<8 | words)
	next(rare<<8 | count)
	next(bin(lo, 2, 3, 4, 5, 6, 7)<<8 | words)
	next(bin(sum/float64(n), 2, 3, 4, 4.5, 5, 5.5, 6, 7)<<8 | words)
	next(bin(sum*times, 4, 8, 12, 16, 22, 30, 45))
	next(bin(tf, 1.5, 2.5, 3.5, 5.5)<<8 | words)
	next(bin(most, 1.5, 2.5, 3.5, 5.5, 8.5)<<8 | words)
	next(bin(float64(x.words[x.stems[first.to-1]]), 1.5, 2.5, 4.5)<<8 | bin(float64(x.words[x.stems[first.from]]), 1.5, 2.5, 4.5))
	next(uint64(min(caps, 2))<<16 | uint64(min(small, 2))<<8 | words)
	next(uint64(min(number, 1))<<16 | uint64(min(hyphened, 2))<<8 | words)
	next(uint64(min(adjectives, 3))<<16 | uint64(min(verbs, 2))<<8 | words)
	next(uint64(x.tokens[first.from].shape)<<8 | uint64(x.tokens[first.to-1].shape))
	next(uint64(x.tokens[first.to-1].tag)<<8 | words)
	x.around(first, next)
	next(bin(float64(x.tokens[first.to-1].end-x.tokens[first.from].start), 4, 6, 9, 13, 18, 25, 35))
	next(0)
	x.slim = len(x.features)
	if !lexical {
		return
	}
	id = 100
	x.lexical(first, pattern, share, next)
	id = 200
	for i := first.from; i < first.to; i++ { // any of its words
		put(x.stems[i])
	}
	id = 201
	next(c.key)
}

// around tells what stands before and after a place.
func (x *scratch) around(p span, next func(uint64)) {
	before, after := uint64(30), uint64(30)
	if p.from > 0 && !x.tokens[p.from].first {
		before = uint64(x.tokens[p.from-1].tag)
	}
	if p.to < len(x.tokens) && !x.tokens[p.to].first {
		after = uint64(x.tokens[p.to].tag)
	}
	next(before)
	next(after)
	next(before<<8 | after)
}

// lexical tells a place's words, their endings and their neighbours.
func (x *scratch) lexical(p span, pattern, share uint64, next func(uint64)) {
	a, b := p.from, p.to-1
	next(pattern)
	next(pattern<<8 | share)
	next(x.tokens[a].hash)
	next(x.tokens[b].hash)
	next(x.affixes[a].tail3)
	next(x.affixes[b].tail3)
	next(x.affixes[a].tail4)
	next(x.affixes[b].tail4)
	next(x.affixes[b].tail3 ^ uint64(p.to-p.from)<<50)
	next(x.affixes[a].tail3 ^ x.affixes[b].tail3<<1)
	before, after := uint64(1), uint64(1)
	if p.from > 0 {
		before = x.tokens[p.from-1].hash
	}
	if p.to < len(x.tokens) {
		after = x.tokens[p.to].hash
	}
	next(before)
	next(after)
	next(before ^ share<<60)
	next(after ^ share<<60)
}
