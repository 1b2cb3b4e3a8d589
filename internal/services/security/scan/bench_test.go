package scan

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// ordinary is the audit.log of a machine that builds programs, about 50 MB.
var ordinary = sync.OnceValue(func() []byte {
	log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "build1"}
	replay.Benign(log, 30_000, 1)
	audit, _ := log.Take()
	return []byte(audit)
})

// BenchmarkScan is what a log costs from its bytes to findings: an operation is a record. Of a benign log nothing worse than Low may be told.
func BenchmarkScan(b *testing.B) {
	log := ordinary()
	records := bytes.Count(log, []byte{'\n'})
	s := New(options())
	read := func() {
		if err := s.Read(b.Context(), "log", bytes.NewReader(log), int64(len(log))); err != nil {
			b.Fatal(err)
		}
	}
	read() // what is remembered of the machine has its size then
	b.SetBytes(int64(len(log) / records))
	bar := benchbar.Start(b)
	for n := 0; n < b.N; n += records {
		part := log
		if left := b.N - n; left < records {
			part = log[:len(log)*left/records]
		}
		if err := s.Read(b.Context(), "log", bytes.NewReader(part), int64(len(part))); err != nil {
			b.Fatal(err)
		}
	}
	bar.Allocs(1.5)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	for _, r := range s.Report().Results {
		if r.severity > 1 {
			b.Errorf("%+v", r)
		}
	}
}
