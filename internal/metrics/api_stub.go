package metrics

import (
	"context"
	"time"
)

// Store keeps metrics. Safe for concurrent use.
type Store struct{ deps Deps }

// Open reads what is kept.
func Open(ctx context.Context, d Deps) (*Store, error) { return &Store{deps: d}, nil }

// Add takes samples: those it does not name among the refused are durable once it returns nil. An error means that of none is known whether it was taken.
func (s *Store) Add(ctx context.Context, samples []Sample) ([]Refusal, error) {
	return s.AddWithin(ctx, samples, Quota{})
}

// AddWithin is Add for senders that share a quota.
func (s *Store) AddWithin(ctx context.Context, samples []Sample, q Quota) ([]Refusal, error) {
	return nil, nil
}

// Select finds series, in the order of their dimensions.
func (s *Store) Select(sel Selector) []Selected { return nil }

// Generation changes whenever Select might find others for the resource than before, so that who keeps what Select found knows when to ask again.
func (s *Store) Generation(resource string) uint64 { return 0 }

// Window is the merged cell of the minutes [from, to) of a series, and how many of them have data. For what is not older than an hour it comes from memory, allocates nothing
// and can't fail.
func (s *Store) Window(ctx context.Context, r Ref, from, to time.Time) (c Cell, present int, err error) {
	return Cell{}, 0, nil
}

// Query answers a chart: a Result for each metric that has data in the store, in the order of q.Names (or of the names). A metric that nothing was ever measured of is left out.
func (s *Store) Query(ctx context.Context, q Query) ([]Result, error) { return nil, nil }

// Last is the newest cell of a series that has data, and its minute; ok is false if there is none in memory.
func (s *Store) Last(r Ref) (c Cell, at time.Time, ok bool) { return Cell{}, time.Time{}, false }

// Run does background work until ctx ends.
func (s *Store) Run(ctx context.Context) error { <-ctx.Done(); return nil }
