package outbox_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

func putOrdered(t *testing.T, st store.Store, shard, order, payload string) store.LSN {
	t.Helper()
	lsn, err := st.Update(t.Context(), shard, func(tx store.Tx) error { return outbox.PutOrdered(tx, "note", order, []byte(payload)) })
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

// A row that always fails keeps back its own order and nothing else, is tried less and less often, and is shown to the operator.
func TestParking(t *testing.T) {
	t.Parallel()
	st, n, clk := open(t), &notes{bad: "a1"}, clock.NewFake(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": n.handle}).WithClock(clk)
	ctx := t.Context()
	bad := putOrdered(t, st, "s", "a", "a1")
	if err := d.DrainThrough(ctx, "s", bad); !errors.Is(err, errBad) {
		t.Fatalf("the row's own writer: got %v", err)
	}
	good := putOrdered(t, st, "s", "b", "b1")
	if err := d.DrainThrough(ctx, "s", good); err != nil {
		t.Fatalf("another order: got %v", err)
	}
	behind := putOrdered(t, st, "s", "a", "a2")
	if err := d.DrainThrough(ctx, "s", behind); err == nil {
		t.Fatal("a row behind the parked one: its writer was told it is done")
	}
	n.want(t, "s:b1")
	// Three attempts so far: from now on there is a pause.
	list, err := d.Parked(ctx, "s")
	if err != nil || len(list) != 2 || list[0].Attempts != 3 || list[1].Attempts != 0 || list[0].Order != "a" || list[0].Error == "" {
		t.Fatalf("Parked: got %+v, %v", list, err)
	}
	if want := clk.Now().Add(5 * time.Second); !list[0].Next.Equal(want) {
		t.Errorf("next attempt: got %v, want %v", list[0].Next, want)
	}
	n.bad = ""
	if err := d.Drain(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	n.want(t, "s:b1") // not due
	pending(t, d, "s", true)
	clk.Advance(5 * time.Second)
	if err := d.Drain(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	n.want(t, "s:b1", "s:a1", "s:a2")
	pending(t, d, "s", false)
}

func TestParking_Restart(t *testing.T) {
	t.Parallel()
	st, n, clk := open(t), &notes{bad: "1"}, clock.NewFake(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	d := outbox.NewDrainer(st, nil, map[string]outbox.Handler{"note": n.handle}).WithClock(clk)
	put(t, st, "s", "1", "2")
	for range 20 {
		clk.Advance(2 * time.Hour)
		if err := d.Drain(t.Context(), "s"); !errors.Is(err, errBad) {
			t.Fatalf("got %v", err)
		}
	}
	list, err := d.Parked(t.Context(), "s")
	if err != nil || len(list) != 2 || list[0].Attempts != 20 || list[0].Next.Sub(clk.Now()) != 15*time.Minute {
		t.Fatalf("Parked: got %+v, %v", list, err)
	}
	n.bad = ""
	if err := d.DrainAll(t.Context()); err != nil { // a start does not wait for the pause
		t.Fatal(err)
	}
	n.want(t, "s:1", "s:2")
	pending(t, d, "s", false)
}
