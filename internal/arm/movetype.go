package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Move is one resource on its way to another group, as its type's Move is shown it. While a move is prepared and made, the groups it concerns refuse every other write,
// so that what Move reads stays as it is; resources of other groups may change.
type Move struct {
	Old, New *Resource // New has the new id; Move may change its Properties and Private
	From, To string    // shards of the subscriptions it leaves and enters; the same for a move within one

	along     func(id string) (string, bool)
	rows      []serviceRow
	followers []follower
}

// serviceRow is a service's row in a subscription's shard before and after.
type serviceRow struct{ key, old, fresh []byte }

// follower is a resource that stays where it is and whose properties change with the move.
type follower struct {
	key    []byte
	change func(*Resource) error
}

// Crosses tells whether the resource goes to another subscription.
func (m *Move) Crosses() bool { return m.From != m.To }

// NewID gives the id that a resource which moves along, or a part of one, will have; ok is false for what stays where it is.
func (m *Move) NewID(id string) (moved string, ok bool) { return m.along(id) }

// Row takes one of the service's rows along: old as it is stored at key now, fresh as it will be in the shard To, under the same key. What is sealed has to be sealed anew
// for another shard. Both are never nil.
func (m *Move) Row(key, old, fresh []byte) { m.rows = append(m.rows, serviceRow{key, old, fresh}) }

// Follow changes a resource of the subscription that stays: the ids its properties name. Only for a move within the subscription; one that moves itself is not changed.
func (m *Move) Follow(id string, change func(*Resource) error) {
	m.followers = append(m.followers, follower{resourceKey(strings.ToLower(id)), change})
}

// Refuse words why the resource can't be moved: code is the reason's ("CannotMoveResourceDueToReference").
func (m *Move) Refuse(code, format string, args ...any) error {
	return moveRefused(m.Old.Type, code, format, args...)
}

// moveRefused is a refusal as Azure nests it. The message has the reason, too: not every client shows details.
func moveRefused(target, code, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	f := fault.New(fault.Conflict, "ResourceMoveProviderValidationFailed", "Resource move validation failed: %s", reason)
	f.Details = []fault.Error{{Kind: fault.Conflict, Code: code, Target: target, Message: reason}}
	return f
}

// InPlace tells, in a transaction of the subscription's shard, whether a resource that another one is about to refer to is stored. The error of one that is on the move is
// the caller's answer.
func InPlace(s store.Snapshot, id string) (stored bool, err error) {
	if err := Settled(s, id); err != nil {
		return false, err
	}
	return Stored(s, id)
}

// Settled refuses while resources of the id's group are being moved. For services that write rows of a resource past the pipeline.
func Settled(s store.Snapshot, id string) error {
	group, _, _ := strings.Cut(strings.ToLower(id), "/providers/")
	b, err := s.Get(moveKey(group))
	if err != nil || b == nil {
		return err
	}
	return groupMoving(group[strings.LastIndexByte(group, '/')+1:])
}

func groupMoving(group string) error {
	return fault.New(fault.Conflict, "ResourceMoveInProgress",
		"The resource group '%s' is in MovingResources state and cannot perform this operation: it can be read, and written again when the move of resources is done.", group)
}

func groupOf(id ID) ID { return ID{Subscription: id.Subscription, ResourceGroup: id.ResourceGroup} }

func moveKey(foldedGroup string) []byte { return []byte(tagMove + foldedGroup) }

// rehomed is the id in another group.
func (id ID) rehomed(to ID) ID {
	id.Subscription, id.ResourceGroup = to.Subscription, to.ResourceGroup
	if id.Extension {
		if s, err := ParseID(id.Scope); err == nil {
			id.Scope = s.rehomed(to).String()
		}
	}
	return id
}

// moveMark says that a group takes part in a move: it refuses writes until the mark is gone. The target's also says what arrives, which is not to be seen as long as the
// source has its own mark, and what is left to do.
type moveMark struct {
	Operation string   `json:"operation"` // GUID of the operation, in the source's shard
	Shard     string   `json:"shard,omitempty"`
	Group     string   `json:"group,omitempty"` // folded id of the source, in Shard
	Roots     []string `json:"roots,omitempty"` // folded ids of the resources as they were
	Tops      []string `json:"tops,omitempty"`  // and as they are here
	Locks     []lock   `json:"locks,omitempty"` // to be put when the resources are seen
	Keys      [][]byte `json:"keys,omitempty"`  // of services' rows to be removed from Shard
}

// hides tells whether the folded id is of what arrives, or below.
func (m *moveMark) hides(folded string) bool {
	for _, top := range m.Tops {
		if rbac.Within(folded, top) {
			return true
		}
	}
	return false
}

// moveOrder is what an operation that moves is to do.
type moveOrder struct {
	TenantID string   `json:"tenantId"`
	From     string   `json:"from"` // canonical ids of the groups
	To       string   `json:"to"`
	Roots    []string `json:"roots"`   // folded ids of resources
	Version  uint64   `json:"version"` // of the target subscription's policy by which the caller was allowed it
}

// renamed is the effect row of a resource that gets another id, nil if nothing follows from that.
func renamed(t *Type, tenantID, cause string, old, fresh *Resource) ([]byte, error) {
	ensure, _ := identityChange(tenantID, old, fresh)
	if t.Applied == nil && t.HostNames == nil && ensure == nil {
		return nil, nil
	}
	return json.Marshal(effectRow{Type: t.Name, ID: fresh.ID, TenantID: tenantID, Cause: cause, Old: old, New: fresh})
}

// Mentioning lists the ids of resources, in any subscription, whose stored state names a resource, or something below it. Those below it themselves are not among them.
func (p *Pipeline) Mentioning(ctx context.Context, id string) ([]string, error) {
	folded := strings.ToLower(id)
	ends := [][]byte{[]byte(folded + `"`), []byte(folded + "/")}
	var out []string
	err := p.eachSubscription(ctx, func(shard string) error {
		var rows [][]byte
		err := p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
			rows = nil
			return s.Scan(store.Prefix([]byte(tagResource)), func(k, v []byte) bool {
				low := bytes.ToLower(v)
				if !rbac.Within(string(k[len(tagResource):]), folded) && (bytes.Contains(low, ends[0]) || bytes.Contains(low, ends[1])) {
					rows = append(rows, bytes.Clone(v))
				}
				return true
			})
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			r, err := resourceCodec.Decode(row)
			if err != nil {
				return err
			}
			out = append(out, r.ID)
		}
		return nil
	})
	return out, err
}
