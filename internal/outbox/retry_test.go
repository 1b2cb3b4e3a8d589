package outbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// TestRetry: what failed is tried again without another write, and counted meanwhile.
func TestRetry(t *testing.T) {
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var broken atomic.Bool
	broken.Store(true)
	var ran atomic.Int64
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"k": func(context.Context, string, []byte) error {
		if broken.Load() {
			return errors.New("broken")
		}
		ran.Add(1)
		return nil
	}})
	_, err = st.Update(t.Context(), "s", func(tx store.Tx) error { return errors.Join(outbox.Put(tx, "k", nil), outbox.Put(tx, "k", nil)) })
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Drain(t.Context(), "s"); err == nil {
		t.Fatal("a broken handler drained")
	}
	if d.Failing() != 1 || d.Depth() != 2 {
		t.Errorf("%d failing shards, %d rows, want 1 and 2", d.Failing(), d.Depth())
	}
	broken.Store(false)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Retry(ctx, time.Millisecond) }()
	for end := time.Now().Add(10 * time.Second); d.Failing() != 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if ran.Load() != 2 || d.Failing() != 0 || d.Depth() != 0 {
		t.Errorf("after retries: %d rows ran, %d failing, depth %d", ran.Load(), d.Failing(), d.Depth())
	}
}
