package audit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/google/go-cmp/cmp"
)

// randomRecord takes some strings from a small set, so that neighbours share them.
func randomRecord(r *rand.Rand) Record {
	rec := Record{Time: start.Add(time.Duration(r.Int64N(int64(time.Hour))) - 30*time.Minute), Duration: time.Duration(r.Int64N(1 << 30)), Status: 200 + r.IntN(400)}
	for _, s := range rec.texts() {
		switch r.IntN(5) {
		case 0:
			*s = ids.New()
		case 1:
			*s = strings.ToUpper(ids.New()) // must come back as it is
		case 2, 3:
			*s = fmt.Sprint("text", r.IntN(3))
		}
	}
	return rec
}

func readAll(t *testing.T, recs []Record) []Record {
	t.Helper()
	var got []Record
	for len(recs) > 0 {
		var b block
		b, recs = blockOf(recs)
		if err := readBlock(b.value, func(rec Record) { got = append(got, rec) }); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestBlock_RoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var recs []Record
	for range 500 {
		recs = append(recs, randomRecord(r))
	}
	recs = append(recs, Record{Time: start, Reason: strings.Repeat("long ", 100_000), RequestID: "r"}, Record{Time: start.Add(-time.Hour), RequestID: "s"})
	if diff := cmp.Diff(recs, readAll(t, recs)); diff != "" {
		t.Errorf("records after a round trip (-want +got):\n%s", diff)
	}
}

func TestBlock_Small(t *testing.T) {
	var recs []Record
	for i := range 1000 {
		rec := rec(ids.New(), time.Duration(i)*time.Millisecond, "SecretGet")
		rec.TenantID, rec.ObjectID, rec.Resource = ids.New(), ids.New(), "https://kv1.vault.azure.net/secrets/s1"
		if i > 0 {
			rec.TenantID, rec.ObjectID = recs[0].TenantID, recs[0].ObjectID
		}
		recs = append(recs, rec)
	}
	b, rest := blockOf(recs)
	if per := len(b.value) / len(recs); len(rest) > 0 || per > 70 {
		t.Errorf("a read's record takes %d bytes, %d records are left; want at most 70 and none", per, len(rest))
	}
}

// The same records written again, alone or together with others, are told once.
func TestTrace_WrittenTwice(t *testing.T) {
	l, _, _ := newTestLog(t)
	ctx := context.Background()
	corr := ids.New()
	one, two := rec(corr, 0, "one"), rec(corr, time.Second, "two")
	for _, recs := range [][]Record{{one}, {one}, {one, two}, {two}} {
		if err := l.write(ctx, shardOf(corr), recs); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Trace(ctx, corr)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, operations(got)); diff != "" {
		t.Errorf("Trace (-want +got):\n%s", diff)
	}
}

func TestReadBlock_NewerVersion(t *testing.T) {
	err := readBlock([]byte{kindBlock, blockVersion + 1}, func(Record) {})
	if err == nil || !strings.Contains(err.Error(), store.ErrVersion.Error()) {
		t.Errorf("readBlock of a newer version = %v; want %v", err, store.ErrVersion)
	}
}

func FuzzReadBlock(f *testing.F) {
	b, _ := blockOf([]Record{rec("c", 0, "a"), rec("c", time.Second, "b")})
	f.Add(b.value)
	f.Add([]byte{kindBlock, blockVersion, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		var recs []Record
		if err := readBlock(in, func(rec Record) { recs = append(recs, rec) }); err != nil || len(recs) == 0 {
			return
		}
		if diff := cmp.Diff(recs, readAll(t, recs)); diff != "" {
			t.Errorf("what was read does not come back (-want +got):\n%s", diff)
		}
	})
}
