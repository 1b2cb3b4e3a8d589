package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// The figures, and how many times what Prometheus takes Bulkhead may be expected to be faster by.
const (
	figureIngest = "a sample taken by remote_write"
	figureChart  = "a chart of 30 days in hours"
	figureRules  = "a rule over an hour"
	figureVector = "the same, all series by one expression of Prometheus'"
)

var aims = map[string]float64{figureIngest: 0.8, figureChart: 1, figureRules: 20, figureVector: 2}

// cost is what one of something took, by processor time and by the clock.
type cost struct{ cpu, wall time.Duration }

type row struct {
	name         string
	ours, theirs []cost
}

type table struct{ rows []*row }

func (t *table) row(name string) *row {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name}
	t.rows = append(t.rows, r)
	return r
}

// server is one of the two.
type server interface {
	write(ctx context.Context, resource int, body []byte) error
	chart(ctx context.Context, past history, server int) error
	process() *exec.Cmd
}

// spent runs fn and tells what a server's process spent on it.
func spent(s server, n int, fn func() error) (cost, error) {
	before, begin := machine.SpentBy(s.process()), time.Now()
	err := fn()
	return cost{(machine.SpentBy(s.process()) - before) / time.Duration(n), time.Since(begin) / time.Duration(n)}, err
}

// ingest sends a load, a connection for each resource.
func (t *table) ingest(ctx context.Context, s server, name string, l *load) error {
	c, err := spent(s, l.samples, func() error {
		var all sync.WaitGroup
		errs := make([]error, resources)
		for r := range resources {
			all.Go(func() {
				for _, body := range l.bodies[r] {
					if errs[r] = s.write(ctx, r, body); errs[r] != nil {
						return
					}
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
	r := t.row(figureIngest)
	if name == "Bulkhead" {
		r.ours = append(r.ours, c)
	} else {
		r.theirs = append(r.theirs, c)
	}
	return err
}

func (t *table) charts(ctx context.Context, b, p server, past history, n int) error {
	ask := func(s server) (cost, error) {
		return spent(s, n, func() error {
			for i := range n {
				if err := s.chart(ctx, past, i%servers); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ours, err := ask(b)
	if err != nil {
		return err
	}
	theirs, err := ask(p)
	r := t.row(figureChart)
	r.ours, r.theirs = append(r.ours, ours), append(r.theirs, theirs)
	return err
}

// rules waits for Prometheus to have evaluated its rules some times, and evaluates ours.
func (t *table) rules(ctx context.Context, h *hour, p *prometheus, o options) error {
	n := o.rules
	const times = 3
	wait := func(more int) (took time.Duration, err error) {
		first, _, err := p.evaluations(ctx)
		for err == nil {
			var now int
			if now, took, err = p.evaluations(ctx); now >= first+more {
				return took, err
			}
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(o.every / 10):
			}
		}
		return 0, err
	}
	if _, err := wait(1); err != nil {
		return err
	}
	before := machine.SpentBy(p.process())
	took, err := wait(times)
	if err != nil {
		return err
	}
	theirs := cost{(machine.SpentBy(p.process()) - before) / time.Duration(times*n), took / time.Duration(n)}
	cpu, wall, err := h.measure(ctx)
	if err != nil {
		return err
	}
	ours := cost{cpu / time.Duration(n), wall / time.Duration(n)}
	r := t.row(figureRules)
	r.ours, r.theirs = append(r.ours, ours), append(r.theirs, theirs)
	if err := p.judging(ctx, false); err != nil {
		return err
	}
	const asks = 50
	vector, err := spent(p, asks*n, func() error {
		for range asks {
			if err := p.vector(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r = t.row(figureVector)
	r.ours, r.theirs = append(r.ours, ours), append(r.theirs, vector)
	return p.judging(ctx, true)
}

// ratios are how many times Prometheus' processor time ours is in, round by round.
func (r *row) ratios() (out []float64) {
	for i := range r.ours {
		out = append(out, float64(r.theirs[i].cpu)/float64(max(r.ours[i].cpu, 1)))
	}
	return out
}

func (t *table) print(w io.Writer, o options) {
	average, _ := os.ReadFile("/proc/loadavg")
	now, _, _ := strings.Cut(string(average), " ")
	fmt.Fprintf(w, "%s, %s, %d cores, %s, commit %s, load average at the end %s, %d rounds; %d series by remote_write, %d rules\n\n", time.Now().UTC().Format("2006-01-02"), machine.Processor(), runtime.NumCPU(),
		runtime.Version(), machine.Commit(), now, o.rounds, resources*o.series, o.rules)
	fmt.Fprintln(w, "| what | Bulkhead, CPU us, all rounds | by the clock | Prometheus, CPU us | by the clock | ratio by CPU | aim |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	list := func(all []cost, of func(cost) time.Duration) string {
		var out []string
		for _, c := range all {
			out = append(out, strconv.FormatFloat(float64(of(c).Nanoseconds())/1000, 'g', 3, 64))
		}
		return strings.Join(out, ", ")
	}
	cpu, wall := func(c cost) time.Duration { return c.cpu }, func(c cost) time.Duration { return c.wall }
	for _, r := range t.rows {
		var ratios []string
		for _, v := range r.ratios() {
			ratios = append(ratios, strconv.FormatFloat(v, 'f', 2, 64))
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | >= %g |\n", r.name, list(r.ours, cpu), list(r.ours, wall), list(r.theirs, cpu), list(r.theirs, wall), strings.Join(ratios, ", "), aims[r.name])
	}
}

// judge fails a brief run with a ratio below half its aim in the best round.
func (t *table) judge(brief bool) error {
	for _, r := range t.rows {
		best := 0.0
		for _, v := range r.ratios() {
			best = max(best, v)
		}
		if brief && best < aims[r.name]/2 {
			return fmt.Errorf("%s: the ratio to Prometheus is %.2f, below half the aim of %g", r.name, best, aims[r.name])
		}
	}
	return nil
}
