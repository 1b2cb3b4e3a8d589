package store

import (
	"encoding/json"
	"fmt"
)

// Codec is how records of type T are stored: a kind byte, a version byte, a JSON body. Readers accept every older
// version, writers write the newest. A Codec is a constant of its package; safe for concurrent use.
type Codec[T any] struct {
	Kind    byte // tells records apart that share a shard; unique within it
	Version byte // of the body as it is written now; counts from 1
	// Upgrade turns the body of an older version into one of the present version. Required once Version is above 1.
	Upgrade func(from byte, body []byte) ([]byte, error)
}

// Encode returns v as a record of the newest version.
func (c Codec[T]) Encode(v T) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store: encode record kind %d: %w", c.Kind, err)
	}
	b := make([]byte, 0, 2+len(body))
	return append(append(b, c.Kind, c.Version), body...), nil
}

// Decode reads a record of any version up to the present one. A newer one answers ErrVersion.
func (c Codec[T]) Decode(b []byte) (T, error) {
	var v T
	if len(b) < 2 {
		return v, fmt.Errorf("store: a record of %d bytes, too short for its kind and version", len(b))
	}
	kind, version, body := b[0], b[1], b[2:]
	if kind != c.Kind {
		return v, fmt.Errorf("store: record of kind %d where kind %d belongs", kind, c.Kind)
	}
	if version > c.Version {
		return v, fmt.Errorf("%w: record kind %d has version %d, this program knows up to %d", ErrVersion, kind, version, c.Version)
	}
	if version < c.Version {
		if version == 0 || c.Upgrade == nil {
			return v, fmt.Errorf("store: record kind %d of version %d cannot be read as version %d", kind, version, c.Version)
		}
		var err error
		if body, err = c.Upgrade(version, body); err != nil {
			return v, fmt.Errorf("store: upgrade record kind %d from version %d to %d: %w", kind, version, c.Version, err)
		}
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("store: decode record kind %d version %d: %w", kind, version, err)
	}
	return v, nil
}
