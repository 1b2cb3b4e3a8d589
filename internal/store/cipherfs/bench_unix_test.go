//go:build unix

package cipherfs_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// BenchmarkStore compares the engine over plain and encrypted files. Run it several times, so that the two take turns. On a machine that others
// use too, cpu-us/op tells more than the time: it counts this process alone.
func BenchmarkStore(b *testing.B) {
	value := make([]byte, 700)
	for i := range value {
		value[i] = byte(i * i)
	}
	for _, writers := range []int{1, 8, 64} {
		both(b, fmt.Sprintf("commit/writers=%d", writers), func(b *testing.B, e *pebble.Engine) {
			defer measure(b)()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						put(b, e, "s", fmt.Sprint("k", i), value)
					}
				})
			}
			wg.Wait()
		})
	}
	both(b, "get", func(b *testing.B, e *pebble.Engine) {
		const n = 20000 // more than the block cache holds
		fill(b, e, n, value)
		b.ResetTimer()
		defer measure(b)()
		for i := range b.N {
			err := e.View(b.Context(), "s", func(s store.Snapshot) error {
				_, err := s.Get(fmt.Appendf(nil, "k%d", i*7919%n))
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func fill(b *testing.B, e *pebble.Engine, n int, value []byte) {
	for at := 0; at < n; at += 1000 {
		_, err := e.Update(b.Context(), "s", func(tx store.Tx) error {
			for i := at; i < at+1000; i++ {
				if err := tx.Put(fmt.Appendf(nil, "k%d", i), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func both(b *testing.B, name string, run func(*testing.B, *pebble.Engine)) {
	for _, kind := range []string{"plain", "encrypted"} {
		b.Run(name+"/"+kind, func(b *testing.B) {
			var below vfs.FS = vfs.Default
			if kind == "encrypted" {
				below = cipherfs.New(below, keys(b, 1))
			}
			e, err := pebble.Open(b.TempDir(), pebble.Options{FS: below, CacheBytes: 1 << 20})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			run(b, e)
			b.StopTimer()
			if err := e.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// measure reports the processor time for each operation, from now until the function it returns is called.
func measure(b *testing.B) func() {
	before := cpu(b)
	return func() { b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op") }
}

// cpu is the processor time this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReadAt is the cost of one read from memory, decrypted or not.
func BenchmarkReadAt(b *testing.B) {
	mem := vfs.NewMem()
	plain := make([]byte, 1<<20)
	for name, f := range map[string]vfs.FS{"plain": mem, "encrypted": cipherfs.New(mem, keys(b, 1))} {
		write(b, f, name, plain)
		for _, size := range []int{64, 4 << 10, 32 << 10} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				r, err := f.Open(name)
				if err != nil {
					b.Fatal(err)
				}
				defer r.Close()
				p := make([]byte, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for i := range b.N {
					if _, err := r.ReadAt(p, int64(i*977%(len(plain)-size))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
