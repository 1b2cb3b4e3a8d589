package text

import (
	"errors"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Line is what is found out about one text, for people.
type Line struct {
	Language  string   `json:"language,omitempty"` // ISO code; "" where none was found
	Name      string   `json:"languageName,omitempty"`
	Score     float64  `json:"languageScore,omitempty"`
	Sentiment string   `json:"sentiment,omitempty"` // "" where the language has no model
	Positive  float64  `json:"positive,omitempty"`
	Neutral   float64  `json:"neutral,omitempty"`
	Negative  float64  `json:"negative,omitempty"`
	Phrases   []string `json:"keyPhrases,omitempty"`
	// Skipped is why nothing was found out: "empty" or "too long".
	Skipped string `json:"skipped,omitempty"`
}

// Missing tells which engines can't be had, and why, one a line; "" when all can. An error is one of none.
func (s *Service) Missing() (string, error) {
	var all []string
	ops := operations()
	for _, o := range ops {
		if err := o.open(s); err != nil {
			all = append(all, fault.As(err).Message)
		}
	}
	if len(all) == len(ops) {
		return "", errors.New(strings.Join(all, "; "))
	}
	return strings.Join(all, "\n"), nil
}

// Line finds out all there is about one text, with the engines that can be had.
func (s *Service) Line(text string) (Line, error) {
	var l Line
	switch {
	case strings.TrimSpace(text) == "":
		l.Skipped = "empty"
		return l, nil
	case overLimit(text, maxElements):
		l.Skipped = "too long"
		return l, nil
	}
	if d, err := s.language.open(); err == nil {
		found := d.Detect(text, "")
		l.Language, l.Name, l.Score = found.ISO, found.Name, found.Score
	}
	code := strings.Replace(l.Language, "zh_ch", "zh-ch", 1) // its script is no part of what a language is chosen by
	if l.Language == "" {
		return l, nil
	}
	if a, err := s.sentiment.open(); err == nil {
		if lang, ok := choose(a.Languages(), code); ok {
			o, err := a.Analyze(text, lang)
			if err != nil {
				return l, err
			}
			l.Sentiment, l.Positive, l.Neutral, l.Negative = o.Label, o.Scores.Positive, o.Scores.Neutral, o.Scores.Negative
		}
	}
	if x, err := s.keyPhrases.open(); err == nil {
		if lang, ok := choose(x.Languages(), code); ok {
			var err error
			if l.Phrases, err = x.Phrases(text, lang); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}
