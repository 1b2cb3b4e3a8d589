// Package benchbar keeps benchmarks within bars that hold on any machine, however slow or busy: allocations per operation. Times are reported, never judged.
package benchbar

import (
	"runtime"
	"testing"
	"time"
)

// few is below how many operations what the benchmark does once still weighs too much to judge.
const few = 100

// noise is how many allocations the runtime itself may make meanwhile, whatever the benchmark does: in a short run they would weigh as much as a low bar.
const noise = 16

// Bar counts the allocations of the whole process from Start on. For use by one benchmark at a time.
type Bar struct {
	b     *testing.B
	start uint64
	cpu   time.Duration
}

// Start begins to count; call it right before the loop.
func Start(b *testing.B) Bar {
	b.Helper()
	b.ReportAllocs()
	return Bar{b, mallocs(), cpu()}
}

// Allocs fails the benchmark if an operation took more than most allocations. Short runs are not judged. It reports the processor time of an operation, which
// says more than the time on a machine that does other things, too.
func (bar Bar) Allocs(most float64) {
	bar.b.Helper()
	if spent := cpu() - bar.cpu; spent > 0 {
		bar.b.ReportMetric(float64(spent.Nanoseconds())/1000/float64(bar.b.N), "cpu-us/op")
	}
	if got, over := bar.over(most); over {
		bar.b.Errorf("%.1f allocations per operation; want at most %g", got, most)
	}
}

func (bar Bar) over(most float64) (got float64, over bool) {
	got = float64(mallocs()-bar.start) / float64(bar.b.N)
	return got, bar.b.N >= few && got > most+noise/float64(bar.b.N)
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
