package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// aim is what a figure should reach; zero fields ask nothing.
type aim struct{ least, most float64 }

func (a aim) String() string {
	switch {
	case a.least > 0:
		return fmt.Sprintf(">= %g", a.least)
	case a.most > 0:
		return fmt.Sprintf("<= %g", a.most)
	}
	return ""
}

// figure is one measured thing over all rounds.
type figure struct {
	name, unit string
	aim        aim
	values     []float64
	most       bool // the largest is the best
}

func (f *figure) best() float64 {
	b := f.values[0]
	for _, v := range f.values[1:] {
		if f.most == (v > b) {
			b = v
		}
	}
	return b
}

// ratio compares two figures round by round, so that a slow round slows both.
type ratio struct {
	name  string
	value float64
	aim   float64
}

type report struct {
	figures []*figure
	ratios  []ratio
}

func (r *report) add(name, unit string, v float64, a aim, most bool) {
	for _, f := range r.figures {
		if f.name == name {
			f.values = append(f.values, v)
			return
		}
	}
	r.figures = append(r.figures, &figure{name, unit, a, []float64{v}, most})
}

func (r *report) least(name, unit string, v float64, a aim) { r.add(name, unit, v, a, false) }
func (r *report) most(name, unit string, v float64, a aim)  { r.add(name, unit, v, a, true) }

// ratio takes the best ratio of one round, a over b.
func (r *report) ratio(name, a, b string, want float64) {
	var fa, fb *figure
	for _, f := range r.figures {
		switch f.name {
		case a:
			fa = f
		case b:
			fb = f
		}
	}
	best := 0.0
	for i := range fa.values {
		best = max(best, fa.values[i]/fb.values[i])
	}
	r.ratios = append(r.ratios, ratio{name, best, want})
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, %d cores, %s, commit %s\n\n", time.Now().UTC().Format("2006-01-02"), machine.Processor(), runtime.NumCPU(), runtime.Version(), machine.Commit())
	fmt.Fprintln(w, "| figure | best | all rounds | unit | aim |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for _, f := range r.figures {
		var all []string
		for _, v := range f.values {
			all = append(all, fmt.Sprintf("%.4g", v))
		}
		fmt.Fprintf(w, "| %s | %.4g | %s | %s | %s |\n", f.name, f.best(), strings.Join(all, ", "), f.unit, f.aim)
	}
	fmt.Fprintln(w, "\n| ratio | best round | aim |")
	fmt.Fprintln(w, "|---|---|---|")
	for _, x := range r.ratios {
		fmt.Fprintf(w, "| %s | %.2f | >= %.2f |\n", x.name, x.value, x.aim)
	}
}

// judgeRatios fails where a ratio is below half its aim. Absolute figures are not judged: machines are noisy.
func (r *report) judgeRatios() error {
	for _, x := range r.ratios {
		if x.value < x.aim/2 {
			return fmt.Errorf("%s: ratio %.2f is below half the aim of %.2f", x.name, x.value, x.aim)
		}
	}
	return nil
}
