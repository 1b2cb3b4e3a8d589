package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func (g *Gateway) offers(ctx context.Context, c *call) ([]json.RawMessage, error) {
	all, err := g.Catalog.Offers(ctx, c.account.GUID)
	out := make([]json.RawMessage, len(all))
	for i, o := range all {
		out[i] = renderOffer(o)
	}
	return out, err
}

func (g *Gateway) listOffers(ctx context.Context, c *call) (any, error) {
	all, err := g.offers(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feed("Offers", "", all)
}

func (g *Gateway) postOffers(ctx context.Context, c *call) (any, error) {
	if c.op != opQuery {
		return nil, invalid("Offers are made with their database or container; a POST here is a query.")
	}
	all, err := g.offers(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.queryFeed(ctx, "Offers", "", all)
}

func (g *Gateway) readOffer(ctx context.Context, c *call) (any, error) {
	o, err := g.Catalog.Offer(ctx, c.account.GUID, c.Param("offer"))
	if err != nil {
		return nil, err
	}
	return g.offerReply(ctx, c, o, chargeMetadataRead)
}

// offerReply is an answer with an offer. Throughput that takes more ranges is pending until the container has them.
func (g *Gateway) offerReply(ctx context.Context, c *call, o *catalog.Offer, charge float64) (any, error) {
	pending, err := g.Catalog.Pending(ctx, c.account.GUID, o)
	if err != nil {
		return nil, err
	}
	out := c.reply(http.StatusOK, charge, o.ETag, renderOffer(o))
	c.SetHeader("X-Ms-Cosmos-Min-Throughput", strconv.Itoa(o.Minimum()))
	c.SetHeader("X-Ms-Offer-Replace-Pending", strconv.FormatBool(pending))
	return out, nil
}

// replaceOffer sets an offer's throughput, or, by a header, migrates it between manual and autoscale.
func (g *Gateway) replaceOffer(ctx context.Context, c *call) (any, error) {
	var in struct {
		Content struct {
			Throughput int `json:"offerThroughput"`
			Autopilot  *struct {
				Max int `json:"maxThroughput"`
			} `json:"offerAutopilotSettings"`
		} `json:"content"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	toAuto, toManual := c.isTrue("X-Ms-Cosmos-Migrate-Offer-To-Autopilot"), c.isTrue("X-Ms-Cosmos-Migrate-Offer-To-Manual-Throughput")
	audit := g.audit(c, http.StatusOK)
	var o *catalog.Offer
	var err error
	switch {
	case toAuto && toManual:
		return nil, invalid("Only one of x-ms-cosmos-migrate-offer-to-autopilot and x-ms-cosmos-migrate-offer-to-manual-throughput may be given.")
	case toAuto || toManual:
		o, err = g.Catalog.MigrateOffer(ctx, c.account.GUID, c.Param("offer"), c.header("If-Match"), toAuto, audit)
	default:
		t := catalog.Throughput{Manual: in.Content.Throughput}
		if in.Content.Autopilot != nil {
			t = catalog.Throughput{Max: in.Content.Autopilot.Max}
		}
		o, err = g.Catalog.ReplaceOffer(ctx, c.account.GUID, c.Param("offer"), c.header("If-Match"), t, audit)
	}
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return g.offerReply(ctx, c, o, chargeMetadataWrite)
}

// badOfferPath answers a PUT to a link where an offer's id belongs: offers/offers/{id}. Such a path cannot be signed, so nobody is asked who they are.
func badOfferPath() wire.Route {
	return wire.Route{
		Host: wire.HostCosmos, Method: http.MethodPut, Pattern: "/offers/{offer}/{rest*}", Operation: "ReplaceOffer", BodyLimit: maxBody,
		Versions: wire.Versions{Header: "X-Ms-Version"}, Auth: wire.Anonymous,
		Handler: func(context.Context, *wire.Request) (any, error) {
			return nil, invalid("The path of an offer is offers/{id}.")
		},
	}
}
