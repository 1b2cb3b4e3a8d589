package rules

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules/rulestest"
)

// BenchmarkEvents is what an event of a benign machine costs once it is put together: analytics and rules. The rules are SigmaHQ's, where they are, and variations of them.
func BenchmarkEvents(b *testing.B) {
	log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "build1"}
	replay.Benign(log, 40_000, 1)
	for _, n := range []int{0, 250, 2000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			set := &Set{}
			if n > 0 {
				folders, err := rulestest.Many(os.DirFS(folder(b)), n)
				if err != nil {
					b.Fatal(err)
				}
				set, _ = Compile(folders)
				b.ReportMetric(float64(set.Len()), "rules")
			}
			found := 0
			report := func(*detect.Finding) { found++ }
			m := detect.New(detect.DefaultParams(), detect.ShippedIndicators(), report)
			x, state := NewMatcher(), &State{}
			var norm activity.Normalizer
			events, spent := 0, time.Duration(0)
			r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
				from := time.Now()
				ev := norm.Audit(e)
				m.Apply(ev)
				x.Apply(set, state, m, ev, report)
				spent += time.Since(from)
				events++
			})
			lines := strings.SplitAfter(strings.TrimSuffix(log.Audit(), "\n"), "\n")
			raw := make([][]byte, len(lines))
			for i, l := range lines {
				raw[i] = []byte(l)
				r.Line(raw[i])
			}
			events, spent = 0, 0
			b.ResetTimer()
			bar := benchbar.Start(b)
			for i := range b.N {
				r.Line(raw[i%len(raw)])
			}
			bar.Allocs(3)
			b.ReportMetric(float64(events)/spent.Seconds(), "events/s")
			b.ReportMetric(float64(found)/float64(events), "findings/event")
		})
	}
}
