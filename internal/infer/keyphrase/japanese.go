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
	var tokens []tokenizer.Token
	for text != "" {
		piece := text[:pieceEnd(text)]
		text = text[len(piece):]
		tokens = append(tokens, t.Tokenize(piece)...)
	}
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
		if parts == 0 && doing(tokens[i:]) {
			continue
		}
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

// doing says whether the tokens begin with a noun that する makes a verb of (提出した): it tells what happens, not what it is about.
func doing(tokens []tokenizer.Token) bool {
	if len(tokens) < 2 {
		return false
	}
	noun, verb := tokens[0].POS(), tokens[1].POS()
	return len(noun) > 1 && noun[1] == "サ変接続" && len(verb) > 0 && verb[0] == "動詞"
}

// maxPiece is how many characters kagome gets at once: its time grows with the square of a run that it doesn't know.
const maxPiece = 200

// pieceEnd is where the first piece of a text ends: after its first sentence, or where that is too long.
func pieceEnd(text string) int {
	n := 0
	for i, r := range text {
		if n++; n > maxPiece {
			return i
		}
		if r == '\n' || r == '。' || r == '！' || r == '？' {
			return i + utf8.RuneLen(r)
		}
	}
	return len(text)
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
