package gateway

import (
	"context"
	"hash/maphash"
)

// stripes are locks by name: two names may share one. They give writers that compute on the same document their turns, so that none loses to the others
// over and over; nothing depends on them for correctness.
type stripes struct {
	seed  maphash.Seed
	locks [256]chan struct{}
}

func newStripes() *stripes {
	s := &stripes{seed: maphash.MakeSeed()}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s
}

// turn is one writer's way through a lock.
type turn struct {
	lock chan struct{}
	held bool
}

func (s *stripes) turn(name string) *turn {
	return &turn{lock: s.locks[maphash.String(s.seed, name)%uint64(len(s.locks))]}
}

// take begins an attempt. The first one needs no lock unless somebody has it, who has lost already: then, and from the second on, the writer waits.
func (t *turn) take(ctx context.Context, attempt int) error {
	if t.held || attempt == 0 && len(t.lock) == 0 {
		return nil
	}
	select {
	case t.lock <- struct{}{}:
		t.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end lets the next one in.
func (t *turn) end() {
	if t.held {
		<-t.lock
	}
}
