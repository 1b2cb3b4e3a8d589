package arm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// performMove makes a move from wherever it is: each step is one transaction, which the marks of the two groups tell about.
//
//	begun      the source's group is marked (beginMove)
//	arrived    the target has the rows, its group is marked, nobody sees them there yet; a target that refuses them ends the move, the source's mark goes
//	effective  names, identities and data planes mean the new ids (the outbox of the target's shard); the old rows are there still
//	left       the source's rows and mark are gone; in that moment they are seen in the target
//	open       the target's mark is gone, the locks are there
//
// The two groups may be of one subscription, or of two, whose shards share no transaction.
func (p *Pipeline) performMove(ctx context.Context, shard string, op operation) error {
	m, err := p.mover(&op)
	if err != nil {
		return err
	}
	source, target, err := m.marks(ctx)
	if err != nil {
		return unfinished(ctx, err)
	}
	if source != nil && target == nil {
		if err := m.send(ctx); err != nil {
			return err
		}
		if source, target, err = m.marks(ctx); err != nil {
			return unfinished(ctx, err)
		}
	}
	if source != nil {
		if err := m.effective(ctx); err != nil {
			return unfinished(ctx, err)
		}
		if err := m.leave(ctx, target); err != nil {
			return unfinished(ctx, err)
		}
	}
	if target != nil {
		if err := m.unmark(ctx, target); err != nil {
			return unfinished(ctx, err)
		}
	}
	p.end(&op, http.StatusNoContent, nil)
	return unfinished(ctx, p.putOperation(ctx, shard, &op))
}

// unfinished leaves the operation in progress.
func unfinished(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(errUnfinished, err)
}

func (p *Pipeline) putOperation(ctx context.Context, shard string, op *operation) error {
	row, err := operationCodec.Encode(*op)
	if err != nil {
		return err
	}
	_, err = p.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return tx.Put(operationKey(op.ID), row) })
	return err
}

// marks reads the marks of the operation; nil where there is none of it.
func (m *mover) marks(ctx context.Context) (source, target *moveMark, err error) {
	if source, err = m.mark(ctx, m.fromShard, m.from); err == nil {
		target, err = m.mark(ctx, m.toShard, m.to)
	}
	return source, target, err
}

func (m *mover) mark(ctx context.Context, shard string, group ID) (*moveMark, error) {
	var row []byte
	err := m.p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
		b, err := s.Get(moveKey(group.Fold()))
		row = bytes.Clone(b)
		return err
	})
	if err != nil || row == nil {
		return nil, err
	}
	k, err := moveCodec.Decode(row)
	if err != nil || k.Operation != m.op.ID {
		return nil, err
	}
	return &k, nil
}

// send lets the rows arrive in the target. Refused, it undoes the move.
func (m *mover) send(ctx context.Context) error {
	for n := 1; ; n++ {
		w, err := m.plan(ctx)
		if err == nil {
			if err = m.arrive(ctx, w); err == nil {
				return nil
			}
			if !surelyNot(err) {
				return unfinished(ctx, err) // maybe it was written: the marks will tell
			}
		}
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errStale) && n < attempts:
			continue
		case errors.Is(err, errStale):
			err = fault.New(fault.Conflict, "AnotherOperationInProgress", "Another operation on '%s' or what it depends on is in progress. Try again.", m.to)
		case errors.Is(err, store.ErrLimit):
			err = badMove("The move concerns too much at once; move fewer resources at a time.")
		}
		return m.undo(ctx, err)
	}
}

// undo takes the mark off and writes down why nothing was moved.
func (m *mover) undo(ctx context.Context, why error) error {
	m.p.end(m.op, 0, why)
	row, err := operationCodec.Encode(*m.op)
	if err != nil {
		return err
	}
	_, err = m.p.deps.Store.Update(ctx, m.fromShard, func(tx store.Tx) error {
		if err := tx.Delete(moveKey(m.from.Fold())); err != nil {
			return err
		}
		return tx.Put(operationKey(m.op.ID), row)
	})
	if err != nil {
		return unfinished(ctx, errors.Join(why, err))
	}
	return why
}

// admitted makes sure that the target is as the plan found it.
func (m *mover) admitted(tx store.Tx, w *movePlan) error {
	group, err := tx.Get(resourceKey(m.to.Fold()))
	if err != nil || !bytes.Equal(group, w.target) {
		return staleOr(err)
	}
	if v, err := readVersion(tx); err != nil || v != w.version {
		return staleOr(err)
	}
	return w.free(tx)
}

// unchanged makes sure, in a move within one shard, that what it replaces is as the plan found it.
func (w *movePlan) unchanged(tx store.Tx) error {
	for i := range w.rows {
		have, err := tx.Get(w.rows[i].oldKey)
		if err != nil || !bytes.Equal(have, w.rows[i].old) {
			return staleOr(err)
		}
	}
	for _, list := range [][]serviceRow{w.service, w.followers} {
		for i := range list {
			have, err := tx.Get(list[i].key)
			if err != nil || !bytes.Equal(have, list[i].old) {
				return staleOr(err)
			}
		}
	}
	return nil
}

// removeRoots removes resources, what is below them and what hangs on them.
func removeRoots(tx store.Tx, roots []string) error {
	for _, root := range roots {
		if err := tx.Delete(resourceKey(root)); err != nil {
			return err
		}
		below := store.Prefix(append(resourceKey(root), '/'))
		if err := tx.DeleteRange(below.Start, below.End); err != nil {
			return err
		}
		if _, err := removeScoped(tx, root); err != nil {
			return err
		}
	}
	return nil
}

// put writes the rows to their places, and what has to follow.
func (w *movePlan) put(tx store.Tx) error {
	for i := range w.rows {
		row := &w.rows[i]
		if err := tx.Put(row.newKey, row.fresh); err != nil {
			return err
		}
		if row.effect != nil {
			if err := outbox.PutOrdered(tx, effectKind, row.order, row.effect); err != nil {
				return err
			}
		}
	}
	if err := putRows(tx, w.service); err != nil {
		return err
	}
	return putRows(tx, w.followers)
}

func putRows(tx store.Tx, rows []serviceRow) error {
	for i := range rows {
		if err := tx.Put(rows[i].key, rows[i].fresh); err != nil {
			return err
		}
	}
	return nil
}

func lockRows(locks []lock) ([]serviceRow, error) {
	out := make([]serviceRow, 0, len(locks))
	for _, l := range locks {
		row, err := lockCodec.Encode(l)
		if err != nil {
			return nil, err
		}
		out = append(out, serviceRow{key: scopedKey(tagLock, strings.ToLower(l.Scope), l.Name), fresh: row})
	}
	return out, nil
}

// arrive puts the rows at their new ids, to be seen once the old ones are gone.
func (m *mover) arrive(ctx context.Context, w *movePlan) error {
	mark := moveMark{Operation: m.op.ID, Shard: m.fromShard, Group: m.from.Fold(), Roots: m.op.Move.Roots, Tops: w.tops, Locks: w.locks}
	if m.crosses() { // else the services' rows are where they were
		for i := range w.service {
			mark.Keys = append(mark.Keys, w.service[i].key)
		}
	}
	row, err := moveCodec.Encode(mark)
	if err != nil {
		return err
	}
	_, err = m.p.deps.Store.Update(ctx, m.toShard, func(tx store.Tx) error {
		if other, err := tx.Get(moveKey(m.to.Fold())); err != nil || other != nil {
			return staleOr(err)
		}
		if err := m.admitted(tx, w); err != nil {
			return err
		}
		if !m.crosses() {
			if err := w.unchanged(tx); err != nil {
				return err
			}
		}
		if err := w.put(tx); err != nil {
			return err
		}
		return tx.Put(moveKey(m.to.Fold()), row)
	})
	return err
}

// effective makes what follows from the new ids, and returns once it is.
func (m *mover) effective(ctx context.Context) error {
	failed := m.p.deps.Outbox.Drain(ctx, m.toShard)
	if failed == nil {
		return nil
	}
	waiting, err := m.p.deps.Outbox.Parked(ctx, m.toShard)
	if err != nil || ctx.Err() != nil || len(waiting) == 0 {
		return errors.Join(failed, err)
	}
	for _, row := range waiting { // what others wait for is not ours
		for _, root := range m.op.Move.Roots {
			if row.Kind == effectKind && row.Order == m.rehome(root) {
				return errors.Join(errors.New("effect of "+row.Order+" not made"), failed)
			}
		}
	}
	return nil
}

// leave removes what has arrived in the target from where it was.
func (m *mover) leave(ctx context.Context, target *moveMark) error {
	record, err := m.record(m.from, m.fromShard)
	if err != nil {
		return err
	}
	_, err = m.p.deps.Store.Update(ctx, m.fromShard, func(tx store.Tx) error {
		if mark, err := tx.Get(moveKey(m.from.Fold())); err != nil || mark == nil {
			return err
		}
		if err := removeRoots(tx, target.Roots); err != nil {
			return err
		}
		for _, k := range target.Keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		if err := tx.Delete(moveKey(m.from.Fold())); err != nil {
			return err
		}
		return record(tx)
	})
	return err
}

// unmark opens the target group and puts the locks that came along.
func (m *mover) unmark(ctx context.Context, target *moveMark) error {
	record, err := m.record(m.to, m.toShard)
	if err != nil {
		return err
	}
	locks, err := lockRows(target.Locks)
	if err != nil {
		return err
	}
	_, err = m.p.deps.Store.Update(ctx, m.toShard, func(tx store.Tx) error {
		if mark, err := tx.Get(moveKey(m.to.Fold())); err != nil || mark == nil {
			return err
		}
		if err := tx.Delete(moveKey(m.to.Fold())); err != nil {
			return err
		}
		if len(locks) > 0 {
			if err := putRows(tx, locks); err != nil {
				return err
			}
			if err := bumpVersion(tx); err != nil {
				return err
			}
		}
		return record(tx)
	})
	return err
}

// record prepares the activity-log and audit records of the move at one of its groups.
func (m *mover) record(group ID, shard string) (func(tx store.Tx) error, error) {
	c, err := m.p.resumed(m.op, shard)
	if err != nil {
		return nil, err
	}
	c.ID, c.run.scope = group, group.Fold()
	c.run.e.kind = onAction
	c.Auth.By = m.op.Role
	c.AllowedBy = m.op.Role
	w, err := c.run.prepareWrite(c, http.StatusNoContent)
	if err != nil {
		return nil, err
	}
	return func(tx store.Tx) error {
		if err := tx.Put(binary.BigEndian.AppendUint64(bytes.Clone(w.eventKey), uint64(tx.LSN())), w.event); err != nil {
			return err
		}
		return w.recordInTx(tx, w.record)
	}, nil
}
