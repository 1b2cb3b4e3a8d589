package catalog

import (
	"context"
	"encoding/json"

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
	return nil
}
