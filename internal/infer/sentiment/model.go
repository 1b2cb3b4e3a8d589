package sentiment

import (
	"errors"
	"math"
	"sync"
)

// ErrLanguage means that the model doesn't know the language asked for.
var ErrLanguage = errors.New("sentiment: no model of this language")

// loaded is a tongue with its words as hashes.
type loaded struct {
	tongue
	salt                        uint64
	negation, contrast, booster map[uint64]bool
}

// Model judges texts. It is safe for concurrent use.
type Model struct {
	tongues []loaded
	byCode  map[string]int
	bits    uint
	weights []int8 // two of each bucket: towards positive, towards neutral
	scale   [groups][2]float32
	dense   [][denses][2]float32 // of each language
	warmth  []warmth             // of each language: what the pulls mean
	lexicon lexicon
	scratch sync.Pool
}

// newModel is a model without weights: its languages and their words.
func newModel(bits uint) *Model {
	m := &Model{bits: bits, byCode: map[string]int{}}
	for i, t := range tongues() {
		l := loaded{tongue: t, salt: mix(hashOf("tongue " + t.code)), negation: set(t.negations), contrast: set(t.contrasts), booster: set(t.boosters)}
		m.tongues = append(m.tongues, l)
		m.byCode[t.code] = i
		m.warmth = append(m.warmth, warmth{1, 0, 1, 0, 0})
	}
	m.dense = make([][denses][2]float32, len(m.tongues))
	m.scratch.New = func() any { return new(scratch) }
	return m
}

func set(list []string) map[uint64]bool {
	out := make(map[uint64]bool, len(list))
	for _, w := range list {
		out[hashOf(w)] = true
	}
	return out
}

// Languages are the codes of the languages that the model knows (ISO 639-1).
func (m *Model) Languages() []string {
	out := make([]string, 0, len(m.tongues))
	for i := range m.tongues {
		out = append(out, m.tongues[i].code)
	}
	return out
}

// pulls are the two sums of the features in x: towards positive (from negative) and towards neutral.
func (m *Model) pulls(x *scratch, lang int) (polarity, neutral float64) {
	for g := range x.buckets {
		list := x.buckets[g]
		if len(list) == 0 {
			continue
		}
		var a, b int32
		for _, k := range list {
			a += int32(m.weights[2*k])
			b += int32(m.weights[2*k+1])
		}
		root := math.Sqrt(float64(len(list)))
		polarity += float64(a) * float64(m.scale[g][0]) / root
		neutral += float64(b) * float64(m.scale[g][1]) / root
	}
	for i, v := range x.dense {
		polarity += float64(v) * float64(m.dense[lang][i][0])
		neutral += float64(v) * float64(m.dense[lang][i][1])
	}
	return polarity, neutral
}

// scores judges one text.
func (m *Model) scores(x *scratch, text string, lang int) Scores {
	x.extract(text, m, lang)
	p, n := m.pulls(x, lang)
	return shares(m.warmth[lang].apply(p, n))
}

// shares turns the two pulls into probabilities.
func shares(p, n float64) Scores {
	top := math.Max(math.Abs(p), n)
	pos, neg, neu := math.Exp(p-top), math.Exp(-p-top), math.Exp(n-top)
	sum := pos + neg + neu
	return Scores{Positive: pos / sum, Neutral: neu / sum, Negative: neg / sum}
}
