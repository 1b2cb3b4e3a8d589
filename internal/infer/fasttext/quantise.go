package fasttext

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// quantise keeps the rows that matter most, trains them again and codes them.
func (t *trainer) quantise() (*Model, error) {
	m := t.m
	kept := t.choose()
	pruned := m.prune(kept)
	used := make([]uint32, len(kept))
	for i, r := range kept {
		used[i] = t.used[r]
	}
	t.m, t.used = pruned, used
	if t.o.Retrain > 0 {
		t.run(t.o.Retrain, t.o.Rate/5, nil)
	}
	return t.m.code(t.o.Seed), nil
}

// choose returns the rows to keep in rising order: the end of a line, and those whose length, weighed by how often they were trained, is the most.
func (t *trainer) choose() []int32 {
	m := t.m
	type scored struct {
		row   int32
		score float64
	}
	all := make([]scored, 0, m.input.rows)
	for r := range m.input.rows {
		if t.used[r] == 0 && r > 0 {
			continue // never seen: only noise
		}
		s := length(m.input.dense[r*m.input.dim:][:m.input.dim]) * math.Pow(float64(t.used[r]), t.o.Rare)
		if r == 0 {
			s = math.Inf(1)
		}
		all = append(all, scored{int32(r), s})
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row)) })
	kept := make([]int32, 0, t.o.Keep)
	for _, s := range all[:min(len(all), t.o.Keep)] {
		kept = append(kept, s.row)
	}
	slices.Sort(kept)
	return kept
}

func length(row []float32) float64 {
	sum := 0.0
	for _, x := range row {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// prune returns a model with these rows alone, which must rise.
func (m *Model) prune(kept []int32) *Model {
	p := &Model{args: m.args, labels: m.labels, counts: m.counts, output: m.output, tree: m.tree}
	var entries []entry
	var buckets []int32
	rows := make([]float32, 0, len(kept)*m.input.dim)
	for _, r := range kept {
		if int(r) < m.words {
			entries = append(entries, entry{word: m.vocab.word(r), count: 1})
		} else {
			buckets = append(buckets, r-int32(m.words))
		}
		rows = append(rows, m.input.dense[int(r)*m.input.dim:][:m.input.dim]...)
	}
	p.words = len(entries)
	for i, l := range m.labels {
		entries = append(entries, entry{word: labelPrefix + l, count: m.counts[i], kind: 1})
	}
	p.vocab = newVocabulary(entries)
	p.seal()
	p.grams = newGrams(m.args)
	p.grams.keep(buckets)
	p.input = matrix{rows: len(kept), dim: m.input.dim, dense: rows}
	return p
}

// code returns the model with its input as codes of parts of two numbers, the lengths of rows coded apart.
func (m *Model) code(seed uint64) *Model {
	c := *m
	dim, n := m.input.dim, m.input.rows
	rows := slices.Clone(m.input.dense)
	norms := make([]float32, n)
	for i := range n {
		row := rows[i*dim:][:dim]
		l := float32(length(row))
		norms[i] = l
		if l > 0 {
			for j := range row {
				row[j] /= l
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, 3))
	q := &quantised{pq: newQuantiser(dim, 2), npq: newQuantiser(1, 1)}
	q.pq.train(rows, n, r)
	q.npq.train(norms, n, r)
	q.codes = make([]uint8, 0, n*q.pq.parts)
	for i := range n {
		for part := range q.pq.parts {
			q.codes = append(q.codes, q.pq.nearest(part, q.pq.slice(rows, i, part)))
		}
		q.norms = append(q.norms, q.npq.nearest(0, norms[i:i+1]))
	}
	c.input = matrix{rows: n, dim: dim, q: q}
	return c.finish(false)
}

func newQuantiser(dim, width int) quantiser {
	q := quantiser{dim: dim, width: width, parts: (dim + width - 1) / width}
	q.last = dim - (q.parts-1)*width
	q.centroids = make([]float32, dim*256)
	return q
}

// slice is a row's part.
func (q *quantiser) slice(rows []float32, row, part int) []float32 {
	at := row*q.dim + part*q.width
	return rows[at : at+len(q.centroid(part, 0))]
}

// train finds the centroids of each part by k-means over at most 16,384 rows.
func (q *quantiser) train(rows []float32, n int, r *rand.Rand) {
	const most, rounds = 1 << 14, 15
	chosen := r.Perm(n)
	chosen = chosen[:min(n, most)]
	code := make([]uint8, len(chosen))
	for part := range q.parts {
		width := len(q.centroid(part, 0))
		for c := range 256 {
			copy(q.centroid(part, uint8(c)), q.slice(rows, chosen[c%len(chosen)], part))
		}
		for range rounds {
			sums := make([]float64, 256*width)
			counts := make([]int, 256)
			for i, row := range chosen {
				x := q.slice(rows, row, part)
				code[i] = q.nearest(part, x)
				counts[code[i]]++
				for j, v := range x {
					sums[int(code[i])*width+j] += float64(v)
				}
			}
			for c := range 256 {
				to := q.centroid(part, uint8(c))
				if counts[c] == 0 {
					// An empty one begins anew at some row.
					copy(to, q.slice(rows, chosen[r.IntN(len(chosen))], part))
					continue
				}
				for j := range to {
					to[j] = float32(sums[c*width+j] / float64(counts[c]))
				}
			}
		}
	}
}

// nearest returns the code of the centroid closest to x.
func (q *quantiser) nearest(part int, x []float32) uint8 {
	best, least := 0, float32(math.Inf(1))
	if q.width == 2 && len(x) == 2 { // the usual width
		c := q.centroids[part*512:][:512]
		for i := 0; i < 512; i += 2 {
			a, b := x[0]-c[i], x[1]-c[i+1]
			if d := a*a + b*b; d < least {
				best, least = i/2, d
			}
		}
		return uint8(best)
	}
	for c := range 256 {
		var d float32
		for j, y := range q.centroid(part, uint8(c)) {
			d += (x[j] - y) * (x[j] - y)
		}
		if d < least {
			best, least = c, d
		}
	}
	return uint8(best)
}
