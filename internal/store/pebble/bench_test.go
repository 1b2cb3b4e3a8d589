package pebble_test

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/store/storetest"
)

// BenchmarkEngine compares group commit with one commit at a time (MaxGroup 1), on disk.
func BenchmarkEngine(b *testing.B) {
	for _, m := range []struct {
		name string
		opts pebble.Options
	}{{"grouped", pebble.Options{}}, {"single", pebble.Options{MaxGroup: 1}}} {
		b.Run(m.name, func(b *testing.B) {
			storetest.RunBench(b, func(b *testing.B, dir string) store.Store {
				e, err := pebble.Open(dir, m.opts)
				if err != nil {
					b.Fatal(err)
				}
				return e
			})
		})
	}
}
