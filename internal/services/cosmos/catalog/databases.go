package catalog

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const maxName = 255

// CheckName tells whether name can be that of a database or container.
func CheckName(name string) error {
	switch {
	case name == "":
		return fault.New(fault.Invalid, "BadRequest", "The input content is invalid because the required properties - 'id; ' - are missing")
	case len(name) > maxName:
		return fault.New(fault.Invalid, "BadRequest", "The input name is %d bytes long; at most %d are allowed.", len(name), maxName)
	case strings.ContainsAny(name, "/\\?#\t\r\n") || strings.HasSuffix(name, " "):
		return fault.New(fault.Invalid, "BadRequest", "The input name '%s' is invalid. Ensure to provide a unique non-empty string less than '%d' characters, without / \\ ? # and not ending in a blank.", name, maxName+1)
	}
	return nil
}

// CreateDatabase adds a database, with throughput of its own or without. A name in use: a 409 fault.
func (c *Catalog) CreateDatabase(ctx context.Context, acct, name string, t *Throughput, audit Audit) (*Database, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	db := &Database{Name: name}
	db.Time, db.ETag = c.stamp()
	_, offerTag := c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		if b, err := tx.Get(databaseKey(name)); err != nil {
			return err
		} else if b != nil {
			return conflict(name)
		}
		var err error
		if db.Number, err = count(tx, func(n *counters) *uint32 { return &n.Databases }); err != nil {
			return err
		}
		if err := put(tx, databaseCodec, databaseKey(name), *db); err != nil {
			return err
		}
		if err := tx.Put(databaseNameKey(db.Number), []byte(name)); err != nil {
			return err
		}
		return putOffer(tx, t, db.Number, 0, db.Time, offerTag)
	})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// DeleteDatabase removes a database with its containers. ifMatch is an etag, or "".
func (c *Catalog) DeleteDatabase(ctx context.Context, acct, ref, ifMatch string, audit Audit) error {
	return c.update(ctx, acct, audit, func(tx store.Tx) error {
		db, err := findDatabase(tx, ref)
		switch {
		case err != nil:
			return err
		case db == nil:
			return notFound()
		case ifMatch != "" && !items.MatchETag(ifMatch, `"`+db.ETag+`"`):
			return precondition()
		}
		all, err := scan(tx, containerCodec, containersPrefix(db.Number))
		if err != nil {
			return err
		}
		for _, con := range all {
			if err := removeContainer(tx, con); err != nil {
				return err
			}
		}
		if err := removeOffer(tx, db.Number, 0); err != nil {
			return err
		}
		if err := removeUsers(tx, db.Number); err != nil {
			return err
		}
		if err := removeEncryptionKeys(tx, db.Number); err != nil {
			return err
		}
		if err := tx.Delete(databaseNameKey(db.Number)); err != nil {
			return err
		}
		return tx.Delete(databaseKey(db.Name))
	})
}

// removeContainer removes a container's rows and leaves its ranges to the outbox.
func removeContainer(tx store.Tx, con *Container) error {
	for _, guid := range con.shards() {
		if err := outbox.Put(tx, kindDrop, []byte(guid)); err != nil {
			return err
		}
	}
	if err := removeScripts(tx, con); err != nil {
		return err
	}
	if err := removeOffer(tx, con.Database, con.Number); err != nil {
		return err
	}
	if err := tx.Delete(containerNameKey(con.Database, con.Number)); err != nil {
		return err
	}
	return tx.Delete(containerKey(con.Database, con.Name))
}
