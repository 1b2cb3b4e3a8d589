package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func put(t *testing.T, st store.Store, shard string, payloads ...string) {
	t.Helper()
	_, err := st.Update(t.Context(), shard, func(tx store.Tx) error {
		for _, p := range payloads {
			if err := outbox.Put(tx, "note", []byte(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// notes collects what its handler got; it fails on the payload bad, and panics on "panic".
type notes struct {
	mu  sync.Mutex
	got []string
	bad string
}

var errBad = errors.New("bad note")

func (n *notes) handle(_ context.Context, shard string, p []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if string(p) == n.bad {
		return errBad
	}
	if string(p) == "panic" {
		panic("wanted")
	}
	n.got = append(n.got, shard+":"+string(p))
	return nil
}

func (n *notes) want(t *testing.T, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := cmp.Diff(want, n.got); d != "" {
		t.Errorf("handled (-want +got):\n%s", d)
	}
}

func pending(t *testing.T, d *outbox.Drainer, shard string, want bool) {
	t.Helper()
	if got, err := d.Pending(t.Context(), shard); got != want || err != nil {
		t.Errorf("Pending(%s): got %v, %v, want %v", shard, got, err, want)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	st, n := open(t), &notes{}
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": n.handle})
	pending(t, d, "s", false)
	put(t, st, "s", "1", "2", "3")
	put(t, st, "s", "4")
	put(t, st, "other", "x")
	_, _ = st.Update(t.Context(), "s", func(tx store.Tx) error {
		return errors.Join(outbox.Put(tx, "note", []byte("never")), errBad)
	})
	pending(t, d, "s", true)
	if err := d.Drain(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	n.want(t, "s:1", "s:2", "s:3", "s:4")
	pending(t, d, "s", false)
	pending(t, d, "other", true)
	if err := d.Drain(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	n.want(t, "s:1", "s:2", "s:3", "s:4")
}

func TestDrain_Failure(t *testing.T) {
	t.Parallel()
	st, n := open(t), &notes{bad: "2"}
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": n.handle})
	put(t, st, "s", "1", "2", "3")
	for range 2 {
		if err := d.Drain(t.Context(), "s"); !errors.Is(err, errBad) {
			t.Errorf("Drain: got %v, want the handler's error", err)
		}
		n.want(t, "s:1") // once: its row is gone though the next failed
	}
	n.bad = ""
	if err := d.Drain(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	n.want(t, "s:1", "s:2", "s:3")

	put(t, st, "s", "panic")
	if err := d.Drain(t.Context(), "s"); err == nil {
		t.Error("panicking handler: got no error")
	}
	pending(t, d, "s", true)
	if err := outbox.NewDrainer(st, nil, nil).Drain(t.Context(), "s"); err == nil {
		t.Error("unknown kind: got no error")
	}
	pending(t, d, "s", true)
}

func TestDrainAll(t *testing.T) {
	t.Parallel()
	st, n := open(t), &notes{bad: "bad"}
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": n.handle})
	var want []string
	for i := range 300 { // more than one page of shards
		shard := fmt.Sprintf("sub/%03d", i)
		if i == 7 {
			put(t, st, shard, "bad")
			continue
		}
		put(t, st, shard, "x")
		want = append(want, shard+":x")
	}
	put(t, st, "vault/1", "x")
	if err := d.DrainAll(t.Context(), "sub/"); !errors.Is(err, errBad) {
		t.Errorf("DrainAll: got %v, want the failing shard's error", err)
	}
	n.want(t, want...)
	pending(t, d, "vault/1", true)
	n.bad = ""
	if err := d.DrainAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.want(t, append(want, "sub/007:bad", "vault/1:x")...)
}

// TestDrain_Serial: writers that each drain their own shard at once get every row handled exactly once and in order.
func TestDrain_Serial(t *testing.T) {
	t.Parallel()
	st, n := open(t), &notes{}
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": n.handle})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				_, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
					return outbox.Put(tx, "note", fmt.Appendf(nil, "%08d", tx.LSN()))
				})
				if err == nil {
					err = d.Drain(context.Background(), "s")
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.got) != 80 {
		t.Errorf("handled %d rows, want 80", len(n.got))
	}
	for i := 1; i < len(n.got); i++ {
		if n.got[i] <= n.got[i-1] {
			t.Errorf("row %s after %s", n.got[i], n.got[i-1])
		}
	}
}

func TestDrain_Cancelled(t *testing.T) {
	t.Parallel()
	st := open(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": func(context.Context, string, []byte) error {
		close(inside)
		<-leave
		return nil
	}})
	put(t, st, "s", "1")
	done := make(chan error, 1)
	go func() { done <- d.Drain(context.Background(), "s") }()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Drain(ctx, "s"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a turn: got %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
