package arm

import (
	"bytes"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Row is a resource as it will stand in its subscription's shard. Resources that are a part of another one (a subnet of its network) have no row of their own:
// their type's Commit stores the whole. That the whole is still as the call found it, Call.Parent, the pipeline has made sure of in the same transaction.
type Row struct{ key, value []byte }

// NewRow encodes r.
func NewRow(r *Resource) (Row, error) {
	value, err := resourceCodec.Encode(*r)
	return Row{resourceKey(strings.ToLower(r.ID)), value}, err
}

// Put stores the row.
func (w Row) Put(tx store.Tx) error { return tx.Put(w.key, w.value) }

// Replace stores the row if what is stored is still before; else it refuses.
func (w Row) Replace(tx store.Tx, before Row) error {
	b, err := tx.Get(before.key)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, before.value) {
		return fault.New(fault.Conflict, "AnotherOperationInProgress", "The resource was changed by another request at the same time.")
	}
	return tx.Put(w.key, w.value)
}

// Stored tells whether a resource of that id, in any case, is in the snapshot's shard.
func Stored(s store.Snapshot, id string) (bool, error) {
	b, err := s.Get(resourceKey(strings.ToLower(id)))
	return b != nil, err
}

// RemoveScoped removes the assignments, denials and locks at and below a part that is no more. What the pipeline deletes by itself needs no such call.
func RemoveScoped(tx store.Tx, id string) error {
	_, err := removeScoped(tx, strings.ToLower(id))
	return err
}

// PartUnlocked refuses the change of a part by way of the whole that a lock set at the part, or below it, forbids. Locks above the whole the pipeline has asked.
func (c *Call) PartUnlocked(id string, removes bool) error {
	scope := strings.ToLower(id)
	var by []string
	for i, l := range c.run.judged.own.locks {
		if rbac.Within(c.run.judged.own.lockScopes[i], scope) && (removes || l.Level == readOnly) {
			by = append(by, l.Scope)
		}
	}
	if len(by) == 0 {
		return nil
	}
	return scopeLocked(id, map[bool]string{true: "delete", false: "write"}[removes], by)
}

// AliasUnlocked refuses a change that a lock forbids at another id by which the same resource can be reached. Locks at the call's own id the pipeline has asked.
func (c *Call) AliasUnlocked(id string, removes bool) error {
	by := c.run.judged.own.lockedBy(strings.ToLower(id), removes)
	if len(by) == 0 {
		return nil
	}
	return scopeLocked(id, map[bool]string{true: "delete", false: "write"}[removes], by)
}
