package lang

import (
	_ "embed"
	"strings"
	"sync"
)

// shipped is a string, which is in the program's read-only part: once the model is unpacked, its pages can be given back (see internal/slack).
//
//go:embed model.bin
var shipped string

var loaded = sync.OnceValues(func() (*Detector, error) { return Read(strings.NewReader(shipped)) })

// Default returns the detector with the model that is part of the binary. It is read once.
func Default() (*Detector, error) { return loaded() }
