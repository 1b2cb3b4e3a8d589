package sentiment

import (
	"fmt"
	"math"
)

// bins of Quality's calibration, of equal width.
const bins = 10

// Quality counts how judgements of labelled texts turned out. The zero value has none.
type Quality struct {
	Texts     float64       // how many
	Two       float64       // of them those of a polarity
	TwoRight  float64       // and those whose sign is right, were there no neutral
	confusion [3][3]float64 // of true and said
	bins      [bins]bin
}

// bin holds the judgements whose largest share lies in it.
type bin struct{ texts, shares, right float64 }

// Add counts a judgement of a text whose polarity is -1, 0 or 1.
func (q *Quality) Add(s Scores, polarity int) {
	said := map[string]int{Negative: 0, Neutral: 1, Positive: 2}[s.Label()]
	if polarity != 0 {
		q.Two++
		if (s.Positive > s.Negative) == (polarity > 0) {
			q.TwoRight++
		}
	}
	top := max(s.Positive, s.Neutral, s.Negative)
	b := &q.bins[min(bins-1, int(top*bins))]
	b.texts++
	b.shares += top
	if said == polarity+1 {
		b.right++
	}
	q.Texts++
	q.confusion[polarity+1][said]++
}

// MacroF1 is the mean of the three classes' F1; a class that there isn't counts as 0.
func (q *Quality) MacroF1() float64 {
	sum := 0.0
	for c := range q.confusion {
		var is, said float64
		for k := range q.confusion {
			is += q.confusion[c][k]
			said += q.confusion[k][c]
		}
		if is+said > 0 {
			sum += 2 * q.confusion[c][c] / (is + said)
		}
	}
	return sum / float64(len(q.confusion))
}

// Calibration is the expected calibration error: over ten bins of equal width of the answered label's share, the distance of the mean share from how
// often the label is right, weighed by the texts in the bin.
func (q *Quality) Calibration() float64 {
	sum := 0.0
	for _, b := range q.bins {
		sum += math.Abs(b.shares - b.right)
	}
	return sum / max(q.Texts, 1)
}

// Chance is what Calibration comes to, in the mean, for a model whose shares are right: with few texts a bin's labels are seldom right as often as they should.
func (q *Quality) Chance() float64 {
	sum := 0.0
	for _, b := range q.bins {
		if b.texts > 0 {
			p := b.shares / b.texts
			sum += math.Sqrt(2 / math.Pi * p * (1 - p) * b.texts)
		}
	}
	return sum / max(q.Texts, 1)
}

// String tells all of it in one line.
func (q *Quality) String() string {
	return fmt.Sprintf("%.0f texts, two classes %.3f, macro F1 %.3f, calibration error %.3f (by chance %.3f)", q.Texts, q.TwoRight/max(q.Two, 1), q.MacroF1(), q.Calibration(), q.Chance())
}
