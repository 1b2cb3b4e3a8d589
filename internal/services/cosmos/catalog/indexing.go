package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// kindIndex is the outbox row that tells a container's ranges its indexing policy. Its payload is a record.
const kindIndex = "cosmos.range.index"

// indexing is the container's indexing policy as stored.
func (c *Container) indexing() json.RawMessage {
	var p struct {
		Indexing json.RawMessage `json:"indexingPolicy"`
	}
	if json.Unmarshal(c.Properties, &p) != nil {
		return nil
	}
	return p.Indexing
}

// tellIndexing leaves it to the outbox to tell the ranges a changed policy.
func (c *Container) tellIndexing(tx store.Tx, was json.RawMessage) error {
	if string(c.indexing()) == string((&Container{Properties: was}).indexing()) {
		return nil
	}
	record, err := containerCodec.Encode(*c)
	if err != nil {
		return err
	}
	return outbox.Put(tx, kindIndex, record)
}

// applyIndexing tells a container's ranges its policy, as it was when the row was written, and wakes the worker that indexes their documents anew.
func (c *Catalog) applyIndexing(ctx context.Context, _ string, payload []byte) error {
	con, err := containerCodec.Decode(payload)
	if err != nil {
		return err
	}
	policy := con.indexing()
	if _, err := index.ParsePolicy(policy); err != nil {
		return nil //nolint:nilerr // stored by an older version, unchecked
	}
	for _, r := range con.Ranges {
		if err := c.items.SetPolicy(ctx, r.GUID, policy); err != nil {
			return err
		}
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return nil
}

// reindexPause is after which time indexes are looked at anew, should a change of one have failed. A pause of the machine, not a time of the service.
const reindexPause = time.Minute

// RunIndexing indexes documents anew whose container has got another indexing policy, until ctx ends. problem is told what went wrong; it is tried again.
func (c *Catalog) RunIndexing(ctx context.Context, problem func(error)) {
	tick := time.NewTicker(reindexPause)
	defer tick.Stop()
	for {
		if err := c.Reindex(ctx); err != nil && ctx.Err() == nil {
			problem(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-tick.C:
		}
	}
}

// Reindex carries out all changes of indexing policies that are under way. A range in trouble does not keep the others from their turn; the first error is
// returned. A range that an older version made gets its policy here.
func (c *Catalog) Reindex(ctx context.Context) (first error) {
	err := c.each(ctx, func(*Container) bool { return true }, func(con *Container, r Range) error {
		policy := con.indexing()
		if _, err := index.ParsePolicy(policy); err != nil {
			return ctx.Err()
		}
		err := c.items.EnsurePolicy(ctx, r.GUID, policy)
		if err == nil {
			err = c.items.Reindex(ctx, r.GUID)
		}
		if err != nil && first == nil {
			first = fmt.Errorf("index range %s of container %s: %w", r.ID, con.GUID, err)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return first
}
