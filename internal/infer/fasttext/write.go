package fasttext

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/bits"
)

// Write writes the model in the reference's format, so that its own programs read it, too. A pruned model that wasn't coded can't be written: the format has none.
func (m *Model) Write(w io.Writer) error {
	if m.input.bytes != nil {
		return errors.New("a compact model can't be written")
	}
	e := &encoder{w: bufio.NewWriter(w)}
	a := m.args
	e.int32(magic, version, a.Dim, a.WindowSize, a.Epoch, a.MinCount, a.Negative, a.WordNgrams, int32(a.Loss), a.Kind, a.Bucket, a.MinN, a.MaxN, a.UpdateRate)
	e.int64(int64(math.Float64bits(a.Sampling)))
	e.int32(int32(m.words+len(m.labels)), int32(m.words), int32(len(m.labels)))
	e.int64(0)
	pruned := m.grams.bits != nil
	if pruned {
		e.int64(int64(m.input.rows - m.words))
	} else {
		e.int64(-1)
	}
	for i := range m.words + len(m.labels) {
		e.bytes([]byte(m.vocab.word(int32(i))))
		e.bytes([]byte{0})
		if i < m.words {
			e.int64(1)
			e.bytes([]byte{0})
		} else {
			e.int64(m.counts[i-m.words])
			e.bytes([]byte{1})
		}
	}
	row := int32(0)
	for i, word := range m.grams.bits {
		for b := word; b != 0; b &= b - 1 {
			e.int32(int32(i*64+bits.TrailingZeros64(b)), row)
			row++
		}
	}
	if q := m.input.q; q != nil {
		e.bool(true)
		e.bool(q.norms != nil)
		e.shape(m.input.rows, m.input.dim)
		e.int32(int32(len(q.codes)))
		e.bytes(q.codes)
		e.quantiser(q.pq)
		if q.norms != nil {
			e.bytes(q.norms)
			e.quantiser(q.npq)
		}
	} else {
		e.bool(false)
		e.shape(m.input.rows, m.input.dim)
		e.floats(m.input.dense)
	}
	e.bool(false)
	e.shape(len(m.labels), m.input.dim)
	e.floats(m.output)
	if e.err == nil {
		e.err = e.w.Flush()
	}
	return e.err
}

type encoder struct {
	w   *bufio.Writer
	err error
}

func (e *encoder) bytes(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

func (e *encoder) int32(all ...int32) {
	for _, x := range all {
		e.bytes(binary.LittleEndian.AppendUint32(nil, uint32(x)))
	}
}

func (e *encoder) int64(x int64) { e.bytes(binary.LittleEndian.AppendUint64(nil, uint64(x))) }

func (e *encoder) bool(b bool) {
	if b {
		e.bytes([]byte{1})
	} else {
		e.bytes([]byte{0})
	}
}

func (e *encoder) shape(rows, dim int) {
	e.int64(int64(rows))
	e.int64(int64(dim))
}

func (e *encoder) floats(all []float32) {
	for _, x := range all {
		e.int32(int32(math.Float32bits(x)))
	}
}

func (e *encoder) quantiser(q quantiser) {
	e.int32(int32(q.dim), int32(q.parts), int32(q.width), int32(q.last))
	e.floats(q.centroids)
}
