package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// books lets the changes of a subscription's alerts take turns within this process, so that they rarely have to start over.
type books struct {
	mu sync.Mutex
	by map[string]*turn
}

type turn struct {
	busy chan struct{}
	refs int
}

func newBooks() books { return books{by: map[string]*turn{}} }

func (b *books) enter(ctx context.Context, subscription string) (leave func(), err error) {
	b.mu.Lock()
	t := b.by[subscription]
	if t == nil {
		t = &turn{busy: make(chan struct{}, 1)}
		b.by[subscription] = t
	}
	t.refs++
	b.mu.Unlock()
	done := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if t.refs--; t.refs == 0 {
			delete(b.by, subscription)
		}
	}
	select {
	case t.busy <- struct{}{}:
		return func() { <-t.busy; done() }, nil
	case <-ctx.Done():
		done()
		return nil, ctx.Err()
	}
}

// page is a change of a subscription's alerts being worked out: what is to be written.
type page struct {
	rows  []row
	index []entry // of the alerts among them
	tell  []func(tx store.Tx) error

	entered []*alerts.Alert // new and repeated ones, which may make incidents
	joiner  *joiner         // that knows of them
}

type row struct{ key, value []byte } // a nil value removes

func (p *page) put(key, value []byte) { p.rows = append(p.rows, row{key, value}) }

func (p *page) alert(a *alerts.Alert) error {
	b, err := alerts.Record.Encode(*a)
	if err != nil {
		return err
	}
	p.put(alerts.RecordKey(a.Name), b)
	p.index = append(p.index, indexed(a))
	return nil
}

// remove takes an alert away.
func (p *page) remove(name string) {
	p.put(alerts.RecordKey(name), nil)
	p.index = append(p.index, entry{name: name})
}

// fresh enters a new alert or incident, and tells of it whom it concerns.
func (e *Engine) fresh(p *page, a *alerts.Alert) error {
	if err := p.alert(a); err != nil {
		return err
	}
	return e.notify(p, a, Notice{ID: a.Name, Time: a.Generated})
}

var errStale = errors.New("the alerts were changed meanwhile")

const attempts = 16

// change reads, works out and writes: read takes what is needed from a snapshot, plan decodes it and says what to write, and that is written if nothing has
// changed since; else all starts over.
func (e *Engine) change(ctx context.Context, subscription string, read func(s store.Snapshot) error, plan func(p *page) error) error {
	leave, err := e.books.enter(ctx, subscription)
	if err != nil {
		return err
	}
	defer leave()
	shard := alerts.Shard(subscription)
	for range attempts {
		var lsn store.LSN
		err := e.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
			lsn = s.LSN()
			return read(s)
		})
		if err != nil {
			return err
		}
		p := page{}
		if err := plan(&p); err != nil {
			return err
		}
		if len(p.rows) == 0 && len(p.index) == 0 {
			return nil
		}
		if len(p.entered) > 0 && e.deps.Correlate != nil {
			if err := e.join(ctx, subscription, lsn, &p); errors.Is(err, errStale) {
				continue
			} else if err != nil {
				return err
			}
		}
		at, err := e.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
			if tx.LSN() != lsn+1 {
				return errStale
			}
			return p.write(tx)
		})
		if err == nil && p.joiner != nil {
			e.joiners.put(subscription, p.joiner)
		}
		if err == nil && len(p.tell) > 0 {
			// Who is told, and when, is not the alert's affair: it is stored, and what failed is tried again.
			if err := e.deps.Outbox.DrainThrough(context.WithoutCancel(ctx), shard, at); err != nil {
				e.deps.Log.Error("alerts not told yet", "subscription", subscription, "error", err)
			}
		}
		if !errors.Is(err, errStale) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "AlertsBusy", "The alerts of the subscription are being changed by many at once. Try again.")
}

func (p *page) write(tx store.Tx) error {
	for _, r := range p.rows {
		var err error
		if r.value == nil {
			err = tx.Delete(r.key)
		} else {
			err = tx.Put(r.key, r.value)
		}
		if err != nil {
			return err
		}
	}
	for i := range p.index {
		if err := p.index[i].write(tx); err != nil {
			return err
		}
	}
	for _, tell := range p.tell {
		if err := tell(tx); err != nil {
			return err
		}
	}
	return nil
}

const maxName = 200

// Get is the alert of a name, nil if there is none.
func (e *Engine) Get(ctx context.Context, subscription, name string) (*alerts.Alert, error) {
	if len(name) > maxName {
		return nil, nil
	}
	var row []byte
	err := e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
		b, err := s.Get(alerts.RecordKey(name))
		row = bytes.Clone(b)
		return err
	})
	if err != nil || row == nil {
		return nil, err
	}
	a, err := alerts.Record.Decode(row)
	return &a, err
}

const listAtOnce = 200 // records read in one View

// List gives alerts that keep accepts (nil: all), newest first, beginning at the name from ("" = the newest), at most limit (0: all). next is the name to go on
// at, "" at the end.
func (e *Engine) List(ctx context.Context, subscription, from string, limit int, keep func(*alerts.Alert) bool) (found []*alerts.Alert, next string, err error) {
	for start := alerts.RecordKey(from); start != nil; {
		var rows [][]byte
		err := e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
			rows = nil
			r := alerts.Records()
			r.Start = start
			return s.Scan(r, func(_, v []byte) bool {
				rows = append(rows, bytes.Clone(v))
				return len(rows) < listAtOnce
			})
		})
		if err != nil {
			return nil, "", err
		}
		start = nil
		for _, b := range rows {
			a, err := alerts.Record.Decode(b)
			if err != nil {
				return nil, "", fmt.Errorf("alerts of %s: %w", subscription, err)
			}
			start = append(alerts.RecordKey(a.Name), 0)
			if keep != nil && !keep(&a) {
				continue
			}
			if limit > 0 && len(found) == limit {
				return found, a.Name, nil
			}
			found = append(found, &a)
		}
		if len(rows) < listAtOnce {
			start = nil
		}
	}
	return found, "", nil
}
