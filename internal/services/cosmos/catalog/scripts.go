package catalog

import (
	"context"
	"encoding/binary"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// ScriptKind is what a script is, as it stands in keys.
type ScriptKind byte

// The kinds of scripts.
const (
	Procedure ScriptKind = 'p'
	Trigger   ScriptKind = 't'
	Function  ScriptKind = 'f'
)

// rid is the kind of their resource ids.
func (k ScriptKind) rid() rid.Kind {
	switch k {
	case Procedure:
		return rid.Procedure
	case Trigger:
		return rid.Trigger
	}
	return rid.Function
}

// ScriptSpec is what a client says of a script, checked.
type ScriptSpec struct {
	Name      string `json:"name"`
	Body      string `json:"body"`
	Type      string `json:"type,omitempty"`      // of a trigger: "Pre" or "Post"
	Operation string `json:"operation,omitempty"` // of a trigger: "All", "Create", ...
}

// Script is a stored procedure, trigger or user-defined function as stored.
type Script struct {
	ScriptSpec
	Kind      ScriptKind `json:"kind"`
	Number    uint32     `json:"number"`
	Database  uint32     `json:"database"`
	Container uint32     `json:"container"`
	Time      int64      `json:"time"`
	ETag      string     `json:"etag"`
}

// RID is its resource id.
func (s *Script) RID() rid.ID {
	return rid.NewChild(rid.NewContainer(rid.NewDatabase(s.Database), s.Container), s.Kind.rid(), uint64(s.Number))
}

var scriptCodec = store.Codec[Script]{Kind: 'S', Version: 1}

// Keys: S|db|container|kind|name holds the script, T|db|container|kind|number its name.

func scriptsPrefix(con *Container) []byte {
	return append(numbered('S', con.Database, con.Number), '|')
}

func scriptsOf(con *Container, k ScriptKind) []byte {
	return append(scriptsPrefix(con), byte(k), '|')
}

func scriptKey(con *Container, k ScriptKind, name string) []byte {
	return append(scriptsOf(con, k), name...)
}

func scriptNamesPrefix(con *Container) []byte {
	return append(numbered('T', con.Database, con.Number), '|')
}

func scriptNameKey(con *Container, k ScriptKind, number uint32) []byte {
	return binary.BigEndian.AppendUint32(append(scriptNamesPrefix(con), byte(k), '|'), number)
}

// removeScripts removes all scripts of a container.
func removeScripts(tx store.Tx, con *Container) error {
	for _, prefix := range [][]byte{scriptsPrefix(con), scriptNamesPrefix(con)} {
		r := store.Prefix(prefix)
		if err := tx.DeleteRange(r.Start, r.End); err != nil {
			return err
		}
	}
	return nil
}

func findScript(sn store.Snapshot, con *Container, k ScriptKind, ref string) (*Script, error) {
	if s, err := get(sn, scriptCodec, scriptKey(con, k, ref)); s != nil || err != nil {
		return s, err
	}
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != k.rid() || id.Parent() != con.RID() || id.Number() > 1<<32-1 {
		return nil, nil
	}
	name, err := sn.Get(scriptNameKey(con, k, uint32(id.Number())))
	if name == nil || err != nil {
		return nil, err
	}
	return get(sn, scriptCodec, scriptKey(con, k, string(name)))
}

// Script finds a script by name or resource id. Absent: a 404 fault.
func (c *Catalog) Script(ctx context.Context, acct string, con *Container, k ScriptKind, ref string) (out *Script, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = findScript(sn, con, k, ref)
		return err
	})
	if err == nil && out == nil {
		err = absentScript()
	}
	return out, err
}

// Scripts lists a container's scripts of one kind by name.
func (c *Catalog) Scripts(ctx context.Context, acct string, con *Container, k ScriptKind) (out []*Script, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, scriptCodec, scriptsOf(con, k))
		return err
	})
	return out, err
}

// CreateScript adds a script; upsert replaces the one of that name. Else a name in use is a 409 fault. created tells which it was.
func (c *Catalog) CreateScript(ctx context.Context, acct string, con *Container, k ScriptKind, spec ScriptSpec, upsert bool, audit Audit) (out *Script, created bool, err error) {
	now, etag := c.stamp()
	err = c.updateContainer(ctx, acct, con, audit, func(tx store.Tx) error {
		s, err := get(tx, scriptCodec, scriptKey(con, k, spec.Name))
		switch {
		case err != nil:
			return err
		case s != nil && !upsert:
			return conflict(spec.Name)
		}
		if created = s == nil; created {
			s = &Script{Kind: k, Database: con.Database, Container: con.Number}
			if s.Number, err = count(tx, func(n *counters) *uint32 { return &n.Scripts }); err != nil {
				return err
			}
			if err := tx.Put(scriptNameKey(con, k, s.Number), []byte(spec.Name)); err != nil {
				return err
			}
		}
		s.ScriptSpec, s.Time, s.ETag = spec, now, etag
		out = s
		return put(tx, scriptCodec, scriptKey(con, k, spec.Name), *s)
	})
	return out, created, err
}

// ReplaceScript changes a script. Its id stays.
func (c *Catalog) ReplaceScript(ctx context.Context, acct string, con *Container, k ScriptKind, ref, ifMatch string, spec ScriptSpec, audit Audit) (out *Script, err error) {
	now, etag := c.stamp()
	err = c.updateContainer(ctx, acct, con, audit, func(tx store.Tx) error {
		s, err := presentScript(tx, con, k, ref, ifMatch)
		if err != nil {
			return err
		}
		if s.Name != spec.Name {
			return fault.New(fault.Invalid, "BadRequest", "The id of a script cannot be changed: it is '%s', the request says '%s'.", s.Name, spec.Name)
		}
		s.ScriptSpec, s.Time, s.ETag = spec, now, etag
		out = s
		return put(tx, scriptCodec, scriptKey(con, k, s.Name), *s)
	})
	return out, err
}

// DeleteScript removes a script.
func (c *Catalog) DeleteScript(ctx context.Context, acct string, con *Container, k ScriptKind, ref, ifMatch string, audit Audit) error {
	return c.updateContainer(ctx, acct, con, audit, func(tx store.Tx) error {
		s, err := presentScript(tx, con, k, ref, ifMatch)
		if err != nil {
			return err
		}
		if err := tx.Delete(scriptNameKey(con, k, s.Number)); err != nil {
			return err
		}
		return tx.Delete(scriptKey(con, k, s.Name))
	})
}

// updateContainer is update for what belongs to a container, which must still be there.
func (c *Catalog) updateContainer(ctx context.Context, acct string, con *Container, audit Audit, fn func(tx store.Tx) error) error {
	return c.update(ctx, acct, audit, func(tx store.Tx) error {
		have, err := get(tx, containerCodec, containerKey(con.Database, con.Name))
		if err != nil {
			return err
		}
		if have == nil || have.GUID != con.GUID {
			return notFound()
		}
		return fn(tx)
	})
}

func presentScript(tx store.Tx, con *Container, k ScriptKind, ref, ifMatch string) (*Script, error) {
	s, err := findScript(tx, con, k, ref)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, absentScript()
	case ifMatch != "" && !items.MatchETag(ifMatch, `"`+s.ETag+`"`):
		return nil, precondition()
	}
	return s, nil
}

func absentScript() *fault.Error {
	f := notFound()
	f.Substatus = 0
	return f
}
