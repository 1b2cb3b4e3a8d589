package metrics

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// maxCommit is how many samples go into one row of the log: they stay below what a value may weigh.
const maxCommit = 50_000

// Add takes samples: those it does not name among the refused are durable once it returns nil. An error means that of none is known whether it was taken.
func (s *Store) Add(ctx context.Context, samples []Sample) ([]Refusal, error) {
	return s.AddWithin(ctx, samples, Quota{})
}

// AddWithin is Add for senders that share a quota.
func (s *Store) AddWithin(ctx context.Context, samples []Sample, q Quota) ([]Refusal, error) {
	if len(samples) == 0 {
		return nil, nil
	}
	first := bucketOf(samples[0].Resource)
	of := make([]uint8, len(samples))
	var sizes [bucketCount]int
	last, resource := first, samples[0].Resource
	for i := range samples {
		if r := samples[i].Resource; r != resource {
			last, resource = bucketOf(r), r
		}
		of[i] = uint8(last)
		sizes[last]++
	}
	now := s.deps.Clock.Now()
	if sizes[first] == len(samples) {
		return s.take(ctx, &s.buckets[first], samples, nil, q, now)
	}
	var lists [bucketCount][]int32
	for i, b := range of {
		if lists[b] == nil {
			lists[b] = make([]int32, 0, sizes[b])
		}
		lists[b] = append(lists[b], int32(i))
	}
	var mu sync.Mutex
	var refused []Refusal
	var errs []error
	var wg sync.WaitGroup
	for i, list := range lists {
		if len(list) > 0 {
			wg.Go(func() {
				r, err := s.take(ctx, &s.buckets[i], samples, list, q, now)
				mu.Lock()
				defer mu.Unlock()
				refused, errs = append(refused, r...), append(errs, err)
			})
		}
	}
	wg.Wait()
	slices.SortFunc(refused, func(a, b Refusal) int { return a.Index - b.Index })
	return refused, errors.Join(errs...)
}

// accepted is a sample that was let in.
type accepted struct {
	r      *series
	minute int64
	Cell
}

// take adds the samples of one bucket: those list names, all of them if it is nil.
func (s *Store) take(ctx context.Context, b *bucket, samples []Sample, list []int32, q Quota, now time.Time) ([]Refusal, error) {
	n := len(list)
	if list == nil {
		n = len(samples)
	}
	b.flow.RLock()
	defer b.flow.RUnlock()
	var refused []Refusal
	for from := 0; from < n; from += maxCommit {
		a := admission{s: s, b: b, q: q, now: now, group: s.groups.get(q.Group), in: make([]accepted, 0, min(n-from, maxCommit))}
		a.b.mu.RLock()
		for k := from; k < min(n, from+maxCommit); k++ {
			i := k
			if list != nil {
				i = int(list[k])
			}
			a.one(i, &samples[i])
		}
		a.b.mu.RUnlock()
		refused = append(refused, a.refused...)
		if err := a.commit(ctx); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// admission is the work on some samples of a bucket.
type admission struct {
	s       *Store
	b       *bucket
	q       Quota
	group   *group
	now     time.Time
	key     []byte
	in      []accepted
	refused []Refusal
}

func (a *admission) refuse(i int, code, format string, args ...any) {
	a.refused = append(a.refused, Refusal{i, code, fmt.Sprintf(format, args...)})
}

// one judges a sample. b.mu is held for reading, but given up where a series is made.
func (a *admission) one(i int, s *Sample) {
	minute := minuteOf(s.Time)
	if d := a.now.Sub(s.Time); d > Late || minute < a.b.line {
		a.refuse(i, "TooOld", "The time %s of %s is more than %s ago.", s.Time.UTC().Format(time.RFC3339), &s.Series, Late)
		return
	} else if d < -Early {
		a.refuse(i, "TooFarInFuture", "The time %s of %s is more than %s ahead.", s.Time.UTC().Format(time.RFC3339), &s.Series, Early)
		return
	}
	if bad := s.Cell.valid(); bad != "" {
		a.refuse(i, "InvalidValue", "The sample of %s can't be taken: %s.", &s.Series, bad)
		return
	}
	if len(s.Resource) > maxResource { // before its length is put into two bytes
		a.refuse(i, "InvalidSeries", "A series can't be kept: %s.", s.Series.valid())
		return
	}
	a.key = s.Series.appendKey(a.key[:0])
	hash := a.s.hash(a.key)
	r := a.b.named(hash, &s.Series)
	if r == nil {
		if r = a.create(i, s, hash); r == nil {
			return
		}
	}
	if !a.group.admit(r, minuteOf(a.now), a.q.Max) {
		a.full(i, s)
		return
	}
	a.group.touch(r, minute)
	a.in = append(a.in, accepted{r, minute, s.Cell})
}

func (a *admission) full(i int, s *Sample) {
	a.refuse(i, "SeriesLimitReached", "%s would be one more than the %d series that may be active in %s within 12 hours.", &s.Series, a.q.Max, a.q.Group)
}

// create makes a series; nil if it may not be.
func (a *admission) create(i int, s *Sample, hash uint64) *series {
	if bad := s.Series.valid(); bad != "" {
		a.refuse(i, "InvalidSeries", "%s can't be kept: %s.", &s.Series, bad)
		return nil
	}
	if !a.group.admit(nil, minuteOf(a.now), a.q.Max) {
		a.full(i, s)
		return nil
	}
	if a.s.count.Add(1) > int64(a.s.deps.MaxSeries) {
		a.s.count.Add(-1)
		a.refuse(i, "SeriesLimitReached", "%s would be one more than the %d series that this platform keeps.", &s.Series, a.s.deps.MaxSeries)
		return nil
	}
	a.b.mu.RUnlock()
	a.b.mu.Lock()
	defer func() {
		a.b.mu.Unlock()
		a.b.mu.RLock()
	}()
	if r := a.b.named(hash, &s.Series); r != nil { // by somebody else, meanwhile
		a.s.count.Add(-1)
		return r
	}
	r := &series{Series: s.Series, group: a.group, day: int32(minuteOf(a.now) / minutesPerDay), id: uint32(len(a.b.byID))}
	r.Dimensions = slices.SortedFunc(slices.Values(s.Dimensions), compareDimensions)
	a.b.byID = append(a.b.byID, r)
	a.b.list(r, hash)
	return r
}

// commit makes what was let in durable, then seen.
func (a *admission) commit(ctx context.Context) error {
	if len(a.in) == 0 {
		return nil
	}
	base := minuteOf(a.now)
	row := make([]byte, 0, 16+len(a.in)*16)
	row = binary.AppendVarint(append(row, kindLog, logVersion), base)
	var fresh []*series
	a.b.mu.RLock()
	for i := range a.in {
		in := &a.in[i]
		row = appendLogSample(row, in.r.id, in.minute, base, in.Cell)
		if !in.r.stored && (len(fresh) == 0 || fresh[len(fresh)-1] != in.r) {
			fresh = append(fresh, in.r)
		}
	}
	a.b.mu.RUnlock()
	if err := a.s.putSeries(ctx, a.b, fresh); err != nil {
		return err
	}
	_, err := a.s.deps.Store.Update(ctx, a.b.shard, func(tx store.Tx) error {
		return tx.Put(logKey(base/segmentMinutes, tx.LSN()), row)
	})
	if err != nil {
		return fmt.Errorf("store metrics: %w", err)
	}
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	for i := range a.in {
		in := &a.in[i]
		in.r.put(&a.b.enc, a.b.frozen, in.minute, in.Cell)
	}
	return nil
}

// putSeries stores the rows of series, before any sample of theirs.
func (s *Store) putSeries(ctx context.Context, b *bucket, list []*series) error {
	const most = 1000
	for chunk := range slices.Chunk(list, most) {
		rows := make([][]byte, 0, len(chunk))
		for _, r := range chunk {
			row, err := seriesCodec.Encode(r.row())
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		_, err := s.deps.Store.Update(ctx, b.shard, func(tx store.Tx) error {
			for i, r := range chunk {
				if err := tx.Put(seriesKey(r.id), rows[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("store the names of metrics: %w", err)
		}
		b.mu.Lock()
		for _, r := range chunk {
			r.stored = true
		}
		b.mu.Unlock()
	}
	return nil
}
