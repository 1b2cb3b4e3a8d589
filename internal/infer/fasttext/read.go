package fasttext

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Limits of a file. The largest published models of this kind have 2 million buckets and some 10,000 labels.
const (
	magic       = 793712314
	version     = 12
	maxDim      = 4096
	maxEntries  = 1 << 24
	maxWord     = 1 << 16
	maxBucket   = 1 << 27
	maxNgram    = 64
	maxFloats   = 1 << 30
	maxLabels   = 1 << 16
	maxCount    = 1e10 // the sum of all labels' counts stays below what an inner node begins with
	chunkFloats = 1 << 16
)

// ErrFormat is wrapped by every error of a file that isn't a model this package can run.
var ErrFormat = errors.New("no usable fastText model")

type entry struct {
	word  string
	count int64
	kind  uint8
}

// Open reads a model from a file.
func Open(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Read reads a model. Memory grows with what r really delivers, never with what its head promises.
func Read(r io.Reader) (*Model, error) {
	return read(&decoder{r: bufio.NewReaderSize(r, 1<<16)})
}

// ReadCompact is Read and Compact in one, without the memory of what Read returns.
func ReadCompact(r io.Reader) (*Model, error) {
	return read(&decoder{r: bufio.NewReaderSize(r, 1<<16), compact: true})
}

func read(d *decoder) (*Model, error) {
	m := d.model()
	if d.err != nil {
		if errors.Is(d.err, io.EOF) || errors.Is(d.err, io.ErrUnexpectedEOF) {
			d.err = fmt.Errorf("%w: it ends too early", ErrFormat)
		}
		return nil, d.err
	}
	return m, nil
}

// decoder reads values and keeps the first error.
type decoder struct {
	r       *bufio.Reader
	compact bool
	err     error
	buf     [8]byte
}

func (d *decoder) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrFormat}, a...)...)
	}
}

func (d *decoder) bytes(n int) []byte {
	clear(d.buf[:])
	if d.err == nil {
		_, d.err = io.ReadFull(d.r, d.buf[:n])
	}
	return d.buf[:n]
}

func (d *decoder) int32() int32     { return int32(binary.LittleEndian.Uint32(d.bytes(4))) }
func (d *decoder) int64() int64     { return int64(binary.LittleEndian.Uint64(d.bytes(8))) }
func (d *decoder) float64() float64 { return math.Float64frombits(uint64(d.int64())) }
func (d *decoder) bool() bool       { return d.bytes(1)[0] != 0 }

// raw reads n bytes in steps.
func (d *decoder) raw(n int64) []byte {
	if n < 0 || n > maxFloats {
		d.fail("a part of %d bytes", n)
	}
	var out []byte
	for n > 0 && d.err == nil {
		step := min(n, 4*chunkFloats)
		at := len(out)
		out = append(out, make([]byte, step)...)
		_, d.err = io.ReadFull(d.r, out[at:])
		n -= step
	}
	return out
}

// floats reads n floats in steps; all must be finite.
func (d *decoder) floats(n int64) []float32 {
	if n < 0 || n > maxFloats {
		d.fail("a part of %d numbers", n)
	}
	var out []float32
	for n > 0 && d.err == nil {
		step := min(n, chunkFloats)
		b := d.raw(4 * step)
		if d.err != nil {
			return nil
		}
		for i := 0; i < len(b); i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(b[i:]))
			if x != x || math.IsInf(float64(x), 0) {
				d.fail("a weight is no number")
				return nil
			}
			out = append(out, x)
		}
		n -= step
	}
	return out
}

func (d *decoder) model() *Model {
	m := &Model{}
	m.args = d.head()
	kept := d.dictionary(m)
	if d.err != nil {
		return nil
	}
	rows := int64(m.words) + int64(m.args.Bucket)
	if kept != nil {
		rows = int64(m.words + len(kept))
	}
	if quantised := d.bool(); quantised {
		m.input = d.quantised(rows, int(m.args.Dim))
	} else {
		if kept != nil {
			d.fail("a pruned vocabulary with dense rows")
		}
		m.input = d.dense(rows, int(m.args.Dim))
	}
	outRows := int64(len(m.labels))
	if d.bool() && m.input.q != nil {
		out := d.quantised(outRows, int(m.args.Dim))
		if d.err != nil {
			return nil
		}
		m.output = make([]float32, 0, out.rows*out.dim)
		for i := range out.rows {
			row := make([]float32, out.dim)
			out.add(row, int32(i))
			m.output = append(m.output, row...)
		}
	} else {
		m.output = d.dense(outRows, int(m.args.Dim)).dense
	}
	if d.err != nil {
		return nil
	}
	m.grams = newGrams(m.args)
	if kept != nil && !m.order(kept) {
		d.fail("an n-gram is kept twice")
		return nil
	}
	if m.args.Loss == HierarchicalSoftmax {
		m.tree = newTree(m.counts)
	}
	return m.finish(d.compact)
}

func (d *decoder) head() args {
	if got := d.int32(); d.err == nil && got != magic {
		d.fail("it doesn't begin as one")
	}
	v := d.int32()
	if d.err == nil && v != version && v != version-1 {
		d.fail("version %d, not %d or %d", v, version-1, version)
	}
	var a args
	var loss int32
	for _, x := range []*int32{&a.Dim, &a.WindowSize, &a.Epoch, &a.MinCount, &a.Negative, &a.WordNgrams, &loss, &a.Kind, &a.Bucket, &a.MinN, &a.MaxN, &a.UpdateRate} {
		*x = d.int32()
	}
	a.Loss, a.Sampling = Loss(loss), d.float64()
	switch {
	case d.err != nil:
	case a.Kind != 3:
		d.fail("model kind %d, not a supervised one", a.Kind)
	case a.Loss != HierarchicalSoftmax && a.Loss != Softmax:
		d.fail("loss %d is neither the hierarchical (1) nor the plain softmax (3)", a.Loss)
	case a.Dim < 1 || a.Dim > maxDim:
		d.fail("rows of %d numbers", a.Dim)
	case a.Bucket < 0 || a.Bucket > maxBucket:
		d.fail("%d buckets", a.Bucket)
	case a.MinN < 0 || a.MaxN < 0 || a.MaxN > maxNgram:
		d.fail("n-grams of %d to %d characters", a.MinN, a.MaxN)
	case a.WordNgrams > maxNgram:
		d.fail("n-grams of %d words", a.WordNgrams)
	case a.Bucket == 0 && (a.MaxN > 0 || a.WordNgrams > 1):
		d.fail("n-grams without a bucket")
	}
	if v == version-1 {
		a.MaxN = 0 // models of version 11 had no n-grams of characters
	}
	return a
}

// dictionary reads words and labels, and the buckets kept with their rows where n-grams were pruned: kept[row] is the bucket.
func (d *decoder) dictionary(m *Model) (kept []int32) {
	size, words, labels := d.int32(), d.int32(), d.int32()
	d.int64() // tokens in training
	pruned := d.int64()
	switch {
	case d.err != nil:
		return nil
	case words < 0 || labels < 1 || labels > maxLabels || int64(words)+int64(labels) != int64(size) || size > maxEntries:
		d.fail("%d entries of %d words and %d labels", size, words, labels)
	case pruned > int64(m.args.Bucket):
		d.fail("%d n-grams kept of %d", pruned, m.args.Bucket)
	}
	var entries []entry
	for i := int32(0); i < size && d.err == nil; i++ {
		e := entry{word: d.word()}
		e.count, e.kind = d.int64(), d.bytes(1)[0]
		if d.err != nil {
			break
		}
		if want := i >= words; e.kind > 1 || (e.kind == 1) != want {
			d.fail("entry %d is of kind %d", i, e.kind)
		}
		if e.kind == 1 {
			if e.count < 0 || e.count > maxCount || i > words && e.count > m.counts[len(m.counts)-1] {
				d.fail("the labels' counts don't fall")
			}
			m.counts = append(m.counts, e.count)
			name := e.word
			if len(name) > len(labelPrefix) && name[:len(labelPrefix)] == labelPrefix {
				name = name[len(labelPrefix):]
			}
			m.labels = append(m.labels, name)
		}
		entries = append(entries, e)
	}
	m.words = int(words)
	if d.err != nil {
		return nil
	}
	m.vocab = newVocabulary(entries)
	if pruned >= 0 {
		kept = d.kept(int(pruned), m.args.Bucket)
	}
	return kept
}

func (d *decoder) kept(n int, bucket int32) []int32 {
	kept := make([]int32, 0, min(n, chunkFloats))
	rows := make([]int32, 0, min(n, chunkFloats))
	for i := 0; i < n && d.err == nil; i++ {
		b, row := d.int32(), d.int32()
		if d.err == nil && (b < 0 || b >= bucket || row < 0 || int(row) >= n) {
			d.fail("n-gram %d in row %d", b, row)
		}
		kept, rows = append(kept, b), append(rows, row)
	}
	if d.err != nil {
		return nil
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = -1
	}
	for i, row := range rows {
		if out[row] >= 0 {
			d.fail("two n-grams in row %d", row)
		}
		out[row] = kept[i]
	}
	return out
}

func (d *decoder) word() string {
	var w []byte
	for d.err == nil {
		c, err := d.r.ReadByte()
		if err != nil {
			d.err = err
			break
		}
		if c == 0 {
			break
		}
		if w = append(w, c); len(w) > maxWord {
			d.fail("a word of more than %d bytes", maxWord)
		}
	}
	return string(w)
}

func (d *decoder) shape(rows int64, dim int) {
	if r, c := d.int64(), d.int64(); d.err == nil && (r != rows || c != int64(dim)) {
		d.fail("a matrix of %d x %d where %d x %d is due", r, c, rows, dim)
	}
}

func (d *decoder) dense(rows int64, dim int) matrix {
	d.shape(rows, dim)
	return matrix{rows: int(rows), dim: dim, dense: d.floats(rows * int64(dim))}
}

func (d *decoder) quantised(rows int64, dim int) matrix {
	normed := d.bool()
	d.shape(rows, dim)
	size := int64(d.int32())
	q := &quantised{}
	codes := d.raw(size)
	q.pq = d.quantiser(dim)
	if d.err == nil && size != rows*int64(q.pq.parts) {
		d.fail("%d codes for %d rows of %d parts", size, rows, q.pq.parts)
	}
	q.codes = codes
	if normed {
		q.norms = d.raw(rows)
		q.npq = d.quantiser(1)
	}
	return matrix{rows: int(rows), dim: dim, q: q}
}

func (d *decoder) quantiser(dim int) quantiser {
	q := quantiser{dim: int(d.int32()), parts: int(d.int32()), width: int(d.int32()), last: int(d.int32())}
	if d.err == nil && (q.dim != dim || q.width < 1 || q.parts != (dim+q.width-1)/q.width || q.last != dim-(q.parts-1)*q.width) {
		d.fail("a quantiser of %d parts of %d and %d numbers for rows of %d", q.parts, q.width, q.last, dim)
	}
	if d.err != nil {
		return quantiser{}
	}
	q.centroids = d.floats(int64(dim) * 256)
	return q
}

// order puts the rows of n-grams in the order of their buckets, so that a row is the count of kept buckets before. It reports false where one is kept twice.
func (m *Model) order(kept []int32) bool {
	if !m.grams.keep(kept) {
		return false
	}
	q := m.input.q
	parts := q.pq.parts
	codes := append([]uint8(nil), q.codes...)
	norms := append([]uint8(nil), q.norms...)
	for row, bucket := range kept {
		from, to := m.words+row, m.words+int(m.grams.slot(uint32(bucket)))
		copy(codes[to*parts:(to+1)*parts], q.codes[from*parts:(from+1)*parts])
		if q.norms != nil {
			norms[to] = q.norms[from]
		}
	}
	q.codes = codes
	if q.norms != nil {
		q.norms = norms
	}
	return true
}
