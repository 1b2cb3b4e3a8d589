package lang

import (
	"bytes"
	_ "embed"
	"sync"
)

//go:embed model.bin
var shipped []byte

var loaded = sync.OnceValues(func() (*Detector, error) { return Read(bytes.NewReader(shipped)) })

// Default returns the detector with the model that is part of the binary. It is read once.
func Default() (*Detector, error) { return loaded() }
