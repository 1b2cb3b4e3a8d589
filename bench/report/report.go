// Package report is the table of figures that a benchmark prints, each with its aim and all rounds.
package report

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// Aim is what a figure should reach; zero fields ask nothing.
type Aim struct{ Least, Most float64 }

func (a Aim) String() string {
	switch {
	case a.Least > 0:
		return fmt.Sprintf(">= %g", a.Least)
	case a.Most > 0:
		return fmt.Sprintf("<= %g", a.Most)
	}
	return ""
}

// figure is one measured thing over all rounds.
type figure struct {
	name, unit string
	aim        Aim
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

// Report is all figures of a run.
type Report struct {
	figures []*figure
	ratios  []ratio
}

func (r *Report) add(name, unit string, v float64, a Aim, most bool) {
	for _, f := range r.figures {
		if f.name == name {
			f.values = append(f.values, v)
			return
		}
	}
	r.figures = append(r.figures, &figure{name, unit, a, []float64{v}, most})
}

// Least keeps one round's value of a figure whose least value is the best.
func (r *Report) Least(name, unit string, v float64, a Aim) { r.add(name, unit, v, a, false) }

// Most keeps one round's value of a figure whose largest value is the best.
func (r *Report) Most(name, unit string, v float64, a Aim) { r.add(name, unit, v, a, true) }

// JudgeFigures fails where even the best round of a figure is worse than half of what its aim asks.
func (r *Report) JudgeFigures() error {
	for _, f := range r.figures {
		switch b := f.best(); {
		case f.aim.Least > 0 && b < f.aim.Least/2:
			return fmt.Errorf("%s: %.4g %s is below half the aim of %g", f.name, b, f.unit, f.aim.Least)
		case f.aim.Most > 0 && b > f.aim.Most*2:
			return fmt.Errorf("%s: %.4g %s is more than twice the aim of %g", f.name, b, f.unit, f.aim.Most)
		}
	}
	return nil
}

// Ratio takes the best ratio of one round, a over b.
func (r *Report) Ratio(name, a, b string, want float64) {
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

// Print writes the tables as Markdown.
func (r *Report) Print(w io.Writer) {
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
	if len(r.ratios) == 0 {
		return
	}
	fmt.Fprintln(w, "\n| ratio | best round | aim |")
	fmt.Fprintln(w, "|---|---|---|")
	for _, x := range r.ratios {
		fmt.Fprintf(w, "| %s | %.2f | >= %.2f |\n", x.name, x.value, x.aim)
	}
}

// JudgeRatios fails where a ratio is below half its aim. Absolute figures are not judged: machines are noisy.
func (r *Report) JudgeRatios() error {
	for _, x := range r.ratios {
		if x.value < x.aim/2 {
			return fmt.Errorf("%s: ratio %.2f is below half the aim of %.2f", x.name, x.value, x.aim)
		}
	}
	return nil
}
