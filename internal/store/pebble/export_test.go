package pebble_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// content keeps what Export gives out, as "shard lsn" and "shard/key" -> value.
type content struct {
	shard string
	all   map[string]string
	lsns  map[string]store.LSN
}

func newContent() *content { return &content{all: map[string]string{}, lsns: map[string]store.LSN{}} }

func (c *content) Shard(name string, lsn store.LSN) error {
	c.shard, c.lsns[name] = name, lsn
	return nil
}

func (c *content) Record(key, value []byte) error {
	c.all[c.shard+"/"+string(key)] = string(value)
	return nil
}

func exported(t *testing.T, e *pebble.Engine) *content {
	t.Helper()
	c := newContent()
	if err := e.Export(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// count writes, as transaction n of the shard, the key n and the counter, and reads back nothing: state at LSN n is known by n alone.
func count(ctx context.Context, e *pebble.Engine, shard string) error {
	_, err := e.Update(ctx, shard, func(tx store.Tx) error {
		n := binary.BigEndian.AppendUint64(nil, uint64(tx.LSN()))
		if err := tx.Put(append([]byte("k|"), n...), n); err != nil {
			return err
		}
		return tx.Put([]byte("counter"), n)
	})
	return err
}

// TestExport_UnderLoad: each shard's state is that of its LSN, nothing acknowledged before is missing, and an import gives the same again.
func TestExport_UnderLoad(t *testing.T) {
	t.Parallel()
	e := open(t, t.TempDir(), pebble.Options{})
	defer e.Close()
	const shards = 6
	name := func(i int) string { return fmt.Sprintf("range/%d", i) }
	var acknowledged [shards]atomic.Uint64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range shards {
		for range 2 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := count(context.Background(), e, name(i)); err != nil {
						t.Error(err)
						return
					}
					acknowledged[i].Add(1)
				}
			})
		}
	}
	for round := range 5 {
		for acknowledged[0].Load() < uint64(20*(round+1)) {
			time.Sleep(time.Millisecond)
			if t.Failed() {
				break
			}
		}
		var least [shards]uint64
		for i := range least {
			least[i] = acknowledged[i].Load()
		}
		got := exported(t, e)
		want := map[string]string{}
		for i := range shards {
			lsn := uint64(got.lsns[name(i)])
			if lsn < least[i] {
				t.Errorf("round %d: shard %d exported at LSN %d, %d were acknowledged before", round, i, lsn, least[i])
			}
			if lsn == 0 {
				continue
			}
			for n := uint64(1); n <= lsn; n++ {
				v := string(binary.BigEndian.AppendUint64(nil, n))
				want[name(i)+"/k|"+v], want[name(i)+"/counter"] = v, v
			}
		}
		if !maps.Equal(got.all, want) {
			t.Fatalf("round %d: exported %d records, want %d, or other values", round, len(got.all), len(want))
		}
		dir := t.TempDir()
		im, err := pebble.Import(dir, pebble.Options{})
		if err != nil {
			t.Fatal(err)
		}
		replay(t, got, im)
		if err := im.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir, pebble.Options{})
		back := exported(t, again)
		if !maps.Equal(back.all, got.all) || !maps.Equal(back.lsns, got.lsns) {
			t.Errorf("round %d: import differs: %s", round, cmp.Diff(got.lsns, back.lsns))
		}
		if err := again.Check(t.Context()); err != nil {
			t.Error(err)
		}
		// The imported store goes on where the other was, with new ids for new shards.
		if err := count(t.Context(), again, name(0)); err != nil {
			t.Error(err)
		}
		if err := count(t.Context(), again, "other"); err != nil {
			t.Error(err)
		}
		if c := exported(t, again); c.lsns[name(0)] != got.lsns[name(0)]+1 || c.lsns["other"] != 1 || len(c.all) != len(got.all)+3 {
			t.Errorf("after an import and two writes: LSN %d and %d, %d records", c.lsns[name(0)], c.lsns["other"], len(c.all))
		}
		again.Close()
	}
	stop()
	wg.Wait()
}

func replay(t *testing.T, c *content, to store.Content) {
	t.Helper()
	for name, lsn := range c.lsns {
		if err := to.Shard(name, lsn); err != nil {
			t.Fatal(err)
		}
		for k, v := range c.all {
			if key, ok := strings.CutPrefix(k, name+"/"); ok {
				if err := to.Record([]byte(key), []byte(v)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestImport_RefusesAStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, dir, pebble.Options{})
	if err := count(t.Context(), e, "s"); err != nil {
		t.Fatal(err)
	}
	e.Close()
	if im, err := pebble.Import(dir, pebble.Options{}); err == nil {
		im.Close()
		t.Error("an import into a store with content was begun")
	}
	e = open(t, dir, pebble.Options{})
	defer e.Close()
	if c := exported(t, e); c.lsns["s"] != 1 {
		t.Errorf("the store changed: %v", c.lsns)
	}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	e := open(t, t.TempDir(), pebble.Options{})
	defer e.Close()
	for range 3 {
		if err := count(t.Context(), e, "s"); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir() + "/point"
	if err := e.Checkpoint(dir); err != nil {
		t.Fatal(err)
	}
	if err := count(t.Context(), e, "s"); err != nil {
		t.Fatal(err)
	}
	point := open(t, dir, pebble.Options{})
	defer point.Close()
	if got := exported(t, point).lsns["s"]; got != 3 {
		t.Errorf("checkpoint has LSN %d, want 3", got)
	}
	if got := exported(t, e).lsns["s"]; got != 4 {
		t.Errorf("store has LSN %d, want 4", got)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var groups, transactions atomic.Int64
	o := pebble.Options{}
	o.Committed = func(took time.Duration, n int) {
		if took <= 0 {
			t.Errorf("a commit took %s", took)
		}
		groups.Add(1)
		transactions.Add(int64(n))
	}
	e := open(t, dir, o)
	for _, s := range []string{"a", "b", "b", "c"} {
		if err := count(t.Context(), e, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Drop(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if got := e.Stats(); got.Shards != 2 || got.FreeBytes == 0 || got.Bytes == 0 {
		t.Errorf("stats %+v, want 2 shards", got)
	}
	if groups.Load() != 4 || transactions.Load() != 4 {
		t.Errorf("observed %d groups of %d transactions, want 4 of 4", groups.Load(), transactions.Load())
	}
	e.Close()
	e = open(t, dir, pebble.Options{})
	defer e.Close()
	if got := e.Stats(); got.Shards != 2 {
		t.Errorf("after opening again: %d shards, want 2", got.Shards)
	}
}
