package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

func (g *Gateway) encryptionKeyRoutes(add func(method, pattern, operation string, h handler)) {
	const keys = "/dbs/{db}/clientencryptionkeys"
	add("GET", keys, "ListClientEncryptionKeys", g.listEncryptionKeys)
	add("POST", keys, "CreateClientEncryptionKey", g.postEncryptionKeys)
	add("GET", keys+"/{key}", "ReadClientEncryptionKey", g.readEncryptionKey)
	add("PUT", keys+"/{key}", "ReplaceClientEncryptionKey", g.replaceEncryptionKey)
}

func renderEncryptionKey(k *catalog.EncryptionKey) (json.RawMessage, error) {
	id := k.RID()
	spec, err := json.Marshal(k.Spec)
	if err != nil {
		return nil, err
	}
	b := append([]byte(`{"id":`), quote(k.Name)...)
	b = append(append(b, ','), spec[1:len(spec)-1]...)
	b = appendSystem(b, id.String(), id.SelfLink(), k.ETag, k.Time)
	return append(b, '}'), nil
}

func (g *Gateway) encryptionKeys(ctx context.Context, c *call) (*catalog.Database, []json.RawMessage, error) {
	db, err := g.Catalog.Database(ctx, c.account.GUID, c.Param("db"))
	if err != nil {
		return nil, nil, err
	}
	all, err := g.Catalog.EncryptionKeys(ctx, c.account.GUID, db)
	if err != nil {
		return nil, nil, err
	}
	out := make([]json.RawMessage, len(all))
	for i, k := range all {
		if out[i], err = renderEncryptionKey(k); err != nil {
			return nil, nil, err
		}
	}
	return db, out, nil
}

func (g *Gateway) listEncryptionKeys(ctx context.Context, c *call) (any, error) {
	db, all, err := g.encryptionKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feed("ClientEncryptionKeys", db.RID().String(), all)
}

func (g *Gateway) postEncryptionKeys(ctx context.Context, c *call) (any, error) {
	switch c.op {
	case opQuery:
		db, all, err := g.encryptionKeys(ctx, c)
		if err != nil {
			return nil, err
		}
		return c.queryFeed(ctx, "ClientEncryptionKeys", db.RID().String(), all)
	case opPlan, opBatch:
		return nil, invalid("Client encryption keys have no query plan and no batches.")
	}
	name, spec, err := c.encryptionKeySpec()
	if err != nil {
		return nil, err
	}
	k, err := g.Catalog.CreateEncryptionKey(ctx, c.account.GUID, c.Param("db"), name, spec, g.audit(c, http.StatusCreated))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	body, err := renderEncryptionKey(k)
	return c.reply(http.StatusCreated, chargeMetadataWrite, k.ETag, body), err
}

func (c *call) encryptionKeySpec() (name string, spec catalog.EncryptionKeySpec, err error) {
	var in struct {
		ID string `json:"id"`
		catalog.EncryptionKeySpec
	}
	err = c.decode(&in)
	return in.ID, in.EncryptionKeySpec, err
}

func (g *Gateway) readEncryptionKey(ctx context.Context, c *call) (any, error) {
	k, err := g.Catalog.EncryptionKey(ctx, c.account.GUID, c.Param("db"), c.Param("key"))
	if err != nil {
		return nil, err
	}
	if c.unchanged(k.ETag) {
		return c.reply(http.StatusNotModified, chargeMetadataRead, k.ETag, nil), nil
	}
	body, err := renderEncryptionKey(k)
	return c.reply(http.StatusOK, chargeMetadataRead, k.ETag, body), err
}

func (g *Gateway) replaceEncryptionKey(ctx context.Context, c *call) (any, error) {
	name, spec, err := c.encryptionKeySpec()
	if err != nil {
		return nil, err
	}
	k, err := g.Catalog.ReplaceEncryptionKey(ctx, c.account.GUID, c.Param("db"), c.Param("key"), c.header("If-Match"), name, spec, g.audit(c, http.StatusOK))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	body, err := renderEncryptionKey(k)
	return c.reply(http.StatusOK, chargeMetadataWrite, k.ETag, body), err
}

// intended refuses a request that was prepared for another container than the one that is there now under its name: its sender has the client
// encryption policy of the other one.
func (c *call) intended(con *catalog.Container) error {
	want := c.header("X-Ms-Cosmos-Intended-Collection-Rid")
	if want == "" || want == con.Derived.RID {
		return nil
	}
	return withSub(fault.New(fault.Invalid, "BadRequest",
		"The requested operation was meant for the container with the resource id '%s', but the container of that name has the resource id '%s'.", want, con.Derived.RID), subOtherContainer)
}
