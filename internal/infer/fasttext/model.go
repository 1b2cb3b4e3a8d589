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
	slots []vocabSlot // a power of two
	ends  []uint32    // by number: where it ends in text
	text  string
	kinds []uint8 // 0 word, 1 label
}

// vocabSlot has the hash beside the number, so that a word that isn't there is told by one look.
type vocabSlot struct {
	hash uint32
	id   int32 // -1 is empty
}

func newVocabulary(entries []entry) vocabulary {
	size := 1 << bits.Len(uint(2*len(entries)+1))
	v := vocabulary{slots: make([]vocabSlot, size), ends: make([]uint32, len(entries)), kinds: make([]uint8, len(entries))}
	for i := range v.slots {
		v.slots[i].id = -1
	}
	var b strings.Builder
	for i, e := range entries {
		b.WriteString(e.word)
		v.ends[i] = uint32(b.Len())
		v.kinds[i] = e.kind
		h := hashOf(e.word)
		for s := int(h) & (size - 1); ; s = (s + 1) & (size - 1) {
			if v.slots[s].id < 0 {
				v.slots[s] = vocabSlot{h, int32(i)}
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
		at := v.slots[s&(len(v.slots)-1)]
		if at.id < 0 || at.hash == h && v.word(at.id) == word {
			return at.id
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

// grams maps the bucket of an n-gram to its row. A pruned model keeps some buckets only: a bit says which, and the count of bits before is the row, which needs a sixteenth of a
// table of rows and stays in the processor's cache.
type grams struct {
	bits    []uint64 // nil: all buckets have a row
	before  []uint32 // by word of bits: the bits set in those before
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
	g.before = make([]uint32, len(g.bits))
	for _, b := range buckets {
		if g.bits[b/64]>>(b%64)&1 != 0 {
			return false
		}
		g.bits[b/64] |= 1 << (b % 64)
	}
	n := uint32(0)
	for i, word := range g.bits {
		g.before[i] = n
		n += uint32(bits.OnesCount64(word))
	}
	g.nothing = len(buckets) == 0
	return true
}

func (g *grams) mod(h uint32) uint32 {
	hi, _ := bits.Mul64(g.magic*uint64(h), uint64(g.bucket))
	return uint32(hi)
}

// row returns the row of a bucket that is kept, after those of the words.
func (g *grams) row(b uint32) int32 {
	return int32(g.before[b/64]) + int32(bits.OnesCount64(g.bits[b/64]&(1<<(b%64)-1)))
}

// slot returns the row of a bucket after those of the words, or -1.
func (g *grams) slot(b uint32) int32 {
	if g.bits == nil {
		return int32(b)
	}
	if g.bits[b/64]>>(b%64)&1 == 0 {
		return -1
	}
	return g.row(b)
}
