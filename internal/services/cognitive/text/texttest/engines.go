// Package texttest has engines of Text Analytics that know a few words, for tests of what is around engines.
package texttest

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
)

// Engines are all three.
func Engines() text.Engines {
	return text.Engines{
		Language:   func() (text.Detector, error) { return detector{}, nil },
		Sentiment:  func() (text.Analyzer, error) { return analyzer{}, nil },
		KeyPhrases: func() (text.Extractor, error) { return extractor{}, nil },
	}
}

type detector struct{}

// Detect knows a language by one word, and "impossible" by the country.
func (detector) Detect(s, hint string) text.Language {
	folded := strings.ToLower(s)
	switch {
	case !strings.ContainsFunc(folded, func(r rune) bool { return r >= 'a' && r <= 'z' || r > 0x7f }):
		return text.Language{}
	case strings.Contains(folded, "bonjour"), folded == "impossible" && hint == "FR":
		return text.Language{Name: "French", ISO: "fr", Score: 1}
	case strings.Contains(folded, "carretera"):
		return text.Language{Name: "Spanish", ISO: "es", Score: 0.9375}
	case strings.Contains(folded, "你好"):
		return text.Language{Name: "Chinese_Simplified", ISO: "zh_chs", Score: 1}
	}
	return text.Language{Name: "English", ISO: "en", Score: 0.994}
}

type analyzer struct{}

// Languages are those the engine knows.
func (analyzer) Languages() []string { return []string{"de", "en", "pt", "zh"} }

// Analyze takes every sentence with "good" in it for positive and every one with "bad" for negative.
func (analyzer) Analyze(s, _ string) (text.Opinion, error) {
	o := text.Opinion{Label: "neutral", Scores: text.Scores{Positive: 0.02, Neutral: 0.97, Negative: 0.01}, Score: 0.5}
	good, bad := false, false
	for from := 0; from < len(s); {
		to := len(s)
		if i := strings.IndexAny(s[from:], ".!?"); i >= 0 {
			to = from + i + 1
		}
		lead := len(s[from:to]) - len(strings.TrimLeft(s[from:to], " "))
		one := text.Sentence{Start: from + lead, End: to, Scores: o.Scores}
		switch part := s[from:to]; {
		case strings.Contains(part, "good"):
			good, one.Scores = true, text.Scores{Positive: 0.985, Neutral: 0.01, Negative: 0.005}
		case strings.Contains(part, "bad"):
			bad, one.Scores = true, text.Scores{Positive: 0.01, Neutral: 0.04, Negative: 0.95}
		}
		o.Sentences = append(o.Sentences, one)
		from = to
	}
	switch {
	case good && bad:
		o.Label, o.Scores, o.Score = "mixed", text.Scores{Positive: 0.5, Neutral: 0.02, Negative: 0.48}, 0.51
	case good:
		o.Label, o.Scores, o.Score = "positive", text.Scores{Positive: 0.985, Neutral: 0.01, Negative: 0.005}, 0.93
	case bad:
		o.Label, o.Scores, o.Score = "negative", text.Scores{Positive: 0.01, Neutral: 0.04, Negative: 0.95}, 0.0312
	}
	return o, nil
}

type extractor struct{}

// Languages are those the engine knows.
func (extractor) Languages() []string { return []string{"de", "en", "es", "ja"} }

// Phrases are the words of more than four letters.
func (extractor) Phrases(s, _ string) ([]string, error) {
	var out []string
	for _, w := range strings.Fields(s) {
		if w = strings.Trim(w, ".,!?"); len(w) > 4 {
			out = append(out, w)
		}
	}
	return out, nil
}
