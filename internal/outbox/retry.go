package outbox

import (
	"context"
	"time"
)

// failed remembers that rows of a shard are left; 0: none are.
func (d *Drainer) failed(shard string, rows int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if rows == 0 {
		delete(d.failing, shard)
		return
	}
	d.failing[shard] = rows
}

// Depth is how many rows are under way, or were left by a drain that failed.
func (d *Drainer) Depth() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := int(d.inHand.Load())
	for _, rows := range d.failing {
		n += rows
	}
	return n
}

// Failing is how many shards have rows left by a drain that failed.
func (d *Drainer) Failing() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.failing)
}

// Retry drains the shards whose drain failed, again after each interval, until ctx ends: what stood in the way (a full disk) may be gone, and no later write may
// come that would drain them.
func (d *Drainer) Retry(ctx context.Context, every time.Duration) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		d.mu.Lock()
		shards := make([]string, 0, len(d.failing))
		for s := range d.failing {
			shards = append(shards, s)
		}
		d.mu.Unlock()
		for _, s := range shards {
			_ = d.Drain(ctx, s) // which logs it
		}
	}
}
