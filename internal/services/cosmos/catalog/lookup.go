package catalog

import (
	"context"
	"encoding/binary"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// OfferOf finds the throughput of a database, or of a container of it if coll is not "". nil: it has none of its own. An absent one: a 404 fault.
func (c *Catalog) OfferOf(ctx context.Context, acct, db, coll string) (out *Offer, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out = nil
		owner, err := needDatabase(sn, db)
		if err != nil {
			return err
		}
		number := uint32(0)
		if coll != "" {
			con, err := findContainer(sn, owner, coll)
			if err != nil {
				return err
			}
			if con == nil {
				return notFound()
			}
			number = con.Number
		}
		b, err := sn.Get(offerOfKey(owner.Number, number))
		if len(b) != 4 || err != nil {
			return err
		}
		out, err = get(sn, offerCodec, offerKey(binary.BigEndian.Uint32(b)))
		return err
	})
	return out, err
}

// CheckReplace tells whether a container can become what spec says: see ReplaceContainer.
func (c *Container) CheckReplace(spec *Spec) error {
	switch {
	case spec.Name != c.Name:
		return invalid("The id of a container cannot be changed: it is '%s', the request says '%s'.", c.Name, spec.Name)
	case !samePartitionKey(spec.PartitionKey, c.PartitionKey):
		return invalid("Document collection partition key cannot be changed.")
	}
	if err := sameEncryption(spec, c); err != nil {
		return err
	}
	return sameUnique(spec, c)
}

// CheckReplace tells whether an offer can be set to t: see ReplaceOffer.
func (o *Offer) CheckReplace(t Throughput) error {
	if err := t.Check(); err != nil {
		return err
	}
	switch {
	case (o.Max != 0) != (t.Max != 0):
		return invalid("An offer cannot change between manual and autoscale throughput by a replacement alone; ask for the migration (migrateToAutoscale, migrateToManualThroughput).")
	case max(t.Manual, t.Max) < o.Minimum():
		return invalid("The offer should have valid throughput values between %d and %d inclusive; %d is less than the minimum, which is a part of the highest throughput it ever had.",
			o.Minimum(), maxRU, max(t.Manual, t.Max))
	}
	return nil
}
