package sentiment

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Example is a labelled text to learn from.
type Example struct {
	Language string
	Text     string
	Polarity int     // -1, 0 or 1
	Plain    bool    // nobody labelled it: it is neutral if no word of the lexicon stands in it
	Weight   float64 // 0 is 1
	Source   string
}

// Entry is a word's polarity (-1..1) in a language; Language "" is for pictures, which speak all of them.
type Entry struct {
	Language, Word string
	Polarity       float64
}

// Options of training; the zero value of a field takes the value that the shipped model was made with.
type Options struct {
	Bits   uint
	Epochs int
	Folds  int // of the examples, each judged by a model of the others, that calibrate
	Seed   uint64
	Rate   float64
	Decay  [groups]float64
	Value  [groups]float64
	Bayes  float64
	Prune  float64
	Report func(format string, args ...any) // may be nil
}

func (o *Options) fill() {
	o.Bits, o.Epochs, o.Folds = cmp.Or(o.Bits, 19), cmp.Or(o.Epochs, 12), cmp.Or(o.Folds, 5)
	o.Seed, o.Rate = cmp.Or(o.Seed, 20181127), cmp.Or(o.Rate, 0.1)
	o.Decay = cmp.Or(o.Decay, [groups]float64{2e-4, 2e-4, 2e-4})
	o.Value = cmp.Or(o.Value, [groups]float64{3, 2, 2})
	o.Bayes, o.Prune = cmp.Or(o.Bayes, 0.5), cmp.Or(o.Prune, 0.004)
	if o.Report == nil {
		o.Report = func(string, ...any) {}
	}
}

// lesson is an example's features.
type lesson struct {
	buckets [groups][]uint32
	dense   [denses]float32
	lang    int
	at      int  // of the examples
	plain   bool // nobody labelled it
	label   int  // 0 negative, 1 neutral, 2 positive
	weight  float64
}

// learner holds the weights while they are learnt.
type learner struct {
	m      *Model
	o      Options
	w, sum []float32 // two of each bucket, and the sums of their squared gradients
	bayes  []float32 // how telling a bucket is by itself
	dw, ds [][denses][2]float64
}

// Train makes a model. The same examples in the same order, entries and options make the same model, byte for byte. Each of its folds is judged by a model of the
// others: from that the shares of the classes get their meaning, and Report their quality. The model is the mean of those and one of all examples.
func Train(examples []Example, entries []Entry, o Options) *Model {
	o.fill()
	m := newModel(o.Bits)
	m.lexicon = makeLexicon(m, Inflected(entries))
	lessons := m.lessons(examples)
	trials := make([][]trial, len(m.tongues))
	// Plain sentences are so easy that they would make the others look certain; they calibrate only where nobody labelled a text neutral, but others.
	var labelled [3][]bool
	for c := range labelled {
		labelled[c] = make([]bool, len(m.tongues))
	}
	for i := range lessons {
		if l := &lessons[i]; !l.plain {
			labelled[l.label][l.lang] = true
		}
	}
	calibrates := func(l *lesson) bool {
		return !l.plain || !labelled[1][l.lang] && (labelled[0][l.lang] || labelled[2][l.lang])
	}
	mean := newLearner(m, o)
	for fold := range o.Folds + 1 { // the last one learns from all
		var list []*lesson
		for i := range lessons {
			if lessons[i].at%o.Folds != fold {
				list = append(list, &lessons[i])
			}
		}
		t := newLearner(m, o)
		t.learn(list)
		mean.add(t, 1/float64(o.Folds+1))
		if fold == o.Folds {
			break
		}
		t.quantise()
		for i := range lessons {
			if l := &lessons[i]; l.at%o.Folds == fold && calibrates(l) {
				p, n := m.pulls(&scratch{buckets: l.buckets, dense: l.dense}, l.lang)
				trials[l.lang] = append(trials[l.lang], trial{p, n, l.label, fold})
			}
		}
		o.Report("%d of %d folds\n", fold+1, o.Folds)
	}
	mean.quantise()
	for lang := range trials {
		m.warmth[lang] = fit(trials[lang], -1)
		report(m.tongues[lang].code, trials[lang], o)
	}
	return m
}

func newLearner(m *Model, o Options) *learner {
	t := &learner{m: m, o: o, w: make([]float32, 2<<o.Bits)}
	t.dw = make([][denses][2]float64, len(m.tongues)+1)
	return t
}

// learn goes through the lessons, epoch by epoch.
func (t *learner) learn(list []*lesson) {
	o := t.o
	t.sum, t.ds, t.bayes = make([]float32, 2<<o.Bits), make([][denses][2]float64, len(t.dw)), make([]float32, 1<<o.Bits)
	t.tell(list)
	random := rand.New(rand.NewPCG(o.Seed, o.Seed))
	for epoch := range o.Epochs {
		random.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		rate := o.Rate * (1 - float64(epoch)/float64(o.Epochs))
		for _, l := range list {
			t.step(l, rate)
		}
	}
	for k := range t.bayes { // from here on the weights are those of plain features
		t.w[2*k] *= t.bayes[k]
	}
}

// add adds a share of another's weights.
func (t *learner) add(other *learner, share float64) {
	for k, v := range other.w {
		t.w[k] += v * float32(share)
	}
	for lang := range t.dw {
		for i := range t.dw[lang] {
			for c := range 2 {
				t.dw[lang][i][c] += other.dw[lang][i][c] * share
			}
		}
	}
}

// plain says whether nothing in the text has a polarity, and it is no question, shout or message.
func (x *scratch) plain() bool {
	return x.dense[denseBare] == 1 && x.dense[denseShout] == 0 && x.dense[denseAsk] == 0 && x.dense[denseMentions] == 0 && x.dense[denseLinks] == 0
}

// lessons are the features of the examples in languages that the model knows.
func (m *Model) lessons(examples []Example) []lesson {
	x := new(scratch)
	out := make([]lesson, 0, len(examples))
	for i := range examples {
		e := &examples[i]
		lang, ok := m.byCode[e.Language]
		if !ok {
			continue
		}
		x.extract(e.Text, m, lang)
		if e.Plain && !x.plain() {
			continue
		}
		l := lesson{at: i, plain: e.Plain, lang: lang, label: e.Polarity + 1, weight: cmp.Or(e.Weight, 1), dense: x.dense}
		for g := range x.buckets {
			l.buckets[g] = slices.Clone(x.buckets[g])
		}
		out = append(out, l)
	}
	return out
}

// tell counts how unevenly each bucket is spread over positive and negative texts (naive Bayes' log ratio) for the features' values.
func (t *learner) tell(lessons []*lesson) {
	pos, neg := make([]float32, len(t.bayes)), make([]float32, len(t.bayes))
	for _, l := range lessons {
		for _, list := range l.buckets {
			for _, k := range list {
				switch l.label {
				case 0:
					neg[k]++
				case 2:
					pos[k]++
				}
			}
		}
	}
	for k := range t.bayes {
		r := math.Abs(math.Log((float64(pos[k]) + 1) / (float64(neg[k]) + 1)))
		t.bayes[k] = float32(1 - t.o.Bayes + t.o.Bayes*math.Min(r, 3))
	}
}

func (t *learner) step(l *lesson, rate float64) {
	var p, n float64
	var value [groups]float64
	for g, list := range l.buckets {
		if len(list) == 0 {
			continue
		}
		value[g] = t.o.Value[g] / math.Sqrt(float64(len(list)))
		var a, b float64
		for _, k := range list {
			a += float64(t.w[2*k] * t.bayes[k])
			b += float64(t.w[2*k+1])
		}
		p += a * value[g]
		n += b * value[g]
	}
	shared := len(t.dw) - 1
	for i, v := range l.dense {
		p += float64(v) * (t.dw[l.lang][i][0] + t.dw[shared][i][0])
		n += float64(v) * (t.dw[l.lang][i][1] + t.dw[shared][i][1])
	}
	s := shares(p, n)
	dp, dn := s.Positive-s.Negative, s.Neutral
	switch l.label {
	case 0:
		dp++
	case 1:
		dn--
	case 2:
		dp--
	}
	dp, dn = dp*l.weight, dn*l.weight
	for g, list := range l.buckets {
		decay := t.o.Decay[g]
		for _, k := range list {
			t.nudge(2*int(k), dp*value[g]*float64(t.bayes[k]), decay, rate)
			t.nudge(2*int(k)+1, dn*value[g], decay, rate)
		}
	}
	for i, v := range l.dense {
		if v == 0 {
			continue
		}
		for _, at := range [2]int{l.lang, shared} {
			for c, d := range [2]float64{dp, dn} {
				grad := d*float64(v) + 1e-4*t.dw[at][i][c]
				t.ds[at][i][c] += grad * grad
				t.dw[at][i][c] -= rate * 0.4 * grad / (1 + math.Sqrt(t.ds[at][i][c]))
			}
		}
	}
}

func (t *learner) nudge(k int, grad, decay, rate float64) {
	grad += decay * float64(t.w[k])
	t.sum[k] += float32(grad * grad)
	t.w[k] -= float32(rate * grad / (1 + math.Sqrt(float64(t.sum[k]))))
}

// quantise puts the learnt weights into the model: eight bits each, small ones dropped.
func (t *learner) quantise() {
	m := t.m
	m.weights = make([]int8, len(t.w))
	var top [2]float32
	for c := range top {
		sizes := make([]float32, 0, len(t.w)/2)
		for k := c; k < len(t.w); k += 2 {
			if t.w[k] != 0 {
				sizes = append(sizes, max(t.w[k], -t.w[k]))
			}
		}
		slices.Sort(sizes)
		top[c] = 1e-6
		if len(sizes) > 0 {
			top[c] = max(top[c], sizes[len(sizes)*9995/10000])
		}
	}
	for k, v := range t.w {
		c := k & 1
		if float64(max(v, -v)) < t.o.Prune*float64(top[c]) {
			continue
		}
		m.weights[k] = int8(math.Round(float64(max(-top[c], min(top[c], v))) / float64(top[c]) * 127))
	}
	for g := range m.scale {
		for c := range top {
			m.scale[g][c] = top[c] / 127 * float32(t.o.Value[g])
		}
	}
	shared := len(t.dw) - 1
	for lang := range m.dense {
		for i := range m.dense[lang] {
			for c := range 2 {
				m.dense[lang][i][c] = float32(t.dw[lang][i][c] + t.dw[shared][i][c])
			}
		}
	}
}

// makeLexicon is the hash table of the entries; of two for the same word the first counts.
func makeLexicon(m *Model, entries []Entry) lexicon {
	size, shift := 16, uint(60)
	for size < 2*len(entries) {
		size *= 2
		shift--
	}
	x := lexicon{keys: make([]uint32, size), values: make([]int8, size), shift: shift}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.Language, b.Language), cmp.Compare(a.Word, b.Word)) })
	for _, e := range sorted {
		v := int8(math.Round(max(-1, min(1, e.Polarity)) * 100))
		salt := uint64(0)
		if e.Language != "" {
			lang, ok := m.byCode[e.Language]
			if !ok {
				continue
			}
			salt = m.tongues[lang].salt
		}
		if v == 0 {
			continue
		}
		h := mix(hashOf(e.Word) ^ salt)
		key := uint32(h) | 1
		i := int(h >> shift)
		for x.keys[i] != 0 && x.keys[i] != key {
			i = (i + 1) & (size - 1)
		}
		if x.keys[i] == 0 {
			x.keys[i], x.values[i] = key, v
		}
	}
	return x
}
