package lang

import (
	"math"
	"strings"
	"unsafe"

	"github.com/bulkheadhq/bulkhead/internal/infer/fasttext"
)

// Result is the language of a text. ISO is "" where there is none to tell; Name is then "(Unknown)" and Score 0.
type Result struct {
	Name, ISO string
	Score     float64 // 0..1, calibrated
}

const unknownName = "(Unknown)"

// Classes of length a score is calibrated by: fewer letters than these.
var lengthClass = [...]int32{5, 9, 15, 25, 45, 90}

const lengthClasses = 7

func classOf(letters int32) int {
	for i, most := range lengthClass {
		if letters < most {
			return i
		}
	}
	return lengthClasses - 1
}

const (
	hintLetters = 30  // a country hint weighs nothing from here on
	hintWeight  = 5.0 // added to the logit of its first language for a text of one letter
	wholeBytes  = 100 // a shorter text isn't cut
	partBytes   = 25  // a part of a text has at least as many bytes
	agreed      = 0.8 // a text of which as much is in one language is in that one
)

// work is the memory of one detection.
type work struct {
	p      *fasttext.Predictor
	text   []byte
	parts  []int     // ends of parts in text
	scores []float32 // of a part
	sum    []float32 // of all parts: first logits, then probabilities
	shares []float32 // by label: the share of the text's parts that are likeliest in it
}

func newWork(m *fasttext.Model) *work {
	n := len(m.Labels())
	return &work{p: m.NewPredictor(), scores: make([]float32, n), sum: make([]float32, n), shares: make([]float32, n)}
}

// Detect tells the language of a text. countryHint is an ISO 3166-1 alpha-2 code, "" for none.
func (d *Detector) Detect(text, countryHint string) Result {
	w := d.pool.Get().(*work)
	r := d.detect(w, text, countryHint)
	d.pool.Put(w)
	return r
}

func (d *Detector) detect(w *work, text, countryHint string) Result {
	var counts Counts
	w.normalise(text, &counts)
	script, letters := counts.most()
	if letters == 0 || d.possible[script] == nil {
		return Result{Name: unknownName}
	}
	share := float64(counts[script]) / float64(letters)
	if script == Kana {
		share = float64(counts[Kana]+counts[Han]) / float64(letters)
	}
	if only := d.single[script]; only >= 0 {
		return d.answer(text, only, share)
	}
	if !d.score(w, text, script, letters, countryHint) {
		return Result{Name: unknownName}
	}
	best := likeliest(w.sum)
	probability := w.sum[best]
	if len(w.parts) > 1 && !d.raw {
		// Parts in different languages: the one of most parts, and its share.
		if most := likeliest(w.shares); w.shares[most] < agreed || most != best {
			best, probability = most, w.shares[most]
		}
	}
	// Letters of another script take from the score what they are of the text.
	score := float64(probability) * min(1, share+0.1)
	if score < d.about.Least {
		return Result{Name: unknownName}
	}
	return d.answer(text, best, min(score, 1))
}

func likeliest(all []float32) int {
	best := 0
	for i, x := range all {
		if x > all[best] {
			best = i
		}
	}
	return best
}

func (d *Detector) answer(text string, label int, score float64) Result {
	iso := d.iso[label]
	if iso == "zh" {
		iso = chineseISO(text)
	}
	return Result{Name: Name(iso), ISO: iso, Score: score}
}

// normalise fills text and parts: a long text is cut where a sentence seems to end.
func (w *work) normalise(text string, counts *Counts) {
	w.text, w.parts = w.text[:0], w.parts[:0]
	long := len(text) > wholeBytes
	for len(text) > 0 {
		end := len(text)
		if long && len(text) > 2*partBytes {
			if i := partBytes + sentenceEnd(text[partBytes:]); len(text)-i > partBytes {
				end = i
			}
		}
		from := len(w.text)
		w.text = Normalise(w.text, text[:end], counts)
		if len(w.text) > from {
			w.parts = append(w.parts, len(w.text))
		}
		text = text[end:]
	}
}

// sentenceEnd returns where the first sentence seems to end, behind its sign, or the length of text.
func sentenceEnd(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '.', '!', '?', '\n':
			return i + 1
		case 0xC2: // ¡ ¿
			if strings.HasPrefix(text[i:], "¡") || strings.HasPrefix(text[i:], "¿") {
				return i
			}
		case 0xD8: // the Arabic question mark
			if strings.HasPrefix(text[i:], "؟") {
				return i + 2
			}
		case 0xE0, 0xE3, 0xEF: // danda, ideographic full stop, full width signs
			for _, sign := range [...]string{"।", "。", "！", "？"} {
				if strings.HasPrefix(text[i:], sign) {
					return i + len(sign)
				}
			}
		}
	}
	return len(text)
}

// score puts the probability of each label into sum. It reports false where nothing of the text is known.
func (d *Detector) score(w *work, text string, script Script, letters int32, countryHint string) bool {
	clear(w.sum)
	if d.raw {
		// A foreign model was trained on texts as they are, on one line.
		if !w.p.Probabilities(strings.ReplaceAll(text, "\n", " "), w.sum) {
			return false
		}
		return true
	}
	clear(w.shares)
	from, total := 0, float32(0)
	for _, end := range w.parts {
		part := unsafe.String(&w.text[from], end-from)
		weight := float32(end - from)
		from = end
		if !w.p.Logits(part, w.scores) {
			continue
		}
		total += weight
		for i, x := range w.scores {
			w.sum[i] += weight * x
		}
		if len(w.parts) > 1 {
			d.calibrate(w.scores, script, max(1, letters*int32(weight)/int32(len(w.text))), countryHint)
			w.shares[likeliest(w.scores)] += weight
		}
	}
	if total == 0 {
		return false
	}
	// The model is linear: the mean of the parts' logits is the logit of the whole.
	for i := range w.sum {
		w.sum[i] /= total
		w.shares[i] /= total
	}
	d.calibrate(w.sum, script, letters, countryHint)
	return true
}

// calibrate makes probabilities of logits: of possible languages only, with the prior and the hint, scaled as fits the length of the text.
func (d *Detector) calibrate(scores []float32, script Script, letters int32, countryHint string) {
	scale := float32(1)
	if len(d.about.Scale) > 0 {
		scale = float32(d.about.Scale[classOf(letters)])
	}
	prior := 1 / float32(math.Sqrt(float64(letters)))
	for i := range scores {
		scores[i] = (scores[i] + prior*d.prior[i]) * scale
	}
	if letters < hintLetters && len(countryHint) == 2 {
		add := float32(hintWeight) * (1 - float32(letters)/hintLetters)
		for _, iso := range countries[strings.ToLower(countryHint)] {
			if i, ok := d.byCode[iso]; ok {
				scores[i] += add
			}
			add *= 0.7
		}
	}
	possible := d.possible[script]
	most := float32(math.Inf(-1))
	for i, x := range scores {
		if x > most && allowed(possible, i) {
			most = x
		}
	}
	var sum float32
	for i, x := range scores {
		if x-most < -16 || !allowed(possible, i) {
			scores[i] = 0
			continue
		}
		scores[i] = float32(math.Exp(float64(x - most)))
		sum += scores[i]
	}
	if sum == 0 {
		return
	}
	for i := range scores {
		scores[i] /= sum
	}
}
