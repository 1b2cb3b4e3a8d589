package catalog

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// What a container asks of its documents: time to live and unique keys.

// kindTTL is the outbox row that tells a container's ranges its time to live. Its payload is a record.
const kindTTL = "cosmos.range.ttl"

// Bounds of unique keys.
const (
	maxUnique      = 10 // constraints
	maxUniquePaths = 16 // in each
)

// TTL is a container's setting of defaultTtl.
type TTL struct {
	Default  int32  `json:"default"`  // seconds; -1: on without a default; 0: off
	Revision uint64 `json:"revision"` // counts its changes; 0: never set
}

// parseTTL reads defaultTtl.
func parseTTL(raw json.RawMessage) (int32, error) {
	if !present(raw) {
		return 0, nil
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil || n != math.Trunc(n) || n > math.MaxInt32 || n < 1 && n != -1 {
		return 0, invalid("The value of 'defaultTtl' specified in the container is invalid. It must be either null, -1 or a positive integer up to 2147483647.")
	}
	return int32(n), nil
}

// parseUnique reads uniqueKeyPolicy: the constraints, and the policy as it is shown.
func parseUnique(raw json.RawMessage) (keys [][]string, shown json.RawMessage, err error) {
	if !present(raw) {
		return nil, nil, nil
	}
	type uniqueKey struct {
		Paths []string `json:"paths"`
	}
	var in struct {
		UniqueKeys []uniqueKey `json:"uniqueKeys"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return nil, nil, invalid("The uniqueKeyPolicy of the container is invalid; it is {\"uniqueKeys\":[{\"paths\":[\"/a\"]}]}.")
	}
	if len(in.UniqueKeys) > maxUnique {
		return nil, nil, invalid("The number of unique keys %d is more than the %d allowed.", len(in.UniqueKeys), maxUnique)
	}
	if in.UniqueKeys == nil {
		in.UniqueKeys = []uniqueKey{}
	}
	for _, k := range in.UniqueKeys {
		if err := checkUnique(k.Paths); err != nil {
			return nil, nil, err
		}
		keys = append(keys, k.Paths)
	}
	shown, err = json.Marshal(in)
	return keys, shown, err
}

func checkUnique(paths []string) error {
	if len(paths) == 0 || len(paths) > maxUniquePaths {
		return invalid("A unique key has %d paths; 1 to %d are allowed.", len(paths), maxUniquePaths)
	}
	for i, path := range paths {
		if _, err := pkey.SplitPath(path); err != nil {
			return invalid("The unique key path '%s' is invalid: it begins with '/', and has neither wildcards nor empty segments.", path)
		}
		if slices.Contains(paths[:i], path) {
			return invalid("The unique key path '%s' is given twice.", path)
		}
	}
	return nil
}

// uniqueKeys takes the paths apart.
func uniqueKeys(paths [][]string) []items.UniqueKey {
	var out []items.UniqueKey
	for _, key := range paths {
		var k items.UniqueKey
		for _, path := range key {
			segments, _ := pkey.SplitPath(path) // was checked
			k = append(k, segments)
		}
		out = append(out, k)
	}
	return out
}

func (c *Container) rules() items.Rules {
	r := items.Rules{Timed: c.TTL.Revision != 0}
	if len(c.Unique) == 0 {
		return r
	}
	unique := c.Derived.unique
	if unique == nil {
		unique = uniqueKeys(c.Unique)
	}
	r.Unique = unique
	return r
}

// setTTL changes the setting of a container, and leaves it to the outbox to tell the ranges.
func (c *Container) setTTL(tx store.Tx, ttl int32) error {
	if ttl == c.TTL.Default {
		return nil
	}
	c.TTL = TTL{ttl, c.TTL.Revision + 1}
	return c.tellTTL(tx)
}

// tellTTL leaves it to the outbox to tell the container's ranges its setting, if it ever had one.
func (c *Container) tellTTL(tx store.Tx) error {
	if c.TTL.Revision == 0 {
		return nil
	}
	record, err := containerCodec.Encode(*c)
	if err != nil {
		return err
	}
	return outbox.Put(tx, kindTTL, record)
}

// applyTTL tells a container's ranges its time to live, as it was when the row was written.
func (c *Catalog) applyTTL(ctx context.Context, _ string, payload []byte) error {
	con, err := containerCodec.Decode(payload)
	if err != nil {
		return err
	}
	for _, r := range con.Ranges {
		if err := c.items.SetTTL(ctx, r.GUID, con.TTL.Default, con.TTL.Revision); err != nil {
			return err
		}
	}
	return nil
}

// inheritTTL gives the setting to a child of a move, before there are documents in it. A change during the split reaches it once it is published.
func (c *Catalog) inheritTTL(ctx context.Context, con *Container, r Range) error {
	if con.TTL.Revision == 0 {
		return nil
	}
	return c.items.SetTTL(ctx, r.GUID, con.TTL.Default, con.TTL.Revision)
}

// sameUnique tells whether a replacement keeps the unique keys; one that does not speak of them does.
func sameUnique(spec *Spec, con *Container) error {
	if spec.uniqueGiven && !slices.EqualFunc(spec.Unique, con.Unique, slices.Equal) {
		return fault.New(fault.Invalid, "BadRequest", "The unique key policy of a container cannot be changed. To change it, delete the container and create it again.")
	}
	return nil
}

// keepProperty carries a stored property into replaced ones.
func keepProperty(properties, old json.RawMessage, name string) json.RawMessage {
	var was, now map[string]json.RawMessage
	if json.Unmarshal(old, &was) != nil || was[name] == nil || json.Unmarshal(properties, &now) != nil {
		return properties
	}
	now[name] = was[name]
	b, err := json.Marshal(now)
	if err != nil {
		return properties
	}
	return b
}

// Mortal calls fn for each range of a container whose documents may end. An error of fn ends it.
func (c *Catalog) Mortal(ctx context.Context, fn func(items.Range) error) error {
	return c.each(ctx, func(con *Container) bool { return con.TTL.Default != 0 }, func(con *Container, r Range) error { return fn(itemRange(con, r)) })
}

// each calls fn for each range of the containers that keep picks, in all accounts. An error of fn ends it.
func (c *Catalog) each(ctx context.Context, keep func(*Container) bool, fn func(*Container, Range) error) error {
	return c.eachIn(ctx, keep, func(_ string, con *Container, r Range) error { return fn(con, r) })
}

// eachIn is each, and tells the account's guid.
func (c *Catalog) eachIn(ctx context.Context, keep func(*Container) bool, fn func(string, *Container, Range) error) error {
	return store.EachShard(ctx, c.st, Shard(""), func(shard string) error {
		all, err := c.picked(ctx, shard, keep)
		if err != nil {
			return err
		}
		for _, con := range all {
			for _, r := range con.Ranges {
				if err := fn(strings.TrimPrefix(shard, accountPrefix), con, r); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// picked lists the containers of an account's shard that keep picks.
func (c *Catalog) picked(ctx context.Context, shard string, keep func(*Container) bool) (out []*Container, err error) {
	err = c.st.View(ctx, shard, func(sn store.Snapshot) error {
		out = out[:0]
		if b, err := sn.Get(accountKey); b == nil || err != nil {
			return err
		}
		all, err := scan(sn, containerCodec, []byte("c|"))
		for _, con := range all {
			if keep(con) {
				out = append(out, con)
			}
		}
		return err
	})
	return out, err
}
