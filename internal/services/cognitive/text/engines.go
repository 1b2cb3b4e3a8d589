package text

import (
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
)

// Language is a language that was found in a text. ISO is "" where none was.
type Language struct {
	Name, ISO string
	Score     float64
}

// Detector finds the language of a text. countryHint is a two-letter country in upper case, "" for none. Safe for concurrent use.
type Detector interface {
	Detect(text, countryHint string) Language
}

// Scores are the confidences that a text is of each sentiment; they add up to 1.
type Scores struct{ Positive, Neutral, Negative float64 }

// Sentence is one of a document, from byte Start to End.
type Sentence struct {
	Scores     Scores
	Start, End int
}

// Opinion is the sentiment of a document: of version 3 a label ("positive", "neutral", "negative", "mixed") and Scores, of version 2 a Score from 0 to 1.
type Opinion struct {
	Label     string
	Scores    Scores
	Score     float64
	Sentences []Sentence
}

// Analyzer finds the sentiment of a text in one of its languages (ISO codes). Safe for concurrent use.
type Analyzer interface {
	Languages() []string
	Analyze(text, language string) (Opinion, error)
}

// Extractor finds the key phrases of a text in one of its languages. Safe for concurrent use.
type Extractor interface {
	Languages() []string
	Phrases(text, language string) ([]string, error)
}

// Engines are what does the work; each is made when it is first needed. nil: it isn't built into the program.
type Engines struct {
	Language   func() (Detector, error)
	Sentiment  func() (Analyzer, error)
	KeyPhrases func() (Extractor, error)
}

// engine makes its value once.
type engine[T any] struct {
	what string
	open func() (T, error)
}

func newEngine[T any](what string, open func() (T, error)) engine[T] {
	if open == nil {
		return engine[T]{what, func() (zero T, err error) {
			return zero, api.Missing(what, "its engine isn't built into this program.")
		}}
	}
	return engine[T]{what, sync.OnceValues(func() (T, error) {
		v, err := open()
		if err != nil {
			return v, api.Missing(what, err.Error()+".").WithCause(err)
		}
		return v, nil
	})}
}
