package pebble

import (
	"context"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func BenchmarkViewGet(b *testing.B) {
	e, err := Open("db", Options{FS: vfs.NewMem()})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	if _, err := e.Update(ctx, "a", func(t store.Tx) error { return t.Put([]byte("k"), make([]byte, 200)) }); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		err := e.View(ctx, "a", func(s store.Snapshot) error {
			v, err := s.Get([]byte("k"))
			if len(v) != 200 {
				b.Fatal("no value")
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
