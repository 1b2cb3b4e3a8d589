package cosmos

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	definitionType = typeName + "/sqlRoleDefinitions"
	assignmentType = typeName + "/sqlRoleAssignments"
)

// sqlRole is a custom data-plane role as stored: s|cosmos|role|{guid of the account}|{id}.
type sqlRole struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Scopes      []string          `json:"scopes"` // relative to the account: "", "dbs/x", "dbs/x/colls/y"
	Permissions []rbac.Permission `json:"permissions"`
}

// sqlGrant is a data-plane role assignment as stored: s|cosmos|grant|{guid of the account}|{id}.
type sqlGrant struct {
	ID        string `json:"id"`
	Role      string `json:"role"` // id
	Principal string `json:"principal"`
	Scope     string `json:"scope"` // relative to the account
}

var (
	roleCodec  = store.Codec[sqlRole]{Kind: 'h', Version: 1}
	grantCodec = store.Codec[sqlGrant]{Kind: 'g', Version: 1}
)

func rolesPrefix(guid string) []byte  { return []byte("s|cosmos|role|" + guid + "|") }
func roleKey(guid, id string) []byte  { return append(rolesPrefix(guid), strings.ToLower(id)...) }
func grantsPrefix(guid string) []byte { return []byte("s|cosmos|grant|" + guid + "|") }
func grantKey(guid, id string) []byte { return append(grantsPrefix(guid), strings.ToLower(id)...) }
func dataActions(a ...string) []rbac.Permission {
	return []rbac.Permission{{DataActions: a, NotDataActions: []string{}}}
}

// knownActions are what data actions of roles can match.
var knownActions = []string{
	gateway.ActionMetadata, gateway.ActionRead, gateway.ActionCreate, gateway.ActionReplace, gateway.ActionUpsert, gateway.ActionDelete,
	gateway.ActionQuery, gateway.ActionChangeFeed, gateway.ActionProcedure, gateway.ActionConflicts,
}

// builtInRoles are the roles every account has.
func builtInRoles() []sqlRole {
	const containers = typeName + "/sqlDatabases/containers/"
	return []sqlRole{
		{"00000000-0000-0000-0000-000000000001", "Cosmos DB Built-in Data Reader", []string{""}, dataActions(gateway.ActionMetadata, gateway.ActionQuery, gateway.ActionChangeFeed, gateway.ActionRead)},
		{"00000000-0000-0000-0000-000000000002", "Cosmos DB Built-in Data Contributor", []string{""}, dataActions(gateway.ActionMetadata, containers+"*", containers+"items/*")},
	}
}

func builtInRole(id string) *sqlRole {
	for _, r := range builtInRoles() {
		if strings.EqualFold(r.ID, id) {
			return &r
		}
	}
	return nil
}

func getRole(sn store.Snapshot, guid, id string) (*sqlRole, error) {
	if r := builtInRole(id); r != nil {
		return r, nil
	}
	return getRow(sn, roleCodec, roleKey(guid, id))
}

// resourcesOf makes resources of an account's rows.
func resourcesOf[T any](account *arm.Resource, all []T, resource func(*T, *arm.Resource) (*arm.Resource, error)) ([]*arm.Resource, error) {
	out := make([]*arm.Resource, len(all))
	for i := range all {
		var err error
		if out[i], err = resource(&all[i], account); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// getRow reads a row; nil if there is none.
func getRow[T any](sn store.Snapshot, c store.Codec[T], key []byte) (*T, error) {
	b, err := sn.Get(key)
	if b == nil || err != nil {
		return nil, err
	}
	v, err := c.Decode(b)
	return &v, err
}

func scanRows[T any](sn store.Snapshot, c store.Codec[T], prefix []byte) (out []T, err error) {
	var bad error
	err = sn.Scan(store.Prefix(prefix), func(_, b []byte) bool {
		var v T
		if v, bad = c.Decode(b); bad != nil {
			return false
		}
		out = append(out, v)
		return true
	})
	if err == nil {
		err = bad
	}
	return out, err
}

// loadAssignments gives an account's assignments with what their roles permit.
func loadAssignments(sn store.Snapshot, guid string) ([]gateway.Assignment, error) {
	grants, err := scanRows(sn, grantCodec, grantsPrefix(guid))
	if err != nil {
		return nil, err
	}
	out := make([]gateway.Assignment, 0, len(grants))
	for _, g := range grants {
		r, err := getRole(sn, guid, g.Role)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out = append(out, gateway.Assignment{ID: g.ID, Principal: g.Principal, Scope: g.Scope, Role: r.Name, Permissions: r.Permissions})
		}
	}
	return out, nil
}

// accountOf loads the account a child call is about; nil if there is none.
func (s *Service) accountOf(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	id := arm.ID{Subscription: c.ID.Subscription, ResourceGroup: c.ID.ResourceGroup, Namespace: c.ID.Namespace, Types: c.ID.Types[:1], Names: c.ID.Names[:1]}
	r, _, err := s.deps.Reader.Resource(ctx, id.String())
	return r, err
}

func (s *Service) needAccount(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	r, err := s.accountOf(ctx, c)
	if err == nil && r == nil {
		err = fault.New(fault.NotFound, "ParentResourceNotFound", "The database account '%s' does not exist.", c.ID.Names[0])
	}
	return r, err
}

func shardOf(c *arm.Call) string { return subscriptionShard(strings.ToLower(c.ID.Subscription)) }

// fullScope is a stored scope as the wire shows it.
func fullScope(account, scope string) string {
	if scope == "" {
		return account
	}
	return account + "/" + scope
}

// parseScope reads the scope of a role or assignment: the account's id or part of it, or what comes after it.
func parseScope(account, text string) (string, error) {
	rest := text
	if len(text) >= len(account) && strings.EqualFold(text[:len(account)], account) {
		rest = text[len(account):]
	} else if strings.HasPrefix(strings.ToLower(text), "/subscriptions/") {
		return "", bad("The provided scope [%.300s] is not within the database account '%s'.", text, account)
	}
	rest = strings.Trim(rest, "/")
	segs := strings.Split(rest, "/")
	switch {
	case rest == "":
		return "", nil
	case len(segs) == 2 && strings.EqualFold(segs[0], "dbs") && segs[1] != "":
		return "dbs/" + segs[1], nil
	case len(segs) == 4 && strings.EqualFold(segs[0], "dbs") && strings.EqualFold(segs[2], "colls") && segs[1] != "" && segs[3] != "":
		return "dbs/" + segs[1] + "/colls/" + segs[3], nil
	}
	return "", bad("The provided scope [%.300s] is invalid; it is the account, /dbs/{database} or /dbs/{database}/colls/{container} in it.", text)
}

func scopeWithin(scope, of string) bool {
	return of == "" || scope == of || strings.HasPrefix(scope, of+"/")
}

// definitionProperties is a role on the wire.
type definitionProperties struct {
	Name        string            `json:"roleName"`
	Type        string            `json:"type"`
	Scopes      []string          `json:"assignableScopes"`
	Permissions []shownPermission `json:"permissions"`
}

type shownPermission struct {
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

func (r *sqlRole) resource(account *arm.Resource) (*arm.Resource, error) {
	p := definitionProperties{Name: r.Name, Type: "CustomRole"}
	if builtInRole(r.ID) != nil {
		p.Type = "BuiltInRole"
	}
	for _, scope := range r.Scopes {
		p.Scopes = append(p.Scopes, fullScope(account.ID, scope))
	}
	for _, perm := range r.Permissions {
		p.Permissions = append(p.Permissions, shownPermission{perm.DataActions, perm.NotDataActions})
	}
	raw, err := json.Marshal(p)
	return &arm.Resource{ID: account.ID + "/sqlRoleDefinitions/" + r.ID, Name: r.ID, Type: definitionType, Properties: raw}, err
}

// definitionsType is Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions.
func (s *Service) definitionsType() arm.Type {
	return arm.Type{
		Name: definitionType, Versions: roleVersions(), Untracked: true, OnCreate: http.StatusOK,
		Put: s.putDefinition,
		Commit: func(tx store.Tx, c *arm.Call) error {
			p := c.Prepared.(*preparedRole)
			all, err := scanRows(tx, roleCodec, rolesPrefix(p.guid))
			if err != nil {
				return err
			}
			for _, r := range append(all, builtInRoles()...) {
				if r.Name == p.role.Name && !strings.EqualFold(r.ID, p.role.ID) {
					return fault.New(fault.Conflict, "Conflict", "A role definition with the name '%s' already exists in the account: '%s'.", r.Name, r.ID)
				}
			}
			return tx.Put(roleKey(p.guid, p.role.ID), p.row)
		},
		Delete: func(ctx context.Context, c *arm.Call) error {
			if builtInRole(c.ID.Name()) != nil {
				return bad("The built-in role definition '%s' cannot be deleted.", c.ID.Name())
			}
			account, err := s.needAccount(ctx, c)
			if err == nil {
				c.Prepared = account.GUID
			}
			return err
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error {
			guid := c.Prepared.(string)
			grants, err := scanRows(tx, grantCodec, grantsPrefix(guid))
			if err != nil {
				return err
			}
			if slices.ContainsFunc(grants, func(g sqlGrant) bool { return strings.EqualFold(g.Role, c.ID.Name()) }) {
				return bad("The role definition '%s' cannot be deleted because it still has role assignments. Delete them first.", c.ID.Name())
			}
			return tx.Delete(roleKey(guid, c.ID.Name()))
		},
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			account, err := s.accountOf(ctx, c)
			if account == nil || err != nil {
				return nil, err
			}
			var r *sqlRole
			err = s.deps.Store.View(ctx, shardOf(c), func(sn store.Snapshot) error {
				r, err = getRole(sn, account.GUID, c.ID.Name())
				return err
			})
			if r == nil || err != nil {
				return nil, err
			}
			return r.resource(account)
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			account, err := s.accountOf(ctx, c)
			if account == nil || err != nil {
				return nil, err
			}
			all := builtInRoles()
			err = s.deps.Store.View(ctx, shardOf(c), func(sn store.Snapshot) error {
				custom, err := scanRows(sn, roleCodec, rolesPrefix(account.GUID))
				all = append(builtInRoles(), custom...)
				return err
			})
			if err != nil {
				return nil, err
			}
			return resourcesOf(account, all, (*sqlRole).resource)
		},
	}
}

// roleVersions are the api-versions that know data-plane roles.
func roleVersions() []string {
	return slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return v < "2020-06-01-preview" })
}

type preparedRole struct {
	guid string
	role sqlRole
	row  []byte
}

func (s *Service) putDefinition(ctx context.Context, c *arm.Call) error {
	account, err := s.needAccount(ctx, c)
	if err != nil {
		return err
	}
	if !ids.IsGUID(c.ID.Name()) {
		return bad("The role definition ID '%.100s' is invalid: it must be a GUID.", c.ID.Name())
	}
	if builtInRole(c.ID.Name()) != nil {
		return bad("The built-in role definition '%s' cannot be changed.", c.ID.Name())
	}
	var in definitionProperties
	if err := c.Body.Decode("properties", &in); err != nil {
		return err
	}
	r := sqlRole{ID: strings.ToLower(c.ID.Name()), Name: in.Name}
	switch {
	case in.Name == "" || len(in.Name) > 512:
		return bad("The roleName of a role definition has 1 to 512 characters.")
	case in.Type != "" && !strings.EqualFold(in.Type, "CustomRole"):
		return bad("The type '%.100s' of a role definition is invalid; it is CustomRole.", in.Type)
	case len(in.Scopes) == 0:
		return bad("The role definition needs assignableScopes, one or more.")
	case len(in.Permissions) == 0:
		return bad("The role definition needs permissions, one or more.")
	}
	for _, text := range in.Scopes {
		scope, err := parseScope(account.ID, text)
		if err != nil {
			return err
		}
		r.Scopes = append(r.Scopes, scope)
	}
	for _, p := range in.Permissions {
		if len(p.DataActions) == 0 {
			return bad("A permission of a role definition needs dataActions, one or more.")
		}
		for _, pattern := range slices.Concat(p.DataActions, p.NotDataActions) {
			if !slices.ContainsFunc(knownActions, func(a string) bool { return rbac.Match(pattern, a) }) {
				return bad("The data action '%.200s' does not match any of the actions of the data plane: %s.", pattern, strings.Join(knownActions, ", "))
			}
		}
		r.Permissions = append(r.Permissions, rbac.Permission{DataActions: p.DataActions, NotDataActions: slices.Concat([]string{}, p.NotDataActions)})
	}
	row, err := roleCodec.Encode(r)
	if err != nil {
		return err
	}
	shown, err := r.resource(account)
	if err != nil {
		return err
	}
	c.New.Properties, c.New.ETag = shown.Properties, ""
	c.Prepared = &preparedRole{account.GUID, r, row}
	return nil
}

// errNoRole words the refusal of an assignment to a role that is not there.
func errNoRole(id string) error {
	return bad("The role definition '%.300s' does not exist in the database account.", id)
}

func roleIDOf(text string) (string, error) {
	id := text[strings.LastIndexByte(text, '/')+1:]
	if !ids.IsGUID(id) {
		return "", errNoRole(text)
	}
	return strings.ToLower(id), nil
}
