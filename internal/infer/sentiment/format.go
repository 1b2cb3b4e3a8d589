package sentiment

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// magic begins a model's file: what it is and the version of its form.
const magic = "BHSENT02"

const (
	maxBits    = 22
	maxLexicon = 1 << 20
)

//go:embed model.bin
var embedded []byte

var loadOnce = sync.OnceValues(func() (*Model, error) { return Decode(embedded) })

// Default is the model that is embedded in the program, unpacked at the first call.
func Default() (*Model, error) { return loadOnce() }

// Encode writes the model's file: the magic, then everything else deflated. All numbers are little-endian.
func (m *Model) Encode() ([]byte, error) {
	out, err := textmodel.Pack(magic, m.write)
	if err != nil {
		return nil, fmt.Errorf("encode sentiment model: %w", err)
	}
	return out, nil
}

func (m *Model) write(w io.Writer) error {
	var raw bytes.Buffer
	put := func(v any) { _ = binary.Write(&raw, binary.LittleEndian, v) } // a bytes.Buffer takes all
	put(uint8(m.bits))
	put(uint8(len(m.tongues)))
	put(uint8(denses))
	put(m.scale)
	for i := range m.tongues {
		put(m.dense[i])
		put(m.warmth[i])
	}
	put(uint32(len(m.lexicon.keys)))
	put(uint8(m.lexicon.shift))
	put(m.lexicon.keys)
	put(m.lexicon.values)
	for c := range 2 { // one plane after the other: they pack better
		plane := make([]int8, len(m.weights)/2)
		for i := range plane {
			plane[i] = m.weights[2*i+c]
		}
		put(plane)
	}
	_, err := w.Write(raw.Bytes())
	return err
}

var errFormat = errors.New("no sentiment model has such numbers")

// Decode reads a model's file. Whatever the bytes are, it doesn't panic, and takes no more memory than the largest model.
func Decode(file []byte) (*Model, error) {
	m, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("decode sentiment model: %w", err)
	}
	return m, nil
}

func decode(file []byte) (*Model, error) {
	r, err := textmodel.Unpack(magic, file)
	if err != nil {
		return nil, err
	}
	var head [3]uint8
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0] < 4 || head[0] > maxBits || int(head[1]) != len(tongues()) || head[2] != denses {
		return nil, errFormat
	}
	m := newModel(uint(head[0]))
	get := func(v any) error { return binary.Read(r, binary.LittleEndian, v) }
	if err := get(&m.scale); err != nil {
		return nil, err
	}
	for i := range m.tongues {
		if err := errors.Join(get(&m.dense[i]), get(&m.warmth[i])); err != nil {
			return nil, err
		}
	}
	if err := m.decodeLexicon(get); err != nil {
		return nil, err
	}
	m.weights = make([]int8, 2<<m.bits)
	plane := make([]byte, 1<<m.bits)
	for c := range 2 {
		if _, err := io.ReadFull(r, plane); err != nil {
			return nil, err
		}
		for i, v := range plane {
			m.weights[2*i+c] = int8(v)
		}
	}
	return m, m.check()
}

func (m *Model) decodeLexicon(get func(any) error) error {
	var n uint32
	var shift uint8
	if err := errors.Join(get(&n), get(&shift)); err != nil {
		return err
	}
	if shift < 40 || shift > 60 || n < 16 || n > maxLexicon || n&(n-1) != 0 || 1<<(64-int(shift)) != n {
		return errFormat
	}
	m.lexicon = lexicon{keys: make([]uint32, n), values: make([]int8, n), shift: uint(shift)}
	if err := errors.Join(get(m.lexicon.keys), get(m.lexicon.values)); err != nil {
		return err
	}
	free := 0
	for _, k := range m.lexicon.keys {
		if k == 0 {
			free++
		}
	}
	if free < int(n)/4 { // a full table would be searched for ever
		return errFormat
	}
	return nil
}

// check refuses numbers that no training makes.
func (m *Model) check() error {
	sound := func(list ...float32) bool {
		for _, v := range list {
			if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 1e6 {
				return false
			}
		}
		return true
	}
	for _, s := range m.scale {
		if !sound(s[:]...) {
			return errFormat
		}
	}
	for i := range m.tongues {
		for _, v := range m.warmth[i] {
			if !sound(float32(v)) {
				return errFormat
			}
		}
		for _, d := range m.dense[i] {
			if !sound(d[:]...) {
				return errFormat
			}
		}
	}
	return nil
}
