package fasttext

import "math"

// Predictor runs a model. It is for one goroutine at a time and reuses its memory: after some texts it allocates nothing.
type Predictor struct {
	m       *Model
	rows    []int32
	scratch scratch
	hidden  []float32
	scores  []float32
}

// NewPredictor returns a predictor of the model.
func (m *Model) NewPredictor() *Predictor {
	return &Predictor{m: m, hidden: make([]float32, m.args.Dim), scores: make([]float32, len(m.labels))}
}

// Best returns the number of the likeliest label and its probability, or -1 where no part of the text is known to the model.
// A line break ends a text, as it does for the reference.
func (p *Predictor) Best(text string) (label int, probability float64) {
	if !p.embed(text) {
		return -1, 0
	}
	m := p.m
	if m.tree != nil {
		return m.tree.best(m.output, p.hidden)
	}
	p.softmax(p.scores)
	best := 0
	for i, x := range p.scores {
		if x > p.scores[best] {
			best = i
		}
	}
	return best, float64(p.scores[best])
}

// Probabilities writes the probability of every label, by number, into into, which must have their length. It reports false, and writes nothing, where no part of the text is known.
func (p *Predictor) Probabilities(text string, into []float32) bool {
	if !p.embed(text) {
		return false
	}
	if p.m.tree != nil {
		p.m.tree.all(p.m.output, p.hidden, into)
	} else {
		p.softmax(into)
	}
	return true
}

func (p *Predictor) softmax(into []float32) {
	softmax(p.m.output, p.hidden, into)
}

func softmax(output, hidden, into []float32) {
	dim := len(hidden)
	most := float32(math.Inf(-1))
	for i := range into {
		into[i] = dot(output[i*dim:(i+1)*dim], hidden)
		most = max(most, into[i])
	}
	var sum float32
	for i, x := range into {
		// What is more than 40 below the most adds nothing to a float32.
		if x-most < -40 {
			into[i] = 0
			continue
		}
		into[i] = float32(math.Exp(float64(x - most)))
		sum += into[i]
	}
	for i := range into {
		into[i] /= sum
	}
}

// embed puts the mean of the text's rows into hidden.
func (p *Predictor) embed(text string) bool {
	p.rows = p.m.features(text, p.rows[:0], &p.scratch)
	if len(p.rows) == 0 {
		return false
	}
	p.m.input.mean(p.hidden, p.rows)
	return true
}

// Logits writes the scores of a plain softmax before they are made probabilities, or the logarithms of the probabilities of a hierarchical one. It reports false, and writes nothing,
// where no part of the text is known.
func (p *Predictor) Logits(text string, into []float32) bool {
	if !p.embed(text) {
		return false
	}
	if p.m.tree != nil {
		p.m.tree.all(p.m.output, p.hidden, into)
		for i, x := range into {
			into[i] = float32(math.Log(float64(x) + 1e-30))
		}
		return true
	}
	dim := len(p.hidden)
	for i := range into {
		into[i] = dot(p.m.output[i*dim:(i+1)*dim], p.hidden)
	}
	return true
}
