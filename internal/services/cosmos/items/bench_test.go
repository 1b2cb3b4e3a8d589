package items

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// benchFind opens a range whose logical partition 00 has n documents of 1 KB with twelve indexed values, files encrypted.
func benchFind(b *testing.B, n int) (*Store, Range) {
	b.Helper()
	key := make([]byte, cipherfs.KeySize)
	_, _ = rand.Read(key) // never fails
	keys, err := cipherfs.NewKeys(key)
	if err != nil {
		b.Fatal(err)
	}
	st, err := pebble.Open(b.TempDir(), pebble.Options{FS: cipherfs.New(vfs.Default, keys)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	s := New(st)
	r := Range{
		GUID: "r1", Container: "c1", Max: "FF", RID: rid.NewContainer(rid.NewDatabase(1), 1),
		Policy: json.RawMessage(`{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/*"}],"excludedPaths":[]}`),
	}
	if err := s.Init(context.Background(), r); err != nil {
		b.Fatal(err)
	}
	var ws []Write
	for i := range n {
		d, err := Parse([]byte(fmt.Sprintf(`{"id":"%d","pk":"a","name":"name %d","n":%d,"mod":%d,"tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":%q}`,
			i, i, i, i%1000, strings.Repeat("x", 750))))
		if err != nil {
			b.Fatal(err)
		}
		if ws = append(ws, Write{Op: Create, EPK: "00", ID: d.ID, Doc: d}); len(ws) == 50 || i == n-1 {
			if _, _, err := s.Apply(context.Background(), r, now, ws); err != nil {
				b.Fatal(err)
			}
			ws = ws[:0]
		}
	}
	return s, r
}

// benchAsk answers a query's first page as the gateway does.
func benchAsk(s *Store, r Range, text string, rows int) (query.Page, error) {
	ctx := context.Background()
	q, err := query.Parse(text)
	if err != nil {
		return query.Page{}, err
	}
	p, err := query.Compile(q, nil)
	if err != nil {
		return query.Page{}, err
	}
	f, err := s.NewFinder(r, Selection{Low: "00", High: "00", Bounded: true}, index.Analyze(q, p, nil), false)
	if err != nil {
		return query.Page{}, err
	}
	plan, err := f.Plan(ctx)
	if err != nil {
		return query.Page{}, err
	}
	if plan.Kind == index.Filter {
		if n, ok, err := f.Count(ctx); ok || err != nil {
			return query.Page{Rows: [][]byte{p.CountRow(n)}}, err
		}
	}
	docs := func(yield func(query.Doc, error) bool) {
		for r, err := range Rows(ctx, f.Next, "", f.Chunk(p.Wanted(rows, plan.Kind == index.Order)), 1<<20) {
			if !yield(query.Doc{Key: r.Key, JSON: r.Text}, err) || err != nil {
				return
			}
		}
	}
	run := query.Run
	if plan.Kind == index.Order {
		run = query.RunInOrder
	}
	return run(ctx, p, docs, query.Limits{Items: rows, Bytes: 4 << 20}, query.State{})
}

// BenchmarkFind asks a logical partition through its index, 8 at a time: one document by a field, a page of 100 in order, a count. BULKHEAD_BENCH_ITEMS sets
// how many documents there are.
func BenchmarkFind(b *testing.B) {
	n := 5000
	if text := os.Getenv("BULKHEAD_BENCH_ITEMS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	s, r := benchFind(b, n)
	for _, tt := range []struct {
		name   string
		text   func() string
		rows   int
		allocs float64
	}{
		{"field", func() string { return fmt.Sprintf("SELECT * FROM c WHERE c.name = 'name %d'", mrand.IntN(n)) }, 1, 170},
		{"order", func() string { return fmt.Sprintf("SELECT * FROM c WHERE c.n > %d ORDER BY c.n", mrand.IntN(n/2)) }, 100, 220},
		{"count", func() string { return fmt.Sprintf("SELECT VALUE COUNT(1) FROM c WHERE c.mod = %d", mrand.IntN(1000)) }, 1, 150},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			bar := benchbar.Start(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					page, err := benchAsk(s, r, tt.text(), tt.rows)
					if err != nil || len(page.Rows) != tt.rows {
						b.Errorf("%d rows, %v", len(page.Rows), err)
						return
					}
				}
			})
			bar.Allocs(tt.allocs)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}
