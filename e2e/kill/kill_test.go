// Package kill ends the platform by SIGKILL at random moments while every kind of writer works, and checks each time that what was acknowledged is there
// and that nothing is there by half: no resource without its principal, its name or its data.
package kill

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// seed makes a run's kills fall as in another: BULKHEAD_KILL_SEED.
func seed() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("BULKHEAD_KILL_SEED"), 10, 64); err == nil {
		return n
	}
	return rand.Uint64()
}

const (
	shortest, longest = 60 * time.Millisecond, 1200 * time.Millisecond
	// wholeEvery is after how many kills everything ever acknowledged is read again; else what the last round wrote.
	wholeEvery = 25
)

func TestKill_EveryWriter(t *testing.T) {
	p := harness.Start(t, harness.Options{})
	w := newWorld(t, p)
	n := seed()
	t.Logf("BULKHEAD_KILL_SEED=%d", n)
	rng := rand.New(rand.NewPCG(n, 0))
	writers := w.writers(t)
	total := harness.Kills(t, 5)
	for round := range total {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, x := range writers {
			x.begin()
			wg.Go(func() {
				for ctx.Err() == nil {
					x.step(ctx)
				}
			})
		}
		time.Sleep(shortest + time.Duration(rng.Int64N(int64(longest-shortest))))
		p.Kill9(t)
		stop()
		wg.Wait()
		p.Restart(t)
		for _, x := range writers {
			x.check(t, round%wholeEvery == wholeEvery-1 || round == total-1)
		}
		var report struct{ Problems []string }
		if err := json.Unmarshal(p.Output(t, "verify"), &report); err != nil || len(report.Problems) > 0 {
			t.Errorf("round %d: verify: %v %v", round, report.Problems, err)
		}
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, n)
		}
	}
	for _, x := range writers {
		if done := x.count(); done == 0 {
			t.Errorf("writer %s had nothing acknowledged: the test proves nothing of it", x.name())
		} else {
			t.Logf("%-12s %5d acknowledged", x.name(), done)
		}
	}
}
