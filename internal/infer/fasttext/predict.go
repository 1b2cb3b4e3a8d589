package fasttext

import (
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Predictor runs a model. It is for one goroutine at a time and reuses its memory: after some texts it allocates nothing.
type Predictor struct {
	m      *Model
	rows   []int32
	word   []byte
	hashes []uint32
	hidden []float32
	scores []float32
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
	p.rows = p.m.features(text, p.rows[:0], &p.word, &p.hashes)
	if len(p.rows) == 0 {
		return false
	}
	p.m.input.mean(p.hidden, p.rows)
	return true
}

func (m *matrix) mean(sum []float32, rows []int32) {
	clear(sum)
	if m.q != nil && m.q.norms != nil && m.q.pq.width == 2 && m.q.pq.last == 2 && m.q.pq.parts%4 == 0 {
		m.q.sumPairs(sum, rows)
	} else {
		for _, r := range rows {
			m.add(sum, r)
		}
	}
	scale := 1 / float32(len(rows))
	for i := range sum {
		sum[i] *= scale
	}
}

// sumPairs is add for the usual shape, parts of two floats, four of them at a time: the eight sums stay in registers while all rows pass.
func (q *quantised) sumPairs(sum []float32, rows []int32) {
	parts := q.pq.parts
	norms := (*[256]float32)(q.npq.centroids)
	for part := 0; part < parts; part += 4 {
		c0 := (*[512]float32)(q.pq.centroids[part*512:])
		c1 := (*[512]float32)(q.pq.centroids[(part+1)*512:])
		c2 := (*[512]float32)(q.pq.centroids[(part+2)*512:])
		c3 := (*[512]float32)(q.pq.centroids[(part+3)*512:])
		var a, b, c, d, e, f, g, h float32
		for _, r := range rows {
			n := norms[q.norms[r]]
			at := int(r)*parts + part
			code := q.codes[at : at+4 : at+4]
			i, j, k, l := 2*int(code[0]), 2*int(code[1]), 2*int(code[2]), 2*int(code[3])
			a += n * c0[i&511]
			b += n * c0[(i+1)&511]
			c += n * c1[j&511]
			d += n * c1[(j+1)&511]
			e += n * c2[k&511]
			f += n * c2[(k+1)&511]
			g += n * c3[l&511]
			h += n * c3[(l+1)&511]
		}
		s := sum[2*part : 2*part+8 : 2*part+8]
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a, b, c, d, e, f, g, h
	}
}

func blank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f' || c == 0
}

// features appends the rows of a text's words and n-grams. word and hashes are scratch memory.
func (m *Model) features(text string, rows []int32, word *[]byte, hashes *[]uint32) []int32 {
	pairs := m.args.WordNgrams > 1
	*hashes = (*hashes)[:0]
	at := 0
	for at < len(text) {
		if c := text[at]; blank(c) {
			if c == '\n' {
				break
			}
			at++
			continue
		}
		from := at
		h := uint32(fnvStart)
		for at < len(text) && !blank(text[at]) {
			h = (h ^ uint32(int32(int8(text[at])))) * fnvPrime
			at++
		}
		token := text[from:at]
		id := m.vocab.find(token, h)
		if id >= 0 && m.vocab.kinds[id] != 0 || id < 0 && strings.HasPrefix(token, labelPrefix) {
			continue // a label in the text is none of its words
		}
		if pairs {
			*hashes = append(*hashes, h)
		}
		if id >= 0 {
			rows = append(rows, id)
		}
		if token == endOfLine {
			return m.pairs(rows, *hashes) // the mark itself ends a text
		}
		if m.grams.maxN > 0 && !m.grams.nothing {
			*word = append(append(append((*word)[:0], '<'), token...), '>')
			rows = m.grams.of(*word, rows, int32(m.words))
		}
	}
	// The end of the line is a word of its own.
	h := hashOf(endOfLine)
	if id := m.vocab.find(endOfLine, h); id >= 0 {
		rows = append(rows, id)
	}
	if pairs {
		*hashes = append(*hashes, h)
	}
	return m.pairs(rows, *hashes)
}

// pairs appends the rows of the n-grams of words.
func (m *Model) pairs(rows []int32, hashes []uint32) []int32 {
	for i := range hashes {
		h := uint64(int64(int32(hashes[i])))
		for j := i + 1; j < len(hashes) && j < i+int(m.args.WordNgrams); j++ {
			h = h*116049371 + uint64(int64(int32(hashes[j])))
			if m.grams.nothing {
				continue
			}
			if r := m.grams.slot(uint32(h % uint64(m.args.Bucket))); r >= 0 {
				rows = append(rows, int32(m.words)+r)
			}
		}
	}
	return rows
}

// of appends the rows of the n-grams of a word that has its "<" and ">".
func (g *grams) of(word []byte, rows []int32, base int32) []int32 {
	from := len(rows)
	rows = slices.Grow(rows, len(word)*g.maxN)
	out := rows[from : from+len(word)*g.maxN]
	n := 0
	if plain(word) {
		n = g.plainBuckets(word, out)
	} else {
		n = g.buckets(word, out)
	}
	rows = rows[:from+n]
	if g.bits == nil {
		for i := from; i < len(rows); i++ {
			rows[i] += base
		}
		return rows
	}
	for i := from; i < len(rows); i++ {
		b := uint32(rows[i])
		rows[i] = base + int32(g.rank[b/64]) + int32(bits.OnesCount64(g.bits[b/64]&(1<<(b%64)-1)))
	}
	return rows
}

func plain(word []byte) bool {
	var all byte
	for _, c := range word {
		all |= c
	}
	return all < 0x80
}

// buckets writes the buckets of a word's n-grams that have a row, and returns how many these are. A bucket is always written, and only counted where its bit is set: that is
// faster than a jump that can't be foreseen.
func (g *grams) buckets(word []byte, out []int32) (count int) {
	for i := 0; i < len(word); i++ {
		if word[i]&0xC0 == 0x80 {
			continue
		}
		h := uint32(fnvStart)
		for j, n := i, 1; j < len(word) && n <= g.maxN; n++ {
			h = (h ^ uint32(int32(int8(word[j])))) * fnvPrime
			j++
			for j < len(word) && word[j]&0xC0 == 0x80 {
				h = (h ^ uint32(int32(int8(word[j])))) * fnvPrime
				j++
			}
			if n < g.minN || n == 1 && (i == 0 || j == len(word)) {
				continue
			}
			b := g.mod(h)
			out[count] = int32(b)
			if g.bits == nil {
				count++
			} else {
				count += int(g.bits[b/64] >> (b % 64) & 1)
			}
		}
	}
	return count
}

// plainBuckets is buckets for a word of ASCII letters in a pruned model.
func (g *grams) plainBuckets(word []byte, out []int32) (count int) {
	if g.bits == nil || g.minN < 1 {
		return g.buckets(word, out)
	}
	set, magic, bucket := g.bits, g.magic, uint64(g.bucket)
	minN, maxN := g.minN, g.maxN
	for i := range word {
		h := uint32(fnvStart)
		rest := word[i:min(i+maxN, len(word))]
		least := minN
		if least == 1 && (i == 0 || i == len(word)-1) {
			least = 2
		}
		for n, c := range rest {
			h = (h ^ uint32(c)) * fnvPrime
			if n+1 < least {
				continue
			}
			hi, _ := bits.Mul64(magic*uint64(h), bucket)
			out[count] = int32(hi)
			count += int(set[hi/64] >> (hi % 64) & 1)
		}
	}
	return count
}

// slot returns the row of a bucket after those of the words, or -1.
func (g *grams) slot(b uint32) int32 {
	if g.bits == nil {
		return int32(b)
	}
	if g.bits[b/64]>>(b%64)&1 == 0 {
		return -1
	}
	return int32(g.rank[b/64]) + int32(bits.OnesCount64(g.bits[b/64]&(1<<(b%64)-1)))
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
