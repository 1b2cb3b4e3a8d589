package textmodel

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
)

// ErrMagic is of a file that isn't of the kind and version asked for.
var ErrMagic = errors.New("not a model of this kind and version")

// Pack makes a model's file: the magic (what it is and the version of its form), then what write wrote, deflated. The same writes make the same bytes.
func Pack(magic string, write func(io.Writer) error) ([]byte, error) {
	out := bytes.NewBufferString(magic)
	w, err := flate.NewWriter(out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if err := write(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Unpack reads what Pack's write wrote, or answers ErrMagic. Who reads bounds how much.
func Unpack(magic string, file []byte) (io.Reader, error) {
	body, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, ErrMagic
	}
	return flate.NewReader(bytes.NewReader(body)), nil
}
