package keyvault

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

func TestHeavy_IsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Deps{})
		limit := max(1, runtime.GOMAXPROCS(0)/2)
		var running, most atomic.Int64
		release := make(chan struct{})
		work := func() error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-release
			running.Add(-1)
			return nil
		}
		var wg sync.WaitGroup
		for range maxWaiting {
			wg.Go(func() {
				if err := s.heavy(t.Context(), work); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := running.Load(); n != int64(limit) {
			t.Errorf("%d run at a time, want %d", n, limit)
		}
		err := s.heavy(t.Context(), work)
		if !fault.Is(err, fault.TooMany) || fault.As(err).RetryAfter == 0 {
			t.Errorf("one more: %v, want a fault that says when to come back", err)
		}
		close(release)
		wg.Wait()
		if most.Load() > int64(limit) {
			t.Errorf("%d ran at a time", most.Load())
		}
	})
}

func TestHeavy_GivesUpWithItsCaller(t *testing.T) {
	t.Parallel()
	s := New(Deps{})
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range cap(s.bounds.running) {
		started := make(chan struct{})
		wg.Go(func() { _ = s.heavy(t.Context(), func() error { close(started); <-release; return nil }) })
		<-started
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.heavy(ctx, func() error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	wg.Wait()
}
