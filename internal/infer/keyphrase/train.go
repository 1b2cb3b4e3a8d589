package keyphrase

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Options of training; the zero value of a field takes the value that the shipped models were made with.
type Options struct {
	Seed   uint64
	Epochs int
	Rate   float64
	Decay  float64
	Report func(format string, args ...any) // may be nil
}

// Train makes the models. The same corpus and options make the same models, byte for byte.
func Train(c *Corpus, o Options) *Extractor {
	o.Seed, o.Epochs = cmp.Or(o.Seed, 20181127), cmp.Or(o.Epochs, 8)
	o.Rate, o.Decay = cmp.Or(o.Rate, 0.03), cmp.Or(o.Decay, 0.03)
	if o.Report == nil {
		o.Report = func(string, ...any) {}
	}
	e := newExtractor()
	e.allocate()
	for i := range e.models {
		m := &e.models[i]
		list := c.sentences[m.tongue.code]
		m.trainTagger(list, o)
		m.trainRarity(list, c)
	}
	e.trainRankers(c, o)
	return e
}

// drill is a sentence as the tagger sees it, with the right tags.
type drill struct {
	x    *scratch
	text string
	want []tag
}

// align tokenizes a tagged sentence; each token takes the part of the treebank's word in which it ends.
func align(s *sentence, l *tongue) drill {
	d := drill{x: new(scratch), text: s.text}
	d.x.tokenize(s.text, l)
	at := 0
	for i := range d.x.tokens {
		t := &d.x.tokens[i]
		for at < len(s.ends)-1 && s.ends[at] < t.end {
			at++
		}
		d.want = append(d.want, s.tags[at])
		d.x.affixes = append(d.x.affixes, affixesOf(s.text, t))
	}
	return d
}

// trainTagger learns an averaged perceptron from nine sentences of ten and reports how it does on the others.
func (m *model) trainTagger(list []sentence, o Options) {
	if len(list) == 0 {
		return
	}
	var drills, held []drill
	for i := range list {
		d := align(&list[i], &m.tongue)
		if i%10 == 9 {
			held = append(held, d)
		} else {
			drills = append(drills, d)
		}
	}
	weights := make([]float64, tagRow<<tagBits)
	sums := make([]float64, len(weights))
	step := 1.0
	random := rand.New(rand.NewPCG(o.Seed, 1))
	for range 6 {
		random.Shuffle(len(drills), func(i, k int) { drills[i], drills[k] = drills[k], drills[i] })
		for i := range drills {
			drills[i].learn(weights, sums, &step)
		}
	}
	top := 0.0
	for k := range weights {
		weights[k] -= sums[k] / step
		top = max(top, math.Abs(weights[k]))
	}
	top = min(top, 30)
	for k, v := range weights {
		m.tagger.weights[k] = int8(math.Round(max(-top, min(top, v)) / top * 127))
	}
	right, all := 0, 0
	for _, d := range held {
		m.tagger.tag(d.x, d.text)
		for i, t := range d.x.tokens {
			if t.word {
				all++
				if t.tag == d.want[i] {
					right++
				}
			}
		}
	}
	o.Report("%s: tagger %.4f of %d words held out, %d sentences\n", m.tongue.code, float64(right)/float64(max(all, 1)), all, len(drills))
}

// learn goes through a sentence once: what was tagged wrongly loses, what is right gains.
func (d *drill) learn(weights, sums []float64, step *float64) {
	var prev, prev2 tag
	var buckets [tagFeatures]uint32
	for i := range d.x.tokens {
		if d.x.tokens[i].first {
			prev, prev2 = other, other
		}
		said := other
		if d.x.tokens[i].word {
			d.x.tagBuckets(d.x.tokens, i, prev, prev2, &buckets)
			var scores [tags]float64
			for _, b := range buckets {
				for k := range scores {
					scores[k] += weights[int(b)*tagRow+k]
				}
			}
			for k := range scores {
				if scores[k] > scores[said] {
					said = tag(k)
				}
			}
			if want := d.want[i]; said != want {
				for _, b := range buckets {
					for k, by := range map[tag]float64{want: 1, said: -1} {
						at := int(b)*tagRow + int(k)
						weights[at] += by
						sums[at] += by * *step
					}
				}
			}
			*step++
		}
		prev, prev2 = said, prev
	}
}

// trainRarity counts in how many texts words stand: of the treebank by eight sentences, and of the documents for English.
func (m *model) trainRarity(list []sentence, c *Corpus) {
	var texts []string
	for i := range list {
		if i%8 == 0 {
			texts = append(texts, "")
		}
		texts[len(texts)-1] += list[i].text + "\n"
	}
	if m.tongue.code == "en" {
		for _, d := range c.Train {
			texts = append(texts, d.Text)
		}
	}
	counts := make([]float64, len(m.rarity))
	x := new(scratch)
	for _, text := range texts {
		x.tokenize(text, &m.tongue)
		seen := map[uint64]bool{}
		for i := range x.tokens {
			if t := &x.tokens[i]; t.word {
				seen[mix(m.tongue.stem(text, t))>>(64-dfBits)] = true
			}
		}
		for k := range seen {
			counts[k]++
		}
	}
	n := float64(len(texts))
	for k, v := range counts {
		m.rarity[k] = uint8(math.Round(min(255, 16*9*math.Log((n+1)/(v+0.5))/math.Log((n+1)/0.5))))
	}
}

// trial is a candidate's features and whether people chose it.
type trial struct {
	features []uint64
	slim     int
	key      bool
}

func (e *Extractor) trainRankers(c *Corpus, o Options) {
	m := &e.models[e.byCode["en"]]
	var trials []trial
	x := new(scratch)
	for i := range c.Train {
		d := &c.Train[i]
		keys := map[string]bool{}
		for _, k := range d.Keys {
			keys[Normalize(k)] = true
		}
		x.prepare(d.Text, m)
		for k := range x.found {
			p := x.found[k].places[0]
			x.describe(d.Text, &x.found[k], m.rarity, true)
			trials = append(trials, trial{slices.Clone(x.features), x.slim, keys[Normalize(d.Text[x.tokens[p.from].start:x.tokens[p.to-1].end])]})
		}
	}
	e.wide.learn(trials, o, func(t *trial) []uint64 { return t.features })
	e.slim.learn(trials, o, func(t *trial) []uint64 { return t.features[:t.slim] })
	o.Report("ranker: %d candidates of %d documents\n", len(trials), len(c.Train))
}

// learn is logistic regression by AdaGrad.
func (r *ranker) learn(trials []trial, o Options, of func(*trial) []uint64) {
	weights, squares := make([]float64, 1<<r.bits), make([]float64, 1<<r.bits)
	order := make([]int, len(trials))
	for i := range order {
		order[i] = i
	}
	random := rand.New(rand.NewPCG(o.Seed, 2))
	for epoch := range o.Epochs {
		random.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		rate := o.Rate * (1 - float64(epoch)/float64(o.Epochs))
		for _, i := range order {
			features := of(&trials[i])
			sum := 0.0
			for _, h := range features {
				sum += weights[h>>(64-r.bits)]
			}
			off := 1 / (1 + math.Exp(-sum))
			if trials[i].key {
				off--
			}
			for _, h := range features {
				k := h >> (64 - r.bits)
				grad := off + o.Decay*weights[k]
				squares[k] += grad * grad
				weights[k] -= rate * grad / (1e-3 + math.Sqrt(squares[k]))
			}
		}
	}
	top := 0.0
	for _, v := range weights {
		top = max(top, math.Abs(v))
	}
	for k, v := range weights {
		r.weights[k] = int8(math.Round(v / max(top, 1e-9) * 127))
	}
}

// Quality is how phrases compare with people's, over documents: precision, recall and F1 of the first n.
type Quality struct{ Precision, Recall, F1 float64 }

// String tells the three as a test prints them.
func (q Quality) String() string {
	return fmt.Sprintf("P %.3f R %.3f F1 %.3f", q.Precision, q.Recall, q.F1)
}

// Measure compares the first n phrases of each document with its keys, exactly, after stemming where the language has a stemmer. Precision and
// recall are the documents' means, F1 is theirs.
func (e *Extractor) Measure(list []Document, language string, n int) (Quality, error) {
	var q Quality
	for _, d := range list {
		phrases, err := e.Phrases(d.Text, language)
		if err != nil {
			return q, err
		}
		keys, said := map[string]bool{}, map[string]bool{}
		for _, k := range d.Keys {
			keys[normalize(k, language)] = true
		}
		hits := 0.0
		for _, p := range phrases {
			k := normalize(p, language)
			if len(said) == n || said[k] {
				continue
			}
			said[k] = true
			if keys[k] {
				hits++
			}
		}
		if len(said) > 0 {
			q.Precision += hits / float64(len(said)) / float64(len(list))
		}
		q.Recall += hits / float64(len(keys)) / float64(len(list))
	}
	if q.Precision+q.Recall > 0 {
		q.F1 = 2 * q.Precision * q.Recall / (q.Precision + q.Recall)
	}
	return q, nil
}
