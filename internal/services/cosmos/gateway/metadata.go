package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// audit is what commits this request's record with its write; the mux then writes none.
func (g *Gateway) audit(c *call, status int) catalog.Audit {
	if g.Audit == nil {
		return nil
	}
	return g.Audit.Prepare(c.Request, status)
}

// committed notes that the audit record went with the write.
func (g *Gateway) committed(c *call) { c.Audited = g.Audit != nil }

// metadataError words what the catalog's own errors mean to a client.
func metadataError(err error) error {
	if errors.Is(err, catalog.ErrNoAccount) {
		return withSub(fault.New(fault.Forbidden, "Forbidden", "The database account is not available.").WithCause(err), subAccountGone)
	}
	return err
}

// reply is an answer with a resource in its body.
func (c *call) reply(status int, charge float64, etag string, body json.RawMessage) *wire.Reply {
	c.setCharge(charge)
	if etag != "" {
		c.SetHeader("Etag", `"`+etag+`"`)
	}
	r := &wire.Reply{Status: status}
	if body != nil {
		r.Body = body
	}
	return r
}

func (c *call) decode(v any) error { return wire.Bind(c.Request, v) }

// appendSystem appends what all metadata resources end in.
func appendSystem(b []byte, rid, self, etag string, ts int64) []byte {
	b = append(b, `,"_rid":"`...)
	b = append(b, rid...)
	b = append(b, `","_self":"`...)
	b = append(b, self...)
	b = append(b, `","_etag":"\"`...)
	b = append(b, etag...)
	b = append(b, `\"","_ts":`...)
	return strconv.AppendInt(b, ts, 10)
}

func quote(s string) []byte {
	b, _ := json.Marshal(s) // strings always marshal
	return b
}

func renderDatabase(d *catalog.Database) json.RawMessage {
	id := d.RID()
	b := append([]byte(`{"id":`), quote(d.Name)...)
	b = appendSystem(b, id.String(), id.SelfLink(), d.ETag, d.Time)
	return append(b, `,"_colls":"colls/","_users":"users/"}`...)
}

func renderContainer(c *catalog.Container) json.RawMessage {
	id := c.RID()
	b := append([]byte(`{"id":`), quote(c.Name)...)
	if inner := c.Properties; len(inner) > 2 {
		b = append(append(b, ','), inner[1:len(inner)-1]...)
	}
	b = appendSystem(b, id.String(), id.SelfLink(), c.ETag, c.Time)
	return append(b, `,"_docs":"docs/","_sprocs":"sprocs/","_triggers":"triggers/","_udfs":"udfs/","_conflicts":"conflicts/"}`...)
}

func renderOffer(o *catalog.Offer) json.RawMessage {
	of := o.Resource()
	id := o.RID()
	b := append([]byte(`{"resource":"`), of.SelfLink()...)
	b = append(b, `","offerType":"Invalid","offerVersion":"V2","offerResourceId":"`...)
	b = append(b, of.String()...)
	b = append(b, `","content":{"offerThroughput":`...)
	if o.Max > 0 {
		b = strconv.AppendInt(b, int64(o.Max/10), 10)
		b = append(b, `,"offerIsRUPerMinuteThroughputEnabled":false,"offerAutopilotSettings":{"maxThroughput":`...)
		b = strconv.AppendInt(b, int64(o.Max), 10)
		b = append(b, '}')
	} else {
		b = strconv.AppendInt(b, int64(o.Manual), 10)
		b = append(b, `,"offerIsRUPerMinuteThroughputEnabled":false`...)
	}
	b = append(b, `},"id":"`...)
	b = append(b, id.String()...)
	b = append(b, '"')
	b = appendSystem(b, id.String(), "offers/"+id.String()+"/", o.ETag, o.Time)
	return append(b, '}')
}

// throughput reads the headers that provision a new database or container; nil if there are none.
func (c *call) throughput() (*catalog.Throughput, error) {
	manual, auto := c.header("X-Ms-Offer-Throughput"), c.header("X-Ms-Cosmos-Offer-Autopilot-Settings")
	if manual == "" && auto == "" {
		return nil, nil
	}
	if c.account.Serverless {
		return nil, invalid("Setting offer throughput or autopilot on container is not supported for serverless accounts.")
	}
	var t catalog.Throughput
	switch {
	case manual != "" && auto != "":
		return nil, invalid("Only one of x-ms-offer-throughput and x-ms-cosmos-offer-autopilot-settings may be given.")
	case manual != "":
		n, err := strconv.Atoi(manual)
		if err != nil {
			return nil, invalid("The value of the header x-ms-offer-throughput is not a number.")
		}
		t.Manual = n
	default:
		var settings struct {
			Max int `json:"maxThroughput"`
		}
		if json.Unmarshal([]byte(auto), &settings) != nil || settings.Max == 0 {
			return nil, invalid("The value of the header x-ms-cosmos-offer-autopilot-settings is invalid; it is {\"maxThroughput\":n}.")
		}
		t.Max = settings.Max
	}
	return &t, t.Check()
}

func (g *Gateway) listDatabases(ctx context.Context, c *call) (any, error) {
	all, err := g.databases(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feed("Databases", "", all)
}

func (g *Gateway) databases(ctx context.Context, c *call) ([]json.RawMessage, error) {
	all, err := g.Catalog.Databases(ctx, c.account.GUID)
	out := make([]json.RawMessage, len(all))
	for i, d := range all {
		out[i] = renderDatabase(d)
	}
	return out, err
}

func (g *Gateway) postDatabases(ctx context.Context, c *call) (any, error) {
	switch c.op {
	case opQuery:
		all, err := g.databases(ctx, c)
		if err != nil {
			return nil, err
		}
		return c.queryFeed(ctx, "Databases", "", all)
	case opPlan, opBatch:
		return nil, invalid("Databases have no query plan and no batches.")
	}
	var in struct {
		ID string `json:"id"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	t, err := c.throughput()
	if err != nil {
		return nil, err
	}
	db, err := g.Catalog.CreateDatabase(ctx, c.account.GUID, in.ID, t, g.audit(c, http.StatusCreated))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusCreated, chargeMetadataWrite, db.ETag, renderDatabase(db)), nil
}

func (g *Gateway) readDatabase(ctx context.Context, c *call) (any, error) {
	db, err := g.Catalog.Database(ctx, c.account.GUID, c.Param("db"))
	if err != nil {
		return nil, err
	}
	if c.unchanged(db.ETag) {
		return c.reply(http.StatusNotModified, chargeMetadataRead, db.ETag, nil), nil
	}
	return c.reply(http.StatusOK, chargeMetadataRead, db.ETag, renderDatabase(db)), nil
}

func (g *Gateway) deleteDatabase(ctx context.Context, c *call) (any, error) {
	err := g.Catalog.DeleteDatabase(ctx, c.account.GUID, c.Param("db"), c.header("If-Match"), g.audit(c, http.StatusNoContent))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusNoContent, chargeMetadataWrite, "", nil), nil
}

// unchanged tells whether If-None-Match names the etag.
func (c *call) unchanged(etag string) bool {
	v := c.header("If-None-Match")
	return v != "" && v != "*" && (v == etag || v == `"`+etag+`"`)
}
