package fasttext

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Options say how to train. The zero value isn't usable; Defaults is a beginning.
type Options struct {
	Dim        int     // length of a row
	MinN, MaxN int     // n-grams of characters, "<" and ">" of a word among them
	Bucket     int     // buckets that n-grams are hashed into
	MinCount   int     // a word that comes less often is left out of the vocabulary
	MaxWords   int     // the most frequent words kept; 0: none
	Loss       Loss    // what turns rows into probabilities
	Rate       float64 // learning rate at the beginning; it falls linearly to 0
	Steps      int     // texts seen, windows of texts included
	Windows    float64 // share of steps that see a window of one to five words; the others see up to fifteen
	Seed       uint64  // the same seed over the same samples gives the same model, bit by bit
	Keep       int     // rows kept when the model is quantised; 0: all
	Retrain    int     // texts seen again with the kept rows, before they are coded
	Rare       float64 // 0..1: how much a row that was rarely used counts less when choosing which to keep
	// Progress, if not nil, is told now and then how far training has come and the mean loss since it was told last.
	Progress func(done, total int, loss float64)
}

// Defaults are options that suit telling languages apart.
func Defaults() Options {
	return Options{
		Dim: 16, MinN: 1, MaxN: 5, Bucket: 1 << 21, MinCount: 5, MaxWords: 50000, Loss: Softmax,
		Rate: 0.5, Steps: 1_000_000, Windows: 0.5, Seed: 1, Rare: 0.5,
	}
}

// Samples are texts by label. Labels are trained on equally often, however many texts each has, unless Weights says otherwise.
type Samples struct {
	Labels  []string
	Texts   [][]string // by label
	Weights []float64  // by label; nil: all the same
}

// ErrOptions is wrapped by the error of options or samples that nothing can be trained with.
var ErrOptions = errors.New("can't be trained")

func (o Options) check(s Samples) error {
	switch {
	case len(s.Labels) < 2 || len(s.Labels) != len(s.Texts) || s.Weights != nil && len(s.Weights) != len(s.Labels):
		return fmt.Errorf("%w: %d labels with %d lists of texts; at least two are needed", ErrOptions, len(s.Labels), len(s.Texts))
	case o.Dim < 1 || o.Dim > maxDim || o.MinN < 1 || o.MaxN < o.MinN || o.MaxN > maxNgram || o.Bucket < 1 || o.Bucket > maxBucket:
		return fmt.Errorf("%w: dim %d, n-grams %d to %d, %d buckets", ErrOptions, o.Dim, o.MinN, o.MaxN, o.Bucket)
	case o.Loss != Softmax && o.Loss != HierarchicalSoftmax:
		return fmt.Errorf("%w: loss %d", ErrOptions, o.Loss)
	case o.Rate <= 0 || o.Steps < 1:
		return fmt.Errorf("%w: rate %g over %d steps", ErrOptions, o.Rate, o.Steps)
	}
	for i, t := range s.Texts {
		if len(t) == 0 {
			return fmt.Errorf("%w: label %s has no text", ErrOptions, s.Labels[i])
		}
	}
	return nil
}

// Train learns a model with dense rows. One goroutine does it, so that the result depends on samples and options alone.
func Train(s Samples, o Options) (*Model, error) {
	if err := o.check(s); err != nil {
		return nil, err
	}
	m := untrained(s, o)
	t := newTrainer(m, s, o)
	t.run(o.Steps, o.Rate, o.Progress)
	if o.Keep == 0 {
		return m.finish(false), nil
	}
	return t.quantise()
}

// untrained builds the vocabulary and rows of small random numbers.
func untrained(s Samples, o Options) *Model {
	m := &Model{args: args{
		Dim: int32(o.Dim), WindowSize: 5, Epoch: 1, MinCount: int32(o.MinCount), Negative: 5, WordNgrams: 1, Loss: o.Loss,
		Kind: 3, Bucket: int32(o.Bucket), MinN: int32(o.MinN), MaxN: int32(o.MaxN), UpdateRate: 100, Sampling: 1e-4,
	}}
	entries := words(s, o)
	m.words = len(entries)
	for i := range s.Labels {
		entries = append(entries, entry{word: labelPrefix + s.Labels[i], count: int64(len(s.Texts[i])), kind: 1})
	}
	slices.SortStableFunc(entries[m.words:], func(a, b entry) int { return cmp.Compare(b.count, a.count) })
	for _, e := range entries[m.words:] {
		m.labels = append(m.labels, e.word[len(labelPrefix):])
		m.counts = append(m.counts, e.count)
	}
	m.vocab = newVocabulary(entries)
	m.seal()
	m.grams = newGrams(m.args)
	rows := m.words + o.Bucket
	r := rand.New(rand.NewPCG(o.Seed, 1))
	m.input = matrix{rows: rows, dim: o.Dim, dense: make([]float32, rows*o.Dim)}
	for i := range m.input.dense {
		m.input.dense[i] = (2*r.Float32() - 1) / float32(o.Dim)
	}
	m.output = make([]float32, len(m.labels)*o.Dim)
	if o.Loss == HierarchicalSoftmax {
		m.tree = newTree(m.counts)
	}
	return m
}

// words counts the words of all texts, each label's by its share, so that a language with few texts isn't without words.
func words(s Samples, o Options) []entry {
	type tally struct {
		count int
		share float64
	}
	all := map[string]*tally{}
	for _, texts := range s.Texts {
		n := 0
		mine := map[string]int{}
		for _, text := range texts {
			for w := range tokens(text) {
				mine[w]++
				n++
			}
		}
		for w, c := range mine {
			t := all[w]
			if t == nil {
				t = &tally{}
				all[w] = t
			}
			t.count += c
			t.share += float64(c) / float64(n)
		}
	}
	found := make([]entry, 0, len(all))
	for w, t := range all {
		if t.count >= o.MinCount {
			found = append(found, entry{word: w, count: int64(t.share*1e9) + 1})
		}
	}
	slices.SortFunc(found, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.word, b.word))
	})
	if len(found) > o.MaxWords {
		found = found[:o.MaxWords]
	}
	return append([]entry{{word: endOfLine, count: 1e9 + 1}}, found...)
}

// tokens are the parts of a text between blanks.
func tokens(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for at := 0; at < len(text); {
			if blank(text[at]) {
				at++
				continue
			}
			from := at
			for at < len(text) && !blank(text[at]) {
				at++
			}
			if !yield(text[from:at]) {
				return
			}
		}
	}
}

// trainer holds what one training needs.
type trainer struct {
	m       *Model
	o       Options
	texts   [][]string // by number of the label
	pick    []float64  // running sums of the labels' weights
	r       *rand.Rand
	used    []uint32 // how often a row was trained
	hidden  []float32
	grad    []float32
	scores  []float32
	rows    []int32
	scratch scratch
	lost    float64
	lostOf  int
	windows []int // ends of words in the text at hand
}

func newTrainer(m *Model, s Samples, o Options) *trainer {
	t := &trainer{
		m: m, o: o, r: rand.New(rand.NewPCG(o.Seed, 2)), used: make([]uint32, m.input.rows),
		hidden: make([]float32, o.Dim), grad: make([]float32, o.Dim), scores: make([]float32, len(m.labels)),
	}
	number := map[string]int{}
	for i, l := range s.Labels {
		number[l] = i
	}
	sum := 0.0
	for _, l := range m.labels {
		i := number[l]
		t.texts = append(t.texts, s.Texts[i])
		w := 1.0
		if s.Weights != nil {
			w = s.Weights[i]
		}
		sum += w
		t.pick = append(t.pick, sum)
	}
	return t
}

func (t *trainer) run(steps int, rate float64, progress func(int, int, float64)) {
	for step := range steps {
		if progress != nil && step%20000 == 0 && step > 0 {
			progress(step, steps, t.lost/float64(max(t.lostOf, 1)))
			t.lost, t.lostOf = 0, 0
		}
		label, _ := slices.BinarySearch(t.pick, t.r.Float64()*t.pick[len(t.pick)-1])
		texts := t.texts[min(label, len(t.texts)-1)]
		text := texts[t.r.IntN(len(texts))]
		if t.r.Float64() < t.o.Windows {
			text = t.window(text, 1+t.r.IntN(5))
		} else {
			text = t.window(text, 15) // the rest of a long one would cost more than it teaches
		}
		t.step(text, label, float32(rate*(1-float64(step)/float64(steps))))
	}
}

// window cuts n words out of a text.
func (t *trainer) window(text string, n int) string {
	t.windows = t.windows[:0]
	for i := range len(text) {
		if blank(text[i]) {
			t.windows = append(t.windows, i)
		}
	}
	t.windows = append(t.windows, len(text))
	if n >= len(t.windows) {
		return text
	}
	first := t.r.IntN(len(t.windows) - n + 1)
	from := 0
	if first > 0 {
		from = t.windows[first-1] + 1
	}
	return text[from:t.windows[first+n-1]]
}

func (t *trainer) step(text string, label int, rate float32) {
	m := t.m
	t.rows = m.features(text, t.rows[:0], &t.scratch)
	if len(t.rows) == 0 {
		return
	}
	m.input.mean(t.hidden, t.rows)
	clear(t.grad)
	if m.tree != nil {
		t.climb(label, rate)
	} else {
		t.soften(label, rate)
	}
	scale := 1 / float32(len(t.rows))
	for i := range t.grad {
		t.grad[i] *= scale
	}
	dim := len(t.grad)
	for _, r := range t.rows {
		t.used[r]++
		row := m.input.dense[int(r)*dim:][:dim]
		for i, g := range t.grad {
			row[i] += g
		}
	}
}

// soften is one step of the plain softmax.
func (t *trainer) soften(label int, rate float32) {
	softmax(t.m.output, t.hidden, t.scores)
	t.lost -= math.Log(float64(t.scores[label]) + logFloor)
	t.lostOf++
	for i, p := range t.scores {
		a := -rate * p
		if i == label {
			a += rate
		}
		if i != label && p < 1e-4 {
			continue // it would move nothing that matters, and most labels are of this kind
		}
		t.learn(i, a)
	}
}

// climb is one step of the hierarchical softmax, from the leaf to the root.
func (t *trainer) climb(label int, rate float32) {
	tree := t.m.tree
	at := int32(label)
	for tree.nodes[at].parent >= 0 {
		up := tree.nodes[at].parent
		i := int(up) - tree.leaves
		dim := len(t.hidden)
		f := sigmoid(dot(t.m.output[i*dim:(i+1)*dim], t.hidden))
		want, p := 0.0, 1-f
		if tree.nodes[up].right == at {
			want, p = 1, f
		}
		t.lost -= math.Log(p + logFloor)
		t.learn(i, rate*float32(want-f))
		at = up
	}
	t.lostOf++
}

func softmax(output, hidden, into []float32) {
	dim := len(hidden)
	for i := range into {
		into[i] = dot(output[i*dim:(i+1)*dim], hidden)
	}
	normalise(into)
}

func (t *trainer) learn(i int, a float32) {
	dim := len(t.hidden)
	out := t.m.output[i*dim : (i+1)*dim : (i+1)*dim]
	grad, hidden := t.grad[:len(out)], t.hidden[:len(out)]
	for j := range out {
		grad[j] += a * out[j]
		out[j] += a * hidden[j]
	}
}

// dot sums in four lanes, so that the additions don't wait for each other.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
	}
	for ; i < len(a); i++ {
		s0 += float32(a[i] * b[i])
	}
	return s0 + s1 + (s2 + s3)
}
