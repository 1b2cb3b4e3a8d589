package lang

import "strings"

// Accuracy is how often answers are right.
type Accuracy struct {
	Language string
	Texts    int
	Right    int
	Wrong    map[string]int // other answers, by code; "" is none
}

// Measurement is accuracy by language and in all.
type Measurement struct {
	Languages []Accuracy
	Macro     float64 // mean of the languages' shares of right answers
	ECE       float64 // expected calibration error: mean distance of score and share of right answers, in ten bins
}

// Measurer collects answers of known texts.
type Measurer struct {
	// Of answers what language was detected, as a code; Detect of a Detector by default.
	Detect func(text string) (iso string, score float64)
	// Same says that two codes are one language for this measurement, e.g. nn and nb; nil: only equal ones.
	Same func(want, got string) bool
	m    Measurement
	bins [10]struct {
		n, right int
		score    float64
	}
}

// Add has texts of one language detected.
func (x *Measurer) Add(language string, texts []string) {
	a := Accuracy{Language: language, Wrong: map[string]int{}}
	for _, text := range texts {
		got, score := x.Detect(text)
		if strings.HasPrefix(got, "zh_") {
			got = "zh"
		}
		a.Texts++
		right := got == language || x.Same != nil && x.Same(language, got)
		if right {
			a.Right++
		} else {
			a.Wrong[got]++
		}
		if got != "" {
			b := &x.bins[min(int(score*10), 9)]
			b.n++
			b.score += score
			if right {
				b.right++
			}
		}
	}
	x.m.Languages = append(x.m.Languages, a)
}

// Result sums up.
func (x *Measurer) Result() Measurement {
	m := x.m
	n := 0
	for _, a := range m.Languages {
		if a.Texts > 0 {
			m.Macro += float64(a.Right) / float64(a.Texts) / float64(len(m.Languages))
		}
	}
	for _, b := range x.bins {
		n += b.n
	}
	for _, b := range x.bins {
		if b.n > 0 {
			d := b.score - float64(b.right)
			m.ECE += max(d, -d) / float64(n)
		}
	}
	return m
}
