package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// fullStore takes no writes while full is set.
type fullStore struct {
	store.Store
	full atomic.Bool
}

func (f *fullStore) Update(ctx context.Context, shard string, fn func(store.Tx) error) (store.LSN, error) {
	if f.full.Load() {
		return 0, store.ErrFull
	}
	return f.Store.Update(ctx, shard, fn)
}

// TestFull_NothingIsLost: while the store is full records wait in memory, a refusal's too; once that is full they go to the log; when there is room again
// those in memory become durable.
func TestFull_NothingIsLost(t *testing.T) {
	_, st, clk := newTestLog(t)
	full := &fullStore{Store: st}
	var out strings.Builder
	l := NewLog(full, clk, slog.New(slog.NewJSONHandler(&out, nil)))
	full.full.Store(true)
	corr := ids.New()
	if err := l.Refuse(t.Context(), rec(corr, 0, "refused")); !errors.Is(err, store.ErrFull) {
		t.Errorf("refusal while full: %v, want ErrFull", err)
	}
	l.Read(rec(corr, time.Second, "read"))
	for n := l.Buffered(); n < bufferMost; n++ {
		l.Read(rec(ids.New(), 0, fmt.Sprint(n)))
	}
	l.Read(rec(corr, 2*time.Second, "over"))
	if l.Buffered() != bufferMost || l.Logged() != 1 || !strings.Contains(out.String(), `"Operation":"over"`) && !strings.Contains(out.String(), `"operation":"over"`) {
		t.Errorf("%d buffered, %d logged; log:\n%.500s", l.Buffered(), l.Logged(), out.String())
	}
	// The failing flush was not tried by each of 60,000 callers.
	if n := strings.Count(out.String(), "not flushed"); n != 1 {
		t.Errorf("flushed in vain %d times, want once within a second", n)
	}
	full.full.Store(false)
	clk.Advance(2 * retryAfter)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := l.Trace(t.Context(), corr)
	if err != nil || strings.Join(operations(got), " ") != "refused read" {
		t.Errorf("after room was made: %v, %v", operations(got), err)
	}
	if l.Buffered() != 0 {
		t.Errorf("%d still buffered", l.Buffered())
	}
}
