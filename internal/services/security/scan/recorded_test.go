package scan

import (
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// BenchmarkRecorded reads a log of one's own, named by BULKHEAD_AUDIT_LOG: recorded work has longer command lines and more different ones than what agent/replay writes. An operation is the whole file.
func BenchmarkRecorded(b *testing.B) {
	name := os.Getenv("BULKHEAD_AUDIT_LOG")
	if name == "" {
		b.Skip("BULKHEAD_AUDIT_LOG names no log")
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	bar := benchbar.Start(b)
	var report Report
	for b.Loop() {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		s := New(options())
		if err := s.Read(b.Context(), name, f, info.Size()); err != nil {
			b.Fatal(err)
		}
		report = s.Report()
		runtime.KeepAlive(s)
	}
	bar.Allocs(1e9) // for its processor time
	b.ReportMetric(float64(report.Audit.Events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(len(report.Results)), "results")
}
