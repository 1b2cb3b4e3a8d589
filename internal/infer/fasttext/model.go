package fasttext

import (
	"math/bits"
	"strings"
)

// Loss is how a model turns the mean of its rows into probabilities.
type Loss int32

// The losses there are, with their numbers in files.
const (
	HierarchicalSoftmax Loss = 1
	Softmax             Loss = 3
)

const (
	labelPrefix = "__label__"
	endOfLine   = "</s>"
)

// Model is a supervised classifier. It is immutable and safe for concurrent use.
type Model struct {
	args   args
	vocab  vocabulary
	labels []string // without their prefix, by falling count
	counts []int64  // of the labels in training
	words  int      // rows of the input before those of the n-grams
	grams  grams
	input  matrix
	output []float32 // labels x dim, or the inner nodes of the tree x dim
	tree   *tree     // only with HierarchicalSoftmax
}

// args are the fields of a file's head.
type args struct {
	Dim, WindowSize, Epoch, MinCount, Negative, WordNgrams int32
	Loss                                                   Loss
	Kind, Bucket, MinN, MaxN, UpdateRate                   int32
	Sampling                                               float64
}

// Labels returns the names of the classes, by the number Best and Probabilities use. The caller must not change it.
func (m *Model) Labels() []string { return m.labels }

// Dim returns the length of a row.
func (m *Model) Dim() int { return int(m.args.Dim) }

// Rows returns how many rows the input has: words and n-grams.
func (m *Model) Rows() int { return m.input.rows }

// Words returns how many words the vocabulary has.
func (m *Model) Words() int { return m.words }

// vocabulary finds the number of a word by its hash. The words lie in one string.
type vocabulary struct {
	slots []int32  // -1 is empty; a power of two
	hash  []uint32 // by number
	ends  []uint32 // by number: where it ends in text
	text  string
	kinds []uint8 // 0 word, 1 label
}

func newVocabulary(entries []entry) vocabulary {
	size := 1 << bits.Len(uint(2*len(entries)+1))
	v := vocabulary{slots: make([]int32, size), hash: make([]uint32, len(entries)), ends: make([]uint32, len(entries)), kinds: make([]uint8, len(entries))}
	for i := range v.slots {
		v.slots[i] = -1
	}
	var b strings.Builder
	for i, e := range entries {
		b.WriteString(e.word)
		v.ends[i] = uint32(b.Len())
		v.kinds[i] = e.kind
		h := hashOf(e.word)
		v.hash[i] = h
		for s := int(h) & (size - 1); ; s = (s + 1) & (size - 1) {
			if v.slots[s] < 0 {
				v.slots[s] = int32(i)
				break
			}
		}
	}
	v.text = b.String()
	return v
}

func (v *vocabulary) word(id int32) string {
	from := uint32(0)
	if id > 0 {
		from = v.ends[id-1]
	}
	return v.text[from:v.ends[id]]
}

// find returns the number of a word, or -1.
func (v *vocabulary) find(word string, h uint32) int32 {
	mask := len(v.slots) - 1
	for s := int(h) & mask; ; s = (s + 1) & mask {
		id := v.slots[s]
		if id < 0 || v.hash[id] == h && v.word(id) == word {
			return id
		}
	}
}

// Constants of the 32-bit FNV-1a hash.
const (
	fnvStart = 2166136261
	fnvPrime = 16777619
)

// hashOf is FNV-1a as the reference does it: bytes are signed.
func hashOf(s string) uint32 {
	h := uint32(fnvStart)
	for i := range len(s) {
		h = (h ^ uint32(int32(int8(s[i])))) * fnvPrime
	}
	return h
}

// grams maps the bucket of an n-gram to its row. A pruned model keeps some buckets only: a bitmap says which, and the count of bits before is the row, which needs a sixteenth of a
// table and stays in the processor's cache.
type grams struct {
	bits    []uint64 // nil: all buckets have a row
	rank    []uint32 // by word of bits: the bits set before
	bucket  uint32
	magic   uint64 // ceil(2^64/bucket), to take the remainder without a division
	minN    int
	maxN    int
	nothing bool // a pruned model that kept no n-gram
}

func newGrams(a args) grams {
	g := grams{bucket: uint32(a.Bucket), minN: int(a.MinN), maxN: int(a.MaxN)}
	if g.bucket > 0 {
		g.magic = ^uint64(0)/uint64(g.bucket) + 1
	}
	return g
}

// keep marks the buckets kept, which must be below the bucket count. It reports false where one comes twice.
func (g *grams) keep(buckets []int32) bool {
	g.bits = make([]uint64, (int(g.bucket)+63)/64)
	g.rank = make([]uint32, len(g.bits))
	for _, b := range buckets {
		if g.bits[b/64]>>(b%64)&1 != 0 {
			return false
		}
		g.bits[b/64] |= 1 << (b % 64)
	}
	n := uint32(0)
	for i, word := range g.bits {
		g.rank[i] = n
		n += uint32(bits.OnesCount64(word))
	}
	g.nothing = len(buckets) == 0
	return true
}

func (g *grams) mod(h uint32) uint32 {
	hi, _ := bits.Mul64(g.magic*uint64(h), uint64(g.bucket))
	return uint32(hi)
}

// matrix is the input: dense rows, or codes of a product quantiser.
type matrix struct {
	rows, dim int
	dense     []float32
	q         *quantised
}

// quantised is a matrix whose rows are codes of sub-vectors, the lengths coded beside them where normed.
type quantised struct {
	codes []uint8 // rows x parts
	norms []uint8 // rows; nil: not normed
	pq    quantiser
	npq   quantiser
}

// quantiser holds 256 centroids for each part of a vector.
type quantiser struct {
	dim, parts, width, last int // parts of width floats, the last of last floats
	centroids               []float32
}

// centroid returns the floats of one code.
func (q *quantiser) centroid(part int, code uint8) []float32 {
	if part == q.parts-1 {
		at := part*256*q.width + int(code)*q.last
		return q.centroids[at : at+q.last]
	}
	at := (part*256 + int(code)) * q.width
	return q.centroids[at : at+q.width]
}

// add adds a row to sum.
func (m *matrix) add(sum []float32, row int32) {
	if m.q == nil {
		r := m.dense[int(row)*m.dim:][:len(sum)]
		for i, x := range r {
			sum[i] += x
		}
		return
	}
	q := m.q
	norm := float32(1)
	if q.norms != nil {
		norm = q.npq.centroids[q.norms[row]]
	}
	codes := q.codes[int(row)*q.pq.parts:][:q.pq.parts]
	at := 0
	for part, code := range codes {
		for _, x := range q.pq.centroid(part, code) {
			sum[at] += norm * x
			at++
		}
	}
}
