package arm

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Resource is a stored resource: what ARM keeps of it, in the subscription's shard.
type Resource struct {
	ID         string            `json:"id"` // canonical form, the caller's casing of names
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	ManagedBy  string            `json:"managedBy,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	SKU        json.RawMessage   `json:"sku,omitempty"`
	Plan       json.RawMessage   `json:"plan,omitempty"`
	Identity   *Identity         `json:"identity,omitempty"`
	Properties json.RawMessage   `json:"properties,omitempty"`
	ETag       string            `json:"etag,omitempty"` // without quotes; changes on every write

	GUID    string          `json:"guid"`              // immutable, chosen at creation; names data shards
	Private json.RawMessage `json:"private,omitempty"` // the service's own, never on the wire, never secret in clear
	Created time.Time       `json:"created"`
	Changed time.Time       `json:"changed"`
	By      string          `json:"by,omitempty"` // object id of the last writer
	System  *SystemData     `json:"systemData,omitempty"`
}

// SystemData tells who made a resource and who changed it last (common types of ARM: systemData).
type SystemData struct {
	CreatedBy      string    `json:"createdBy"` // object id
	CreatedByType  string    `json:"createdByType"`
	CreatedAt      time.Time `json:"createdAt"`
	ModifiedBy     string    `json:"lastModifiedBy"`
	ModifiedByType string    `json:"lastModifiedByType"`
	ModifiedAt     time.Time `json:"lastModifiedAt"`
}

// Identity is a resource's managed identity block.
type Identity struct {
	Type         string                  `json:"type"` // "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None"
	PrincipalID  string                  `json:"principalId,omitempty"`
	TenantID     string                  `json:"tenantId,omitempty"`
	ClientID     string                  `json:"clientId,omitempty"` // kept, shown only where the type shows it
	UserAssigned map[string]UserAssigned `json:"userAssignedIdentities,omitempty"`
}

// UserAssigned names one user-assigned identity of a resource.
type UserAssigned struct {
	PrincipalID string `json:"principalId,omitempty"`
	ClientID    string `json:"clientId,omitempty"`
}

// Scope says where a type's instances live.
type Scope uint8

// The scopes.
const (
	InResourceGroup Scope = iota
	InSubscription
	InTenant
	AtAnyScope // an extension: role assignments, locks
	InEither   // in a subscription and in a group by two paths, as security alerts; for types that are a view of something else
)

// Type is a resource type as data. ARM derives routes, provider listings, RBAC action names, api-version errors, swagger and tests from it. The
// functions are the service's; all but Put may be nil, and Put too where Get and List are set: such a type is only read, and changed by its actions. The pipeline has done every check before it calls one (wire order: token, tenant and
// subscription, role, deny, existence of group, parent and resource, lock, body).
type Type struct {
	Name      string   // "Microsoft.KeyVault/vaults", "Microsoft.Web/sites/config"
	Versions  []string // api-versions, any order; the earliest bounds what is accepted
	Scope     Scope
	Untracked bool // has no location and tags of its own (child and extension types)
	Identity  bool // may carry a managed identity
	Signed    bool // shows its systemData
	ShowsNone bool // an instance without an identity shows one of type None
	OnCreate  int  // status of a creating PUT; 0 = 201 (App Service and Cosmos DB answer 200)
	OnUpdate  int  // status of a PUT or PATCH of what is there; 0 = 200
	OnDelete  int  // status of a deletion; 0 = 200 (clients of Cosmos DB take 202 and 204 only)
	Rank      int  // when a group goes, types of a lower rank go first: what others refer to has a higher one

	// Put validates c.Body against c.Old and fills c.New.Properties, SKU, Kind and Private; no writes. The pipeline has filled the envelope.
	Put func(ctx context.Context, c *Call) error
	// Patch is Put for PATCH; nil merges identity, sku and properties (JSON merge patch) into c.Body, replaces tags, and runs Put.
	Patch func(ctx context.Context, c *Call) error
	// HostNames are the globally unique names the resource takes; reserved before and confirmed after the commit.
	HostNames func(r *Resource) []HostName
	// Commit writes the service's further rows of the same transaction (account keys, settings), into the subscription's shard.
	Commit func(tx store.Tx, c *Call) error
	// Applied makes the change take effect outside the subscription's shard (create a data shard, start a process). It runs after the commit and
	// before the answer, and again after a crash: idempotent. On delete, c.New is nil.
	Applied func(ctx context.Context, c *Call) error
	// Delete refuses or prepares a deletion; no writes. CommitDelete removes the service's rows in the same transaction.
	Delete       func(ctx context.Context, c *Call) error
	CommitDelete func(tx store.Tx, c *Call) error
	// Move prepares the move of an instance to another group, maybe of another subscription, or refuses it; no writes. nil: instances can't be moved. Once it is
	// committed, Applied is called with both resources.
	Move func(ctx context.Context, m *Move) error
	// Render gives the properties as the wire shows them (urls by the way the client came in, no secrets); nil shows Properties as stored.
	Render func(ctx context.Context, c *Call, r *Resource) (json.RawMessage, error)
	// Get replaces the stored-resource read for types that are a view of something else (config/appsettings). nil: load by id.
	Get func(ctx context.Context, c *Call) (*Resource, error)
	// List likewise for collections below a parent. nil: list by prefix. Where there is more than fits into an answer it sets c.Next.
	List func(ctx context.Context, c *Call) ([]*Resource, error)
	// Keep says which of the stored resources a list shows, by what its query asks for; nil: all.
	Keep    func(c *Call, r *Resource) bool
	Actions []Action

	inTenant bool                 // its rows are in the tenant's shard, whatever the scope of the call
	open     func(c *Call) string // allows what no role does, saying why; "" = no
}

// HostName is a globally unique name.
type HostName struct {
	Kind wire.HostKind
	Name string
	// Retain keeps the name taken when the resource is deleted (soft delete): marked deleted instead of released. The service releases it when it purges.
	Retain bool
}

// Action is a verb on an instance or, if Collection, on the type's parent scope: POST {id}/listKeys.
type Action struct {
	Verb       string // as documented: "listKeys"; matched in any case. May have several segments and parameters: "locations/{location}/deletedVaults/{vault}/purge"
	Method     string // "" = POST
	Operation  string // RBAC action; "" = "{type}/{verb}/action"
	Collection bool   // {scope}/providers/{namespace}/{verb}, such as checkNameAvailability
	Absent     bool   // the instance need not exist: what the body would make it is only looked at
	Writes     bool   // changes the resource; runs through Commit, gets an activity-log record either way. If the handler set c.New, Commit stores it, too.
	Handler    func(ctx context.Context, c *Call) (any, error)
}

// Call is one request to a type, with everything the pipeline found out.
type Call struct {
	*wire.Request
	Type     *Type
	ID       ID
	TenantID string    // of the subscription
	Parent   *Resource // the stored resource that the type is a child of; nil if there is none
	Old      *Resource // nil when absent
	New      *Resource // what a PUT or PATCH will store
	Body     Object    // the request's body, leniently read; nil when there was none
	Version  string    // api-version as asked, or the nearest known
	// Auth is why the call was allowed.
	Auth Decision
	// Prepared is the service's own: what Put (or Delete, or an action) worked out for the Commit and Render of the same call, such as sealed rows.
	Prepared any
	// Next is set by a List that isn't at its end: the key to go on at, which the next call's SkipToken gives.
	Next []byte

	run *run // the pipeline's own
}

// Along tells whether the resource is deleted with one that it is below or in, and not by itself.
func (c *Call) Along() bool { return c.run.op != "" }

// Commit runs fn in the subscription's shard. In the same transaction it re-reads what the call was allowed by and the resource as the call found it, and
// appends the activity-log and audit records. For actions that write (regenerateKey); PUT, PATCH and DELETE do it by themselves. An error that is not the
// caller's own must be returned as it is or wrapped: the pipeline may run the action again.
func (c *Call) Commit(ctx context.Context, fn func(tx store.Tx) error) error {
	return c.run.commit(ctx, c, fn)
}

// Decision is the outcome of an access check.
type Decision struct {
	Allowed bool
	By      string // the assignment and role that allow it, or the deny assignment that refuses it, for the audit record
	Denied  bool   // refused by a deny assignment
}

// Access answers whether a principal may do an action at a scope: role assignments there and above, minus deny assignments. Implemented by Pipeline; data
// planes use it for RBAC-mode vaults and the like.
type Access interface {
	// Check evaluates an action ("Microsoft.KeyVault/vaults/write") or, with data, a data action
	// ("Microsoft.KeyVault/vaults/secrets/getSecret/action") at the scope id.
	Check(ctx context.Context, p *authn.Principal, action string, data bool, scope string) (Decision, error)
}

// Reader loads resources for data planes, through a cache that is never older than the shard's last commit.
type Reader interface {
	// Resource returns the resource and its subscription's tenant, or nil if there is none.
	Resource(ctx context.Context, id string) (r *Resource, tenantID string, err error)
}
