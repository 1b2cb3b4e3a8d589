package fasttext

import "math"

// Predictor runs a model. It is for one goroutine at a time and reuses its memory: after some texts it allocates nothing.
type Predictor struct {
	m       *Model
	rows    []int32
	scratch scratch
	hidden  []float32
	scores  []float32 // as many as Model.width
}

// NewPredictor returns a predictor of the model.
func (m *Model) NewPredictor() *Predictor {
	return &Predictor{m: m, hidden: make([]float32, m.args.Dim), scores: make([]float32, m.width)}
}

// Best returns the number of the likeliest label and its probability, or -1 where no part of the text is known to the model.
// A line break ends a text, as it does for the reference.
func (p *Predictor) Best(text string) (label int, probability float64) {
	if !p.score(text) {
		return -1, 0
	}
	if t := p.m.tree; t != nil {
		return t.best(p.scores)
	}
	scores := p.scores[:len(p.m.labels)]
	normalise(scores)
	best := 0
	for i, x := range scores {
		if x > scores[best] {
			best = i
		}
	}
	return best, float64(scores[best])
}

// Probabilities writes the probability of every label, by number, into into, which must have their length. It reports false, and writes nothing, where no part of the text is known.
func (p *Predictor) Probabilities(text string, into []float32) bool {
	if !p.score(text) {
		return false
	}
	if t := p.m.tree; t != nil {
		t.all(p.scores, into)
		return true
	}
	copy(into, p.scores)
	normalise(into)
	return true
}

// Logits writes the scores of a plain softmax before they are made probabilities, or the logarithms of the probabilities of a hierarchical one. It reports false, and writes nothing,
// where no part of the text is known.
func (p *Predictor) Logits(text string, into []float32) bool {
	if !p.score(text) {
		return false
	}
	if t := p.m.tree; t != nil {
		t.all(p.scores, into)
		for i, x := range into {
			into[i] = float32(math.Log(float64(x) + 1e-30))
		}
		return true
	}
	copy(into, p.scores)
	return true
}

// score puts what the output makes of the mean of the text's rows into scores. It reports false where there is no row.
func (p *Predictor) score(text string) bool {
	p.rows = p.m.features(text, p.rows[:0], &p.scratch)
	if len(p.rows) == 0 {
		return false
	}
	p.m.input.mean(p.hidden, p.rows)
	multiply(p.m.across, p.hidden, p.scores)
	return true
}

// multiply puts the products of hidden with rows of len(into) numbers, one for each of hidden's, into into. Sums are made in the order of hidden.
func multiply(across, hidden, into []float32) {
	if vectors() {
		multiplyFast(across, hidden, into)
		return
	}
	multiplyGeneric(across, hidden, into)
}

func multiplyGeneric(across, hidden, into []float32) {
	clear(into)
	for j, h := range hidden {
		for i, x := range across[j*len(into):][:len(into)] {
			into[i] += float32(h * x)
		}
	}
}

// normalise makes probabilities of logits.
func normalise(all []float32) {
	most := float32(math.Inf(-1))
	for _, x := range all {
		most = max(most, x)
	}
	var sum float32
	for i, x := range all {
		// What is more than 40 below the most adds nothing to a float32.
		if x-most < -40 {
			all[i] = 0
			continue
		}
		all[i] = float32(math.Exp(float64(x - most)))
		sum += all[i]
	}
	for i := range all {
		all[i] /= sum
	}
}
