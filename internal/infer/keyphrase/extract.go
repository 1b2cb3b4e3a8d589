package keyphrase

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// ErrLanguage means that phrases of the language asked for can't be found.
var ErrLanguage = errors.New("keyphrase: no model of this language")

// japanese is the language that kagome tags.
const japanese = "ja"

// model is what the file holds for one language.
type model struct {
	tongue tongue
	tagger tagger
	rarity rarity
}

// Extractor finds phrases. It is safe for concurrent use.
type Extractor struct {
	models  []model
	byCode  map[string]int
	wide    ranker // with words, for English
	slim    ranker // without
	scratch sync.Pool
}

func newExtractor() *Extractor {
	e := &Extractor{byCode: map[string]int{}, wide: ranker{bits: wideBits}, slim: ranker{bits: slimBits}}
	for i, l := range tongues() {
		e.models = append(e.models, model{tongue: l})
		e.byCode[l.code] = i
	}
	e.scratch.New = func() any { return new(scratch) }
	return e
}

// Languages are the codes of the languages whose phrases are found (ISO 639-1).
func (e *Extractor) Languages() []string {
	out := make([]string, 0, len(e.models)+1)
	for i := range e.models {
		out = append(out, e.models[i].tongue.code)
	}
	return append(out, japanese)
}

// Phrases are the text's key phrases, the most telling first, as they stand in the text. The language is an ISO 639-1 code; a region after
// it doesn't matter. It returns ErrLanguage for one that isn't in Languages.
func (e *Extractor) Phrases(text, language string) ([]string, error) {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	code := textmodel.Primary(language)
	if code == japanese {
		return e.japanese(text)
	}
	at, ok := e.byCode[code]
	if !ok {
		return nil, ErrLanguage
	}
	x, _ := e.scratch.Get().(*scratch)
	defer e.scratch.Put(x)
	m := &e.models[at]
	x.prepare(text, m)
	e.rank(x, text, m)
	return x.pick(text, phrasesFor(len(x.tokens))), nil
}

// phrasesFor is how many phrases a text of so many words and marks gets.
func phrasesFor(tokens int) int { return max(5, min(100, tokens/4)) }

// prepare finds the candidates of a text.
func (x *scratch) prepare(text string, m *model) {
	x.tokenize(text, &m.tongue)
	m.tagger.tag(x, text)
	x.candidates(text, &m.tongue)
	x.nest()
}

// nest marks the candidates that always stand inside a longer one.
func (x *scratch) nest() {
	x.cover = x.cover[:0]
	for range x.tokens {
		x.cover = append(x.cover, 0)
	}
	for _, s := range x.spans {
		for i := s.from; i < s.to; i++ {
			x.cover[i] = max(x.cover[i], s.to-s.from)
		}
	}
	for i := range x.found {
		c := &x.found[i]
		c.inside = true
		for _, p := range c.places {
			if x.cover[p.from] <= p.to-p.from && x.cover[p.to-1] <= p.to-p.from {
				c.inside = false
				break
			}
		}
	}
}

func (e *Extractor) rank(x *scratch, text string, m *model) {
	r := &e.slim
	lexical := m.tongue.code == "en"
	if lexical {
		r = &e.wide
	}
	for i := range x.found {
		c := &x.found[i]
		x.describe(text, c, m.rarity, lexical)
		c.score = r.score(x.features)
	}
}

// pick are the best phrases, each in the words of its first place that is its own; one whose words all stand in a better one's places is left out.
func (x *scratch) pick(text string, most int) []string {
	slices.SortStableFunc(x.found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.places[0].from, b.places[0].from), cmp.Compare(b.places[0].to, a.places[0].to))
	})
	for i := range x.cover {
		x.cover[i] = 0
	}
	out := make([]string, 0, min(most, len(x.found)))
	for i := range x.found {
		c := &x.found[i]
		if len(out) == most {
			break
		}
		p, ok := x.fresh(c)
		if !ok {
			continue
		}
		out = append(out, strings.Join(strings.Fields(text[x.tokens[p.from].start:x.tokens[p.to-1].end]), " "))
		for _, p := range c.places {
			for k := p.from; k < p.to; k++ {
				x.cover[k] = 1
			}
		}
	}
	return out
}

// fresh is a candidate's first place that isn't taken whole by better ones.
func (x *scratch) fresh(c *candidate) (span, bool) {
	for _, p := range c.places {
		for k := p.from; k < p.to; k++ {
			if x.cover[k] == 0 {
				return p, true
			}
		}
	}
	return span{}, false
}
