package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

const bulkheadName = "Bulkhead"

// bulkhead is the engine with the files encrypted, as the platform has them. Inserts go to one range, questions to another.
type bulkhead struct {
	disk          *pebble.Engine
	items         *items.Store
	inserts, asks items.Range
}

func openBulkhead(ctx context.Context, dir string) (*bulkhead, error) {
	key := make([]byte, cipherfs.KeySize)
	_, _ = rand.Read(key) // never fails
	keys, err := cipherfs.NewKeys(key)
	if err != nil {
		return nil, err
	}
	disk, err := pebble.Open(dir, pebble.Options{FS: cipherfs.New(vfs.Default, keys)})
	if err != nil {
		return nil, err
	}
	b := &bulkhead{disk: disk, items: items.New(disk)}
	for i, r := range []*items.Range{&b.inserts, &b.asks} {
		*r = items.Range{
			GUID: fmt.Sprint("r", i), Container: fmt.Sprint("c", i), Max: "FF", RID: rid.NewContainer(rid.NewDatabase(1), uint32(i+1)),
			Policy: json.RawMessage(`{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/*"}],"excludedPaths":[]}`),
		}
		if err := b.items.Init(ctx, *r); err != nil {
			disk.Close()
			return nil, err
		}
	}
	return b, nil
}

func (b *bulkhead) name() string { return bulkheadName }
func (b *bulkhead) close()       { b.disk.Close() }

func epk(pk string) string {
	return pkey.Key{pkey.StringValue(pk)}.EPK(pkey.Definition{Paths: []string{"/pk"}, Kind: "Hash", Version: 2})
}

func writeOf(d document) (items.Write, error) {
	doc, err := items.Parse([]byte(d.text))
	return items.Write{Op: items.Create, EPK: epk(d.pk), ID: doc.ID, Doc: doc}, err
}

func (b *bulkhead) load(ctx context.Context, ds []document) error {
	var ws []items.Write
	for i, d := range ds {
		w, err := writeOf(d)
		if err != nil {
			return err
		}
		if ws = append(ws, w); len(ws) == 50 || i == len(ds)-1 {
			if _, _, err := b.items.Apply(ctx, b.asks, time.Now(), ws); err != nil {
				return err
			}
			ws = ws[:0]
		}
	}
	return nil
}

func (b *bulkhead) insert(ctx context.Context, _ int, d document) error {
	w, err := writeOf(d)
	if err != nil {
		return err
	}
	_, _, err = b.items.Apply(ctx, b.inserts, time.Now(), []items.Write{w})
	return err
}

func (b *bulkhead) read(ctx context.Context, _ int, d document) error {
	it, _, err := b.items.Get(ctx, b.asks, epk(d.pk), d.id, 0)
	if err != nil {
		return err
	}
	if it == nil || len(it.Text) < len(d.text) {
		return fmt.Errorf("no document %s", d.id)
	}
	return nil
}

func (b *bulkhead) byField(ctx context.Context, _ int, d document) error {
	return b.query(ctx, fmt.Sprintf("SELECT * FROM c WHERE c.name = '%s'", d.name), 1, "")
}

func (b *bulkhead) page(ctx context.Context, _ int, above int) error {
	return b.query(ctx, fmt.Sprintf("SELECT * FROM c WHERE c.n > %d ORDER BY c.n", above), pageRows, "")
}

func (b *bulkhead) count(ctx context.Context, _ int, mod, want int) error {
	return b.query(ctx, fmt.Sprintf("SELECT VALUE COUNT(1) FROM c WHERE c.mod = %d", mod), 1, fmt.Sprint(want))
}

// query answers a question of one logical partition by the steps of the gateway: parse, compile, plan, count by the index alone where it can, else run over
// the documents that the index finds.
func (b *bulkhead) query(ctx context.Context, text string, rows int, want string) error {
	q, err := query.Parse(text)
	if err != nil {
		return err
	}
	p, err := query.Compile(q, nil)
	if err != nil {
		return err
	}
	at := epk("a")
	f, err := b.items.NewFinder(b.asks, items.Selection{Low: at, High: at, Bounded: true}, index.Analyze(q, p, nil), false)
	if err != nil {
		return err
	}
	plan, err := f.Plan(ctx)
	if err != nil {
		return err
	}
	if plan.Kind == index.Scan {
		return fmt.Errorf("the index does not help with %s", text)
	}
	if plan.Kind == index.Filter {
		if n, ok, err := f.Count(ctx); ok || err != nil {
			return same(string(p.CountRow(n)), want, err)
		}
	}
	page, err := firstPage(ctx, f, p, plan, rows)
	if err == nil && len(page.Rows) != rows {
		err = fmt.Errorf("%d rows for %s", len(page.Rows), text)
	}
	if err == nil && want != "" {
		err = same(string(page.Rows[0]), want, nil)
	}
	return err
}

func same(got, want string, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("answered %q; want %q", got, want)
	}
	return err
}

// firstPage makes the first page.
func firstPage(ctx context.Context, f *items.Finder, p *query.Program, plan *index.Plan, rows int) (query.Page, error) {
	docs := func(yield func(query.Doc, error) bool) {
		for r, err := range items.Rows(ctx, f.Next, "", f.Chunk(p.Wanted(rows, plan.Kind == index.Order)), 1<<20) {
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
