package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// errChanged says that a row was no longer what the change was computed from.
var errChanged = errors.New("directory: row changed meanwhile")

// change is one transaction on a tenant's shard: new, changed or (old without new) removed rows, with their index rows.
type change struct {
	oldApp, putApp *Application
	oldSP, putSP   *SP
	oldUser        *User
	putUser        *User
	putGroup       *Group
	extra          []write // rows besides
	// expect holds the stored bytes, by key, that the change was computed from (nil: no such row); others make it fail with errChanged.
	expect map[string][]byte
}

// retry runs fn until no other change came in between. fn reads, decides and commits.
func retry(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		if !errors.Is(err, errChanged) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// readApp reads an application and its home service principal with their stored bytes, for a change to them. Absent ones are nil.
func (s *Service) readApp(ctx context.Context, tenantID, objectID string) (*Application, *SP, map[string][]byte, error) {
	var app *Application
	var sp *SP
	var expect map[string][]byte
	err := s.Store.View(ctx, tenantShard(strings.ToLower(tenantID)), func(snap store.Snapshot) error {
		app, sp, expect = nil, nil, map[string][]byte{}
		var err error
		if app, err = loadExpect(snap, appCodec, keyApp+strings.ToLower(objectID), expect); err != nil || app == nil {
			return err
		}
		id, err := ref(snap, keySPAppID+app.AppID)
		if err != nil || id == "" {
			return err
		}
		sp, err = loadExpect(snap, spCodec, keySP+id, expect)
		return err
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read application %s: %w", clip(objectID), err)
	}
	return app, sp, expect, nil
}

// readSP is readApp for a service principal alone.
func (s *Service) readSP(ctx context.Context, tenantID, objectID string) (*SP, map[string][]byte, error) {
	return readOne(ctx, s, tenantID, spCodec, keySP, objectID)
}

// readOne reads the row below prefix with its stored bytes, for a change to it; nil if there is none.
func readOne[T any](ctx context.Context, s *Service, tenantID string, codec store.Codec[T], prefix, id string) (*T, map[string][]byte, error) {
	var v *T
	var expect map[string][]byte
	err := s.Store.View(ctx, tenantShard(strings.ToLower(tenantID)), func(snap store.Snapshot) error {
		expect = map[string][]byte{}
		var err error
		v, err = loadExpect(snap, codec, prefix+strings.ToLower(id), expect)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read directory object %s: %w", clip(id), err)
	}
	return v, expect, nil
}

func loadExpect[T any](snap store.Snapshot, codec store.Codec[T], key string, expect map[string][]byte) (*T, error) {
	if len(key) > maxName {
		return nil, nil
	}
	b, err := snap.Get([]byte(key))
	if err != nil {
		return nil, err
	}
	expect[key] = bytes.Clone(b)
	return load(snap, codec, key)
}

// write is one row to put (or, with a nil value, to delete). An own index row may be overwritten only by its owner.
type write struct {
	key   string
	value []byte
	owner []byte // of an index row: the value it has to have, if it is there
	what  string // of an index row: how to call it when it is someone else's
}

// commit stores a change or refuses it because a name is taken.
func (s *Service) commit(ctx context.Context, tenantID string, c change) error {
	var writes []write
	var err error
	if writes, err = c.appWrites(writes); err != nil {
		return err
	}
	if writes, err = c.spWrites(writes); err != nil {
		return err
	}
	if writes, err = c.userWrites(writes); err != nil {
		return err
	}
	if c.putGroup != nil {
		value, err := groupCodec.Encode(*c.putGroup)
		if err != nil {
			return fmt.Errorf("encode group: %w", err)
		}
		writes = append(writes, write{key: keyGroup + c.putGroup.ObjectID, value: value})
	}
	writes = append(writes, c.extra...)
	_, err = s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error {
		for key, want := range c.expect {
			b, err := tx.Get([]byte(key))
			if err != nil {
				return err
			}
			if (b == nil) != (want == nil) || !bytes.Equal(b, want) {
				return errChanged
			}
		}
		for _, w := range writes {
			if err := w.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errChanged) {
		return fmt.Errorf("change directory of tenant %s: %w", tenantID, err)
	}
	return err
}

func (w *write) apply(tx store.Tx) error {
	if w.owner != nil {
		b, err := tx.Get([]byte(w.key))
		if err != nil {
			return err
		}
		if b != nil && !bytes.Equal(b, w.owner) {
			if w.value == nil {
				return nil // removed and taken by another meanwhile: theirs
			}
			return fault.New(fault.Conflict, "Request_MultipleObjectsWithSameKeyValue", "Another object with the same value for %s already exists.", w.what)
		}
	}
	if w.value == nil {
		return tx.Delete([]byte(w.key))
	}
	return tx.Put([]byte(w.key), w.value)
}

func (c *change) appWrites(out []write) ([]write, error) {
	if old := c.oldApp; old != nil {
		owner, err := refCodec.Encode(old.ObjectID)
		if err != nil {
			return nil, fmt.Errorf("encode application reference: %w", err)
		}
		for _, uri := range old.IdentifierURIs {
			out = append(out, write{key: keyURI + strings.ToLower(uri), owner: owner})
		}
		out = append(out, write{key: keyAppID + old.AppID, owner: owner}, write{key: keyApp + old.ObjectID})
	}
	app := c.putApp
	if app == nil {
		return out, nil
	}
	owner, err := refCodec.Encode(app.ObjectID)
	if err != nil {
		return nil, fmt.Errorf("encode application reference: %w", err)
	}
	value, err := appCodec.Encode(*app)
	if err != nil {
		return nil, fmt.Errorf("encode application: %w", err)
	}
	for _, uri := range app.IdentifierURIs {
		out = append(out, write{key: keyURI + strings.ToLower(uri), value: owner, owner: owner, what: "property identifierUris"})
	}
	return append(out,
		write{key: keyAppID + app.AppID, value: owner, owner: owner, what: "property appId"},
		write{key: keyApp + app.ObjectID, value: value}), nil
}

func (c *change) spWrites(out []write) ([]write, error) {
	if old := c.oldSP; old != nil {
		owner, err := refCodec.Encode(old.ObjectID)
		if err != nil {
			return nil, fmt.Errorf("encode service principal reference: %w", err)
		}
		for _, name := range old.Names {
			out = append(out, write{key: keySPName + strings.ToLower(name), owner: owner})
		}
		out = append(out, write{key: keySPAppID + old.AppID, owner: owner}, write{key: keySP + old.ObjectID})
	}
	sp := c.putSP
	if sp == nil {
		return out, nil
	}
	owner, err := refCodec.Encode(sp.ObjectID)
	if err != nil {
		return nil, fmt.Errorf("encode service principal reference: %w", err)
	}
	value, err := spCodec.Encode(*sp)
	if err != nil {
		return nil, fmt.Errorf("encode service principal: %w", err)
	}
	for _, name := range sp.Names {
		out = append(out, write{key: keySPName + strings.ToLower(name), value: owner, owner: owner, what: "property servicePrincipalNames"})
	}
	return append(out,
		write{key: keySPAppID + sp.AppID, value: owner, owner: owner, what: "property appId"},
		write{key: keySP + sp.ObjectID, value: value}), nil
}

func (c *change) userWrites(out []write) ([]write, error) {
	if old := c.oldUser; old != nil {
		owner, err := refCodec.Encode(old.ObjectID)
		if err != nil {
			return nil, fmt.Errorf("encode user reference: %w", err)
		}
		out = append(out, write{key: keyUPN + strings.ToLower(old.UPN), owner: owner}, write{key: keyUser + old.ObjectID})
	}
	u := c.putUser
	if u == nil {
		return out, nil
	}
	owner, err := refCodec.Encode(u.ObjectID)
	if err != nil {
		return nil, fmt.Errorf("encode user reference: %w", err)
	}
	value, err := userCodec.Encode(*u)
	if err != nil {
		return nil, fmt.Errorf("encode user: %w", err)
	}
	return append(out,
		write{key: keyUPN + strings.ToLower(u.UPN), value: owner, owner: owner, what: "property userPrincipalName"},
		write{key: keyUser + u.ObjectID, value: value}), nil
}
