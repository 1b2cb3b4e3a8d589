package intel

import (
	"context"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/honeypot"
)

// weights are how much one visit to the honeypot tells. A domain alone tells little: intruders try whether they reach the world by everybody's favourite sites.
func weight(k Kind) float64 {
	switch k {
	case Address, HASSH:
		return 0.6
	case Domain:
		return 0.3
	case URL:
		return 0.7
	case SHA256:
		return 0.9
	case Shingle:
		return 0.7
	}
	return 0.5
}

// Feed takes the honeypot's observations into the store. Observe may be called from any goroutine and doesn't wait for the disk; Run moves on what it took.
type Feed struct {
	store *Store
	// Ours tells whether an address is one of our own machines'. nil: none is.
	ours    func(netip.Addr) bool
	queue   chan Sighting
	dropped chan struct{}
}

const queued = 4096

// NewFeed makes one.
func NewFeed(s *Store, ours func(netip.Addr) bool) *Feed {
	return &Feed{store: s, ours: ours, queue: make(chan Sighting, queued), dropped: make(chan struct{}, 1)}
}

// Observe takes an observation. It is dropped, which is logged, when thousands wait already.
func (f *Feed) Observe(o honeypot.Observation) {
	s, ok := sighted(o, f.ours)
	if !ok {
		return
	}
	select {
	case f.queue <- s:
	default:
		select {
		case f.dropped <- struct{}{}:
		default:
		}
	}
}

// sighted is what an observation of a honeypot says; not ok: nothing.
func sighted(o honeypot.Observation, ours func(netip.Addr) bool) (s Sighting, ok bool) {
	s = Sighting{Kind: Kind(o.Kind), Value: o.Value, Source: "honeypot", Witness: o.Source, Weight: weight(Kind(o.Kind)), Note: o.Note, Time: o.Time}
	clean, err := Clean(s.Kind, s.Value)
	if err != nil || s.Kind == Address && !foreign(clean, ours) {
		return s, false
	}
	s.Value = clean
	return s, true
}

// foreign tells whether an address may be called malicious: it is out in the world, and not one of ours.
func foreign(text string, ours func(netip.Addr) bool) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.IsGlobalUnicast() && !a.IsPrivate() && (ours == nil || !ours(a))
}

// Run enters what was observed until ctx ends, and then what is left.
func (f *Feed) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			f.flush(ctx, nil)
			return nil
		case first := <-f.queue:
			f.flush(ctx, []Sighting{first})
		case <-f.dropped:
			f.store.deps.Log.Warn("observations of the honeypot were dropped: more came than can be stored")
		}
	}
}

func (f *Feed) flush(ctx context.Context, batch []Sighting) {
	for {
		select {
		case s := <-f.queue:
			if batch = append(batch, s); len(batch) < atOnce {
				continue
			}
		default:
		}
		break
	}
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // what was taken is entered, also at the end
	defer cancel()
	if _, err := f.store.Put(ctx, batch); err != nil {
		f.store.deps.Log.Warn("observations of the honeypot were not stored", "count", len(batch), "error", err)
	}
}
