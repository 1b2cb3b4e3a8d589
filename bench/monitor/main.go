// Command monitor measures Bulkhead's metrics beside Prometheus': samples taken by remote_write, a chart of 30 days, and alert rules over an hour. Both have the same data and are asked the same, in
// turns, several rounds in one run; both speak HTTPS on loopback. It prints a Markdown table.
//
//	monitor -bin FILE [-rounds 5] [-brief]
//
// Bulkhead is the built binary with its encrypted store; its alert rules are evaluated in this process, by the packages that the binary uses, since the binary does not tell what a minute took.
// Prometheus is Debian's, with its defaults; where it is not installed nothing is measured. An answered remote_write is synced to disk by Bulkhead; Prometheus syncs whole segments of its log only.
// Figures are processor time of the servers, and beside it what the clock said. With -brief it runs shortly and fails where a ratio is below half its aim.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

type options struct {
	bin    string
	rounds int
	brief  bool

	series int // that samples come for by remote_write, of a resource; there are resources of them
	stamps int // timestamps in a round
	charts int // asked for in a round
	rules  int
	every  time.Duration // that Prometheus evaluates them
}

// resources is how many the samples are spread over.
const resources = 8

func main() {
	log.SetFlags(0)
	o := options{series: 2000, stamps: 20, charts: 40, rules: 5000, every: 5 * time.Second}
	flag.StringVar(&o.bin, "bin", "bin/bulkhead", "the built binary")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; ratios are of one round")
	flag.BoolVar(&o.brief, "brief", false, "a short run that fails on a bad ratio, not on an absolute figure")
	flag.Parse()
	if o.brief {
		o.rounds, o.series, o.stamps, o.charts, o.rules, o.every = 2, 500, 20, 20, 500, time.Second
	}
	if _, err := exec.LookPath("prometheus"); err != nil {
		log.Print("prometheus is not installed: metrics are not measured beside it")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("monitor: ", err)
	}
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "bulkhead-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	now := time.Now().UTC().Truncate(time.Minute)
	past := history{end: now.Add(-3 * time.Hour).Truncate(2 * time.Hour)}
	b, err := startBulkhead(ctx, o.bin, filepath.Join(dir, "b"), past)
	if err != nil {
		return fmt.Errorf("bulkhead: %w", err)
	}
	defer b.stop()
	p, err := startPrometheus(ctx, filepath.Join(dir, "p"), past, o)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	defer p.stop()
	hour, err := newHour(ctx, filepath.Join(dir, "h"), o.rules, now)
	if err != nil {
		return err
	}
	defer hour.close()
	if err := p.take(ctx, hour); err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	t := &table{}
	next := now.Add(-5 * time.Minute)
	for range o.rounds {
		load := newLoad(o.series, o.stamps, next)
		next = next.Add(time.Duration(o.stamps) * time.Second)
		if err := errors.Join(t.ingest(ctx, b, "Bulkhead", load), t.ingest(ctx, p, "Prometheus", load)); err != nil {
			return err
		}
		if err := t.charts(ctx, b, p, past, o.charts); err != nil {
			return err
		}
		if err := t.rules(ctx, hour, p, o); err != nil {
			return err
		}
	}
	if err := errors.Join(b.check(ctx, o), p.check(ctx, o)); err != nil {
		return err
	}
	t.print(os.Stdout, o)
	return t.judge(o.brief)
}
