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
	kanaLetters = 10  // Japanese of as many letters has kana among them
	agreed      = 0.8 // a text of which as much is in one language is in that one
)

// work is the memory of one detection.
type work struct {
	p      *fasttext.Predictor
	text   []byte
	parts  []int     // ends of parts in text
	scores []float32 // logits of a part
	sum    []float32 // logits of the whole text, where it has several parts
	shares []float32 // by label: the share of the text's parts that are likeliest in it
	near   []float32 // logits near the most
}

func newWork(m *fasttext.Model) *work {
	n := len(m.Labels())
	return &work{p: m.NewPredictor(), scores: make([]float32, n), sum: make([]float32, n), shares: make([]float32, n), near: make([]float32, n)}
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
	among := d.among[script]
	if script == Han && letters >= kanaLetters && counts[Kana] == 0 && len(d.chinese) > 0 && !d.raw {
		among = d.chinese
	}
	best, probability := d.score(w, text, among, letters, countryHint)
	if best < 0 {
		return Result{Name: unknownName}
	}
	// Letters of another script take from the score what they are of the text.
	score := float64(probability) * min(1, share+0.1)
	if score < d.about.Least {
		return Result{Name: unknownName}
	}
	return d.answer(text, best, min(score, 1))
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
		if !mayEnd[text[i]] {
			continue
		}
		switch text[i] {
		case '.', '!', '?', '\n':
			return i + 1
		case 0xC2:
			if strings.HasPrefix(text[i:], "¡") || strings.HasPrefix(text[i:], "¿") {
				return i
			}
		case 0xD8:
			if strings.HasPrefix(text[i:], "؟") {
				return i + 2
			}
		case 0xE0, 0xE3, 0xEF:
			for _, sign := range [...]string{"।", "。", "！", "？"} {
				if strings.HasPrefix(text[i:], sign) {
					return i + len(sign)
				}
			}
		}
	}
	return len(text)
}

// mayEnd tells the first bytes of signs between sentences: of ASCII, ¡ and ¿, the Arabic question mark, danda, the ideographic full stop and full width signs.
var mayEnd = [256]bool{'.': true, '!': true, '?': true, '\n': true, 0xC2: true, 0xD8: true, 0xE0: true, 0xE3: true, 0xEF: true}

// score returns the likeliest of the labels among and its probability, or -1 where nothing of the text is known.
func (d *Detector) score(w *work, text string, among []uint16, letters int32, countryHint string) (int, float32) {
	if d.raw {
		// A foreign model was trained on texts as they are, on one line.
		if !w.p.Probabilities(strings.ReplaceAll(text, "\n", " "), w.scores) {
			return -1, 0
		}
		best := likeliest(w.scores, among)
		return best, w.scores[best]
	}
	if len(w.parts) == 1 {
		if !w.p.Logits(unsafe.String(&w.text[0], len(w.text)), w.scores) {
			return -1, 0
		}
		d.adjust(w.scores, among, letters, countryHint)
		return d.probability(w, w.scores, among, letters)
	}
	clear(w.sum)
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
		for _, i := range among {
			w.sum[i] += weight * w.scores[i]
		}
		d.adjust(w.scores, among, max(1, letters*int32(weight)/int32(len(w.text))), countryHint)
		w.shares[likeliest(w.scores, among)] += weight
	}
	if total == 0 {
		return -1, 0
	}
	// The model is linear: the mean of the parts' logits is the logit of the whole.
	for _, i := range among {
		w.sum[i] /= total
	}
	d.adjust(w.sum, among, letters, countryHint)
	best, probability := d.probability(w, w.sum, among, letters)
	// Parts in different languages: the one of most parts, and its share.
	if most := likeliest(w.shares, among); w.shares[most] < agreed*total || most != best {
		return most, w.shares[most] / total
	}
	return best, probability
}

// likeliest returns which of the labels among has the most.
func likeliest(all []float32, among []uint16) int {
	best := among[0]
	for _, i := range among {
		if all[i] > all[best] {
			best = i
		}
	}
	return int(best)
}

// adjust adds the prior and the hint to the logits of a text of so many letters.
func (d *Detector) adjust(scores []float32, among []uint16, letters int32, countryHint string) {
	prior := 1 / float32(math.Sqrt(float64(letters)))
	for _, i := range among {
		scores[i] += prior * d.prior[i]
	}
	if letters < hintLetters && len(countryHint) == 2 {
		add := float32(hintWeight) * (1 - float32(letters)/hintLetters) / d.scale(letters)
		for _, iso := range countries[strings.ToLower(countryHint)] {
			if i, ok := d.byCode[iso]; ok {
				scores[i] += add
			}
			add *= 0.7
		}
	}
}

// scale is what the logits of a text of so many letters are multiplied with to be calibrated.
func (d *Detector) scale(letters int32) float32 {
	if len(d.about.Scale) == 0 {
		return 1
	}
	return float32(d.about.Scale[classOf(letters)])
}

// probability returns the likeliest of the labels among and its probability, scaled as fits the length of the text.
func (d *Detector) probability(w *work, scores []float32, among []uint16, letters int32) (int, float32) {
	scale := d.scale(letters)
	best := likeliest(scores, among)
	most := scores[best]
	// What is less than e^-12 of the most doesn't show. It is written and not counted, which is faster than a jump.
	n, near := 0, w.near[:len(among)]
	for _, i := range among {
		x := (scores[i] - most) * scale
		near[n] = x
		n += int(^math.Float32bits(x+12) >> 31)
	}
	sum := float32(0)
	for _, x := range near[:n] {
		sum += exp(x)
	}
	return best, 1 / sum
}

// exp is e to the power of x, for x of -12 to 0, to one part in 200,000, which a score doesn't show: 2 to the whole part of the power of two, times the first parts of the series
// of the rest.
func exp(x float32) float32 {
	y := x * math.Log2E
	whole := int32(y - 0.5)
	f := (y - float32(whole)) * math.Ln2
	return (1 + f*(1+f*(1.0/2+f*(1.0/6+f*(1.0/24+f/120))))) * math.Float32frombits(uint32(whole+127)<<23)
}
