package cosmos

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Api-versions before 2019-08-01 have databases, containers and their throughput by other paths and in a flat form:
// databaseAccounts/{a}/apis/sql/databases/{d}/containers/{c}, .../settings/throughput. They are the same things: a call is turned into one of
// today's types, and its answer back. Source: azure-rest-api-specs, Microsoft.DocumentDB/stable/2015-04-08.

const apisType = typeName + "/apis"

func oldVersions() []string {
	var out []string
	for _, v := range versions {
		if v >= "2015-04-08" && v < "2019-08-01" {
			out = append(out, v)
		}
	}
	return out
}

// oldTypes are the types of the old paths.
func (s *Service) oldTypes() []arm.Type {
	return []arm.Type{
		s.apis(),
		s.old(s.databasesType(), apisType+"/databases"),
		s.old(s.containersType(), apisType+"/databases/containers"),
		s.old(s.throughputType(databaseType), apisType+"/databases/settings"),
		s.old(s.throughputType(containerType), apisType+"/databases/containers/settings"),
	}
}

// apis is what the paths go through: the account's API, of which there is one.
func (s *Service) apis() arm.Type {
	get := func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
		account, err := s.accountOf(ctx, c)
		if account == nil || err != nil {
			return nil, err
		}
		return &arm.Resource{ID: account.ID + "/apis/sql", Name: "sql", Type: apisType, GUID: account.GUID}, nil
	}
	no := func(context.Context, *arm.Call) error {
		return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "The API of an account is chosen when the account is made.")
	}
	return arm.Type{
		Name: apisType, Versions: oldVersions(), Untracked: true, Put: no, Delete: no,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			if !c.ID.Collection() && !isSQL(c.ID) {
				return nil, nil
			}
			return get(ctx, c)
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			r, err := get(ctx, c)
			if r == nil || err != nil {
				return nil, err
			}
			return []*arm.Resource{r}, nil
		},
	}
}

func isSQL(id arm.ID) bool { return len(id.Names) > 1 && strings.EqualFold(id.Names[1], "sql") }

// oldPath is one of the old types.
type oldPath struct {
	s    *Service
	name string
	now  arm.Type
}

func (s *Service) old(now arm.Type, name string) arm.Type {
	o := oldPath{s, name, now}
	t := arm.Type{
		Name: name, Versions: oldVersions(), Untracked: true, OnCreate: http.StatusOK, OnDelete: http.StatusNoContent,
		Put: o.put, Delete: o.remove, Get: o.get, List: o.list, Render: shown(o.get),
		Applied: func(ctx context.Context, c *arm.Call) error { return now.Applied(ctx, o.today(c)) },
	}
	return t
}

// today is the call as one by today's path.
func (o *oldPath) today(c *arm.Call) *arm.Call {
	out := *c
	out.Type = &o.now
	id := c.ID
	id.Types = append([]string{id.Types[0], "sqlDatabases"}, id.Types[3:]...)
	id.Names = append([]string{id.Names[0]}, id.Names[2:]...)
	if n := len(id.Types) - 1; strings.EqualFold(id.Types[n], "settings") {
		id.Types[n] = "throughputSettings"
		if len(id.Names) > n && strings.EqualFold(id.Names[n], "throughput") {
			id.Names[n] = "default"
		}
	}
	out.ID = id
	return &out
}

// flat is a resource of today by its old path and in the old form: the properties are the thing itself.
func (o *oldPath) flat(r *arm.Resource) (*arm.Resource, error) {
	var props struct {
		Resource json.RawMessage `json:"resource"`
	}
	if err := json.Unmarshal(r.Properties, &props); err != nil {
		return nil, err
	}
	out := *r
	out.Type, out.Properties = o.name, props.Resource
	out.ID = strings.Replace(out.ID, "/sqlDatabases/", "/apis/sql/databases/", 1)
	if id, ok := strings.CutSuffix(out.ID, "/throughputSettings/default"); ok {
		out.ID, out.Name = id+"/settings/throughput", "throughput"
	}
	return &out, nil
}

func (o *oldPath) get(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	if !isSQL(c.ID) {
		return nil, nil
	}
	r, err := o.now.Get(ctx, o.today(c))
	if r == nil || err != nil {
		return nil, err
	}
	return o.flat(r)
}

func (o *oldPath) list(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	if !isSQL(c.ID) {
		return nil, otherAPI(c)
	}
	all, err := o.now.List(ctx, o.today(c))
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i], err = o.flat(all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (o *oldPath) put(ctx context.Context, c *arm.Call) error {
	if !isSQL(c.ID) {
		return otherAPI(c)
	}
	now := o.today(c)
	if err := o.admitted(ctx, now, "write", false); err != nil {
		return err
	}
	return o.now.Put(ctx, now)
}

func (o *oldPath) remove(ctx context.Context, c *arm.Call) error {
	if !isSQL(c.ID) {
		return otherAPI(c)
	}
	now := o.today(c)
	if err := o.admitted(ctx, now, "delete", true); err != nil {
		return err
	}
	if o.now.Delete == nil {
		return nil
	}
	return o.now.Delete(ctx, now)
}

// admitted makes sure that the old path is no way around a lock or a deny assignment at today's.
func (o *oldPath) admitted(ctx context.Context, now *arm.Call, verb string, removes bool) error {
	id := now.ID.String()
	if err := now.AliasUnlocked(id, removes); err != nil {
		return err
	}
	if o.s.deps.Access == nil {
		return nil
	}
	d, err := o.s.deps.Access.Check(ctx, now.Principal, o.now.Name+"/"+verb, false, id)
	if err == nil && d.Denied {
		err = fault.New(fault.Forbidden, "DenyAssignmentAuthorizationFailed", "The access to '%s' is denied because of %s.", id, d.By)
	}
	return err
}

func otherAPI(c *arm.Call) error {
	return bad("The account '%s' has the API sql, not '%.100s'.", c.ID.Names[0], c.ID.Names[1])
}
