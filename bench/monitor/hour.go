package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/services/monitor/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// hourMinutes is how many minutes before now have data.
const hourMinutes = 64

// hour is an hour and some minutes of series, in Bulkhead's store of metrics in this process, with a rule for each series.
type hour struct {
	series int
	end    time.Time
	disk   *pebble.Engine
	rules  []*alerting.Rule
	ev     alerting.Evaluator
}

func (h *hour) at(minute int) time.Time {
	return h.end.Add(time.Duration(minute-hourMinutes) * time.Minute)
}

func (h *hour) value(series, minute int) float64 { return float64(series%90) + float64(minute)/8 }

func newHour(ctx context.Context, dir string, series int, end time.Time) (*hour, error) {
	h := &hour{series: series, end: end}
	var err error
	if h.disk, err = pebble.Open(dir, pebble.Options{}); err != nil {
		return nil, err
	}
	clk := clock.NewFake(h.at(0))
	st, err := metrics.Open(ctx, metrics.Deps{Store: h.disk, Clock: clk})
	if err != nil {
		return nil, err
	}
	for m := range hourMinutes {
		var samples []metrics.Sample
		for i := range series {
			samples = append(samples, metrics.Sample{Series: metrics.Series{Resource: "/servers/" + hostName(i), Namespace: "prometheus", Name: "busy"}, Time: h.at(m), Cell: metrics.Of(h.value(i, m))})
		}
		if refused, err := st.Add(ctx, samples); err != nil || len(refused) > 0 {
			return nil, fmt.Errorf("hour: %v %w", refused, err)
		}
		clk.Advance(time.Minute)
	}
	for i := range series {
		r := &alerting.Rule{
			ID: hostName(i), Frequency: 1, Window: 60, AutoMitigate: true, Resources: []string{"/servers/" + hostName(i)},
			Criteria: []alerting.Criterion{{Name: "high", Namespace: "prometheus", Metric: "busy", Aggregation: alerting.Average, Operator: alerting.GreaterThan, Threshold: 1e6}},
		}
		r.Compile()
		h.rules = append(h.rules, r)
	}
	h.ev.Source = alerts.NewSource(st)
	return h, h.evaluate(ctx)
}

// evaluate judges all rules once, one after the other as Prometheus does with those of a group.
func (h *hour) evaluate(ctx context.Context) error {
	minute := h.end.Unix() / 60
	for i, r := range h.rules {
		out, err := h.ev.Evaluate(ctx, r, minute)
		if err != nil {
			return err
		}
		want := h.value(i, 0) + (float64(hourMinutes-60)+float64(hourMinutes-1))/2/8
		if len(out) != 1 || out[0].Verdict != alerting.Healthy || out[0].Measured[0].Value-want > 1e-9 || want-out[0].Measured[0].Value > 1e-9 {
			return fmt.Errorf("rule %d: %+v, want %g", i, out, want)
		}
	}
	return nil
}

// measure is the processor time of an evaluation of all rules, and the clock's.
func (h *hour) measure(ctx context.Context) (cpu, wall time.Duration, err error) {
	const times = 20 // the system tells processor time in steps
	runtime.GC()
	begin, before := time.Now(), machine.Spent()
	for range times {
		if err := h.evaluate(ctx); err != nil {
			return 0, 0, err
		}
	}
	return (machine.Spent() - before) / times, time.Since(begin) / times, nil
}

func (h *hour) close() { _ = h.disk.Close() }
