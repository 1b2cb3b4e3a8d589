package fasttext

import (
	"encoding/binary"
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
	end    int32    // the row of a text's end; -1: none
	grams  grams
	input  matrix
	output []float32 // labels x dim, or the inner nodes of the tree x dim
	across []float32 // output by column, each as long as width says
	width  int       // labels, and as many more as lanes divide
	tree   *tree     // only with HierarchicalSoftmax
}

// finish lays out what predictions need. Nothing changes afterwards.
func (m *Model) finish(compact bool) *Model {
	if compact {
		m.input.compact()
	} else {
		m.input.unpack()
	}
	m.seal()
	dim := m.Dim()
	m.width = (len(m.labels) + lanes - 1) &^ (lanes - 1)
	m.across = make([]float32, dim*m.width)
	for i := range m.labels {
		for j := range dim {
			m.across[j*m.width+i] = m.output[i*dim+j]
		}
	}
	return m
}

// Compact returns the model with rows of bytes: it needs little memory and is fast, its probabilities are slightly others, and it can't be written.
func (m *Model) Compact() *Model {
	c := *m
	return c.finish(true)
}

// seal finds the row of a text's end in the vocabulary.
func (m *Model) seal() {
	word := append([]byte(endOfLine), make([]byte, lanes)...)
	m.end = m.vocab.find(word[:len(endOfLine)], wordHash(word, len(endOfLine)))
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
		h := wordHash(append([]byte(e.word), make([]byte, lanes)...), len(e.word))
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
func (v *vocabulary) find(word []byte, h uint32) int32 {
	mask := len(v.slots) - 1
	for s := int(h) & mask; ; s = (s + 1) & mask {
		at := v.slots[s&(len(v.slots)-1)]
		if at.id < 0 || at.hash == h && v.word(at.id) == string(word) {
			return at.id
		}
	}
}

// wordHash is the hash a word of n bytes is found by. At least seven bytes can be read behind it.
func wordHash(word []byte, n int) uint32 {
	h := uint64(n)
	for ; n > 8; n -= 8 {
		hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(word), 0x9E3779B97F4A7C15)
		h = hi ^ lo
		word = word[8:]
	}
	hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(word)<<(64-8*n), 0x9E3779B97F4A7C15)
	return uint32(hi ^ lo)
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
	divide  divisor
	minN    int
	maxN    int
	nothing bool // a pruned model that kept no n-gram
}

func newGrams(a args) grams {
	g := grams{bucket: uint32(a.Bucket), minN: int(a.MinN), maxN: int(a.MaxN)}
	if g.bucket > 0 {
		g.magic = ^uint64(0)/uint64(g.bucket) + 1
		g.divide = newDivisor(g.bucket)
	}
	return g
}

// divisor takes remainders of a number that 2 divides with products of 32 bits, which vectors have: h/bucket is ((h>>twos) * times) >> (32+shift).
type divisor struct {
	ok                         bool
	bucket, twos, times, shift uint32 // times is 0 for a power of two
}

func newDivisor(bucket uint32) divisor {
	twos := uint32(bits.TrailingZeros32(bucket))
	odd := bucket >> twos
	d := divisor{ok: twos > 0, bucket: bucket, twos: twos}
	if odd > 1 && d.ok {
		// h>>twos has 32-twos bits; rounding up 2^(32+shift)/odd is wrong by less than odd, which is too little to matter as long as odd << (32-twos) is at most 2^(32+shift).
		d.shift = uint32(max(0, bits.Len32(odd)-int(twos)))
		d.times = uint32(1<<(32+d.shift)/uint64(odd) + 1)
		d.ok = d.shift < 31 && 1<<(32+d.shift)/uint64(odd)+1 < 1<<32
	}
	return d
}

// mod is the remainder as vectors take it.
func (d *divisor) mod(h uint32) uint32 {
	if d.times == 0 {
		return h & (d.bucket - 1)
	}
	return h - uint32(uint64(h>>d.twos)*uint64(d.times)>>(32+d.shift))*d.bucket
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
