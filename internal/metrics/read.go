package metrics

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Select finds series, in the order of their metrics and dimensions. Name "" is any metric.
func (s *Store) Select(sel Selector) []Selected {
	b := s.bucket(sel.Resource)
	b.mu.RLock()
	var out []Selected
	if at := b.byResource[strings.ToLower(sel.Resource)]; at != nil {
		for _, r := range at.list {
			if sel.takes(&r.Series) {
				out = append(out, Selected{s.ref(b, r), r.Series})
			}
		}
	}
	b.mu.RUnlock()
	slices.SortFunc(out, func(x, y Selected) int { return compareSeries(&x.Series, &y.Series) })
	return out
}

func (sel *Selector) takes(r *Series) bool {
	if sel.Name != "" && !strings.EqualFold(sel.Name, r.Name) || sel.Namespace != "" && !strings.EqualFold(sel.Namespace, r.Namespace) {
		return false
	}
	for _, f := range sel.Dimensions {
		if !f.matches(r.Dimensions) {
			return false
		}
	}
	return true
}

func compareSeries(x, y *Series) int {
	return cmp.Or(strings.Compare(strings.ToLower(x.Namespace), strings.ToLower(y.Namespace)), strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)),
		slices.CompareFunc(x.Dimensions, y.Dimensions, func(a, b Dimension) int { return cmp.Or(compareDimensions(a, b), strings.Compare(a.Value, b.Value)) }))
}

// Place is where the series of a resource are, as they were at some time, so that who keeps what Select found knows when to ask again.
type Place struct {
	b    *bucket
	r    *resource // nil: the resource has none
	seen uint64
}

// Place looks at a resource; Select is to be called after it.
func (s *Store) Place(id string) Place {
	p := Place{b: s.bucket(id)}
	p.b.mu.RLock()
	defer p.b.mu.RUnlock()
	if p.r = p.b.byResource[strings.ToLower(id)]; p.r != nil {
		p.seen = p.r.changes.Load()
	} else {
		p.seen = p.b.made.Load()
	}
	return p
}

// Changed tells whether Select might find others for the resource than then.
func (p *Place) Changed() bool {
	if p.r != nil {
		return p.r.changes.Load() != p.seen
	}
	return p.b.made.Load() != p.seen
}

// Last is the newest cell of a series that has data, and its minute; ok is false if there is none in memory.
func (s *Store) Last(ref Ref) (c Cell, at time.Time, ok bool) {
	b := s.bucketOfRef(ref)
	b.mu.RLock()
	defer b.mu.RUnlock()
	r := b.find(ref)
	if r == nil || r.cells.len() == 0 {
		return Cell{}, time.Time{}, false
	}
	return r.cells.at(int(r.last - r.start)), timeOf(r.last), true
}

// Each calls fn for every series with data in memory and its newest cell, until fn returns false. fn must not call the store.
func (s *Store) Each(fn func(sr *Series, c Cell, at time.Time) bool) {
	for i := range s.buckets {
		b := &s.buckets[i]
		b.mu.RLock()
		for _, r := range b.byID {
			if r != nil && r.cells.len() > 0 && !fn(&r.Series, r.cells.at(int(r.last-r.start)), timeOf(r.last)) {
				b.mu.RUnlock()
				return
			}
		}
		b.mu.RUnlock()
	}
}

// Window is the merged cell of the minutes [from, to) of a series, and how many of them have data. For what is not older than an hour it comes from memory, allocates nothing
// and can't fail. A series that is gone has no data.
func (s *Store) Window(ctx context.Context, ref Ref, from, to time.Time) (c Cell, present int, err error) {
	b := s.bucketOfRef(ref)
	first, end := minuteOf(from), minuteOf(to)
	b.mu.RLock()
	r := b.find(ref)
	if r == nil {
		b.mu.RUnlock()
		return Cell{}, 0, nil
	}
	if first < r.evicted || first < b.frozen && (r.cells.len() == 0 || first < r.start) {
		b.mu.RUnlock()
		return s.longWindow(ctx, b, r, first, end)
	}
	if lo, hi := max(first-r.start, 0), min(end-r.start, int64(r.cells.len())); lo < hi {
		c, present = r.cells.window(int(lo), int(hi))
	}
	b.mu.RUnlock()
	return c, present, nil
}

// oldBlock is a stored block as long windows need it.
type oldBlock struct {
	block   int64
	sum     Cell
	present int
	packed  []byte // nil: no data
}

// oldDay is what a series keeps of its stored blocks: those of the last day that long windows asked for.
type oldDay struct{ blocks []oldBlock }

// oldBlocks is how many a series keeps: a day of them, and those the day begins and ends in.
const oldBlocks = blocksPerDay + 2

func (s *Store) longWindow(ctx context.Context, b *bucket, r *series, from, to int64) (c Cell, present int, err error) {
	var dec decoder
	add := func(_ int64, o Cell) {
		c.Merge(o)
		present++
	}
	b.mu.RLock()
	frozen := b.frozen
	err = r.unfrozen(&dec, frozen, from, to, add)
	b.mu.RUnlock()
	if err != nil || from >= frozen {
		return c, present, err
	}
	to = min(to, frozen)
	err = s.stored(ctx, b, r, from/blockMinutes, (to-1)/blockMinutes, func(o oldBlock) error {
		start := o.block * blockMinutes
		switch {
		case o.packed == nil:
			return nil
		case start >= from && start+blockMinutes <= to:
			c.Merge(o.sum)
			present += o.present
			return nil
		}
		return dec.block(o.packed, func(at int, o Cell) {
			if m := start + int64(at); m >= from && m < to {
				add(m, o)
			}
		})
	})
	return c, present, err
}

// stored calls fn for the blocks first to last, from what the series keeps or else from the store.
func (s *Store) stored(ctx context.Context, b *bucket, r *series, first, last int64, fn func(oldBlock) error) error {
	b.cache.Lock()
	defer b.cache.Unlock()
	if r.old == nil {
		r.old = &oldDay{}
	}
	old := r.old
	missing := first
	for missing <= last && slices.ContainsFunc(old.blocks, func(o oldBlock) bool { return o.block == missing }) {
		missing++
	}
	if missing <= last {
		found, err := s.readBlocks(ctx, b, r.id, missing, last)
		if err != nil {
			return err
		}
		var dec decoder
		old.blocks = slices.DeleteFunc(old.blocks, func(o oldBlock) bool { return o.block >= missing })
		for n := missing; n <= last; n++ {
			o := oldBlock{block: n, packed: found[n]}
			if o.packed != nil {
				if err := dec.block(o.packed, func(_ int, c Cell) { o.sum.Merge(c); o.present++ }); err != nil {
					return err
				}
			}
			old.blocks = append(old.blocks, o)
		}
	}
	for _, o := range old.blocks {
		if o.block >= first && o.block <= last {
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	if n := len(old.blocks); n > oldBlocks {
		old.blocks = slices.Delete(old.blocks, 0, n-oldBlocks)
	}
	return nil
}

// readBlocks reads the blocks first to last of a series.
func (s *Store) readBlocks(ctx context.Context, b *bucket, id uint32, first, last int64) (map[int64][]byte, error) {
	found := map[int64][]byte{}
	var bad error
	err := s.deps.Store.View(ctx, b.shard, func(sn store.Snapshot) error {
		clear(found)
		bad = nil
		for day := first / blocksPerDay; day <= last/blocksPerDay; day++ {
			from, to := max(first, day*blocksPerDay), min(last, (day+1)*blocksPerDay-1)
			err := sn.Scan(store.Range{Start: blockKey(id, from), End: append(blockKey(id, to), 0)}, func(k, v []byte) bool {
				var b []byte
				if b, bad = body(v, kindBlock, blockVersion, errBlock); bad != nil || len(k) != blockKeySize {
					return false
				}
				found[int64(binary.BigEndian.Uint16(k[1:]))*blocksPerDay+int64(k[7])] = bytes.Clone(b)
				return true
			})
			if err != nil || bad != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = bad
	}
	return found, err
}
