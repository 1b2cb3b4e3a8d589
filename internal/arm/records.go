package arm

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys of a subscription's shard; a tenant's shard has the rows a, v and l for its root scope. Scopes and ids are folded.
//
//	c|<guid>            custom role                     (tenant)
//	m|<name>            management group                (tenant)
//	n|<subscription>    its management group            (tenant)
//	r|<id>              Resource: also the subscription itself and its groups
//	a|<scope>|<name>    role assignment
//	d|<scope>|<name>    deny assignment
//	k|<scope>|<name>    lock
//	l|<time><lsn>       activity log, by time (8 bytes, big-endian nanoseconds) and transaction (8 bytes)
//	o|<guid>            long operation
//	p|<namespace>       state of a resource provider in the subscription
//	t|<name>            predefined tag
//	x|<group>           the group gives or takes resources in a move: see moveMark
//	v|                  8 bytes that change with every change of a, d, k, c, m, n or p
const (
	tagResource   = "r|"
	tagAssignment = "a|"
	tagDenial     = "d|"
	tagLock       = "k|"
	tagLog        = "l|"
	tagVersion    = "v|"
	tagRole       = "c|"
	tagManaged    = "m|"
	tagMember     = "n|"
	tagProvider   = "p|"
	tagOperation  = "o|"
	tagTagName    = "t|"
	tagMove       = "x|"
)

var (
	resourceCodec   = store.Codec[Resource]{Kind: 'r', Version: 1}
	assignmentCodec = store.Codec[assignment]{Kind: 'a', Version: 1}
	denialCodec     = store.Codec[DenyAssignment]{Kind: 'd', Version: 1}
	lockCodec       = store.Codec[lock]{Kind: 'k', Version: 1}
	roleCodec       = store.Codec[customRole]{Kind: 'c', Version: 1}
	managedCodec    = store.Codec[managementGroup]{Kind: 'm', Version: 1}
	memberCodec     = store.Codec[membership]{Kind: 'n', Version: 1}
	providerCodec   = store.Codec[providerState]{Kind: 'p', Version: 1}
	operationCodec  = store.Codec[operation]{Kind: 'o', Version: 1}
	tagNameCodec    = store.Codec[tagName]{Kind: 't', Version: 1}
	moveCodec       = store.Codec[moveMark]{Kind: 'x', Version: 1}
	eventCodec      = store.Codec[event]{Kind: 'l', Version: 1}
)

func subShard(subscriptionID string) string { return "sub/" + strings.ToLower(subscriptionID) }
func tenantShard(tenantID string) string    { return "tenant/" + strings.ToLower(tenantID) }

func resourceKey(folded string) []byte { return []byte(tagResource + folded) }

// scopedKey is the key of a row that hangs on a scope.
func scopedKey(tag, scope, name string) []byte {
	return []byte(tag + scope + "|" + strings.ToLower(name))
}

// logKey is the start of the keys of activity-log records of that time.
func logKey(t time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte(tagLog), uint64(max(t.UnixNano(), 0)))
}

// bumpVersion marks that assignments, denials or locks changed. The value is the LSN of the change, which no other change has.
func bumpVersion(tx store.Tx) error {
	return tx.Put([]byte(tagVersion), binary.BigEndian.AppendUint64(nil, uint64(tx.LSN())))
}

func readVersion(s store.Snapshot) (uint64, error) {
	b, err := s.Get([]byte(tagVersion))
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}

// assignment is a stored role assignment.
type assignment struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	Scope           string    `json:"scope"` // canonical
	RoleID          string    `json:"roleId"`
	RoleKey         string    `json:"roleKey,omitempty"` // of a custom role, see customRole
	PrincipalID     string    `json:"principalId"`
	PrincipalType   string    `json:"principalType"`
	PrincipalTenant string    `json:"principalTenant,omitempty"`
	Description     string    `json:"description,omitempty"`
	Created         time.Time `json:"created"`
	Updated         time.Time `json:"updated"`
	By              string    `json:"by,omitempty"`
}

// customRole is a stored custom role.
type customRole struct {
	ID          string            `json:"id"`  // GUID
	Key         string            `json:"key"` // GUID, chosen when it was made: an assignment means this role, not another that gets its id later
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Permissions []rbac.Permission `json:"permissions"`
	Scopes      []string          `json:"assignableScopes"` // canonical
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
	CreatedBy   string            `json:"createdBy,omitempty"`
	By          string            `json:"by,omitempty"`
}

// managementGroup is a stored management group. The root group has no record: its name is the tenant's id.
type managementGroup struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"`
	Parent      string    `json:"parent"` // folded name
	Version     int       `json:"version"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	By          string    `json:"by,omitempty"`
}

// membership says which management group a subscription is in; without one, it is in the root group.
type membership struct {
	Subscription string `json:"subscription"`
	Group        string `json:"group"` // folded name
}

// providerState is a namespace a subscription was once unregistered from.
type providerState struct {
	Namespace  string `json:"namespace"`
	Registered bool   `json:"registered"`
}

// lock is a stored management lock.
type lock struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Scope string `json:"scope"` // canonical
	Level string `json:"level"` // CanNotDelete or ReadOnly
	Notes string `json:"notes,omitempty"`
}

// The levels of locks.
const (
	canNotDelete = "CanNotDelete"
	readOnly     = "ReadOnly"
)

// subscription is what a subscription's Resource.Private holds.
type subscription struct {
	TenantID string `json:"tenantId"`
}
