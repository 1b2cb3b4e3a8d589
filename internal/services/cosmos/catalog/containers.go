package catalog

import (
	"context"
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// CreateContainer adds a container to a database. A name in use: a 409 fault; an absent database: 404.
func (c *Catalog) CreateContainer(ctx context.Context, acct, db string, spec *Spec, t *Throughput, audit Audit) (*Container, error) {
	con := &Container{
		Name: spec.Name, GUID: ids.New(), PartitionKey: spec.PartitionKey, Properties: spec.Properties, Routing: 1,
		Ranges: newRanges(*spec.PartitionKey, firstRanges(t)),
	}
	con.NextRange = uint16(len(con.Ranges))
	con.Time, con.ETag = c.stamp()
	_, offerTag := c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		parent, err := findDatabase(tx, db)
		if err != nil {
			return err
		}
		if parent == nil {
			return notFound()
		}
		if b, err := tx.Get(containerKey(parent.Number, con.Name)); err != nil {
			return err
		} else if b != nil {
			return conflict(con.Name)
		}
		if err := haveKeys(tx, parent.Number, spec.encryptionKeys); err != nil {
			return err
		}
		con.Database, con.Unique = parent.Number, spec.Unique
		if con.Number, err = count(tx, func(n *counters) *uint32 { return &n.Containers }); err != nil {
			return err
		}
		if spec.TTL != 0 {
			con.TTL = TTL{spec.TTL, 1}
		}
		record, err := containerCodec.Encode(*con)
		if err != nil {
			return err
		}
		if err := tx.Put(containerKey(parent.Number, con.Name), record); err != nil {
			return err
		}
		if err := tx.Put(containerNameKey(parent.Number, con.Number), []byte(con.Name)); err != nil {
			return err
		}
		own := t
		if own == nil {
			if own, err = defaultThroughput(tx, parent.Number, spec.Serverless); err != nil {
				return err
			}
		}
		if err := putOffer(tx, own, parent.Number, con.Number, con.Time, offerTag); err != nil {
			return err
		}
		if err := outbox.Put(tx, kindInit, record); err != nil || spec.TTL == 0 {
			return err
		}
		return outbox.Put(tx, kindTTL, record)
	})
	if err != nil {
		return nil, err
	}
	return con, nil
}

// ReplaceContainer changes what can be changed of a container: not its id and partition key.
func (c *Catalog) ReplaceContainer(ctx context.Context, acct, db, ref, ifMatch string, spec *Spec, audit Audit) (*Container, error) {
	var out *Container
	now, etag := c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		con, err := c.present(tx, db, ref, ifMatch)
		if err != nil {
			return err
		}
		was := con.Properties
		if err := con.CheckReplace(spec); err != nil {
			return err
		}
		con.Properties, con.Time, con.ETag = keepProperties(spec.Properties, was), now, etag
		if err := con.setTTL(tx, spec.TTL); err != nil {
			return err
		}
		out = con
		if err := con.tellIndexing(tx, was); err != nil {
			return err
		}
		return put(tx, containerCodec, containerKey(con.Database, con.Name), *con)
	})
	return out, err
}

// DeleteContainer removes a container with its documents.
func (c *Catalog) DeleteContainer(ctx context.Context, acct, db, ref, ifMatch string, audit Audit) error {
	return c.update(ctx, acct, audit, func(tx store.Tx) error {
		con, err := c.present(tx, db, ref, ifMatch)
		if err != nil {
			return err
		}
		return removeContainer(tx, con)
	})
}

func (c *Catalog) present(tx store.Tx, db, ref, ifMatch string) (*Container, error) {
	parent, err := findDatabase(tx, db)
	if err != nil {
		return nil, err
	}
	if parent == nil {
		return nil, notFound()
	}
	con, err := findContainer(tx, parent, ref)
	switch {
	case err != nil:
		return nil, err
	case con == nil:
		return nil, notFound()
	case ifMatch != "" && !items.MatchETag(ifMatch, `"`+con.ETag+`"`):
		return nil, precondition()
	}
	return con, nil
}

// samePartitionKey compares the definitions; a version left out of a replacement stays as it is.
func samePartitionKey(sent, have *pkey.Definition) bool {
	if sent == nil || have == nil {
		return sent == nil || have != nil && have.SystemKey
	}
	if len(sent.Paths) != len(have.Paths) || sent.Kind != have.Kind {
		return false
	}
	for i := range sent.Paths {
		if sent.Paths[i] != have.Paths[i] {
			return false
		}
	}
	return true
}

// keepProperties carries what never changes into the replaced properties.
func keepProperties(properties, old json.RawMessage) json.RawMessage {
	for _, name := range []string{"partitionKey", "uniqueKeyPolicy", "clientEncryptionPolicy"} {
		properties = keepProperty(properties, old, name)
	}
	return properties
}
