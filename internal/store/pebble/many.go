package pebble

import (
	"bytes"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// few keys are looked up one by one.
const few = 1

// GetMany implements store.Snapshot: one iterator goes from key to key, forward only.
func (s *snapshot) GetMany(keys [][]byte, fn func(i int, value []byte) bool) error {
	if s.done {
		return errDone
	}
	if len(keys) <= few { // Bloom filters then save more than the iterator does
		return store.GetEach(s.Get, keys, fn)
	}
	last := keys[len(keys)-1]
	it, err := s.iter(store.Range{Start: keys[0], End: append(last[:len(last):len(last)], 0)})
	if err != nil {
		return err
	}
	if it == nil {
		for i := range keys {
			if !fn(i, nil) {
				break
			}
		}
		return nil
	}
	defer s.back(it)
	valid := it.First()
	seeks := 0 // how many keys are sought right away, as the last one was not the one behind its neighbour
	for i, key := range keys {
		if i > 0 && bytes.Compare(keys[i-1], key) > 0 {
			return store.ErrUnsorted
		}
		want := appendKey(s.key[:0], s.id, key)
		c := 1
		if valid {
			c = bytes.Compare(it.Key(), want)
		}
		if c < 0 && seeks == 0 {
			if valid = it.Next(); valid {
				c = bytes.Compare(it.Key(), want)
			}
		}
		if valid && c < 0 {
			if seeks--; seeks < 0 {
				seeks = 16
			}
			if valid = it.SeekGE(want); valid {
				c = bytes.Compare(it.Key(), want)
			}
		}
		if err := it.Error(); err != nil {
			return fmt.Errorf("store: get: %w", err)
		}
		var value []byte
		if valid && c == 0 {
			if value = it.Value(); value == nil {
				value = []byte{}
			}
		}
		if !fn(i, value) {
			return nil
		}
	}
	return nil
}

// GetMany implements store.Snapshot.
func (t *tx) GetMany(keys [][]byte, fn func(i int, value []byte) bool) error {
	return store.GetEach(t.Get, keys, fn)
}
