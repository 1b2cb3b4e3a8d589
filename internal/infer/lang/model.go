package lang

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/bulkheadhq/bulkhead/internal/infer/fasttext"
)

// head is how a model file of this package begins, before its description.
const head = "bulkhead language model 1\n"

const (
	maxDescription = 1 << 20
	maxModel       = 64 << 20 // unpacked
)

// ErrFormat is wrapped by the error of a file that is no language model.
var ErrFormat = errors.New("no language model")

// description is what a model file tells besides its weights.
type description struct {
	Made    string              `json:"made"`    // how it was trained
	Scripts map[string][]string `json:"scripts"` // by label; absent: all
	Scale   []float64           `json:"scale"`   // by class of length: what logits are multiplied with to be calibrated
	Prior   map[string]float64  `json:"prior"`   // by label: what is added to its logit, over the square root of letters; absent: 0
	Least   float64             `json:"least"`   // a score below is no answer
}

// Detector tells languages. It is safe for concurrent use.
type Detector struct {
	model    *fasttext.Model
	raw      bool // a foreign model: it wants texts as they are
	about    description
	iso      []string          // by label
	possible [scripts][]uint64 // by script: bits of labels
	among    [scripts][]uint16 // by script: the labels of possible
	chinese  []uint16          // those of Han without Japanese, which is written with kana as well
	single   [scripts]int      // by script: its only label, or -1
	prior    []float32
	byCode   map[string]int
	pool     sync.Pool
}

// Open reads a model from a file: one that `bulkhead train language` wrote, or any of fastText's supervised models whose labels are language codes, like lid.176.ftz.
func Open(path string) (*Detector, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Read reads a model as Open does.
func Read(r io.Reader) (*Detector, error) {
	b := bufio.NewReader(r)
	begin, _ := b.Peek(len(head))
	if string(begin) != head {
		m, err := fasttext.Read(b)
		if err != nil {
			return nil, err
		}
		return newDetector(m, description{}, true), nil
	}
	if _, err := b.Discard(len(head)); err != nil {
		return nil, err
	}
	var text []byte
	for {
		part, err := b.ReadSlice('\n')
		if text = append(text, part...); len(text) > maxDescription {
			return nil, fmt.Errorf("%w: its description is too long", ErrFormat)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	var about description
	if err := json.Unmarshal(text, &about); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if n := len(about.Scale); n != 0 && n != lengthClasses {
		return nil, fmt.Errorf("%w: %d scales, not %d", ErrFormat, n, lengthClasses)
	}
	z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxModel))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	m, err := fasttext.ReadCompact(io.LimitReader(z, maxModel))
	if err != nil {
		return nil, err
	}
	return newDetector(m, about, false), nil
}

// write writes the model as Read reads it.
func write(w io.Writer, m *fasttext.Model, about description) error {
	text, err := json.Marshal(about)
	if err != nil {
		return err
	}
	var plain, packed bytes.Buffer
	if err := m.Write(&plain); err != nil {
		return err
	}
	z, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	for _, part := range [][]byte{[]byte(head), text, {'\n'}, packed.Bytes()} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func newDetector(m *fasttext.Model, about description, raw bool) *Detector {
	d := &Detector{model: m, raw: raw, about: about, byCode: map[string]int{}}
	for i, label := range m.Labels() {
		code := label
		if code == "no" {
			code = "nb"
		}
		d.iso = append(d.iso, code)
		d.byCode[code] = i
		d.prior = append(d.prior, float32(about.Prior[label]))
		if in := about.Scripts[label]; len(in) > 0 {
			for s := range scripts {
				if slices.Contains(in, s.String()) {
					d.allow(s, i)
				}
			}
			continue
		}
		for s := range scripts {
			d.allow(s, i)
		}
	}
	for s := range d.single {
		d.single[s] = -1
		n := 0
		for i := range m.Labels() {
			if allowed(d.possible[s], i) {
				d.among[s] = append(d.among[s], uint16(i))
				n++
				d.single[s] = i
			}
		}
		if n != 1 {
			d.single[s] = -1
		}
	}
	d.chinese = slices.DeleteFunc(slices.Clone(d.among[Han]), func(i uint16) bool { return d.iso[i] == "ja" })
	d.pool.New = func() any { return newWork(m) }
	return d
}

func (d *Detector) allow(s Script, label int) {
	if d.possible[s] == nil {
		d.possible[s] = make([]uint64, (len(d.model.Labels())+63)/64)
	}
	d.possible[s][label/64] |= 1 << (label % 64)
}

func allowed(set []uint64, label int) bool {
	return set != nil && set[label/64]>>(label%64)&1 != 0
}

// Languages returns the codes the model knows, sorted.
func (d *Detector) Languages() []string {
	all := slices.Clone(d.iso)
	slices.Sort(all)
	return all
}

// Name returns the English name of a code as Azure gives it, or the code where there is none.
func Name(iso string) string {
	if n := names[iso]; n != "" {
		return n
	}
	return strings.ToUpper(iso)
}
