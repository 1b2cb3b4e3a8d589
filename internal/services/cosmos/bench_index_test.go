package cosmos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
)

// benchIndexed makes a container whose logical partition a has n documents of 1 KB with about twelve terms each.
func benchIndexed(b *testing.B, n int) *platform {
	b.Helper()
	p := benchPlatform(b)
	ctx := context.Background()
	acct, err := p.s.accounts.Account(ctx, "acct")
	p.check(err)
	_, con, err := p.s.catalog.Container(ctx, acct.GUID, "db", "c")
	p.check(err)
	epk := pkey.Key{pkey.StringValue("a")}.EPK(*con.PartitionKey)
	var wg sync.WaitGroup
	const writers = 8
	for w := range writers {
		wg.Go(func() {
			var ws []items.Write
			for i := w; i < n; i += writers {
				d, err := items.Parse([]byte(fmt.Sprintf(`{"id":"%d","pk":"a","name":"name %d","n":%d,"mod":%d,"tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":%q}`,
					i, i, i, i%1000, strings.Repeat("x", 750))))
				p.check(err)
				if ws = append(ws, items.Write{Op: items.Create, EPK: epk, ID: d.ID, Doc: d}); len(ws) == 50 || i+writers >= n {
					_, _, err := p.s.items.Apply(ctx, con.At(epk), p.clock.Now(), ws)
					p.check(err)
					ws = ws[:0]
				}
			}
		})
	}
	wg.Wait()
	return p
}

// BenchmarkIndexed asks a logical partition of many documents through the mux: one of them by a field, a page in order, a count. BULKHEAD_BENCH_ITEMS sets
// how many there are.
func BenchmarkIndexed(b *testing.B) {
	n := 5000
	if text := os.Getenv("BULKHEAD_BENCH_ITEMS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	p := benchIndexed(b, n)
	for _, tt := range []struct {
		name string
		text func() string
		want string
	}{
		{"point", func() string { return fmt.Sprintf("SELECT * FROM c WHERE c.name = 'name %d'", rand.IntN(n)) }, `"_count":1`},
		{"id", func() string { return fmt.Sprintf("SELECT * FROM c WHERE c.id = '%d'", rand.IntN(n)) }, `"_count":1`},
		{"many", func() string { return fmt.Sprintf("SELECT c.id FROM c WHERE c.mod = %d", rand.IntN(1000)) }, `"_count":`},
		{"range", func() string {
			k := rand.IntN(n - 20)
			return fmt.Sprintf("SELECT c.id FROM c WHERE c.n >= %d AND c.n < %d", k, k+20)
		}, `"_count":20`},
		{"page in order", func() string { return fmt.Sprintf("SELECT * FROM c WHERE c.n > %d ORDER BY c.n", rand.IntN(n/2)) }, `"_count":100`},
		{"count", func() string { return fmt.Sprintf("SELECT VALUE COUNT(1) FROM c WHERE c.mod = %d", rand.IntN(1000)) }, `"_count":1`},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := p.query(tt.text(), "x-ms-documentdb-partitionkey", `["a"]`); a.status != 200 || !strings.Contains(a.body, tt.want) {
					b.Fatal(a.body)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}
