package gateway

import (
	"context"
	"hash/maphash"
)

// stripes are locks by name: two names may share one. They keep writers that computed on the same document from undoing each other's work over and over;
// nothing depends on them for correctness.
type stripes struct {
	seed  maphash.Seed
	locks [64]chan struct{}
}

func newStripes() *stripes {
	s := &stripes{seed: maphash.MakeSeed()}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s
}

// lock waits for the name's lock until ctx ends. The function it returns gives it back.
func (s *stripes) lock(ctx context.Context, name string) (unlock func(), err error) {
	l := s.locks[maphash.String(s.seed, name)%uint64(len(s.locks))]
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
