package items

import (
	"context"
	"fmt"
	mrand "math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// BenchmarkCreate is a durable create of an indexed document of 1 KB by 8 writers of one range.
func BenchmarkCreate(b *testing.B) {
	s, r := benchFind(b, 0)
	pad := strings.Repeat("x", 750)
	var n atomic.Int64
	b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	bar := benchbar.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			d, err := Parse(fmt.Appendf(nil, `{"id":"%d","pk":"a","name":"name %d","n":%d,"mod":%d,"tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":"%s"}`,
				i, i, i, i%1000, pad))
			if err == nil {
				_, _, err = s.Apply(context.Background(), r, time.Now(), []Write{{Op: Create, EPK: "00", ID: d.ID, Doc: d}})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	bar.Allocs(44)
}

// BenchmarkGet is a point read of one document in 2,000, at random.
func BenchmarkGet(b *testing.B) {
	s, r := benchFind(b, 2000)
	b.ResetTimer()
	bar := benchbar.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			it, _, err := s.Get(context.Background(), r, "00", strconv.Itoa(mrand.IntN(2000)), 0)
			if it == nil || err != nil {
				b.Error("not found: ", err)
				return
			}
		}
	})
	bar.Allocs(10)
}
