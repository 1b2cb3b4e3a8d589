package sentiment

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Example is a labelled text to learn from. Neutral is -1..1 as in Polarity: -1, 0 or 1.
type Example struct {
	Language string
	Text     string
	Polarity int  // -1, 0 or 1
	TwoClass bool // of a set that knows no neutral texts
	Weight   float64
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
	Seed   uint64
	Rate   float64
	Decay  [groups]float64
	Value  [groups]float64
	Bayes  float64
	Prune  float64
}

func (o *Options) fill() {
	if o.Bits == 0 {
		o.Bits = 19
	}
	if o.Epochs == 0 {
		o.Epochs = 12
	}
	if o.Seed == 0 {
		o.Seed = 20181127
	}
	if o.Rate == 0 {
		o.Rate = 0.25
	}
	if o.Decay == [groups]float64{} {
		o.Decay = [groups]float64{2e-4, 2e-4, 2e-4}
	}
	if o.Value == [groups]float64{} {
		o.Value = [groups]float64{4, 3, 2}
	}
	if o.Bayes == 0 {
		o.Bayes = 0.5
	}
	if o.Prune == 0 {
		o.Prune = 0.004
	}
}

// lesson is an example's features.
type lesson struct {
	buckets [groups][]uint32
	dense   [denses]float32
	lang    int
	label   int // 0 negative, 1 neutral, 2 positive
	two     bool
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

// Train makes a model. The same examples in the same order, entries and options make the same model, byte for byte. Examples of dev,
// which the weights never see, set each language's temperature.
func Train(examples, dev []Example, entries []Entry, o Options) *Model {
	o.fill()
	m := newModel(o.Bits)
	m.lexicon = makeLexicon(m, Inflected(entries))
	t := &learner{m: m, o: o, w: make([]float32, 2<<o.Bits), sum: make([]float32, 2<<o.Bits), bayes: make([]float32, 1<<o.Bits)}
	t.dw = make([][denses][2]float64, len(m.tongues)+1)
	t.ds = make([][denses][2]float64, len(m.tongues)+1)
	lessons := t.lessons(examples)
	t.tell(lessons)
	random := rand.New(rand.NewPCG(o.Seed, o.Seed))
	for epoch := range o.Epochs {
		random.Shuffle(len(lessons), func(i, k int) { lessons[i], lessons[k] = lessons[k], lessons[i] })
		rate := o.Rate * (1 - float64(epoch)/float64(o.Epochs))
		for i := range lessons {
			t.step(&lessons[i], rate)
		}
	}
	t.quantise()
	m.calibrate(dev)
	return m
}

func (t *learner) lessons(examples []Example) []lesson {
	x := new(scratch)
	out := make([]lesson, 0, len(examples))
	for i := range examples {
		e := &examples[i]
		lang, ok := t.m.byCode[e.Language]
		if !ok {
			continue
		}
		x.extract(e.Text, t.m, lang)
		l := lesson{lang: lang, label: e.Polarity + 1, two: e.TwoClass, weight: e.Weight, dense: x.dense}
		if l.weight == 0 {
			l.weight = 1
		}
		for g := range x.buckets {
			l.buckets[g] = slices.Clone(x.buckets[g])
		}
		out = append(out, l)
	}
	return out
}

// tell counts how unevenly each bucket is spread over positive and negative texts (naive Bayes' log ratio) for the features' values.
func (t *learner) tell(lessons []lesson) {
	pos, neg := make([]float32, len(t.bayes)), make([]float32, len(t.bayes))
	for i := range lessons {
		l := &lessons[i]
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
	if l.two {
		s.Neutral = 0
		sum := s.Positive + s.Negative
		s.Positive, s.Negative = s.Positive/sum, s.Negative/sum
	}
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
			if !l.two {
				t.nudge(2*int(k)+1, dn*value[g], decay, rate)
			}
		}
	}
	for i, v := range l.dense {
		if v == 0 {
			continue
		}
		for _, at := range [2]int{l.lang, shared} {
			for c, d := range [2]float64{dp, dn} {
				if c == 1 && l.two {
					continue
				}
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
	for k := range t.bayes {
		t.w[2*k] *= t.bayes[k]
	}
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

// calibrate finds each language's temperature, and its pull towards neutral, by the likelihood of the examples.
func (m *Model) calibrate(dev []Example) {
	type pull struct {
		p, n float64
		e    *Example
	}
	x := new(scratch)
	of := make([][]pull, len(m.tongues))
	for i := range dev {
		lang, ok := m.byCode[dev[i].Language]
		if !ok {
			continue
		}
		x.extract(dev[i].Text, m, lang)
		p, n := m.pulls(x, lang)
		of[lang] = append(of[lang], pull{p, n, &dev[i]})
	}
	for lang, list := range of {
		best := math.Inf(1)
		for warm := 0.1; warm <= 2; warm += 0.05 {
			for add := -1.0; add <= 1.01; add += 0.1 {
				loss := 0.0
				for _, e := range list {
					s := shares(e.p*warm, e.n*warm+add)
					share := [3]float64{s.Negative, s.Neutral, s.Positive}[e.e.Polarity+1]
					if e.e.TwoClass {
						share /= s.Negative + s.Positive
					}
					loss -= max(e.e.Weight, 0.01) * math.Log(share+1e-9)
				}
				loss += 0.05 * (warm - 1) * (warm - 1) // where nothing tells, leave as it is
				loss += 0.05 * add * add
				if loss < best-1e-9 {
					best = loss
					m.warmth[lang] = [2]float32{float32(warm), float32(add)}
				}
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
