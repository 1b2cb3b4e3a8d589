package audit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

func at(host, resource string, after time.Duration, op string) Record {
	r := rec(ids.New(), after, op)
	r.Host, r.Resource = host, resource
	return r
}

func TestHistory_OfOneVaultFromASince(t *testing.T) {
	l, st, _ := newTestLog(t)
	ctx := context.Background()
	l.Read(at("kv1.vault.azure.net", "", 4*time.Second, "by suffix"))
	l.Read(at("KV1.vault.bulkhead.localhost:8443", "", 2*time.Second, "read"))
	l.Read(at("kv10.vault.azure.net", "", 2*time.Second, "another vault"))
	if err := l.Refuse(ctx, at("kv1.vault.azure.net", "", 3*time.Second, "refused")); err != nil {
		t.Fatal(err)
	}
	_, err := st.Update(ctx, "vault/1", func(tx store.Tx) error { return l.InTx(tx, at("kv1.vault.azure.net", "", time.Second, "write")) })
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.NewDrainer(st, nil, l.OutboxHandlers()).Drain(ctx, "vault/1"); err != nil {
		t.Fatal(err)
	}
	control := at("management.azure.com", "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/Kv1/accessPolicies/add", 5*time.Second, "policy")
	control.Service = "management"
	other := at("management.azure.com", "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv1x", 5*time.Second, "another")
	other.Service = "management"
	l.Read(control)
	l.Read(other)
	got, err := l.History(ctx, "KV1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"write", "read", "refused", "by suffix", "policy"}, operations(got)); diff != "" {
		t.Errorf("History (-want +got):\n%s", diff)
	}
	if got, err = l.History(ctx, "kv1", start.Add(4*time.Second)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"by suffix", "policy"}, operations(got)); diff != "" {
		t.Errorf("History since (-want +got):\n%s", diff)
	}
	if got, err = l.History(ctx, "kv1", time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil || len(got) != 0 {
		t.Errorf("History since 2999: %v %v", got, err)
	}
	for _, name := range []string{"", strings.Repeat("a", 64)} {
		if _, err := l.History(ctx, name, time.Time{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("History(%q): %v", name, err)
		}
	}
}

func TestHistory_IsBoundedAndGoesOn(t *testing.T) {
	l, _, _ := newTestLog(t)
	ctx := context.Background()
	const n = maxHistory + 10
	for i := range n {
		l.Read(at("kv1.vault.azure.net", "", time.Duration(i)*time.Second, fmt.Sprint(i)))
		if i%7 == 0 { // many blocks
			if err := l.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, err := l.History(ctx, "kv1", time.Time{})
	if err != nil || len(first) != maxHistory || first[0].Operation != "0" {
		t.Fatalf("%d records, %v", len(first), err)
	}
	rest, err := l.History(ctx, "kv1", first[maxHistory-1].Time.Add(1))
	if err != nil || len(rest) != 10 || rest[0].Operation != fmt.Sprint(maxHistory) {
		t.Fatalf("%d more records, %v", len(rest), err)
	}
}

func TestPrune_TakesTheIndexAlong(t *testing.T) {
	l, st, clk := newTestLog(t)
	ctx := context.Background()
	l.Read(at("kv1.vault.azure.net", "", 0, "old"))
	if err := l.Flush(ctx); err != nil { // a block goes by its first record
		t.Fatal(err)
	}
	l.Read(at("kv1.vault.azure.net", "", 48*time.Hour, "young"))
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	clk.Advance((retentionDays + 1) * 24 * time.Hour)
	if err := l.prune(ctx); err != nil {
		t.Fatal(err)
	}
	left := 0
	for n := range shards {
		err := st.View(ctx, shardName(n), func(s store.Snapshot) error {
			return s.Scan(store.Range{}, func(_, _ []byte) bool { left++; return true })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if left != 3 { // the young record's block and its two index rows
		t.Errorf("%d keys are left, want 3", left)
	}
	got, err := l.History(ctx, "kv1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"young"}, operations(got)); diff != "" {
		t.Errorf("History (-want +got):\n%s", diff)
	}
}
