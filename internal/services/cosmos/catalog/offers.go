package catalog

import (
	"context"
	"encoding/binary"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of throughput, in request units per second.
const (
	minManual = 400
	minMax    = 1000
	maxRU     = 1_000_000
)

// Check tells whether the throughput can be provisioned.
func (t Throughput) Check() error {
	switch {
	case t.Max != 0 && (t.Max < minMax || t.Max > maxRU || t.Max%1000 != 0):
		return fault.New(fault.Invalid, "BadRequest", "The value of maxThroughput specified is incorrect: %d. It must be a multiple of 1000 from %d to %d.", t.Max, minMax, maxRU)
	case t.Max == 0 && (t.Manual < minManual || t.Manual > maxRU || t.Manual%100 != 0):
		return fault.New(fault.Invalid, "BadRequest", "The value of offer throughput specified is incorrect: %d. It must be a multiple of 100 from %d to %d.", t.Manual, minManual, maxRU)
	}
	return nil
}

// defaultThroughput is what a container gets that was created without: none where the database has throughput to share.
func defaultThroughput(tx store.Tx, db uint32, serverless bool) (*Throughput, error) {
	if b, err := tx.Get(offerOfKey(db, 0)); b != nil || err != nil || serverless {
		return nil, err
	}
	return &Throughput{Manual: minManual}, nil
}

func putOffer(tx store.Tx, t *Throughput, db, container uint32, now int64, etag string) error {
	if t == nil {
		return nil
	}
	number, err := count(tx, func(n *counters) *uint32 { return &n.Offers })
	if err != nil {
		return err
	}
	o := Offer{Number: number, Database: db, Container: container, Throughput: *t, Time: now, ETag: etag}
	if err := tx.Put(offerOfKey(db, container), binary.BigEndian.AppendUint32(nil, number)); err != nil {
		return err
	}
	return put(tx, offerCodec, offerKey(number), o)
}

func removeOffer(tx store.Tx, db, container uint32) error {
	b, err := tx.Get(offerOfKey(db, container))
	if len(b) != 4 || err != nil {
		return err
	}
	number := binary.BigEndian.Uint32(b)
	if err := tx.Delete(offerKey(number)); err != nil {
		return err
	}
	return tx.Delete(offerOfKey(db, container))
}

// provision finds the container's throughput: its own, or its database's.
func (c *Container) provision(sn store.Snapshot) error {
	for _, container := range []uint32{c.Number, 0} {
		b, err := sn.Get(offerOfKey(c.Database, container))
		if err != nil {
			return err
		}
		if len(b) != 4 {
			continue
		}
		o, err := get(sn, offerCodec, offerKey(binary.BigEndian.Uint32(b)))
		if o == nil || err != nil {
			return err
		}
		c.Derived.Throughput, c.Derived.SharedThroughput = o.Throughput, container == 0
		return nil
	}
	return nil
}

// Offers lists all offers of an account.
func (c *Catalog) Offers(ctx context.Context, acct string) (out []*Offer, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, offerCodec, []byte("o|"))
		return err
	})
	return out, err
}

// Offer finds an offer by resource id; upper and lower case count.
func (c *Catalog) Offer(ctx context.Context, acct, ref string) (out *Offer, err error) {
	number, err := offerNumber(ref)
	if err != nil {
		return nil, err
	}
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = get(sn, offerCodec, offerKey(number))
		return err
	})
	if err == nil && out == nil {
		err = notFound()
	}
	return out, err
}

func offerNumber(ref string) (uint32, error) {
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.Offer {
		return 0, notFound()
	}
	return uint32(id.Number()), nil
}

// Minimum is the least throughput the offer can be set to: a hundredth of the highest it ever had (a tenth, of an autoscale maximum).
func (o *Offer) Minimum() int {
	highest := max(o.Highest, o.Manual, o.Max)
	if o.Max != 0 {
		return max(minMax, roundUp(highest/10, 1000))
	}
	return max(minManual, roundUp(highest/100, 100))
}

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// set changes the throughput and remembers the highest.
func (o *Offer) set(t Throughput) {
	o.Highest = max(o.Highest, o.Manual, o.Max, t.Manual, t.Max)
	o.Throughput = t
}

// ReplaceOffer changes the throughput of an offer.
func (c *Catalog) ReplaceOffer(ctx context.Context, acct, ref, ifMatch string, t Throughput, audit Audit) (*Offer, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	return c.changeOffer(ctx, acct, ref, ifMatch, audit, func(o *Offer) error {
		if err := o.CheckReplace(t); err != nil {
			return err
		}
		o.set(t)
		return nil
	})
}

// MigrateOffer makes an offer autoscale, or manual. The new throughput follows from the old one: an autoscale maximum becomes the manual
// throughput; a manual throughput, rounded up to thousands, the autoscale maximum. One that is of the kind already stays as it is.
func (c *Catalog) MigrateOffer(ctx context.Context, acct, ref, ifMatch string, autoscale bool, audit Audit) (*Offer, error) {
	return c.changeOffer(ctx, acct, ref, ifMatch, audit, func(o *Offer) error {
		switch {
		case autoscale && o.Max == 0:
			o.set(Throughput{Max: max(minMax, roundUp(o.Manual, 1000))})
		case !autoscale && o.Max != 0:
			o.set(Throughput{Manual: o.Max})
		}
		return nil
	})
}

func (c *Catalog) changeOffer(ctx context.Context, acct, ref, ifMatch string, audit Audit, change func(*Offer) error) (*Offer, error) {
	number, err := offerNumber(ref)
	if err != nil {
		return nil, err
	}
	var out *Offer
	now, etag := c.stamp()
	guids := newGUIDs(2 * maxRanges)
	err = c.update(ctx, acct, audit, func(tx store.Tx) error {
		o, err := get(tx, offerCodec, offerKey(number))
		switch {
		case err != nil:
			return err
		case o == nil:
			return notFound()
		case ifMatch != "" && !items.MatchETag(ifMatch, `"`+o.ETag+`"`):
			return precondition()
		}
		if err := change(o); err != nil {
			return err
		}
		o.Time, o.ETag = now, etag
		out = o
		if err := c.widen(tx, acct, o, guids); err != nil {
			return err
		}
		return put(tx, offerCodec, offerKey(number), *o)
	})
	c.wakeUp()
	return out, err
}

// Pending tells whether the container's ranges are still being split for the offer's throughput.
func (c *Catalog) Pending(ctx context.Context, acct string, o *Offer) (pending bool, err error) {
	if o.Container == 0 {
		return false, nil
	}
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		pending = false
		name, err := sn.Get(containerNameKey(o.Database, o.Container))
		if name == nil || err != nil {
			return err
		}
		con, err := get(sn, containerCodec, containerKey(o.Database, string(name)))
		pending = con != nil && len(con.Moves) > 0
		return err
	})
	return pending, err
}

// widen plans the splits that a container's throughput needs. Less throughput leaves the ranges as they are: they are merged on request.
func (c *Catalog) widen(tx store.Tx, acct string, o *Offer, guids []string) error {
	if o.Container == 0 {
		return nil
	}
	name, err := tx.Get(containerNameKey(o.Database, o.Container))
	if name == nil || err != nil {
		return err
	}
	con, err := get(tx, containerCodec, containerKey(o.Database, string(name)))
	if con == nil || err != nil {
		return err
	}
	if con.Want = rangesFor(&o.Throughput); con.Want <= con.growing() {
		return nil
	}
	if err := con.grow(tx, acct, guids); err != nil {
		return err
	}
	return put(tx, containerCodec, containerKey(con.Database, con.Name), *con)
}
