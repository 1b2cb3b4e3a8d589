package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Pauses of a parked row: the first retries are free, since most failures are over by the next drain.
const (
	freeRetries = 2
	firstPause  = 5 * time.Second
	longest     = 15 * time.Minute
	maxError    = 500 // bytes kept of an error's text
)

var parkedCodec = store.Codec[parked]{Kind: 'Q', Version: 1}

// parked is a row that failed, or waits for one that did.
type parked struct {
	Row      row       `json:"row"`
	Attempts int       `json:"attempts"` // 0: never tried, waits for an earlier one
	Since    time.Time `json:"since"`    // of the last attempt
	Next     time.Time `json:"next"`     // not to be tried before; zero: at the next drain
	Error    string    `json:"error"`
}

// Parked is a row that waits, as an operator sees it.
type Parked struct {
	Shard    string    `json:"shard"`
	Kind     string    `json:"kind"`
	Order    string    `json:"order,omitempty"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`
	Error    string    `json:"error"`
}

// note counts one more failure.
func (d *Drainer) note(shard string, p *parked, err error) {
	now := d.clock.Now()
	p.Attempts++
	p.Since, p.Next, p.Error = now, time.Time{}, err.Error()
	if len(p.Error) > maxError {
		p.Error = p.Error[:maxError]
	}
	if n := p.Attempts - freeRetries - 1; n >= 0 {
		p.Next = now.Add(min(firstPause<<min(n, 10), longest))
	}
	d.log.Error("outbox row failed", "shard", shard, "kind", p.Row.Kind, "order", p.Row.Order, "attempts", p.Attempts, "next", p.Next, "error", err)
}

// retry runs the shard's parked rows that are due, all if force is set. stuck are the orders in which one still waits, left is the
// number of rows that do.
func (d *Drainer) retry(ctx context.Context, shard string, force bool) (stuck map[string]bool, left int, failure, err error) {
	stuck = map[string]bool{}
	rows, err := d.read(ctx, shard, parkTag, 0)
	if err != nil || len(rows) == 0 {
		return stuck, 0, nil, err
	}
	var steps []step
	left = len(rows)
	now := d.clock.Now()
	for _, s := range rows {
		p, err := parkedCodec.Decode(s.value)
		if err != nil {
			return stuck, len(rows), nil, err
		}
		order := p.Row.order()
		if stuck[order] || !force && p.Next.After(now) || ctx.Err() != nil {
			stuck[order] = true
			continue
		}
		switch err := d.run(ctx, shard, p.Row); {
		case err == nil:
			steps = append(steps, step{key: s.key})
			left--
		case ctx.Err() != nil:
			stuck[order] = true
		default:
			err = fmt.Errorf("outbox: row %x of %s: %w", s.key[len(parkTag):], shard, err)
			if failure == nil {
				failure = err
			}
			stuck[order] = true
			d.note(shard, &p, err)
			steps = append(steps, step{s.key, &p})
		}
	}
	return stuck, left, failure, d.settle(context.WithoutCancel(ctx), shard, steps)
}

// settle deletes the rows that are done and parks the others.
func (d *Drainer) settle(ctx context.Context, shard string, steps []step) error {
	if len(steps) == 0 {
		return nil
	}
	values := make([][]byte, len(steps))
	for i, s := range steps {
		if s.parked == nil {
			continue
		}
		var err error
		if values[i], err = parkedCodec.Encode(*s.parked); err != nil {
			return err
		}
	}
	_, err := d.st.Update(ctx, shard, func(tx store.Tx) error {
		for i, s := range steps {
			if err := tx.Delete(s.key); err != nil {
				return err
			}
			if values[i] == nil {
				continue
			}
			if err := tx.Put(append([]byte(parkTag), s.key[len(prefix):]...), values[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("outbox: settle rows of %s: %w", shard, err)
	}
	return nil
}

// Parked lists the rows that wait in the shard, in order.
func (d *Drainer) Parked(ctx context.Context, shard string) ([]Parked, error) {
	rows, err := d.read(ctx, shard, parkTag, 0)
	if err != nil {
		return nil, err
	}
	out := make([]Parked, 0, len(rows))
	for _, s := range rows {
		p, err := parkedCodec.Decode(s.value)
		if err != nil {
			return nil, err
		}
		out = append(out, Parked{Shard: shard, Kind: p.Row.Kind, Order: p.Row.Order, Attempts: p.Attempts, Next: p.Next, Error: p.Error})
	}
	return out, nil
}
