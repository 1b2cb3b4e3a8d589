package pebble

import (
	"bytes"
	"hash/maphash"
)

// Bounds of a shard's hot keys.
const (
	hotKeys  = 32
	hotKey   = 64  // bytes
	hotValue = 512 // bytes
	hotSeen  = 64
)

// hot keeps the few small values that function after function of a shard reads (a counter, a setting, its absence), so that they are not looked up in
// Pebble each time. It holds what the last applied group left. Only the shard's leader may use it: nobody else writes the shard.
type hot struct {
	seed   maphash.Seed
	values map[string][]byte // nil: the key is absent
	seen   [hotSeen]uint32   // of keys that were read lately, by a part of their hash: one that is read again is kept
}

func newHot() *hot { return &hot{seed: maphash.MakeSeed(), values: map[string][]byte{}} }

func (h *hot) get(key []byte) (value []byte, known bool) {
	value, known = h.values[string(key)]
	return value, known
}

// read tells of a value that was looked up in Pebble. It must stay as it is.
func (h *hot) read(key, value []byte) {
	if len(key) > hotKey || len(value) > hotValue {
		return
	}
	sum := maphash.Bytes(h.seed, key)
	at, mark := sum%hotSeen, uint32(sum>>32)|1
	if h.seen[at] != mark {
		h.seen[at] = mark
		return
	}
	if len(h.values) >= hotKeys {
		clear(h.values)
	}
	h.values[string(key)] = value
}

// applied tells of a group that was handed to Pebble.
func (h *hot) applied(o *overlay) {
	if len(o.spans) > 0 {
		h.forget()
		return
	}
	for k := range h.values {
		v, decided := o.get([]byte(k))
		switch {
		case !decided:
		case len(v) > hotValue:
			delete(h.values, k)
		default:
			h.values[k] = bytes.Clone(v) // the overlay's pieces are large
		}
	}
}

// forget drops everything: what the shard holds is not known.
func (h *hot) forget() { clear(h.values) }
