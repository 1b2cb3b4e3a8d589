package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/slack"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// benchMetrics is how many metrics, each with a rule of its own, a resource of the benchmark has.
const benchMetrics = 10

// fleet is an engine with many rules, each over an hour of a series of its own, in the real store of metrics.
type fleet struct {
	tb     testing.TB
	e      *engine
	w      *watched
	clk    *clock.Fake
	store  *metrics.Store
	series []metrics.Series
	perMin int // measurements in a minute
}

func benchServer(i int) string {
	return fmt.Sprintf("/subscriptions/0f0e0d0c-0000-0000-0000-000000000001/resourceGroups/rg%d/providers/Microsoft.DBforMySQL/servers/server%06d", i%50, i)
}

func newFleet(tb testing.TB, rules, perMin int) *fleet {
	tb.Helper()
	st, err := pebble.Open(tb.TempDir(), pebble.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	f := &fleet{tb: tb, clk: clock.NewFake(start.Truncate(time.Minute)), perMin: perMin}
	log := slog.New(slog.DiscardHandler)
	if f.store, err = metrics.Open(tb.Context(), metrics.Deps{Store: st, Clock: f.clk, Log: log}); err != nil {
		tb.Fatal(err)
	}
	f.e = newEngine(&Service{deps: Deps{Store: st, Clock: f.clk, Log: log, Source: NewSource(f.store)}})
	f.w = &watched{sub: "0f0e0d0c-0000-0000-0000-000000000001", skipping: map[string]string{}, slices: map[int]int64{}, states: map[string]*instance{}, fired: map[string]int{}}
	f.rules(rules)
	return f
}

// rules makes so many, as they are stored, and the names of what they look at.
func (f *fleet) rules(n int) {
	f.series = make([]metrics.Series, 0, n)
	var all []*compiled
	for i := range n {
		sr := metrics.Series{Resource: benchServer(i / benchMetrics), Namespace: "Microsoft.DBforMySQL/servers", Name: "metric_" + strconv.Itoa(i%benchMetrics)}
		if i%benchMetrics != 0 {
			sr.Resource = f.series[i-1].Resource
		}
		f.series = append(f.series, sr)
		id := strings.Replace(benchServer(i/benchMetrics), "Microsoft.DBforMySQL/servers/", "Microsoft.Insights/metricAlerts/"+sr.Name+"-of-", 1)
		threshold := 1e6
		a := metricAlert{
			Description: "It is high.", Severity: 2, Enabled: true, Scopes: []string{sr.Resource}, Frequency: "PT1M", Window: "PT1H", AutoMitigate: true,
			Criteria: &criteria{Type: criteriaSingle, AllOf: []criterion{{
				Type: staticCriterion, Name: "high", Metric: sr.Name, Operator: "GreaterThan", Threshold: &threshold, Aggregation: []string{"Average", "Maximum", "Total"}[i%3], Dimensions: []dimension{},
			}}},
			Actions: []alertAction{{Group: "/subscriptions/0f0e0d0c-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/ag"}},
		}
		r, err := compileMetricAlert(&arm.Resource{
			ID: id, Name: id[strings.LastIndexByte(id, '/')+1:], Type: metricAlertName, Location: "global", GUID: ids.New(), Properties: raw(a), Private: raw(ruleState{Generation: ids.New()}),
		})
		if err != nil {
			f.tb.Fatal(err)
		}
		all = append(all, r)
	}
	f.w.take(all)
}

// fill measures an hour and more of every series.
func (f *fleet) fill() {
	const minutes, span, batch = 66, 11, 5000 // a request has some minutes of some series
	samples := make([]metrics.Sample, 0, batch*span)
	for done := 0; done < minutes; done += span {
		f.clk.Advance(span * time.Minute)
		for from := 0; from < len(f.series); from += batch {
			samples = samples[:0]
			for i := from; i < min(from+batch, len(f.series)); i++ {
				for k := range span {
					at := f.clk.Now().Add(time.Duration(k-span) * time.Minute)
					samples = append(samples, metrics.Sample{Series: f.series[i], Time: at, Cell: f.cell(i, done+k)})
				}
			}
			if refused, err := f.store.Add(f.tb.Context(), samples); err != nil || len(refused) > 0 {
				f.tb.Fatal(err, refused)
			}
		}
	}
}

// cell is what was measured in a minute: a percentage that rises and falls, once, or some times with some noise.
func (f *fleet) cell(i, minute int) metrics.Cell {
	v := 50 + 40*math.Sin(float64(i)+float64(minute)/9)
	if f.perMin == 1 {
		return metrics.Of(v)
	}
	n := float64(f.perMin)
	return metrics.Cell{Sum: v * n, Min: v - 1.7, Max: v + 2.3, Count: n}
}

// judge judges all rules at a minute, as the engine does in a round; the minute is past each time.
func (f *fleet) judge(minute int64) {
	for i := range sliceCount {
		f.w.slices[i] = minute - 1
		if err := f.e.slice(context.Background(), f.w, i, minute); err != nil {
			f.tb.Fatal(err)
		}
	}
}

// BenchmarkEvaluate: every rule looks at an hour of a series of its own, at the same minute; nothing fires. An operation is a minute of all of them, with what the engine
// does beside: orphans looked for, that the minute was judged stored. BULKHEAD_BENCH_RULES=1000000 makes it so many rules, which takes minutes to fill.
func BenchmarkEvaluate(b *testing.B) {
	size := 2_000
	if n, err := strconv.Atoi(os.Getenv("BULKHEAD_BENCH_RULES")); err == nil {
		size = n
	}
	defer slack.Bound(slack.Platform)() // as the platform has it
	for _, perMin := range []int{1, 6} {
		b.Run(fmt.Sprintf("rules=%d/perMinute=%d", size, perMin), func(b *testing.B) {
			f := newFleet(b, size, perMin)
			f.fill()
			f.series = nil
			minute := minuteOf(f.clk.Now())
			f.judge(minute) // what is found once is found
			memory := resident()
			bar := benchbar.Start(b)
			b.ResetTimer()
			for range b.N {
				f.judge(minute)
			}
			b.StopTimer()
			bar.Allocs(1000) // of which none is a rule's
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/minute")
			b.ReportMetric(memory, "resident-MB")
		})
	}
}

// resident is the memory of the process in megabytes, after a collection.
func resident() float64 {
	debug.FreeOSMemory()
	b, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return float64(pages) * float64(os.Getpagesize()) / 1e6
}
