package keyphrase

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// magic begins the models' file: what it is and the version of its form.
const magic = "BHKEYP01"

//go:embed model.bin
var embedded []byte

var loadOnce = sync.OnceValues(func() (*Extractor, error) { return Decode(embedded) })

// Default finds phrases by the models that are embedded in the program, unpacked at the first call.
func Default() (*Extractor, error) { return loadOnce() }

// planes are the file's parts in their order, each of a fixed size.
func (e *Extractor) planes(visit func(signed []int8, plain []uint8) error) error {
	if err := visit(e.wide.weights, nil); err != nil {
		return err
	}
	if err := visit(e.slim.weights, nil); err != nil {
		return err
	}
	for i := range e.models {
		if err := visit(e.models[i].tagger.weights, nil); err != nil {
			return err
		}
		if err := visit(nil, e.models[i].rarity); err != nil {
			return err
		}
	}
	return nil
}

// Encode writes the models' file: the magic, then the tables deflated.
func (e *Extractor) Encode() ([]byte, error) {
	out, err := textmodel.Pack(magic, func(w io.Writer) error {
		return e.planes(func(signed []int8, plain []uint8) error {
			raw := bytes.Clone(plain)
			for _, v := range signed {
				raw = append(raw, byte(v))
			}
			_, err := w.Write(raw)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("encode key phrase models: %w", err)
	}
	return out, nil
}

// Decode reads the models' file. Whatever the bytes are, it doesn't panic, and takes no more memory than the tables.
func Decode(file []byte) (*Extractor, error) {
	r, err := textmodel.Unpack(magic, file)
	if err != nil {
		return nil, fmt.Errorf("decode key phrase models: %w", err)
	}
	e := newExtractor()
	e.allocate()
	var raw []byte
	err = e.planes(func(signed []int8, plain []uint8) error {
		if plain != nil {
			_, err := io.ReadFull(r, plain)
			return err
		}
		raw = append(raw[:0], make([]byte, len(signed))...)
		if _, err := io.ReadFull(r, raw); err != nil {
			return err
		}
		for i, v := range raw {
			signed[i] = int8(v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("decode key phrase models: %w", err)
	}
	return e, nil
}

// allocate makes the tables.
func (e *Extractor) allocate() {
	e.wide.weights = make([]int8, 1<<wideBits)
	e.slim.weights = make([]int8, 1<<slimBits)
	for i := range e.models {
		e.models[i].tagger.weights = make([]int8, tagRow<<tagBits)
		e.models[i].rarity = make(rarity, 1<<dfBits)
	}
}
