package metrics

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// BenchmarkAdd: samples of 20,000 series of 1,000 resources arrive in batches of 5,000, each batch durable before the next. An operation is a batch.
func BenchmarkAdd(b *testing.B) {
	r := newRig(b)
	const resources, metricsEach, batch = 1000, 20, 5000
	samples := make([]Sample, 0, resources*metricsEach)
	for i := range resources {
		id := fmt.Sprintf("/subscriptions/0f0e0d0c-0000-0000-0000-000000000001/resourceGroups/rg%d/providers/Microsoft.Compute/virtualMachines/vm%d", i%20, i)
		for k := range metricsEach {
			samples = append(samples, Sample{Series: Series{Resource: id, Namespace: "Microsoft.Compute/virtualMachines", Name: fmt.Sprint("Metric ", k)}, Cell: Of(float64(i) * 1.25)})
		}
	}
	send := func(from, n int) {
		now := r.clock.Now()
		for i := from; i < from+n; i++ {
			samples[i].Time = now
		}
		r.add(samples[from : from+n]...)
	}
	for from := 0; from < len(samples); from += batch {
		send(from, batch)
	}
	bar := benchbar.Start(b)
	from := 0
	for range b.N {
		send(from, batch)
		if from += batch; from == len(samples) {
			from = 0
			r.clock.Advance(time.Minute)
		}
	}
	bar.Allocs(2 * batch) // in a short run; a series that is new, or grows, needs some, else there is none for a sample
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "samples/s")
}

// BenchmarkQuery_30Days: a chart of 30 days of minutes, in hours.
func BenchmarkQuery_30Days(b *testing.B) {
	r := newRig(b)
	const days = 30
	for i := range days * 24 * 60 / 20 {
		var samples []Sample
		for k := range 20 {
			samples = append(samples, Sample{cpu(), r.clock.Now().Add(time.Duration(k-19) * time.Minute), Of(50 + 40*math.Sin(float64(i*20+k)))})
		}
		r.add(samples...)
		r.clock.Advance(20 * time.Minute)
		if i%60 == 0 {
			r.freeze()
		}
	}
	r.freeze()
	q := Query{Resource: server, Names: []string{"cpu_percent"}, From: r.clock.Now().Add(-days * 24 * time.Hour), To: r.clock.Now(), Grain: time.Hour}
	for b.Loop() {
		res := r.query(q)
		if n := len(res[0].Lines[0].Cells); n != days*24 {
			b.Fatal(n)
		}
	}
}

// BenchmarkWindow: an alert rule's hour of a series.
func BenchmarkWindow(b *testing.B) {
	r := newRig(b)
	for range 70 {
		r.add(Sample{cpu(), r.clock.Now(), Of(3)})
		r.clock.Advance(time.Minute)
	}
	ref := r.Select(Selector{Resource: server})[0].Ref
	to := r.clock.Now()
	ctx := b.Context()
	bar := benchbar.Start(b)
	for range b.N {
		if _, n, _ := r.Window(ctx, ref, to.Add(-time.Hour), to); n != 60 {
			b.Fatal(n)
		}
	}
	bar.Allocs(0)
}

// BenchmarkWindow_Day: a rule's day, out of blocks.
func BenchmarkWindow_Day(b *testing.B) {
	r := newRig(b)
	for range 80 {
		var samples []Sample
		for k := range 20 {
			samples = append(samples, Sample{cpu(), r.clock.Now().Add(time.Duration(k-19) * time.Minute), Of(float64(k))})
		}
		r.add(samples...)
		r.clock.Advance(20 * time.Minute)
		r.freeze()
	}
	ref := r.Select(Selector{Resource: server})[0].Ref
	to := r.clock.Now().Add(-time.Hour)
	for b.Loop() {
		if _, n, err := r.Window(b.Context(), ref, to.Add(-24*time.Hour), to); n != 1440 {
			b.Fatal(n, err)
		}
	}
}
