package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

func (g *Gateway) userRoutes(add func(method, pattern, operation string, h handler)) {
	const (
		users       = "/dbs/{db}/users"
		permissions = users + "/{user}/permissions"
	)
	add("GET", users, "ListUsers", g.listUsers)
	add("POST", users, "CreateUser", g.postUsers)
	add("GET", users+"/{user}", "ReadUser", g.readUser)
	add("PUT", users+"/{user}", "ReplaceUser", g.replaceUser)
	add("DELETE", users+"/{user}", "DeleteUser", g.deleteUser)
	add("GET", permissions, "ListPermissions", g.listPermissions)
	add("POST", permissions, "CreatePermission", g.postPermissions)
	add("GET", permissions+"/{permission}", "ReadPermission", g.readPermission)
	add("PUT", permissions+"/{permission}", "ReplacePermission", g.replacePermission)
	add("DELETE", permissions+"/{permission}", "DeletePermission", g.deletePermission)
}

func renderUser(u *catalog.User) json.RawMessage {
	id := u.RID()
	b := append([]byte(`{"id":`), quote(u.Name)...)
	b = appendSystem(b, id.String(), id.SelfLink(), u.ETag, u.Time)
	return append(b, `,"_permissions":"permissions/"}`...)
}

func (g *Gateway) users(ctx context.Context, c *call) (*catalog.Database, []json.RawMessage, error) {
	db, err := g.Catalog.Database(ctx, c.account.GUID, c.Param("db"))
	if err != nil {
		return nil, nil, err
	}
	all, err := g.Catalog.Users(ctx, c.account.GUID, db)
	out := make([]json.RawMessage, len(all))
	for i, u := range all {
		out[i] = renderUser(u)
	}
	return db, out, err
}

func (g *Gateway) listUsers(ctx context.Context, c *call) (any, error) {
	db, all, err := g.users(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feed("Users", db.RID().String(), all)
}

func (g *Gateway) postUsers(ctx context.Context, c *call) (any, error) {
	switch c.op {
	case opQuery:
		db, all, err := g.users(ctx, c)
		if err != nil {
			return nil, err
		}
		return c.queryFeed(ctx, "Users", db.RID().String(), all)
	case opPlan, opBatch:
		return nil, invalid("Users have no query plan and no batches.")
	}
	name, err := c.bodyID()
	if err != nil {
		return nil, err
	}
	u, created, err := g.Catalog.CreateUser(ctx, c.account.GUID, c.Param("db"), name, c.isTrue("X-Ms-Documentdb-Is-Upsert"), g.audit(c, http.StatusCreated))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(createdStatus(created), chargeMetadataWrite, u.ETag, renderUser(u)), nil
}

// bodyID reads a body of which only the id counts.
func (c *call) bodyID() (string, error) {
	var in struct {
		ID string `json:"id"`
	}
	err := c.decode(&in)
	return in.ID, err
}

func createdStatus(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

func (g *Gateway) readUser(ctx context.Context, c *call) (any, error) {
	u, err := g.Catalog.User(ctx, c.account.GUID, c.Param("db"), c.Param("user"))
	if err != nil {
		return nil, err
	}
	if c.unchanged(u.ETag) {
		return c.reply(http.StatusNotModified, chargeMetadataRead, u.ETag, nil), nil
	}
	return c.reply(http.StatusOK, chargeMetadataRead, u.ETag, renderUser(u)), nil
}

func (g *Gateway) replaceUser(ctx context.Context, c *call) (any, error) {
	name, err := c.bodyID()
	if err != nil {
		return nil, err
	}
	u, err := g.Catalog.ReplaceUser(ctx, c.account.GUID, c.Param("db"), c.Param("user"), c.header("If-Match"), name, g.audit(c, http.StatusOK))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusOK, chargeMetadataWrite, u.ETag, renderUser(u)), nil
}

func (g *Gateway) deleteUser(ctx context.Context, c *call) (any, error) {
	err := g.Catalog.DeleteUser(ctx, c.account.GUID, c.Param("db"), c.Param("user"), c.header("If-Match"), g.audit(c, http.StatusNoContent))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusNoContent, chargeMetadataWrite, "", nil), nil
}

// renderPermission shows a permission with a new token of it.
func (g *Gateway) renderPermission(ctx context.Context, c *call, p *catalog.Permission) (json.RawMessage, error) {
	token, err := g.mint(ctx, c, p)
	if err != nil {
		return nil, err
	}
	id := p.RID()
	b := append([]byte(`{"id":`), quote(p.Name)...)
	b = append(append(b, `,"permissionMode":`...), quote(p.Mode)...)
	b = append(append(b, `,"resource":`...), quote(p.Resource)...)
	if p.PartitionKey != nil {
		b = append(append(b, `,"resourcePartitionKey":`...), p.PartitionKey...)
	}
	b = appendSystem(b, id.String(), id.SelfLink(), p.ETag, p.Time)
	b = append(append(b, `,"_token":`...), quote(token)...)
	return append(b, '}'), nil
}

func (g *Gateway) permissions(ctx context.Context, c *call) (*catalog.User, []json.RawMessage, error) {
	u, err := g.Catalog.User(ctx, c.account.GUID, c.Param("db"), c.Param("user"))
	if err != nil {
		return nil, nil, err
	}
	all, err := g.Catalog.Permissions(ctx, c.account.GUID, u)
	if err != nil {
		return nil, nil, err
	}
	out := make([]json.RawMessage, len(all))
	for i, p := range all {
		if out[i], err = g.renderPermission(ctx, c, p); err != nil {
			return nil, nil, err
		}
	}
	return u, out, nil
}

func (g *Gateway) listPermissions(ctx context.Context, c *call) (any, error) {
	u, all, err := g.permissions(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feed("Permissions", u.RID().String(), all)
}

func (g *Gateway) postPermissions(ctx context.Context, c *call) (any, error) {
	switch c.op {
	case opQuery:
		u, all, err := g.permissions(ctx, c)
		if err != nil {
			return nil, err
		}
		return c.queryFeed(ctx, "Permissions", u.RID().String(), all)
	case opPlan, opBatch:
		return nil, invalid("Permissions have no query plan and no batches.")
	}
	name, spec, err := c.permissionSpec()
	if err != nil {
		return nil, err
	}
	p, created, err := g.Catalog.CreatePermission(ctx, c.account.GUID, c.Param("db"), c.Param("user"), name, spec, c.isTrue("X-Ms-Documentdb-Is-Upsert"), g.audit(c, http.StatusCreated))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	body, err := g.renderPermission(ctx, c, p)
	return c.reply(createdStatus(created), chargeMetadataWrite, p.ETag, body), err
}

// permissionSpec reads the body of a permission's creation or replacement, and makes sure that a token can be made of it.
func (c *call) permissionSpec() (name string, spec catalog.PermissionSpec, err error) {
	var in struct {
		ID           string          `json:"id"`
		Mode         string          `json:"permissionMode"`
		Resource     string          `json:"resource"`
		PartitionKey json.RawMessage `json:"resourcePartitionKey"`
	}
	if err := c.decode(&in); err != nil {
		return "", spec, err
	}
	if _, err := c.tokenLifetime(); err != nil {
		return "", spec, err
	}
	key := bytes.TrimSpace(in.PartitionKey)
	switch {
	case len(key) == 0 || string(key) == "null":
		key = nil
	case key[0] != '[': // a single value
		key = append(append([]byte{'['}, key...), ']')
	}
	return in.ID, catalog.PermissionSpec{Mode: in.Mode, Resource: in.Resource, PartitionKey: key}, nil
}

func (g *Gateway) readPermission(ctx context.Context, c *call) (any, error) {
	p, err := g.Catalog.Permission(ctx, c.account.GUID, c.Param("db"), c.Param("user"), c.Param("permission"))
	if err != nil {
		return nil, err
	}
	body, err := g.renderPermission(ctx, c, p)
	return c.reply(http.StatusOK, chargeMetadataRead, p.ETag, body), err
}

func (g *Gateway) replacePermission(ctx context.Context, c *call) (any, error) {
	name, spec, err := c.permissionSpec()
	if err != nil {
		return nil, err
	}
	p, err := g.Catalog.ReplacePermission(ctx, c.account.GUID, c.Param("db"), c.Param("user"), c.Param("permission"), c.header("If-Match"), name, spec, g.audit(c, http.StatusOK))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	body, err := g.renderPermission(ctx, c, p)
	return c.reply(http.StatusOK, chargeMetadataWrite, p.ETag, body), err
}

func (g *Gateway) deletePermission(ctx context.Context, c *call) (any, error) {
	err := g.Catalog.DeletePermission(ctx, c.account.GUID, c.Param("db"), c.Param("user"), c.Param("permission"), c.header("If-Match"), g.audit(c, http.StatusNoContent))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusNoContent, chargeMetadataWrite, "", nil), nil
}
