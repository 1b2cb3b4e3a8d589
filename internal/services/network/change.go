package network

import (
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// change is what a call writes beside, or instead of, its own row. It is worked out before the transaction and checked in it.
type change struct {
	row      *arm.Row // of the whole that the call's resource is a part of
	needs    []string // ids of resources that must be there
	same     []putRow // rows that must be as they were read
	free     []claim  // what nobody may be using
	taken    []claim  // addresses that nobody else may have
	put      []putRow
	drop     [][]byte
	vanished []string // ids of parts that are no more
}

// claim is a condition on a row or on a range of rows, and what to answer where it does not hold.
type claim struct {
	of    string // GUID: nobody uses it
	key   []byte // or a row that must be absent or by
	by    []byte
	fault func(user string) *fault.Error
}

type putRow struct{ key, value []byte }

func (w *change) use(u use) error {
	v, err := useCodec.Encode(u)
	if err != nil {
		return fmt.Errorf("use of %s by %s: %w", u.Of, u.ID, err)
	}
	w.put = append(w.put, putRow{u.key(), v})
	return nil
}

// commit checks and writes.
func (w *change) commit(tx store.Tx) error {
	for _, id := range w.needs {
		there, err := arm.InPlace(tx, id)
		if err != nil {
			return err
		}
		if !there {
			return fault.New(fault.Invalid, "InvalidResourceReference",
				"Resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", id)
		}
	}
	for _, r := range w.same {
		if b, err := tx.Get(r.key); err != nil {
			return err
		} else if string(b) != string(r.value) {
			return busy()
		}
	}
	for _, c := range append(w.free[:len(w.free):len(w.free)], w.taken...) {
		if err := c.check(tx); err != nil {
			return err
		}
	}
	for _, k := range w.drop {
		if err := tx.Delete(k); err != nil {
			return err
		}
	}
	for _, p := range w.put {
		if err := tx.Put(p.key, p.value); err != nil {
			return err
		}
	}
	for _, id := range w.vanished {
		if err := arm.RemoveScoped(tx, id); err != nil {
			return err
		}
	}
	if w.row != nil {
		return w.row.Put(tx)
	}
	return nil
}

// busy tells the caller to try again.
func busy() *fault.Error {
	f := fault.New(fault.TooMany, "RetryableError", "A retryable error occurred: another operation on this or dependent resource is in progress.")
	f.RetryAfter = time.Second
	return f
}

func (c *claim) check(tx store.Tx) error {
	if c.key != nil {
		b, err := tx.Get(c.key)
		if err == nil && b != nil && string(b) != string(c.by) {
			err = c.fault("")
		}
		return err
	}
	var row []byte
	err := tx.Scan(store.Prefix(usePrefix(c.of)), func(_, v []byte) bool {
		row = v
		return false
	})
	if err != nil || row == nil {
		return err
	}
	u, err := useCodec.Decode(row)
	if err != nil {
		return err
	}
	return c.fault(u.ID)
}

func commit(tx store.Tx, c *arm.Call) error {
	if w, ok := c.Prepared.(*change); ok {
		return w.commit(tx)
	}
	return nil
}

// changeOf works out what follows from a network's change; either may be nil. Ids are those of the network's subnets.
func changeOf(id string, old, fresh *network) (*change, error) {
	w := &change{}
	if old == nil {
		old = &network{}
	}
	if fresh == nil {
		fresh = &network{}
	}
	for i := range old.Subnets {
		was := &old.Subnets[i]
		sid := subnetID(id, was.Name)
		is := fresh.find(was.Name)
		if g := was.Properties.group(); g != "" && (is == nil || is.Properties.Group == nil || is.Properties.Group.GUID != was.Properties.Group.GUID) {
			w.drop = append(w.drop, use{Of: was.Properties.Group.GUID, By: was.GUID}.key())
		}
		switch {
		case is == nil:
			w.drop = append(w.drop, subnetKey(was.GUID))
			w.vanished = append(w.vanished, sid)
			w.free = append(w.free, claim{of: was.GUID, fault: func(user string) *fault.Error {
				return fault.New(fault.Invalid, "InUseSubnetCannotBeDeleted",
					"Subnet %s is in use by %s and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.", was.Name, user)
			}})
		case strings.Join(is.Properties.prefixes(), " ") != strings.Join(was.Properties.prefixes(), " "):
			w.free = append(w.free, claim{of: was.GUID, fault: func(user string) *fault.Error {
				return fault.New(fault.Invalid, "InUsePrefixCannotBeDeleted", "IpPrefix %s on Subnet %s has active allocations, such as %s, and cannot be deleted.",
					strings.Join(was.Properties.prefixes(), ", "), was.Name, user)
			}})
		}
	}
	for i := range fresh.Subnets {
		is := &fresh.Subnets[i]
		w.put = append(w.put, is.mark())
		g := is.Properties.Group
		if g == nil {
			continue
		}
		if was := old.find(is.Name); was != nil && was.Properties.Group != nil && was.Properties.Group.GUID == g.GUID {
			continue
		}
		w.needs = append(w.needs, g.ID)
		if err := w.use(use{Of: g.GUID, By: is.GUID, ID: subnetID(id, is.Name)}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func subnetID(network, name string) string { return network + "/subnets/" + name }

// mark is the row by which interfaces know that a subnet has not changed under them.
func (s *subnet) mark() putRow {
	return putRow{subnetKey(s.GUID), []byte(subnetMark + strings.Join(s.Properties.prefixes(), " "))}
}
