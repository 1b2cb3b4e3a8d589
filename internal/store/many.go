package store

import (
	"bytes"
	"errors"
)

// ErrUnsorted answers a GetMany whose keys are not in order.
var ErrUnsorted = errors.New("store: GetMany needs its keys in order")

// GetEach is GetMany by as many calls of get, for a Snapshot that has no better way.
func GetEach(get func(key []byte) ([]byte, error), keys [][]byte, fn func(i int, value []byte) bool) error {
	for i, key := range keys {
		if i > 0 && bytes.Compare(keys[i-1], key) > 0 {
			return ErrUnsorted
		}
		v, err := get(key)
		if err != nil {
			return err
		}
		if !fn(i, v) {
			break
		}
	}
	return nil
}
