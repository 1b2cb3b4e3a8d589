package gateway

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

// With one region that takes writes there are no conflicts: their feed is empty, and so is what is found in it.

func (g *Gateway) conflictsOf(ctx context.Context, c *call) (*catalog.Container, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	return con, c.checkRange(con)
}

func (g *Gateway) listConflicts(ctx context.Context, c *call) (any, error) {
	con, err := g.conflictsOf(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.feedReply("Conflicts", con.Derived.RID, nil, chargeMetadataRead), nil
}

func (g *Gateway) postConflicts(ctx context.Context, c *call) (any, error) {
	con, err := g.conflictsOf(ctx, c)
	if err != nil {
		return nil, err
	}
	switch c.op {
	case opQuery:
		return c.queryFeed(ctx, "Conflicts", con.Derived.RID, nil)
	case opPlan:
		return g.planQuery(c, con)
	}
	return nil, invalid("Conflicts are not created by clients.")
}
