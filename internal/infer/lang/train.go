package lang

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/infer/fasttext"
)

// Corpus is what a model is trained on: texts of languages, by source, so that a source of very many short texts doesn't drown the others.
type Corpus struct {
	parts map[string]map[string][]string
}

// Add reads texts of a language, one a line, from a source: a word such as "udhr".
func (c *Corpus) Add(language, source string, lines []string) {
	if c.parts == nil {
		c.parts = map[string]map[string][]string{}
	}
	if c.parts[language] == nil {
		c.parts[language] = map[string][]string{}
	}
	c.parts[language][source] = append(c.parts[language][source], lines...)
}

// Options say how a language model is trained.
type Options struct {
	fasttext.Options
	PerLanguage int                // texts a language is trained with; those with fewer come more often
	Weights     map[string]float64 // of sources; 1 where absent
	Lists       map[string]bool    // sources whose texts are single words of a list: they are also put together at random
	Priors      map[string]float64 // added to the logit of a language over the square root of letters
}

// ErrCorpus is wrapped by the error of texts nothing can be trained on.
var ErrCorpus = errors.New("no corpus of languages")

// holdOut is one in how many texts is kept for calibrating.
const holdOut = 30

// least is the score below which there is no answer: one in twenty of such would be right.
const least = 0.05

// maxHeld is how many texts of a language are held out at most.
const maxHeld = 1000

// Trained is a model with its description.
type Trained struct {
	model    *fasttext.Model
	detector *Detector
	about    description
}

// Train trains and calibrates a model. The same corpus and options give the same model.
func Train(c *Corpus, o Options) (*Trained, error) {
	if len(c.parts) < 2 {
		return nil, fmt.Errorf("%w: %d languages; at least two are needed", ErrCorpus, len(c.parts))
	}
	languages := make([]string, 0, len(c.parts))
	for l := range c.parts {
		languages = append(languages, l)
	}
	slices.Sort(languages)
	s := fasttext.Samples{}
	held := map[string][]string{}
	about := description{Scripts: map[string][]string{}, Prior: o.Priors, Least: least}
	for _, l := range languages {
		r := rand.New(rand.NewPCG(o.Seed, hashOf(l)))
		texts, out := draw(c.parts[l], o, r)
		if len(texts) == 0 {
			return nil, fmt.Errorf("%w: %s has no text", ErrCorpus, l)
		}
		s.Labels, s.Texts = append(s.Labels, l), append(s.Texts, texts)
		held[l] = out
		about.Scripts[l] = scriptsOf(texts)
	}
	m, err := fasttext.Train(s, o.Options)
	if err != nil {
		return nil, err
	}
	about.Made = fmt.Sprintf("%d languages, %d texts each, %d rows of %d kept of n-grams %d..%d, %d steps, seed %d", len(languages), o.PerLanguage, m.Rows(), o.Dim, o.MinN, o.MaxN, o.Steps, o.Seed)
	t := &Trained{model: m, detector: newDetector(m.Compact(), about, false), about: about}
	t.fit(held, o.Seed)
	return t, nil
}

// Detector returns the trained model, ready for use.
func (t *Trained) Detector() *Detector { return t.detector }

// Write writes the model as Read and Open read it.
func (t *Trained) Write(w io.Writer) error { return write(w, t.model, t.about) }

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) //nolint:errcheck // it has none
	return h.Sum64()
}

// draw takes a language's share of texts from its sources, and the texts held out.
func draw(sources map[string][]string, o Options, r *rand.Rand) (texts, held []string) {
	names := make([]string, 0, len(sources))
	total := 0.0
	for s, lines := range sources {
		if len(lines) > 0 {
			names = append(names, s)
		}
	}
	slices.SortFunc(names, cmp.Compare)
	weight := func(s string) float64 {
		w, ok := o.Weights[s]
		if !ok {
			w = 1
		}
		// A small source isn't repeated without end.
		return w * math.Min(1, float64(len(sources[s]))*8/float64(o.PerLanguage))
	}
	for _, s := range names {
		total += weight(s)
	}
	for _, s := range names {
		var train []string
		for _, line := range sources[s] {
			if hashOf(line)%holdOut == 0 {
				if len(held) < maxHeld {
					held = addNormalised(held, line)
				}
			} else {
				train = append(train, line)
			}
		}
		if len(train) == 0 {
			continue
		}
		n := int(float64(o.PerLanguage) * weight(s) / total)
		perm := r.Perm(len(train))
		for i := range n {
			line := train[perm[i%len(train)]]
			if o.Lists[s] {
				var b strings.Builder
				b.WriteString(line)
				for range r.IntN(3) {
					b.WriteString(" " + train[r.IntN(len(train))])
				}
				line = b.String()
			}
			texts = addNormalised(texts, line)
		}
	}
	return texts, held
}

func addNormalised(to []string, line string) []string {
	if t := string(Normalise(nil, line, nil)); t != "" {
		return append(to, t)
	}
	return to
}

// scriptsOf returns the scripts of at least one letter in ten.
func scriptsOf(texts []string) []string {
	var counts, of Counts
	var buf []byte
	letters := int32(0)
	for _, t := range texts {
		of = Counts{}
		buf = Normalise(buf[:0], t, &of)
		for s, n := range of {
			counts[s] += n
			letters += n
		}
	}
	var in []string
	for s, n := range counts {
		if n*10 >= letters && Script(s) != Other {
			in = append(in, Script(s).String())
		}
	}
	return in
}

// fit finds, for each class of length, what logits are multiplied with so that probabilities are as often right as they say.
func (t *Trained) fit(held map[string][]string, seed uint64) {
	const each = 40 // texts of a language and class
	type sample struct {
		logits []float32
		label  int
		weight float64 // as much as the prior says that such a text is met
	}
	d := t.detector
	w := newWork(d.model)
	r := rand.New(rand.NewPCG(seed, 7))
	byClass := make([][]sample, lengthClasses)
	got := map[[2]int]int{}
	for _, l := range slices.Sorted(mapKeys(held)) {
		label := d.byCode[l]
		lines := held[l]
		for try := 0; try < each*lengthClasses*2 && len(lines) > 0; try++ {
			line := lines[r.IntN(len(lines))]
			words := strings.Fields(line)
			n := 1 + r.IntN(min(len(words), []int{1, 2, 3, 5, 9, 40}[r.IntN(6)]))
			first := r.IntN(len(words) - n + 1)
			part := strings.Join(words[first:first+n], " ")
			var counts Counts
			Normalise(nil, part, &counts)
			script, letters := counts.most()
			class := classOf(letters)
			if d.single[script] >= 0 || !allowed(d.possible[script], label) || got[[2]int{label, class}] >= each {
				continue
			}
			logits := make([]float32, len(d.iso))
			if !w.p.Logits(part, logits) {
				continue
			}
			for i := range logits {
				logits[i] += d.prior[i] / float32(math.Sqrt(float64(letters)))
				if !allowed(d.possible[script], i) {
					logits[i] = float32(math.Inf(-1))
				}
			}
			got[[2]int{label, class}]++
			byClass[class] = append(byClass[class], sample{logits, label, math.Exp(float64(d.prior[label]) / math.Sqrt(float64(letters)))})
		}
	}
	t.about.Scale = nil
	for _, samples := range byClass {
		best, least := 1.0, math.Inf(1)
		for scale := 0.30; scale < 4; scale *= 1.06 {
			loss := 0.0
			for _, s := range samples {
				loss -= s.weight * logProbability(s.logits, s.label, scale)
			}
			if loss < least {
				best, least = scale, loss
			}
		}
		t.about.Scale = append(t.about.Scale, math.Round(best*1000)/1000)
	}
	d.about.Scale = t.about.Scale
}

func logProbability(logits []float32, label int, scale float64) float64 {
	most := math.Inf(-1)
	for _, x := range logits {
		most = math.Max(most, float64(x))
	}
	sum := 0.0
	for _, x := range logits {
		if float64(x) < most-40 {
			continue
		}
		sum += math.Exp((float64(x) - most) * scale)
	}
	return (float64(logits[label])-most)*scale - math.Log(sum)
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
