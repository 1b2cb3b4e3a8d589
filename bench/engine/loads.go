package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// term is one indexed value of a document. SQLite, which has no index of documents, is given them ready.
type term struct {
	path  int
	value any
}

// document has about 1 KB and twelve indexed values.
type document struct {
	pk, id, name string
	n            int
	text         string
	terms        []term
}

func newDocument(pk string, n int) document {
	pad := strings.Repeat("x", 750)
	d := document{pk: pk, id: fmt.Sprint(n), name: fmt.Sprint("name ", n), n: n}
	d.text = fmt.Sprintf(`{"id":%q,"pk":%q,"name":%q,"n":%d,"mod":%d,"tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":%q}`,
		d.id, pk, d.name, n, n%mods, pad)
	for path, v := range []any{d.id, pk, d.name, n, n % mods, "a", "b", "c", "1 Main Street", "Redmond", 98052, pad[:64], "shape"} {
		d.terms = append(d.terms, term{path, v})
	}
	return d
}

// Paths of terms that are asked for.
const (
	pathName = 2
	pathN    = 3
	pathMod  = 4
)

// load is one kind of work.
type load struct {
	name    string
	workers int
	writes  bool
	do      func(ctx context.Context, e engine, worker int) error
}

// loads are what each round does. Ids of inserts are random, so that no two engines or rounds collide.
func loads(ds []document) []load {
	insert := func(ctx context.Context, e engine, w int) error {
		return e.insert(ctx, w, newDocument("p", int(rand.Int64N(1<<52))))
	}
	return []load{
		{"indexed inserts, 8 writers", 8, true, insert},
		{"indexed inserts, 64 writers", 64, true, insert},
		{"point reads, 8 workers", 8, false, func(ctx context.Context, e engine, w int) error { return e.read(ctx, w, ds[rand.IntN(len(ds))]) }},
		{"query by an indexed field, 8 workers", 8, false, func(ctx context.Context, e engine, w int) error {
			return e.byField(ctx, w, ds[rand.IntN(len(ds))])
		}},
		{"ORDER BY page of 100, 8 workers", 8, false, func(ctx context.Context, e engine, w int) error {
			return e.page(ctx, w, rand.IntN(len(ds)/2))
		}},
		{"COUNT of one in 1000, 8 workers", 8, false, func(ctx context.Context, e engine, w int) error {
			return e.count(ctx, w, rand.IntN(mods), len(ds)/mods)
		}},
	}
}

// rate is one figure of one engine, over the rounds.
type rate struct {
	load, engine string
	perSecond    []float64
	p99          []time.Duration
}

type report struct {
	rates []*rate
	load  string // of the machine, at the start
}

func (r *report) measure(ctx context.Context, span time.Duration, l load, e engine) error {
	var done atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, l.workers)
	took := make([][]time.Duration, l.workers)
	begin := time.Now()
	for w := range l.workers {
		wg.Go(func() {
			for last := time.Now(); last.Sub(begin) < span && ctx.Err() == nil; {
				if errs[w] = l.do(ctx, e, w); errs[w] != nil {
					return
				}
				now := time.Now()
				took[w] = append(took[w], now.Sub(last))
				last = now
				done.Add(1)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return err
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	at := r.find(l.name, e.name())
	if at == nil {
		at = &rate{load: l.name, engine: e.name()}
		r.rates = append(r.rates, at)
	}
	at.perSecond = append(at.perSecond, float64(done.Load())/elapsed.Seconds())
	at.p99 = append(at.p99, all[len(all)*99/100])
	return nil
}

func (r *report) find(load, engine string) *rate {
	for _, x := range r.rates {
		if x.load == load && x.engine == engine {
			return x
		}
	}
	return nil
}

func (r *report) print(w *os.File, o options) {
	fmt.Fprintf(w, "%s, %d cores, %s, %d documents, %d rounds of %s, load average %s at the start and %s at the end\n\n",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.Version(), o.items, o.rounds, o.span, r.load, loadAverage())
	fmt.Fprintln(w, "| figure | engine | best 1/s | all rounds | p99, least to most | Bulkhead's ratio to it, each round |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, x := range r.rates {
		var all, ratios []string
		own := r.find(x.load, bulkheadName)
		for i, v := range x.perSecond {
			all = append(all, fmt.Sprintf("%.0f", v))
			if own != x {
				ratios = append(ratios, fmt.Sprintf("%.2f", own.perSecond[i]/v))
			}
		}
		fmt.Fprintf(w, "| %s | %s | %.0f | %s | %.2f to %.2f ms | %s |\n", x.load, x.engine, slices.Max(x.perSecond), strings.Join(all, ", "),
			slices.Min(x.p99).Seconds()*1000, slices.Max(x.p99).Seconds()*1000, strings.Join(ratios, ", "))
	}
}

// loadAverage is that of the last minute, where the system tells.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
