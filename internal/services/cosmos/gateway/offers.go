package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
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
	out := c.reply(http.StatusOK, chargeMetadataRead, o.ETag, renderOffer(o))
	c.SetHeader("X-Ms-Cosmos-Min-Throughput", "400")
	c.SetHeader("X-Ms-Offer-Replace-Pending", "false")
	return out, nil
}

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
	if c.header("X-Ms-Cosmos-Migrate-Offer-To-Autopilot") != "" || c.header("X-Ms-Cosmos-Migrate-Offer-To-Manual-Throughput") != "" {
		return nil, notImplemented("Migration between manual and autoscale throughput")
	}
	t := catalog.Throughput{Manual: in.Content.Throughput}
	if in.Content.Autopilot != nil {
		t = catalog.Throughput{Max: in.Content.Autopilot.Max}
	}
	o, err := g.Catalog.ReplaceOffer(ctx, c.account.GUID, c.Param("offer"), c.header("If-Match"), t, g.audit(c, http.StatusOK))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	out := c.reply(http.StatusOK, chargeMetadataWrite, o.ETag, renderOffer(o))
	c.SetHeader("X-Ms-Offer-Replace-Pending", "false")
	return out, nil
}
