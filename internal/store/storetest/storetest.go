// Package storetest exercises the whole contract of package store; every engine's tests call Run.
package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Opener opens the store kept in dir, again if it was there before. The test closes it.
type Opener func(t *testing.T, dir string) store.Store

// Run exercises the contract.
func Run(t *testing.T, open Opener) {
	tests := []struct {
		name string
		fn   func(t *testing.T, st store.Store)
	}{
		{"Empty", testEmpty},
		{"PutGetDelete", testPutGetDelete},
		{"GetMany", testGetMany},
		{"Order", testOrder},
		{"Ranges", testRanges},
		{"Scan10k", testScan10k},
		{"ScanWhileWriting", testScanWhileWriting},
		{"DeleteRange", testDeleteRange},
		{"OverlayModel", testModel},
		{"OwnCopies", testOwnCopies},
		{"LimitsOK", testLimitsOK},
		{"Limits", testLimits},
		{"LimitIgnored", testLimitIgnored},
		{"LSN", testLSN},
		{"Failed", testFailed},
		{"FailedInGroup", testFailedInGroup},
		{"Panic", testPanic},
		{"Goexit", testGoexit},
		{"Nested", testNested},
		{"Counter", testCounter},
		{"ShardsApart", testShardsApart},
		{"Isolation", testIsolation},
		{"Retained", testRetained},
		{"Rerun", testRerun},
		{"Cancelled", testCancelled},
		{"CancelledInQueue", testCancelledInQueue},
		{"Watch", testWatch},
		{"WatchLog", testWatchLog},
		{"WatchCancel", testWatchCancel},
		{"Shards", testShards},
		{"Drop", testDrop},
		{"DropAmidWriters", testDropAmidWriters},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st := open(t, t.TempDir())
			defer closeStore(t, st)
			tt.fn(t, st)
		})
	}
	t.Run("Reopen", func(t *testing.T) { t.Parallel(); testReopen(t, open) })
	t.Run("Closed", func(t *testing.T) { t.Parallel(); testClosed(t, open) })
}

func closeStore(t *testing.T, st store.Store) {
	t.Helper()
	if err := st.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// bounded gives up long before the test binary does.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func key(n int) []byte    { return []byte(fmt.Sprintf("k%06d", n)) }
func num(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func update(t *testing.T, st store.Store, shard string, fn func(store.Tx) error) store.LSN {
	t.Helper()
	lsn, err := st.Update(bounded(t), shard, fn)
	if err != nil {
		t.Fatalf("Update(%s): %v", shard, err)
	}
	return lsn
}

// put writes pairs key, value, key, value.
func put(t *testing.T, st store.Store, shard string, kv ...string) store.LSN {
	t.Helper()
	return update(t, st, shard, func(tx store.Tx) error {
		for i := 0; i < len(kv); i += 2 {
			if err := tx.Put([]byte(kv[i]), []byte(kv[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
}

func view(t *testing.T, st store.Store, shard string, fn func(store.Snapshot) error) {
	t.Helper()
	if err := st.View(bounded(t), shard, fn); err != nil {
		t.Fatalf("View(%s): %v", shard, err)
	}
}

// list reads a range as "key=value" strings.
func list(s store.Snapshot, r store.Range) ([]string, error) {
	var out []string
	err := s.Scan(r, func(k, v []byte) bool {
		out = append(out, string(k)+"="+string(v))
		return true
	})
	return out, err
}

func wantList(t *testing.T, st store.Store, shard string, r store.Range, want ...string) {
	t.Helper()
	view(t, st, shard, func(s store.Snapshot) error {
		got, err := list(s, r)
		if d := cmp.Diff(want, got); err == nil && d != "" {
			t.Errorf("Scan(%s, %q..%q, reverse %v) (-want +got):\n%s", shard, r.Start, r.End, r.Reverse, d)
		}
		return err
	})
}

func wantLSN(t *testing.T, st store.Store, shard string, want store.LSN) {
	t.Helper()
	view(t, st, shard, func(s store.Snapshot) error {
		if s.LSN() != want {
			t.Errorf("LSN of %s: got %d, want %d", shard, s.LSN(), want)
		}
		return nil
	})
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}
