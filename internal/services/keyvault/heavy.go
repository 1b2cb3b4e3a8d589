package keyvault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"runtime"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// bounds keeps costly work (making keys, checking imported ones) from taking the machine from everything else.
type bounds struct {
	running chan struct{} // one token for each that runs
	waiting chan struct{} // one token for each that runs or waits
}

// maxWaiting is how many costly requests may wait; a further one is told to come back.
const maxWaiting = 64

func newBounds() bounds {
	return bounds{make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), make(chan struct{}, maxWaiting)}
}

// heavy runs fn when its turn comes. When too many wait already it answers 429.
func (s *Service) heavy(ctx context.Context, fn func() error) error {
	select {
	case s.bounds.waiting <- struct{}{}:
	default:
		e := fault.New(fault.TooMany, "Throttled", "Too many keys are being made at this moment. Try again.")
		e.RetryAfter = time.Second
		return e
	}
	defer func() { <-s.bounds.waiting }()
	select {
	case s.bounds.running <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.bounds.running }()
	return fn()
}

// generate makes a key pair as p, which is settled, wants it. Never called inside a transaction.
func (s *Service) generate(ctx context.Context, p *keyProps) (signer crypto.Signer, err error) {
	if p.Type == "EC" { // quick
		if signer, err = ecdsa.GenerateKey(curve(p.Curve), rand.Reader); err != nil {
			return nil, fmt.Errorf("make key: %w", err)
		}
		return signer, nil
	}
	err = s.heavy(ctx, func() error {
		key, err := rsa.GenerateKey(rand.Reader, p.Size)
		if err != nil {
			return fmt.Errorf("make key: %w", err)
		}
		signer = key
		return nil
	})
	return signer, err
}
