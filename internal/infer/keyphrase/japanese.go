package keyphrase

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ikawaha/kagome-dict/ipa"
	"github.com/ikawaha/kagome/v2/tokenizer"
)

// kagome is the tokenizer with its dictionary, unpacked at the first Japanese text.
var kagome = sync.OnceValues(func() (*tokenizer.Tokenizer, error) {
	return tokenizer.New(ipa.Dict(), tokenizer.OmitBosEos())
})

// compound is a run of nouns of a Japanese text.
type compound struct {
	text  string
	first int // which run of the text it was
	times int
	parts int
}

// japanese finds runs of nouns and weighs them by how often, how early and of how many words.
func (e *Extractor) japanese(text string) ([]string, error) {
	t, err := kagome()
	if err != nil {
		return nil, fmt.Errorf("keyphrase: load kagome: %w", err)
	}
	var found []compound
	at := map[string]int{}
	tokens := t.Tokenize(text)
	run, parts := "", 0
	end := func() {
		run = strings.TrimSpace(run)
		if parts > 0 && utf8.RuneCountInString(run) > 1 && strings.ContainsFunc(run, unicode.IsLetter) {
			i, ok := at[run]
			if !ok {
				i = len(found)
				at[run] = i
				found = append(found, compound{text: run, first: i, parts: parts})
			}
			found[i].times++
		}
		run, parts = "", 0
	}
	for i := range tokens {
		switch joins(tokens[i].POS(), parts) {
		case opens:
			run += tokens[i].Surface
			parts++
		case follows:
			run += tokens[i].Surface
		default:
			end()
		}
	}
	end()
	score := func(c *compound) float64 {
		return float64(c.times)*(1+0.5*float64(min(c.parts, 4)-1)) + 1.5/float64(1+c.first)
	}
	slices.SortStableFunc(found, func(a, b compound) int { return cmp.Compare(score(&b), score(&a)) })
	most := phrasesFor(len(tokens))
	out := make([]string, 0, min(most, len(found)))
	for i := range found {
		if len(out) == most {
			break
		}
		out = append(out, found[i].text)
	}
	return out, nil
}

// role is what a token does to a run of nouns.
type role uint8

const (
	breaksRun role = iota
	opens
	follows
)

// joins says what a token with the given parts of speech (IPADIC's) does to a run that has so many words.
func joins(pos []string, parts int) role {
	if len(pos) < 2 {
		return breaksRun
	}
	switch pos[0] {
	case "名詞":
		switch pos[1] {
		case "一般", "固有名詞", "サ変接続", "形容動詞語幹", "ナイ形容詞語幹":
			return opens
		case "数":
			if parts > 0 {
				return follows
			}
		case "接尾":
			if parts > 0 && len(pos) > 2 && pos[2] != "助数詞" && pos[2] != "副詞可能" && pos[2] != "特殊" {
				return follows
			}
		}
	case "接頭詞":
		if pos[1] == "名詞接続" && parts == 0 {
			return follows
		}
	}
	return breaksRun
}
