package audit

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newTestLog(t testing.TB) (*Log, store.Store, *clock.Fake) {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	clk := clock.NewFake(start)
	return NewLog(st, clk, slog.New(slog.DiscardHandler)), st, clk
}

func rec(corr string, after time.Duration, op string) Record {
	return Record{Time: start.Add(after), CorrelationID: corr, RequestID: ids.New(), Service: "vault", Operation: op, Status: 200}
}

func operations(recs []Record) []string {
	var out []string
	for _, r := range recs {
		out = append(out, r.Operation)
	}
	return out
}

func TestTrace_AllThreeWaysInOrderOfTime(t *testing.T) {
	l, st, _ := newTestLog(t)
	ctx := context.Background()
	corr, other := ids.New(), ids.New()
	l.Read(rec(corr, 2*time.Second, "second"))
	l.Read(rec(other, 0, "foreign"))
	if err := l.Refuse(ctx, rec(corr, 3*time.Second, "third")); err != nil {
		t.Fatal(err)
	}
	_, err := st.Update(ctx, "vault/1", func(tx store.Tx) error { return l.InTx(tx, rec(corr, time.Second, "first")) })
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.NewDrainer(st, nil, l.OutboxHandlers()).Drain(ctx, "vault/1"); err != nil {
		t.Fatal(err)
	}
	got, err := l.Trace(ctx, strings.ToUpper(corr))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second", "third"}, operations(got)); diff != "" {
		t.Errorf("Trace (-want +got):\n%s", diff)
	}
}

func TestInTx_GoneWithItsTransaction(t *testing.T) {
	l, st, _ := newTestLog(t)
	ctx := context.Background()
	corr := ids.New()
	_, err := st.Update(ctx, "vault/1", func(tx store.Tx) error {
		if err := l.InTx(tx, rec(corr, 0, "never")); err != nil {
			return err
		}
		return fmt.Errorf("refused")
	})
	if err == nil {
		t.Fatal("Update succeeded")
	}
	if err := outbox.NewDrainer(st, nil, l.OutboxHandlers()).Drain(ctx, "vault/1"); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Trace(ctx, corr); err != nil || len(got) != 0 {
		t.Errorf("Trace = %v, %v; want none", got, err)
	}
}

func TestRun_FlushesWithinTheBound(t *testing.T) {
	l, _, _ := newTestLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	l.Read(rec(ids.New(), 0, "read"))
	deadline := time.Now().Add(5 * time.Second)
	for l.Buffered() > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if n := l.Buffered(); n != 0 {
		t.Errorf("%d records still buffered", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPrune_KeepsWholeDays(t *testing.T) {
	l, st, clk := newTestLog(t)
	ctx := context.Background()
	corr := ids.New()
	for i := range 5 {
		l.Read(rec(corr, time.Duration(i)*24*time.Hour, fmt.Sprint(i)))
		if err := l.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	clk.Advance((retentionDays+2)*24*time.Hour + time.Hour)
	if err := l.prune(ctx); err != nil {
		t.Fatal(err)
	}
	for n := range shards {
		err := st.View(ctx, shardName(n), func(s store.Snapshot) error {
			return s.Scan(store.Range{}, func(k, _ []byte) bool {
				if when := time.Unix(0, int64(binary.BigEndian.Uint64(k[2:]))); k[0] == 'B' && when.Before(start.Add(48*time.Hour)) {
					t.Errorf("a block of %s is still there", when)
				}
				return true
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Trace(ctx, corr)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2", "3", "4"}, operations(got)); diff != "" {
		t.Errorf("left after pruning (-want +got):\n%s", diff)
	}
}

func TestStory_SaysWhoWhatAndWhy(t *testing.T) {
	ok := rec(ids.New(), 0, "SecretGet")
	ok.Kind, ok.Name, ok.TenantID, ok.ObjectID, ok.AllowedBy, ok.Resource = "ManagedIdentity", "fes", "t1", "o1", "access policy of o1", "secrets/contoso"
	no := rec(ok.CorrelationID, time.Second, "listKeys")
	no.Status, no.Code, no.Reason = 403, "AuthorizationFailed", "no assignment"
	got := Story([]Record{ok, no})
	for _, want := range []string{"2 hops", "SecretGet  200", "ManagedIdentity fes object o1 tenant t1", "access policy of o1", "secrets/contoso", "AuthorizationFailed: no assignment"} {
		if !strings.Contains(got, want) {
			t.Errorf("Story lacks %q:\n%s", want, got)
		}
	}
}

func BenchmarkReadAndFlush(b *testing.B) {
	l, _, _ := newTestLog(b)
	r := rec(ids.New(), 0, "SecretGet")
	r.TenantID, r.ObjectID, r.AppID, r.Resource, r.AllowedBy = ids.New(), ids.New(), ids.New(), "https://kv1.vault.azure.net/secrets/s1", "access policy of "+ids.New()
	bar := benchbar.Start(b)
	for b.Loop() {
		r.CorrelationID, r.RequestID = ids.New(), ids.New()
		l.Read(r)
	}
	if err := l.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	bar.Allocs(20) // a short run shares the cost of the flush
}

func TestTrace_RefusesWhatIsNoGUID(t *testing.T) {
	l, _, _ := newTestLog(t)
	for _, id := range []string{"", "x", ids.New()[:35], ids.New() + "0"} {
		if got, err := l.Trace(context.Background(), id); !fault.Is(err, fault.Invalid) {
			t.Errorf("Trace(%q) = %v, %v; want an Invalid fault", id, got, err)
		}
	}
}

// A refusal is durable when Refuse returns, a full buffer without anybody waiting for it.
func TestRead_FullBufferIsFlushed(t *testing.T) {
	l, _, _ := newTestLog(t)
	corr := ids.New()
	for i := range bufferFull {
		l.Read(rec(corr, time.Duration(i), "read"))
	}
	if n := l.Buffered(); n != 0 {
		t.Errorf("%d records still buffered", n)
	}
	got, err := l.Trace(context.Background(), corr)
	if err != nil || len(got) != bufferFull {
		t.Errorf("Trace has %d records, %v; want %d", len(got), err, bufferFull)
	}
}

// TestShardNumber: where records of a story are must never change.
func TestShardNumber(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]int{"": 5, "a": 12, "11111111-2222-3333-4444-555555555555": 9} {
		h := fnv.New32a()
		h.Write([]byte(id))
		if got := shardNumber(id); got != want || got != int(h.Sum32()%shards) {
			t.Errorf("%q: shard %d; want %d, by the standard library's hash %d", id, got, want, h.Sum32()%shards)
		}
	}
}
