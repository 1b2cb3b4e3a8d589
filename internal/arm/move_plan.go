package arm

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// mover makes the move that an operation is.
type mover struct {
	p                  *Pipeline
	op                 *operation
	from, to           ID // groups
	fromShard, toShard string
}

func (p *Pipeline) mover(op *operation) (*mover, error) {
	m := &mover{p: p, op: op}
	var err error
	if m.from, err = ParseID(op.Move.From); err == nil {
		m.to, err = ParseID(op.Move.To)
	}
	m.fromShard, m.toShard = subShard(m.from.Subscription), subShard(m.to.Subscription)
	return m, err
}

func (m *mover) crosses() bool { return m.fromShard != m.toShard }

// movePlan is a move worked out from what is stored: everything its transactions write.
type movePlan struct {
	rows      []movingRow
	service   []serviceRow
	followers []serviceRow // resources that stay in the subscription
	locks     []lock       // as they will be
	tops      []string     // folded new ids of the roots
	target    []byte       // the target group as stored
	version   uint64       // of the target subscription's policy
}

// movingRow is one resource's row at its place before and after.
type movingRow struct {
	oldKey, old, newKey, fresh []byte
	before, after              Resource
	effect                     []byte
	order                      string
}

// plan works the move out, or says why it can't be made. It writes nothing.
func (m *mover) plan(ctx context.Context) (*movePlan, error) {
	w := &movePlan{}
	if err := m.open(ctx, w); err != nil {
		return nil, err
	}
	if err := m.load(ctx, w); err != nil {
		return nil, err
	}
	for _, root := range m.op.Move.Roots {
		w.tops = append(w.tops, m.rehome(root))
	}
	if err := m.unlocked(ctx, w); err != nil {
		return nil, err
	}
	if err := m.ask(ctx, w); err != nil {
		return nil, err
	}
	return w, m.fits(ctx, w)
}

// rehome gives the folded id something folded that moves will have.
func (m *mover) rehome(folded string) string {
	id, err := ParseID(folded)
	if err != nil {
		return folded
	}
	return id.rehomed(m.to).Fold()
}

// load reads the rows to be moved, and the locks that go along.
func (m *mover) load(ctx context.Context, w *movePlan) error {
	var locks [][]byte
	var missing string
	roles := 0
	err := m.p.deps.Store.View(ctx, m.fromShard, func(s store.Snapshot) error {
		w.rows, locks, missing, roles = nil, nil, "", 0
		for _, root := range m.op.Move.Roots {
			before := len(w.rows)
			if err := w.loadRows(s, root); err != nil {
				return err
			}
			if len(w.rows) == before {
				missing = root
				return nil
			}
			if err := hangingOn(s, tagLock, root, func(v []byte) { locks = append(locks, bytes.Clone(v)) }); err != nil {
				return err
			}
			if err := hangingOn(s, tagAssignment, root, func([]byte) { roles++ }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if missing != "" {
		id, err := ParseID(missing)
		if err != nil {
			return err
		}
		return noResource(id)
	}
	if len(w.rows) > maxMoving || len(locks)+roles > maxMoving {
		return badMove("The move concerns more than %d resources, or more than as many locks and role assignments; move fewer at a time.", maxMoving)
	}
	return m.takeLocks(w, locks)
}

// loadRows reads a resource's row and those of what is below it; none if there is no such resource.
func (w *movePlan) loadRows(s store.Snapshot, root string) error {
	key := resourceKey(root)
	b, err := s.Get(key)
	if err != nil || b == nil {
		return err
	}
	w.rows = append(w.rows, movingRow{oldKey: key, old: bytes.Clone(b)})
	return s.Scan(store.Prefix(append(bytes.Clone(key), '/')), func(k, v []byte) bool {
		w.rows = append(w.rows, movingRow{oldKey: bytes.Clone(k), old: bytes.Clone(v)})
		return len(w.rows) <= maxMoving
	})
}

// hangingOn calls fn with the rows of a kind (assignments, locks) at a folded scope and below it.
func hangingOn(s store.Snapshot, tag, scope string, fn func(v []byte)) error {
	return s.Scan(store.Prefix([]byte(tag+scope)), func(k, v []byte) bool {
		if at, _, _ := strings.Cut(string(k[len(tag):]), "|"); rbac.Within(at, scope) {
			fn(v)
		}
		return true
	})
}

// takeLocks makes the locks as they will be.
func (m *mover) takeLocks(w *movePlan, rows [][]byte) error {
	for _, row := range rows {
		l, err := lockCodec.Decode(row)
		if err != nil {
			return err
		}
		scope, err := ParseID(l.Scope)
		if err != nil {
			return err
		}
		l.Scope = scope.rehomed(m.to).String()
		l.ID = l.Scope + "/providers/" + typeLock + "/" + l.Name
		w.locks = append(w.locks, l)
	}
	return nil
}

// unlocked makes sure that no lock is in the way: at the target and at the resources a ReadOnly one, at the resources any deny assignment too.
func (m *mover) unlocked(ctx context.Context, w *movePlan) error {
	source, err := m.p.policies.Get(ctx, m.fromShard, m.fromShard)
	if err != nil {
		return err
	}
	target, err := m.p.policies.Get(ctx, m.toShard, m.toShard)
	if err != nil {
		return err
	}
	if w.version = target.version; w.version != m.op.Move.Version { // what the caller was allowed by may be gone
		if err := m.p.linked(ctx, m.p.request(m.op), typeGroup+"/write", m.to.String()); err != nil {
			return err
		}
	}
	for _, pol := range []*policy{source, target} {
		for i := range pol.locks {
			at := pol.lockScopes[i]
			hit := pol == target && rbac.Within(m.to.Fold(), at)
			for _, root := range m.op.Move.Roots {
				hit = hit || rbac.Within(at, root) || pol == source && rbac.Within(root, at)
			}
			if hit && pol.locks[i].Level == readOnly {
				return fault.New(fault.Conflict, "ScopeLocked",
					"The scope '%s' cannot perform write operation because following scope(s) are locked: '%s'. Please remove the lock and try again.", m.to, pol.locks[i].Scope)
			}
		}
	}
	for i := range source.denials {
		for _, root := range m.op.Move.Roots {
			if rbac.Within(strings.ToLower(source.denials[i].Scope), root) {
				id, _ := ParseID(root)
				return moveRefused(id.Type(), "CannotMoveResource", "The resource '%s' has the deny assignment '%s'.", root, source.denials[i].ID)
			}
		}
	}
	for _, root := range m.op.Move.Roots {
		id, err := ParseID(root)
		if err != nil {
			return err
		}
		if target.withdrawn[strings.ToLower(id.Namespace)] {
			return fault.New(fault.Conflict, "MissingSubscriptionRegistration",
				"The subscription '%s' is not registered to use namespace '%s'. See https://aka.ms/rps-not-found for how to register subscriptions.", m.to.Subscription, id.Namespace)
		}
	}
	return nil
}

// ask lets each resource's type prepare its move.
func (m *mover) ask(ctx context.Context, w *movePlan) error {
	now := m.p.deps.Clock.Now()
	var followers []follower
	for i := range w.rows {
		row := &w.rows[i]
		mv, err := m.askOne(ctx, row, now)
		if err != nil {
			return err
		}
		w.service = append(w.service, mv.rows...)
		followers = append(followers, mv.followers...)
		row.after = *mv.New
		if row.fresh, err = resourceCodec.Encode(row.after); err != nil {
			return err
		}
		if row.effect, err = renamed(m.p.byName[strings.ToLower(row.after.Type)], m.op.Move.TenantID, m.op.Cause, &row.before, &row.after); err != nil {
			return err
		}
	}
	return m.follow(ctx, w, followers, now)
}

func (m *mover) askOne(ctx context.Context, row *movingRow, now time.Time) (*Move, error) {
	var err error
	if row.before, err = resourceCodec.Decode(row.old); err != nil {
		return nil, err
	}
	id, err := ParseID(row.before.ID)
	if err != nil {
		return nil, err
	}
	t := m.p.byName[strings.ToLower(row.before.Type)]
	if t == nil || len(id.Types) == 1 && t.Move == nil {
		return nil, moveRefused(row.before.Type, "MoveNotSupported", "Moving resources of the type '%s', such as '%s', is not supported.", row.before.Type, row.before.ID)
	}
	fresh := row.before
	fresh.ID, fresh.Changed, fresh.By, fresh.ETag = id.rehomed(m.to).String(), now, m.op.Caller.ObjectID, ids.New()
	if len(fresh.ID) > maxID {
		return nil, badID(fresh.ID, "it would be too long")
	}
	to, err := ParseID(fresh.ID)
	if err != nil {
		return nil, err
	}
	row.newKey, row.order = resourceKey(to.Fold()), to.top()
	mv := &Move{Old: &row.before, New: &fresh, From: m.fromShard, To: m.toShard, along: m.newID}
	if t.Move != nil {
		err = t.Move(ctx, mv)
	}
	return mv, err
}

// newID is Move.NewID.
func (m *mover) newID(id string) (string, bool) {
	parsed, err := ParseID(id)
	if err != nil {
		return "", false
	}
	folded := parsed.Fold()
	for _, root := range m.op.Move.Roots {
		if rbac.Within(folded, root) {
			return parsed.rehomed(m.to).String(), true
		}
	}
	return "", false
}

// follow changes what stays and refers to what moves.
func (m *mover) follow(ctx context.Context, w *movePlan, followers []follower, now time.Time) error {
	moving := map[string]bool{}
	for i := range w.rows {
		moving[string(w.rows[i].oldKey)] = true
	}
	rows := map[string]*serviceRow{}
	changed := map[string]*Resource{}
	for _, f := range followers {
		if moving[string(f.key)] {
			continue
		}
		r := changed[string(f.key)]
		if r == nil {
			var b []byte
			err := m.p.deps.Store.View(ctx, m.fromShard, func(s store.Snapshot) error {
				v, err := s.Get(f.key)
				b = bytes.Clone(v)
				return err
			})
			if err != nil || b == nil {
				return staleOr(err)
			}
			v, err := resourceCodec.Decode(b)
			if err != nil {
				return err
			}
			r = &v
			r.Changed, r.ETag = now, ids.New()
			rows[string(f.key)], changed[string(f.key)] = &serviceRow{key: f.key, old: b}, r
		}
		if err := f.change(r); err != nil {
			return err
		}
	}
	for key, row := range rows {
		var err error
		if row.fresh, err = resourceCodec.Encode(*changed[key]); err != nil {
			return err
		}
		w.followers = append(w.followers, *row)
	}
	return nil
}

// open reads the target group, which has to be there and take resources.
func (m *mover) open(ctx context.Context, w *movePlan) error {
	var mark []byte
	err := m.p.deps.Store.View(ctx, m.toShard, func(s store.Snapshot) error {
		b, err := s.Get(resourceKey(m.to.Fold()))
		if err != nil {
			return err
		}
		w.target = bytes.Clone(b)
		b, err = s.Get(moveKey(m.to.Fold()))
		mark = bytes.Clone(b)
		return err
	})
	if err != nil {
		return err
	}
	if w.target == nil {
		return noGroup(m.to.ResourceGroup)
	}
	group, err := resourceCodec.Decode(w.target)
	if err != nil {
		return err
	}
	m.to.ResourceGroup = group.Name
	if group.deleting() {
		return fault.New(fault.Conflict, "ResourceGroupBeingDeleted", "The target resource group '%s' is in deprovisioning state.", group.Name)
	}
	if mark == nil {
		return nil
	}
	k, err := moveCodec.Decode(mark)
	if err == nil && k.Operation != m.op.ID {
		err = groupMoving(group.Name)
	}
	return err
}

// fits makes sure that the target has nothing of the names, and that the move is not too big for its transactions.
func (m *mover) fits(ctx context.Context, w *movePlan) error {
	size := 0
	for i := range w.rows {
		size += len(w.rows[i].fresh) + len(w.rows[i].effect)
	}
	for _, list := range [][]serviceRow{w.service, w.followers} {
		for i := range list {
			size += len(list[i].fresh) + len(list[i].key)
		}
	}
	if n := len(w.rows) + len(w.service) + len(w.followers); size > maxMovedBytes || n > maxMoving {
		return badMove("The move concerns too much at once (%d rows, %d bytes); move fewer resources at a time.", n, size)
	}
	return m.p.deps.Store.View(ctx, m.toShard, func(s store.Snapshot) error { return w.free(s) })
}

// free makes sure that nothing has an id that something will have.
func (w *movePlan) free(s store.Snapshot) error {
	for i := range w.rows {
		if b, err := s.Get(w.rows[i].newKey); err != nil {
			return err
		} else if b != nil {
			return fault.New(fault.Conflict, "ResourceMoveNameConflict", "The target resource group has a resource '%s' already.", w.rows[i].after.ID)
		}
	}
	return nil
}
