package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func (g *Gateway) containers(ctx context.Context, c *call) (*catalog.Database, []json.RawMessage, error) {
	db, err := g.Catalog.Database(ctx, c.account.GUID, c.Param("db"))
	if err != nil {
		return nil, nil, err
	}
	all, err := g.Catalog.Containers(ctx, c.account.GUID, db)
	out := make([]json.RawMessage, len(all))
	for i, con := range all {
		out[i] = renderContainer(con)
	}
	return db, out, err
}

func (g *Gateway) listContainers(ctx context.Context, c *call) (any, error) {
	db, all, err := g.containers(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feed("DocumentCollections", db.RID().String(), all)
}

func (g *Gateway) postContainers(ctx context.Context, c *call) (any, error) {
	switch c.op {
	case opQuery:
		db, all, err := g.containers(ctx, c)
		if err != nil {
			return nil, err
		}
		return c.queryFeed(ctx, "DocumentCollections", db.RID().String(), all)
	case opPlan, opBatch:
		return nil, invalid("Containers have no query plan and no batches.")
	}
	spec, err := catalog.ParseSpec(c.Body, c.APIVersion)
	if err != nil {
		return nil, err
	}
	spec.Serverless = c.account.Serverless
	t, err := c.throughput()
	if err != nil {
		return nil, err
	}
	con, err := g.Catalog.CreateContainer(ctx, c.account.GUID, c.Param("db"), spec, t, g.audit(c, http.StatusCreated))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	out := c.reply(http.StatusCreated, chargeMetadataWrite, con.ETag, renderContainer(con))
	c.SetHeader("X-Ms-Alt-Content-Path", "dbs/"+c.Param("db"))
	return out, nil
}

func (g *Gateway) readContainer(ctx context.Context, c *call) (any, error) {
	db, con, err := g.Catalog.Container(ctx, c.account.GUID, c.Param("db"), c.Param("coll"))
	if err != nil {
		return nil, err
	}
	status, body := http.StatusOK, renderContainer(con)
	if c.unchanged(con.ETag) {
		status, body = http.StatusNotModified, nil
	}
	out := c.reply(status, chargeMetadataRead, con.ETag, body)
	c.SetHeader("X-Ms-Alt-Content-Path", "dbs/"+db.Name)
	c.SetHeader("X-Ms-Content-Path", db.RID().String())
	if c.isTrue("X-Ms-Documentdb-Populatequotainfo") || c.isTrue("X-Ms-Documentdb-Populatepartitionstatistics") {
		var all items.Usage
		for _, r := range con.Ranges {
			s, err := g.Items.Stat(ctx, con.Items(r))
			if err != nil {
				return nil, err
			}
			all.Documents += s.Usage.Documents
			all.Bytes += s.Usage.Bytes
		}
		c.setUsage(con, all)
		c.SetHeader("X-Ms-Resource-Quota", g.Catalog.Quota(con, len(con.Ranges)))
	}
	progress := 100
	for _, r := range con.Ranges {
		p, err := g.Items.IndexProgress(ctx, r.GUID)
		if err != nil {
			return nil, err
		}
		progress = min(progress, p)
	}
	c.SetHeader("X-Ms-Documentdb-Collection-Index-Transformation-Progress", strconv.Itoa(progress))
	if con.Lazy() {
		c.SetHeader("X-Ms-Documentdb-Collection-Lazy-Indexing-Progress", strconv.Itoa(progress))
	}
	return out, nil
}

func (g *Gateway) replaceContainer(ctx context.Context, c *call) (any, error) {
	spec, err := catalog.ParseSpec(c.Body, c.APIVersion)
	if err != nil {
		return nil, err
	}
	con, err := g.Catalog.ReplaceContainer(ctx, c.account.GUID, c.Param("db"), c.Param("coll"), c.header("If-Match"), spec, g.audit(c, http.StatusOK))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusOK, chargeMetadataWrite, con.ETag, renderContainer(con)), nil
}

func (g *Gateway) deleteContainer(ctx context.Context, c *call) (any, error) {
	err := g.Catalog.DeleteContainer(ctx, c.account.GUID, c.Param("db"), c.Param("coll"), c.header("If-Match"), g.audit(c, http.StatusNoContent))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusNoContent, chargeMetadataWrite, "", nil), nil
}

// feedReply is a list of resources.
func (c *call) feedReply(key, owner string, rows []json.RawMessage, charge float64) *wire.Reply {
	size := 64
	for _, r := range rows {
		size += len(r) + 1
	}
	b := make([]byte, 0, size)
	b = append(b, `{"_rid":"`...)
	b = append(b, owner...)
	b = append(b, `","`...)
	b = append(b, key...)
	b = append(b, `":[`...)
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r...)
	}
	b = append(b, `],"_count":`...)
	b = strconv.AppendInt(b, int64(len(rows)), 10)
	b = append(b, '}')
	c.setCharge(charge)
	c.SetHeader("X-Ms-Item-Count", strconv.Itoa(len(rows)))
	return &wire.Reply{Status: http.StatusOK, Body: json.RawMessage(b)}
}
