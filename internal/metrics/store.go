package metrics

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Deps is what the store of metrics stands on.
type Deps struct {
	Store store.Store
	Clock clock.Clock  // nil: the system's
	Log   *slog.Logger // nil: none
	// MaxSeries is how many series there may be in all; 0: DefaultMaxSeries.
	MaxSeries int
}

// DefaultMaxSeries bounds the series of a platform where nothing else is said.
const DefaultMaxSeries = 2_000_000

// Refusal says why one of the samples given to Add was not taken.
type Refusal struct {
	Index int    // of the sample
	Code  string // TooOld, TooFarInFuture, InvalidValue, InvalidSeries, SeriesLimitReached
	Text  string // names the series, the value and the bound
}

// Error implements error.
func (r Refusal) Error() string { return r.Code + ": " + r.Text }

// Quota bounds how many series a group of senders may have active, that is with a sample in the last 12 hours.
type Quota struct {
	Group string // "{subscription}/{region}"
	Max   int    // 0: no bound
}

// Store keeps metrics. Safe for concurrent use.
type Store struct {
	deps    Deps
	buckets [bucketCount]bucket
	count   atomic.Int64 // of series
	seed    maphash.Seed
	groups  groups
}

// bucket is the series of some resources and the shard they are in.
type bucket struct {
	shard string
	index int

	// flow is held for reading from a sample's judgement until it is in memory, for writing when a line is drawn below which nothing may come any more.
	flow sync.RWMutex
	line int64 // the line drawn; guarded by flow

	mu         sync.RWMutex         // guards all below, and the series
	byHash     map[uint64]*series   // of their keys
	byResource map[string]*resource // by folded id
	byID       []*series            // nil: none any more
	frozen     int64                // minutes before this are in blocks
	made       atomic.Uint64        // resources that came to have series
	enc        encoder              // with mu held for writing

	freezing sync.Mutex // one freeze at a time
	cache    sync.Mutex // guards series.old
}

// Open reads what is kept.
func Open(ctx context.Context, d Deps) (*Store, error) {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.MaxSeries == 0 {
		d.MaxSeries = DefaultMaxSeries
	}
	s := &Store{deps: d, seed: maphash.MakeSeed()}
	s.groups.byName = map[string]*group{}
	for i := range s.buckets {
		b := &s.buckets[i]
		b.index, b.shard = i, bucketShard(i)
		b.byHash, b.byResource = map[uint64]*series{}, map[string]*resource{}
	}
	have, err := d.Store.Shards(ctx, "metrics/", "", 0)
	if err != nil {
		return nil, err
	}
	for i := range s.buckets {
		if !slices.Contains(have, s.buckets[i].shard) {
			continue
		}
		if err := s.load(ctx, &s.buckets[i]); err != nil {
			return nil, fmt.Errorf("read metrics of %s: %w", s.buckets[i].shard, err)
		}
	}
	return s, nil
}

// load reads a bucket: its series, and what the log has that no block has.
func (s *Store) load(ctx context.Context, b *bucket) error {
	var line []byte
	var keys, values [][]byte
	err := s.deps.Store.View(ctx, b.shard, func(sn store.Snapshot) error {
		keys, values = nil, nil
		v, err := sn.Get(frozenKey)
		if line = bytes.Clone(v); err != nil {
			return err
		}
		return sn.Scan(store.Prefix([]byte("S")), func(k, v []byte) bool {
			keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
			return true
		})
	})
	if err != nil {
		return err
	}
	if line != nil {
		row, err := frozenCodec.Decode(line)
		if err != nil {
			return err
		}
		b.frozen, b.line = row.Line, row.Line
	}
	rows := map[uint32]seriesRow{}
	for i, k := range keys {
		row, err := seriesCodec.Decode(values[i])
		if err != nil || len(k) != 5 {
			return errors.Join(errBlock, err)
		}
		rows[binary.BigEndian.Uint32(k[1:])] = row
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, row := range rows {
		r := &series{Series: row.series(), id: id, day: int32(row.Day), stored: true, group: s.groups.get(row.Group)}
		for int(id) >= len(b.byID) {
			b.byID = append(b.byID, nil)
		}
		b.byID[id] = r
		b.list(r, s.hash(r.appendKey(nil)))
	}
	s.count.Add(int64(len(rows)))
	return s.replay(ctx, b)
}

// replay puts the samples of the log into memory, some rows at a time.
func (s *Store) replay(ctx context.Context, b *bucket) error {
	const most = 4 << 20
	from := store.Prefix([]byte("L"))
	for {
		var chunk [][]byte
		var last []byte
		err := s.deps.Store.View(ctx, b.shard, func(sn store.Snapshot) error {
			chunk, last = nil, nil
			size := 0
			return sn.Scan(from, func(k, v []byte) bool {
				chunk, size = append(chunk, bytes.Clone(v)), size+len(v)
				last = append(bytes.Clone(k), 0)
				return size < most
			})
		})
		if err != nil || len(chunk) == 0 {
			return err
		}
		for _, row := range chunk {
			row, err := body(row, kindLog, logVersion, errLog)
			if err != nil {
				return err
			}
			err = readLog(row, func(id uint32, minute int64, c Cell) {
				if int(id) < len(b.byID) && b.byID[id] != nil {
					r := b.byID[id]
					r.put(&b.enc, b.frozen, minute, c)
					r.group.touch(r, minute)
				}
			})
			if err != nil {
				return err
			}
		}
		from.Start = last
	}
}

func (s *Store) bucket(resource string) *bucket { return &s.buckets[bucketOf(resource)] }

func (s *Store) ref(b *bucket, r *series) Ref { return Ref(b.index)<<32 | Ref(r.id) }

// find gives the series of a ref, nil if it is gone. b.mu is held.
func (b *bucket) find(r Ref) *series {
	if id := int(uint32(r)); id < len(b.byID) {
		return b.byID[id]
	}
	return nil
}

func (s *Store) bucketOfRef(r Ref) *bucket { return &s.buckets[r>>32%bucketCount] }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

func timeOf(minute int64) time.Time { return time.Unix(minute*60, 0).UTC() }
