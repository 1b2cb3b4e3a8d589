package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// measured is one figure of one round: by processor time, and by the clock.
type measured struct {
	best, clock float64
	least       bool // the smallest is the best
	note        string
}

type row struct {
	name, unit, aim string
	all             []measured
}

func (r *row) best() measured {
	b := r.all[0]
	for _, m := range r.all[1:] {
		if b.least == (m.best < b.best) {
			b = m
		}
	}
	return b
}

type table struct{ rows []*row }

func (t *table) rate(name, unit, aim string, m measured) {
	for _, r := range t.rows {
		if r.name == name {
			r.all = append(r.all, m)
			return
		}
	}
	t.rows = append(t.rows, &row{name, unit, aim, []measured{m}})
}

// ratio is the best ratio of two rows within one round.
func (t *table) ratio(a, b string) (best float64) {
	var over, under *row
	for _, r := range t.rows {
		switch r.name {
		case a:
			over = r
		case b:
			under = r
		}
	}
	for i := range over.all {
		best = max(best, over.all[i].best/under.all[i].best)
	}
	return best
}

func (t *table) print(w io.Writer, commit string) {
	load, _ := os.ReadFile("/proc/loadavg")
	average, _, _ := strings.Cut(string(load), " ")
	fmt.Fprintf(w, "%s, %s, one core, %s, commit %s, load average at the end %s\n\n", time.Now().UTC().Format("2006-01-02"), machine.Processor(), runtime.Version(), commit, average)
	fmt.Fprintln(w, "| figure | best, by processor time | all rounds | by the clock, best round | unit | aim |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range t.rows {
		var all []string
		for _, m := range r.all {
			all = append(all, number(m.best))
		}
		b := r.best()
		clock := ""
		if b.clock > 0 {
			clock = number(b.clock)
		}
		unit := r.unit
		if b.note != "" {
			unit += ", " + b.note
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.name, number(b.best), strings.Join(all, ", "), clock, unit, r.aim)
	}
}

func number(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%d,%03d", int(v)/1000, int(v)%1000)
	}
	return fmt.Sprintf("%.3g", v)
}
