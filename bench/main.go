// Command bench measures the platform from outside: it starts the built binary, loads it over HTTPS from this process, and measures peers in the same run,
// interleaved, several rounds. It prints a Markdown table; with -brief it runs shortly and fails where a ratio to a peer is below half its aim.
//
//	bench -bin ../bin/bulkhead [-brief] [-rounds 5]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/report"
)

// options are what the command line says.
type options struct {
	bin    string
	brief  bool
	rounds int
	span   time.Duration // of one load in one round
	only   string        // part of a load's name; "": all
	pgo    string        // file for the platform's processor profile; "": none
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.bin, "bin", "../bin/bulkhead", "the binary to measure")
	flag.BoolVar(&o.brief, "brief", false, "a short run that fails on a bad ratio, not on an absolute figure")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the best of each figure counts")
	flag.DurationVar(&o.span, "span", 3*time.Second, "length of one load in one round")
	flag.StringVar(&o.only, "only", "", "run only the loads whose name has this in it, without the starts")
	flag.StringVar(&o.pgo, "profile", "", "write the platform's processor profile during the first round to this file")
	flag.Parse()
	if o.brief {
		o.rounds, o.span = 2, 700*time.Millisecond
	}
	if len(flag.Args()) == 1 && flag.Arg(0) == "sign" { // the peer of the token endpoint, in a process of its own
		if err := serveSigner(os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("bench: ", err)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bulkhead-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := start(ctx, o.bin, dir)
	if err != nil {
		return err
	}
	defer func() { p.stop() }()
	w, err := provision(ctx, p)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	p.stop()

	var r report.Report
	starts := o.rounds
	if o.only != "" {
		starts = 0
	}
	for range starts { // the second start, and what the process holds when idle
		if p, err = start(ctx, o.bin, dir); err != nil {
			return err
		}
		r.Least("second start to ready", "ms", float64(p.ready.Microseconds())/1000, report.Aim{Most: 150})
		time.Sleep(time.Second)
		rss, err := p.rss()
		if err != nil {
			return err
		}
		r.Least("resident memory, idle", "MiB", rss, report.Aim{Most: 60})
		p.stop()
	}
	if p, err = start(ctx, o.bin, dir); err != nil {
		return err
	}
	if err := w.refresh(ctx, p); err != nil {
		return err
	}
	peer, err := startSigner(ctx)
	if err != nil {
		return err
	}
	defer peer.stop()
	if o.pgo != "" {
		watched := make(chan error, 1)
		go func() { watched <- p.profile(ctx, o.pgo, loads*o.span) }()
		if err := w.round(ctx, p, peer, o, &r); err != nil {
			return err
		}
		return <-watched
	}
	for range o.rounds {
		if err := w.round(ctx, p, peer, o, &r); err != nil {
			return err
		}
	}
	if o.only != "" {
		r.Print(os.Stdout)
		return nil
	}
	r.Ratio("tokens against a bare RS256 signer", "RS256 tokens (8 connections)", "bare signing handler (8 connections)", 0.70)
	r.Ratio("item reads against a bare HTTPS handler", "item reads (8 connections)", "bare HTTPS handler, 1 KB (8 connections)", 0.40)
	r.Print(os.Stdout)
	if o.brief {
		return r.JudgeRatios()
	}
	return nil
}
