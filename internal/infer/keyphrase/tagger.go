package keyphrase

import "unicode/utf8"

const (
	tagBits     = 15
	tagRow      = 16 // weights of a bucket: one of each tag, padded
	tagFeatures = 14
)

// tagger gives words their parts of speech, from left to right.
type tagger struct {
	weights []int8 // tagRow of each bucket
}

// affixes are a word's last and first characters, hashed; made once for each token.
type affixes struct {
	tail1, tail2, tail3, tail4, head2 uint64
}

func affixesOf(text string, t *token) affixes {
	var a affixes
	h, n := uint64(hashStart), 0
	for end := t.end; end > t.start && n < 4; n++ {
		r, size := utf8.DecodeLastRuneInString(text[t.start:end])
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		h = hashRune(h, r)
		end -= size
		switch n {
		case 0:
			a.tail1 = h
		case 1:
			a.tail2 = h
		case 2:
			a.tail3 = h
		case 3:
			a.tail4 = h
		}
	}
	h, n = hashStart, 0
	for at := t.start; at < t.end && n < 2; n++ {
		r, size := utf8.DecodeRuneInString(text[at:t.end])
		h = hashRune(h, r)
		at += size
	}
	a.head2 = h
	return a
}

// features of token i of list, with the two tags before it.
func (x *scratch) tagBuckets(list []token, i int, prev, prev2 tag, out *[tagFeatures]uint32) {
	t, a := &list[i], &x.affixes[i]
	n := 0
	put := func(h uint64) {
		out[n] = uint32(mix((h+uint64(n)*0x9e3779b97f4a7c15)*0x9fb21c651e98df25) >> (64 - tagBits))
		n++
	}
	shape := uint64(t.shape)
	if t.first {
		shape |= 64
	}
	if !t.word {
		shape |= 128
	}
	var before, after, beforeTail, afterTail, afterShape uint64
	if i > 0 {
		before, beforeTail = list[i-1].hash, x.affixes[i-1].tail2
	}
	if i+1 < len(list) {
		after, afterTail, afterShape = list[i+1].hash, x.affixes[i+1].tail3, uint64(list[i+1].shape)
	}
	put(t.hash)
	put(a.tail4)
	put(a.tail3)
	put(a.tail2)
	put(a.tail1 ^ shape<<32)
	put(a.head2)
	put(shape)
	put(uint64(prev))
	put(uint64(prev)<<8 | uint64(prev2))
	put(t.hash ^ uint64(prev)<<40)
	put(before)
	put(after)
	put(afterTail ^ afterShape<<48)
	put(beforeTail ^ a.tail3<<1)
}

// tag fills in the tokens' parts of speech.
func (g *tagger) tag(x *scratch, text string) {
	list := x.tokens
	x.affixes = x.affixes[:0]
	for i := range list {
		x.affixes = append(x.affixes, affixesOf(text, &list[i]))
	}
	var prev, prev2 tag
	var buckets [tagFeatures]uint32
	for i := range list {
		if list[i].first {
			prev, prev2 = other, other
		}
		if !list[i].word {
			list[i].tag = other
		} else {
			x.tagBuckets(list, i, prev, prev2, &buckets)
			var sums [tagRow]int32
			for _, b := range buckets {
				row := g.weights[int(b)*tagRow : int(b)*tagRow+tagRow]
				for k := range sums {
					sums[k] += int32(row[k])
				}
			}
			best := other
			for k := tag(1); k < tags; k++ {
				if sums[k] > sums[best] {
					best = k
				}
			}
			list[i].tag = best
		}
		prev, prev2 = list[i].tag, prev
	}
}
