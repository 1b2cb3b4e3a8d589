// Command security measures Security Center's pipeline on one core, in process: records parsed and put together, events against Sigma rules and analytics, a scan of a
// log from memory, and what is remembered of a machine on which little happens. All in turns, several rounds; it prints a Markdown table of the best and all of them.
//
//	security [-rounds 5] [-rules FOLDER] [-log FILE] [-size MB] [-brief]
//
// Rates are by processor time of the process, which says more than the clock's on a machine that does other things too; the clock's stands beside. With -brief it runs
// shortly and fails where 2,000 rules are slower than four tenths of 250, half the aim.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"

	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// options are what the command line says.
type options struct {
	rounds int
	rules  string // a folder of Sigma rules
	log    string // a recorded audit.log to scan beside the generated one; "": none
	size   int    // megabytes of the generated log
	brief  bool
}

func main() {
	log.SetFlags(0)
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the best of each figure counts")
	flag.StringVar(&o.rules, "rules", "", "a folder of Sigma rules, of which 250 and 2,000 are made; without it there is no row of rules")
	flag.StringVar(&o.log, "log", "", "a recorded audit.log to scan, too")
	flag.IntVar(&o.size, "size", 1000, "megabytes of the generated log")
	flag.BoolVar(&o.brief, "brief", false, "a short run that fails on a bad ratio, not on an absolute figure")
	flag.Parse()
	if o.brief {
		o.rounds, o.size = 2, 20
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("security: ", err)
	}
}

func run(ctx context.Context, o options) error {
	runtime.GOMAXPROCS(1)
	dir, err := os.MkdirTemp("", "bulkhead-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWork(dir, o)
	if err != nil {
		return err
	}
	var t table
	for range o.rounds {
		t.rate("records parsed and put together", "million records/s", ">= 3", w.reassemble())
		for _, s := range w.sets {
			t.rate(s.name, "events/s", s.aim, w.events(s.set))
		}
		debug.SetGCPercent(400) // as bulkhead scan does
		for _, name := range w.logs {
			took, err := w.scan(ctx, name.file)
			if err != nil {
				return err
			}
			t.rate(name.name, "MB/s", ">= 250", took)
		}
		debug.SetGCPercent(100)
		t.rate("memory of a machine after an ordinary day", "KiB", "<= 200", measured{best: w.idle(), least: true})
	}
	t.print(os.Stdout, machine.Commit())
	if len(w.sets) < 3 {
		fmt.Fprintln(os.Stderr, "no folder of rules was given: they are left out")
		return nil
	}
	ratio := t.ratio(w.sets[2].name, w.sets[1].name)
	fmt.Printf("\n2,000 rules against 250: %.2f in the best round; aim >= 0.80\n", ratio)
	if o.brief && ratio < 0.4 {
		return fmt.Errorf("2,000 rules have %.2f of the rate of 250, below half the aim of 0.80", ratio)
	}
	return nil
}

// folder is the rules' folder, or nil if there is none.
func folder(name string) (fs.FS, error) {
	if name == "" {
		return nil, nil
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return os.DirFS(name), nil
}
