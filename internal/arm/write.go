package arm

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// write commits c.New, or on a deletion removes c.Old, with whatever fn writes beside it; then makes the effects elsewhere.
func (u *run) write(ctx context.Context, c *Call, status int, fn func(tx store.Tx) error) error {
	if err := u.commitTx(ctx, c, status, fn); err != nil {
		return err
	}
	// A client that hangs up now must not leave the effects to the next drain.
	if err := u.p.deps.Outbox.DrainThrough(context.WithoutCancel(ctx), u.shard, u.lsn); err != nil {
		f := fault.New(fault.Unavailable, "ChangeNotYetEffective",
			"The change of '%s' is stored, but what follows from it could not be done yet. It is tried again in the background.", c.ID)
		f.RetryAfter = redrainEvery
		return f.WithCause(err)
	}
	return nil
}

// commit is Call.Commit: for actions.
func (u *run) commit(ctx context.Context, c *Call, fn func(tx store.Tx) error) error {
	if c.New != nil {
		c.New.Changed, c.New.By, c.New.ETag = u.p.deps.Clock.Now(), c.Principal.ObjectID, ids.New()
	}
	return u.write(ctx, c, http.StatusOK, fn)
}

func (u *run) commitTx(ctx context.Context, c *Call, status int, fn func(tx store.Tx) error) error {
	w, err := u.prepareWrite(c, status)
	if err != nil {
		return err
	}
	lsn, err := u.p.deps.Store.Update(ctx, u.shard, func(tx store.Tx) error {
		if err := u.unchanged(tx, c); err != nil {
			return err
		}
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return w.put(tx, u)
	})
	if err == nil {
		u.committed, u.lsn = true, lsn
		if u.op == "" { // what is removed with something else does not stand for the whole request
			c.Audited = true
		}
		if w.bumped { // our own doing, and what it removed does not matter to the rest of the call
			*u.version = uint64(lsn)
		}
	}
	return err
}

// pending is what a write puts into its transaction, encoded before it begins.
type pending struct {
	key, row   []byte // the resource; a nil row removes it
	scope      string // of a removed resource
	eventKey   []byte // without the LSN
	event      []byte
	record     audit.Record
	effect     []byte // outbox payload; nil: none
	order      string // of the effect: what belongs to one resource happens in turn
	ownsNoRow  bool
	bumped     bool // the version row was written
	recordInTx func(tx store.Tx, rec audit.Record) error
}

func (u *run) prepareWrite(c *Call, status int) (*pending, error) {
	w := &pending{recordInTx: u.p.deps.Audit.InTx, scope: u.scope}
	_, _, w.key = u.keys(c)
	w.ownsNoRow = w.key == nil || c.New == nil && !u.removes
	if c.New != nil && !w.ownsNoRow {
		var err error
		if w.row, err = resourceCodec.Encode(*c.New); err != nil {
			return nil, err
		}
	}
	ev := u.event(c, status)
	w.eventKey = logKey(ev.Time)
	var err error
	if w.event, err = eventCodec.Encode(ev); err != nil {
		return nil, err
	}
	w.record = audit.FromRequest(c.Request)
	w.record.Operation, w.record.Resource, w.record.AllowedBy = u.operation(), c.ID.String(), c.AllowedBy
	w.record.Time, w.record.Duration, w.record.Status = c.Time, ev.Time.Sub(c.Time), status
	w.order = c.ID.top()
	w.effect, err = u.effect(c)
	return w, err
}

func (w *pending) put(tx store.Tx, u *run) error {
	switch {
	case w.ownsNoRow:
	case w.row != nil:
		if err := tx.Put(w.key, w.row); err != nil {
			return err
		}
	default:
		if err := w.remove(tx); err != nil {
			return err
		}
	}
	if err := tx.Put(binary.BigEndian.AppendUint64(w.eventKey[:len(w.eventKey):len(w.eventKey)], uint64(tx.LSN())), w.event); err != nil {
		return err
	}
	if err := w.recordInTx(tx, w.record); err != nil {
		return err
	}
	if w.effect == nil {
		return nil
	}
	return outbox.PutOrdered(tx, effectKind, w.order, w.effect)
}

// remove deletes the resource and what hangs on it; not what is below it, which must have gone before.
func (w *pending) remove(tx store.Tx) error {
	below := false
	err := tx.Scan(store.Prefix(append(bytes.Clone(w.key), '/')), func(_, _ []byte) bool {
		below = true
		return false
	})
	if err != nil {
		return err
	}
	if below {
		return errStale
	}
	if err := tx.Delete(w.key); err != nil {
		return err
	}
	w.bumped, err = removeScoped(tx, w.scope)
	return err
}

// unchanged makes sure that what the call decided on is still so.
func (u *run) unchanged(tx store.Tx, c *Call) error {
	v, err := readVersion(tx)
	if err != nil {
		return err
	}
	if v != *u.version {
		return errStale
	}
	if key := u.moveKey(c); key != nil {
		if mark, err := tx.Get(key); err != nil || mark != nil {
			return staleOr(err)
		}
	}
	group, parent, own := u.keys(c)
	for _, row := range []struct{ key, want []byte }{{group, u.groupRow}, {parent, u.parentRow}, {own, u.ownRow}} {
		if row.key == nil {
			continue
		}
		have, err := tx.Get(row.key)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, row.want) {
			return errStale
		}
	}
	return nil
}

// removeScoped removes the assignments, denials and locks at and below a scope that is no more.
func removeScoped(tx store.Tx, scope string) (removed bool, err error) {
	for _, tag := range []string{tagAssignment, tagDenial, tagLock} {
		var keys [][]byte
		err := tx.Scan(store.Prefix([]byte(tag+scope)), func(k, _ []byte) bool {
			at, _, _ := strings.Cut(string(k[len(tag):]), "|")
			if rbac.Within(at, scope) {
				keys = append(keys, bytes.Clone(k))
			}
			return true
		})
		if err != nil {
			return removed, err
		}
		for _, k := range keys {
			removed = true
			if err := tx.Delete(k); err != nil {
				return removed, err
			}
		}
	}
	if removed {
		err = bumpVersion(tx)
	}
	return removed, err
}

const effectKind = "arm.effect"

// effectRow is what has to happen outside the subscription's shard because of a write.
type effectRow struct {
	Type     string    `json:"type"`
	ID       string    `json:"id"`
	TenantID string    `json:"tenantId"`
	Cause    string    `json:"correlationId"` // of the request
	Old      *Resource `json:"old,omitempty"`
	New      *Resource `json:"new,omitempty"`
}

// effect encodes the call's effects, nil if there are none.
func (u *run) effect(c *Call) ([]byte, error) {
	old, fresh := c.Old, c.New
	if fresh == nil && !u.removes {
		return nil, nil // an action that changed rows of its own only
	}
	if ensure, remove := identityChange(c.TenantID, old, fresh); ensure == nil && remove == "" && c.Type.Applied == nil && c.Type.HostNames == nil {
		return nil, nil
	}
	return json.Marshal(effectRow{Type: c.Type.Name, ID: c.ID.String(), TenantID: c.TenantID, Cause: c.CorrelationID, Old: old, New: fresh})
}

// OutboxHandlers are the handlers of the rows the pipeline writes.
func (p *Pipeline) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{effectKind: p.makeEffect}
}

// makeEffect makes one write's effects. Each step is idempotent: after a crash it runs again.
func (p *Pipeline) makeEffect(ctx context.Context, shard string, payload []byte) error {
	var e effectRow
	if err := json.Unmarshal(payload, &e); err != nil {
		return err
	}
	t := p.byName[strings.ToLower(e.Type)]
	if t == nil {
		return errors.New("effect of the unknown resource type " + e.Type)
	}
	id, err := ParseID(e.ID)
	if err != nil {
		return err
	}
	ensure, remove := identityChange(e.TenantID, e.Old, e.New)
	if ensure != nil {
		if err := p.deps.Directory.EnsureManagedIdentity(ctx, *ensure); err != nil {
			return err
		}
	}
	if remove != "" {
		if err := p.deps.Directory.RemoveServicePrincipal(ctx, e.TenantID, remove); err != nil {
			return err
		}
	}
	if err := p.settleNames(ctx, t, e); err != nil {
		return err
	}
	if t.Applied == nil {
		return nil
	}
	c := &Call{
		Request: &wire.Request{Hosts: p.deps.Hosts, Time: p.deps.Clock.Now(), CorrelationID: e.Cause},
		Type:    t, ID: id, TenantID: e.TenantID, Old: e.Old, New: e.New, Version: t.nearest(""),
		run: &run{p: p, shard: shard, scope: id.Fold()},
	}
	return t.Applied(ctx, c)
}

// settleNames confirms the names the resource has now and gives up those it had.
func (p *Pipeline) settleNames(ctx context.Context, t *Type, e effectRow) error {
	now := t.hostNames(e.New)
	if e.Old != nil && e.New != nil && e.Old.ID != e.New.ID { // moved
		for _, n := range now {
			if err := p.deps.Names.Rebind(ctx, n.Kind, n.Name, e.New.GUID, e.New.ID); err != nil {
				return err
			}
		}
	}
	for _, n := range now {
		if err := p.deps.Names.Confirm(ctx, n.Kind, n.Name, e.New.GUID); err != nil {
			return err
		}
	}
	for _, n := range t.hostNames(e.Old) {
		if hasName(now, n) {
			continue
		}
		give := p.deps.Names.Release
		if n.Retain {
			give = p.deps.Names.MarkDeleted
		}
		if err := give(ctx, n.Kind, n.Name, e.Old.GUID); err != nil {
			return err
		}
	}
	return nil
}
