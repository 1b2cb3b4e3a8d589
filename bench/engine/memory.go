package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/slack"
)

// Sizes of the memory run.
const (
	memoryItems = 2_000_000
	memoryKeys  = 1000 // logical partitions
	memoryStep  = 50   // documents in a transaction
	memoryReads = 40_000
)

// memoryText is a document of about 300 bytes with seven indexed values.
func memoryText(n int) string {
	return fmt.Sprintf(`{"id":"%d","pk":"p%d","name":"name %d","n":%d,"mod":%d,"city":"Redmond","text":"%s"}`, n, n%memoryKeys, n, n, n%mods, strings.Repeat("x", 180))
}

// runMemory fills Bulkhead with up to 2 million small documents, reads at random in between, and prints what the process holds as they grow.
func runMemory(ctx context.Context, dir string, documents int) error {
	defer slack.Bound(slack.Platform)() // as the platform has it
	b, err := openBulkhead(ctx, filepath.Join(dir, "memory"))
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("%s, %d cores, %s, load average %s\n\n", time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), runtime.Version(), loadAverage())
	fmt.Println("| documents | resident MiB | most it ever was | once the collector gave back | heap alive | of that blocks | memory tables | files | on disk MiB | creates 1/s | point reads 1/s | p99 of reads ms |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|")
	at := 0
	for _, mark := range []int{documents / 8, documents / 4, documents / 2, documents} {
		begin, from := time.Now(), at
		if at, err = b.fill(ctx, at, mark); err != nil {
			return err
		}
		took := time.Since(begin)
		perSecond, p99, err := b.readAll(ctx, at)
		if err != nil {
			return err
		}
		resident, err := memoryMiB("VmRSS:")
		if err != nil {
			return err
		}
		var m, live runtime.MemStats
		runtime.ReadMemStats(&m)
		debug.FreeOSMemory()
		runtime.ReadMemStats(&live)
		most, err := memoryMiB("VmHWM:")
		if err != nil {
			return err
		}
		least, err := memoryMiB("VmRSS:")
		if err != nil {
			return err
		}
		s := b.disk.Stats()
		fmt.Printf("| %d | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %d | %.0f | %.0f | %.0f | %.2f |\n", at, resident, most, least, mib(live.HeapAlloc), mib(s.CacheBytes), mib(s.MemTableBytes),
			s.Files, diskMiB(dir), float64(at-from)/took.Seconds(), perSecond, p99.Seconds()*1000)
	}
	return nil
}

// fill creates the documents [from, to), in transactions of one logical partition, 8 at a time.
func (b *bulkhead) fill(ctx context.Context, from, to int) (int, error) {
	const workers = 8
	errs := make([]error, workers)
	var wg sync.WaitGroup
	block := memoryStep * memoryKeys // each block has a transaction for each logical partition
	to = (to + block - 1) / block * block
	for w := range workers {
		wg.Go(func() {
			for at := from; at < to && errs[w] == nil && ctx.Err() == nil; at += block {
				for pk := w; pk < memoryKeys && errs[w] == nil; pk += workers {
					errs[w] = b.fillOne(ctx, at+pk)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return 0, err
		}
	}
	return to, nil
}

// fillOne creates a transaction's documents, the first of which is n.
func (b *bulkhead) fillOne(ctx context.Context, n int) error {
	ws := make([]items.Write, memoryStep)
	for i := range ws {
		d := document{pk: fmt.Sprint("p", n%memoryKeys), text: memoryText(n + i*memoryKeys)}
		var err error
		if ws[i], err = writeOf(d); err != nil {
			return err
		}
	}
	_, _, err := b.items.Apply(ctx, b.inserts, time.Now(), ws)
	return err
}

// readAll reads documents at random, 8 at a time.
func (b *bulkhead) readAll(ctx context.Context, n int) (perSecond float64, p99 time.Duration, err error) {
	const workers = 8
	errs := make([]error, workers)
	took := make([][]time.Duration, workers)
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			for range memoryReads / workers {
				i := rand.IntN(n)
				start := time.Now()
				it, _, err := b.items.Get(ctx, b.inserts, epk(fmt.Sprint("p", i%memoryKeys)), fmt.Sprint(i), 0)
				if it == nil && err == nil {
					err = fmt.Errorf("no document %d", i)
				}
				if errs[w] = err; err != nil {
					return
				}
				took[w] = append(took[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return 0, 0, err
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return float64(len(all)) / elapsed.Seconds(), all[len(all)*99/100], nil
}

// memoryMiB is a line of what the kernel tells of this process's memory.
func memoryMiB(line string) (float64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(l, line); ok {
			kb, err := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s", line)
}

// diskMiB is what the folder holds.
func diskMiB(dir string) float64 {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // files come and go
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			sum += info.Size()
		}
		return nil
	})
	if err != nil {
		log.Print(err)
	}
	return float64(sum) / (1 << 20)
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }
