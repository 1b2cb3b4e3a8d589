package text

import (
	"github.com/bulkheadhq/bulkhead/internal/infer/keyphrase"
	"github.com/bulkheadhq/bulkhead/internal/infer/lang"
	"github.com/bulkheadhq/bulkhead/internal/infer/sentiment"
)

// Built are the engines that are built into the program.
func Built() Engines {
	return Engines{
		Language: func() (Detector, error) {
			d, err := lang.Default()
			return ear{d}, err
		},
		Sentiment: func() (Analyzer, error) {
			m, err := sentiment.Default()
			return judge{m}, err
		},
		KeyPhrases: func() (Extractor, error) {
			x, err := keyphrase.Default()
			return x, err
		},
	}
}

// ear is the language model.
type ear struct{ *lang.Detector }

// Detect implements Detector.
func (e ear) Detect(text, countryHint string) Language { return Language(e.Detector.Detect(text, countryHint)) }

// judge is the sentiment model.
type judge struct{ *sentiment.Model }

// Analyze implements Analyzer.
func (j judge) Analyze(text, language string) (Opinion, error) {
	d, err := j.Model.Analyze(text, language)
	if err != nil {
		return Opinion{}, err
	}
	o := Opinion{Label: d.Label, Scores: Scores(d.Scores), Score: d.Score, Sentences: make([]Sentence, len(d.Sentences))}
	for i, s := range d.Sentences {
		o.Sentences[i] = Sentence{Scores: Scores(s.Scores), Start: s.Start, End: s.End}
	}
	return o, nil
}
