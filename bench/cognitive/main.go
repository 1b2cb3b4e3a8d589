// Command cognitive measures the Cognitive Services containers from outside: from start to ready, what they hold in memory, single-document and thousand-document requests
// over HTTP; and, inside this process, what a request allocates. It prints a Markdown table.
//
//	cognitive -bin ../bin/bulkhead [-brief] [-rounds 5] [-span 5s] [-kinds language,sentiment,keyphrase]
//
// The client runs beside the container on the same machine and costs about as much as it does. With -brief it runs shortly and fails on more allocations than there
// shall be and on a figure that is worse than half of its aim in every round.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/report"
)

// mostRounds bounds the rounds of a short run.
const mostRounds = 12

type options struct {
	bin    string
	brief  bool
	rounds int
	span   time.Duration
	kinds  string
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.bin, "bin", "../bin/bulkhead", "the binary to measure")
	flag.BoolVar(&o.brief, "brief", false, "a short run that fails on many allocations and on figures far from their aims")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the best of each figure counts")
	flag.DurationVar(&o.span, "span", 5*time.Second, "length of one load")
	flag.StringVar(&o.kinds, "kinds", "language,sentiment,keyphrase,recognize-text", "the containers whose start is measured")
	flag.Parse()
	if o.brief {
		o.rounds, o.span = 2, 700*time.Millisecond
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("cognitive: ", err)
	}
}

func run(ctx context.Context, o options) error {
	m, err := serveMeter()
	if err != nil {
		return err
	}
	defer m.Close()
	var r report.Report
	allocated, err := allocations(ctx, m.url())
	if err != nil {
		return err
	}
	r.Least("language, allocations of a single-document request", "", allocated.single, report.Aim{Most: mostAllocations})
	r.Least("language, allocations of a document in a request of 1,000", "", allocated.each, report.Aim{})
	// A busy machine gets more rounds before a figure counts as missed.
	for i := 0; i < o.rounds || o.brief && i < mostRounds && r.JudgeFigures() != nil; i++ {
		for kind := range strings.SplitSeq(o.kinds, ",") {
			if err := started(ctx, o, kind, m.url(), &r); err != nil {
				return err
			}
		}
		if err := loaded(ctx, o, m.url(), &r); err != nil {
			return err
		}
	}
	r.Print(os.Stdout)
	if !o.brief {
		return nil
	}
	if err := allocated.judge(); err != nil {
		return err
	}
	return r.JudgeFigures()
}
