// Command engine measures Cosmos DB's engine in process, by the packages that its gateway uses, and databases that do the same work with the same durability:
// PostgreSQL (JSONB with a GIN index) and SQLite (WAL, every commit synced). All in one run, interleaved, several rounds. It prints a Markdown table.
//
//	engine [-rounds 5] [-span 3s] [-items 100000] [-only NAME] [-dir FOLDER]
//	engine -memory [-items 2000000] [-dir FOLDER]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/slack"
)

type options struct {
	rounds, items int
	span          time.Duration
	only, dir     string
	memory        bool
}

// engine is a database under measurement. All methods but load and close are for use by several workers at a time; each worker has a number of its own.
// They fail unless the answer is the one that was expected.
type engine interface {
	name() string
	load(ctx context.Context, ds []document) error // the documents to be asked for
	insert(ctx context.Context, worker int, d document) error
	read(ctx context.Context, worker int, d document) error
	byField(ctx context.Context, worker int, d document) error
	page(ctx context.Context, worker int, above int) error
	count(ctx context.Context, worker int, mod, want int) error
	close()
}

const (
	defaultItems = 100_000

	writersMost = 64
	pageRows    = 100
	mods        = 1000 // values of the field that counts go by
)

func main() {
	log.SetFlags(0)
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the best of each figure counts")
	flag.DurationVar(&o.span, "span", 3*time.Second, "length of one load in one round")
	flag.IntVar(&o.items, "items", defaultItems, "documents that are asked for; at least 2000")
	flag.StringVar(&o.only, "only", "", "run only the loads whose name has this in it")
	flag.StringVar(&o.dir, "dir", "", "where to make the temporary folder of all databases; it should be on a disk")
	flag.BoolVar(&o.memory, "memory", false, "instead of all that, fill Bulkhead alone with -items small documents (2 million unless given) and print what memory it takes")
	flag.Parse()
	o.items = max(o.items, 2*mods) / mods * mods
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("engine: ", err)
	}
}

func run(ctx context.Context, o options) error {
	if err := asBuilt(); err != nil {
		return err
	}
	defer slack.Bound(slack.Platform)() // as the platform has it
	if o.memory {
		dir, err := os.MkdirTemp(o.dir, "bhbench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.items == defaultItems {
			o.items = memoryItems
		}
		return runMemory(ctx, dir, o.items)
	}
	if !slices.ContainsFunc(loads(nil), func(l load) bool { return strings.Contains(l.name, o.only) }) {
		return nil
	}
	dir, err := os.MkdirTemp(o.dir, "bhbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var engines []engine
	defer func() {
		for _, e := range engines {
			e.close()
		}
	}()
	b, err := openBulkhead(ctx, filepath.Join(dir, "b"))
	if err != nil {
		return fmt.Errorf("bulkhead: %w", err)
	}
	engines = append(engines, b)
	s, err := openSQLite(ctx, filepath.Join(dir, "s.db"))
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	engines = append(engines, s)
	switch pg, err := openPostgres(ctx, dir); {
	case err == nil && pg == nil:
		log.Print("PostgreSQL 15 is not installed: its figures are left out")
	case err != nil:
		return fmt.Errorf("postgres: %w", err)
	default:
		engines = append(engines, pg, &grouped{postgres: pg, group: startGroup(pg.insertGroup)})
	}
	ds := make([]document, o.items)
	for i := range ds {
		ds[i] = newDocument("a", i)
	}
	for _, e := range engines {
		begin := time.Now()
		if err := e.load(ctx, ds); err != nil {
			return fmt.Errorf("%s: load: %w", e.name(), err)
		}
		log.Printf("%s: %d documents are there after %.1f s", e.name(), len(ds), time.Since(begin).Seconds())
	}
	r := report{load: loadAverage()}
	for range o.rounds {
		for _, l := range loads(ds) {
			for _, e := range engines {
				if !strings.Contains(l.name, o.only) || !l.writes && strings.Contains(e.name(), groupName) {
					continue
				}
				if err := r.measure(ctx, o.span, l, e); err != nil {
					return fmt.Errorf("%s: %s: %w", e.name(), l.name, err)
				}
			}
		}
	}
	r.print(os.Stdout, o)
	return nil
}

// asBuilt refuses to measure another program than the platform is: with cgo, Pebble's caches are no memory of Go's.
func asBuilt() error {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return nil
	}
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" && s.Value != "0" {
			return errors.New("build it with CGO_ENABLED=0, as the platform is built")
		}
	}
	return nil
}
