package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// settle is how long after its end a block is written: nothing that may still come belongs into it.
const settle = 30 // minutes

// freezeStep is how many series are worked on at a time.
const freezeStep = 1000

// Run writes blocks and forgets what is too old until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// What can't be written now (a full disk) stays in memory and in the log, and is tried again.
		if err := s.Freeze(ctx); err != nil && ctx.Err() == nil {
			s.deps.Log.Error("metrics could not be moved into blocks", "error", err)
		}
	}
}

// Freeze moves what nothing can be added to any more from the log into blocks, and removes what is older than Retention. Run calls it each minute.
func (s *Store) Freeze(ctx context.Context) error {
	now := minuteOf(s.deps.Clock.Now())
	var errs []error
	for i := range s.buckets {
		errs = append(errs, s.freeze(ctx, &s.buckets[i], now))
	}
	return errors.Join(errs...)
}

func (s *Store) freeze(ctx context.Context, b *bucket, now int64) error {
	b.freezing.Lock()
	defer b.freezing.Unlock()
	line := (now - settle) / blockMinutes * blockMinutes
	b.mu.RLock()
	frozen, n := b.frozen, len(b.byID)
	b.mu.RUnlock()
	if line <= frozen || n == 0 {
		return nil
	}
	b.flow.Lock()
	b.line = max(b.line, line)
	b.flow.Unlock()
	// From here on nothing below the line changes any more.
	for from := 0; from < n; from += freezeStep {
		if err := s.freezeSome(ctx, b, from, min(n, from+freezeStep), frozen, line); err != nil {
			return fmt.Errorf("freeze metrics of %s: %w", b.shard, err)
		}
	}
	row, err := frozenCodec.Encode(frozenRow{Line: line})
	if err != nil {
		return err
	}
	oldest := line/minutesPerDay - retentionDays
	_, err = s.deps.Store.Update(ctx, b.shard, func(tx store.Tx) error {
		// A segment's samples are at most Early ahead of its end.
		if err := tx.DeleteRange(segmentKey(0), segmentKey((line-int64(Early/time.Minute))/segmentMinutes)); err != nil {
			return err
		}
		if err := tx.DeleteRange(dayKey(0), dayKey(max(oldest, 0))); err != nil {
			return err
		}
		return tx.Put(frozenKey, row)
	})
	if err != nil {
		return fmt.Errorf("freeze metrics of %s: %w", b.shard, err)
	}
	b.mu.Lock()
	b.frozen = line
	for _, r := range b.byID {
		if r != nil {
			r.froze(line)
		}
	}
	b.mu.Unlock()
	return s.expire(ctx, b, oldest)
}

// put is a row to write.
type put struct{ key, value []byte }

// freezeSome writes the blocks of the series with ids [from, to) between the old line and the new one.
func (s *Store) freezeSome(ctx context.Context, b *bucket, from, to int, frozen, line int64) error {
	type run struct {
		id    uint32
		block int64
		cells []minuteCell
	}
	var runs []run
	var touched []*series
	var dec decoder
	b.mu.Lock()
	for _, r := range b.byID[from:to] {
		if r == nil {
			continue
		}
		newest := int64(-1)
		err := r.unfrozen(&dec, frozen, 0, line, func(minute int64, c Cell) {
			block := minute / blockMinutes
			if n := len(runs); n == 0 || runs[n-1].id != r.id || runs[n-1].block != block {
				runs = append(runs, run{id: r.id, block: block})
			}
			last := &runs[len(runs)-1]
			last.cells = append(last.cells, minuteCell{int(minute % blockMinutes), c})
			newest = minute
		})
		if err != nil {
			b.mu.Unlock()
			return err
		}
		if day := int32(newest / minutesPerDay); newest >= 0 && day > r.day {
			r.day = day
			touched = append(touched, r)
		}
	}
	b.mu.Unlock()
	if err := s.putSeries(ctx, b, touched); err != nil {
		return err
	}
	var enc encoder
	var puts []put
	size := 0
	flush := func() error {
		if len(puts) == 0 {
			return nil
		}
		_, err := s.deps.Store.Update(ctx, b.shard, func(tx store.Tx) error {
			for _, p := range puts {
				if err := tx.Put(p.key, p.value); err != nil {
					return err
				}
			}
			return nil
		})
		puts, size = puts[:0], 0
		return err
	}
	for _, r := range runs {
		v := enc.block([]byte{kindBlock, blockVersion}, r.cells)
		puts = append(puts, put{blockKey(r.id, r.block), v})
		if size += len(v); len(puts) == freezeStep || size > 1<<20 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// expire removes series without data since the oldest day that is kept.
func (s *Store) expire(ctx context.Context, b *bucket, oldest int64) error {
	var gone []*series
	b.mu.RLock()
	for _, r := range b.byID {
		if r != nil && int64(r.day) < oldest && r.cells.len() == 0 && len(r.pending) == 0 && r.stored {
			gone = append(gone, r)
		}
	}
	b.mu.RUnlock()
	if len(gone) == 0 {
		return nil
	}
	// Nothing may come for them meanwhile.
	b.flow.Lock()
	defer b.flow.Unlock()
	_, err := s.deps.Store.Update(ctx, b.shard, func(tx store.Tx) error {
		for _, r := range gone[:min(len(gone), 10_000)] {
			if r.cells.len() > 0 {
				continue
			}
			if err := tx.Delete(seriesKey(r.id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range gone[:min(len(gone), 10_000)] {
		if r.cells.len() == 0 {
			s.remove(b, r)
		}
	}
	return nil
}

// remove takes a series out of memory. b.mu is held.
func (s *Store) remove(b *bucket, r *series) {
	b.byID[r.id], r.gone = nil, true
	b.unlist(r, s.hash(r.appendKey(nil)))
	r.group.forget(r)
	s.count.Add(-1)
}
