package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
)

// Assignment gives a principal a data-plane role, in the whole account or in a part of it.
type Assignment struct {
	ID          string
	Principal   string // object id of a user, service principal or group
	Scope       string // "" the account, "dbs/{db}", "dbs/{db}/colls/{coll}"; names, upper and lower case count
	Role        string // name of the role, for the audit record
	Permissions []rbac.Permission
}

// The data actions of Azure Cosmos DB.
const (
	inAccount        = "Microsoft.DocumentDB/databaseAccounts/"
	inContainer      = inAccount + "sqlDatabases/containers/"
	ActionMetadata   = inAccount + "readMetadata"
	ActionRead       = inContainer + "items/read"
	ActionCreate     = inContainer + "items/create"
	ActionReplace    = inContainer + "items/replace"
	ActionUpsert     = inContainer + "items/upsert"
	ActionDelete     = inContainer + "items/delete"
	ActionQuery      = inContainer + "executeQuery"
	ActionChangeFeed = inContainer + "readChangeFeed"
	ActionProcedure  = inContainer + "executeStoredProcedure"
	ActionConflicts  = inContainer + "manageConflicts"
)

// rights are what a caller without an account key may do.
type rights struct {
	grant       *catalog.Grant // of a resource token; nil: a principal with roles
	assignments []Assignment   // the principal's own and its groups'
	scope       string         // of the request
	byRID       bool           // its path names things by resource id
}

// find gives the assignment that allows an action at a scope; nil: none does.
func (r *rights) find(action, scope string) *Assignment {
	for i := range r.assignments {
		a := &r.assignments[i]
		if within(scope, a.Scope) && slices.ContainsFunc(a.Permissions, func(p rbac.Permission) bool { return p.Covers(action, true) }) {
			return a
		}
	}
	return nil
}

// within tells whether scope is at or below of.
func within(scope, of string) bool {
	return of == "" || strings.HasPrefix(scope, of) && (len(scope) == len(of) || scope[len(of)] == '/')
}

// allowPrincipal asks the account's role assignments whether the principal may do what the request does.
func (g *Gateway) allowPrincipal(ctx context.Context, c *call) error {
	all, err := g.Accounts.Assignments(ctx, c.account)
	if err != nil {
		return err
	}
	return g.allowAssigned(ctx, c, all)
}

// allowAssigned is allowPrincipal by these assignments.
func (g *Gateway) allowAssigned(ctx context.Context, c *call, all []Assignment) (err error) {
	to := parsePath(c.HTTP.URL.EscapedPath())
	r := &rights{}
	if r.scope, r.byRID, err = g.scopeOf(ctx, c, to); err != nil {
		return err
	}
	for _, a := range all {
		if isPrincipal(c.Principal, a.Principal) {
			r.assignments = append(r.assignments, a)
		}
	}
	c.rights = r
	action := c.dataAction(to)
	switch action {
	case "":
		return withSub(fault.New(fault.Forbidden, "Forbidden",
			"Request blocked by Auth %s : The given request [%s %s] cannot be authorized by AAD token in data plane. Learn more: https://aka.ms/cosmos-native-rbac.",
			c.account.Name, c.HTTP.Method, c.HTTP.URL.Path), subNotByRBAC)
	case actionOfEach:
		return nil // checkBatch asks for each operation
	}
	return c.allowAction(action)
}

func isPrincipal(p *authn.Principal, id string) bool {
	return strings.EqualFold(p.ObjectID, id) || slices.ContainsFunc(p.Groups, func(g string) bool { return strings.EqualFold(g, id) })
}

// allowAction refuses what no role of the principal allows in the request's scope.
func (c *call) allowAction(action string) error {
	r := c.rights
	if a := r.find(action, r.scope); a != nil {
		c.AllowedBy = "assignment " + a.ID + ", role " + a.Role
		return nil
	}
	// Where the account is is told to whoever may find his way anywhere in it.
	if action == ActionMetadata && r.scope == "" && strings.Trim(c.HTTP.URL.Path, "/") == "" {
		for i := range r.assignments {
			if a := &r.assignments[i]; r.find(action, a.Scope) != nil {
				c.AllowedBy = "assignment " + a.ID + ", role " + a.Role
				return nil
			}
		}
	}
	sub := subRoleByName
	switch {
	case action == ActionMetadata:
		sub = subRoleMetadata
	case r.byRID:
		sub = subRoleByRID
	}
	shown := r.scope
	if shown == "" {
		shown = "/"
	}
	return withSub(fault.New(fault.Forbidden, "Forbidden",
		"Request blocked by Auth %s : Request is blocked because principal [%s] does not have required RBAC permissions to perform action [%s] on resource [%s]. Learn more: https://aka.ms/cosmos-native-rbac.",
		c.account.Name, c.Principal.ObjectID, action, shown), sub)
}

// scopeOf is where a request's roles have to be assigned, by names, whatever the path uses.
func (g *Gateway) scopeOf(ctx context.Context, c *call, to addressed) (scope string, byRID bool, err error) {
	names := to.names
	if len(names) == 0 || to.kind == "offers" || to.kind == "addresses" || to.kind == "media" {
		return "", false, nil
	}
	if len(names) == 1 || to.kind == "users" || to.kind == "permissions" || to.kind == "clientencryptionkeys" {
		db, err := g.Catalog.Database(ctx, c.account.GUID, names[0])
		switch {
		case fault.Is(err, fault.NotFound):
			return "dbs/" + names[0], false, nil
		case err != nil:
			return "", false, err
		}
		return "dbs/" + db.Name, db.Name != names[0], nil
	}
	db, con, err := g.Catalog.Container(ctx, c.account.GUID, names[0], names[1])
	switch {
	case fault.Is(err, fault.NotFound):
		return "dbs/" + names[0] + "/colls/" + names[1], false, nil
	case err != nil:
		return "", false, err
	}
	return con.Derived.Path, db.Name != names[0] || con.Name != names[1], nil
}

// actionOfEach stands for the actions of a batch's operations, which its body names.
const actionOfEach = "each"

// dataAction is the data action that a request needs; "" where a role can't give it.
func (c *call) dataAction(to addressed) string {
	reads := c.op.reads()
	switch to.kind {
	case "", "dbs", "colls", "pkranges", "addresses":
		if reads {
			return ActionMetadata
		}
	case "docs":
		return c.documentAction(to)
	case "sprocs":
		if to.item && c.HTTP.Method == http.MethodPost {
			return ActionProcedure
		}
	case "conflicts":
		return ActionConflicts
	case "operations":
		return ActionDelete // of all documents of a partition key
	case "clientencryptionkeys":
		if reads {
			return ActionMetadata
		}
	}
	return ""
}

func (c *call) documentAction(to addressed) string {
	switch {
	case c.op == opQuery || c.op == opPlan:
		return ActionQuery
	case c.op == opBatch:
		return actionOfEach
	case to.item && c.op == opRead:
		return ActionRead
	case to.item && c.HTTP.Method == http.MethodDelete:
		return ActionDelete
	case to.item && (c.HTTP.Method == http.MethodPut || c.HTTP.Method == http.MethodPatch):
		return ActionReplace
	case c.op == opRead && c.header("A-Im") != "":
		return ActionChangeFeed
	case c.op == opRead:
		return ActionQuery
	case c.HTTP.Method == http.MethodDelete:
		return ActionDelete // of all documents of a partition key
	case c.HTTP.Method == http.MethodPost && !to.item && c.isTrue("X-Ms-Documentdb-Is-Upsert"):
		return ActionUpsert
	case c.HTTP.Method == http.MethodPost && !to.item:
		return ActionCreate
	}
	return ""
}

// checkBatch asks for each operation of a batch whether the caller may do it; an account key may do all.
func (c *call) checkBatch(ops []batchOperation) error {
	r := c.rights
	if r == nil {
		return nil
	}
	for i := range ops {
		op := &ops[i]
		if r.grant != nil {
			if r.grant.Key == nil || c.isTrue("X-Ms-Cosmos-Batch-Atomic") {
				continue // checked by the header
			}
			if key, err := pkey.ParseHeader(op.PartitionKey); err != nil || !key.HasPrefix(r.grant.Key) {
				return insufficient()
			}
			continue
		}
		action := map[string]string{
			"create": ActionCreate, "upsert": ActionUpsert, "replace": ActionReplace, "patch": ActionReplace, "delete": ActionDelete, "read": ActionRead,
		}[strings.ToLower(op.Type)]
		if action == "" {
			return invalid("The operation type '%s' of a batch is unknown.", op.Type)
		}
		if err := c.allowAction(action); err != nil {
			return err
		}
	}
	return nil
}
