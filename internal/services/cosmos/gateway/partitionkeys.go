package gateway

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// keyDeletion is the path, after a container's, of the operation that deletes all documents of a partition key. Its signatures are of the type
// "partitionkey", with the link of the container.
const (
	keyDeletion     = "/operations/partitionkeydelete"
	keyDeletionType = "partitionkey"
)

// Bounds of one transaction of it.
const (
	keyDeletionRows  = 100
	keyDeletionBytes = 4 << 20
)

func (g *Gateway) partitionKeyRoutes(add func(method, pattern, operation string, h handler)) {
	add("POST", "/dbs/{db}/colls/{coll}"+keyDeletion, "DeletePartitionKey", g.steady(g.deletePartitionKey))
}

// deletePartitionKey deletes all documents of a partition key, by a transaction for every hundred. The service does it in the background; here it is
// done when the answer comes. Documents that are created meanwhile may stay.
func (g *Gateway) deletePartitionKey(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	key, err := c.wholeKey(con)
	if err != nil {
		return nil, err
	}
	epk := key.EPK(*con.PartitionKey)
	r := con.At(epk)
	if err := g.admit(c, con, epk); err != nil {
		return nil, err
	}
	sel := items.Selection{Low: epk, High: epk, Bounded: true}
	charge, after := chargeMiss, ""
	for {
		page, err := g.Items.List(ctx, r, sel, after, keyDeletionRows, keyDeletionBytes)
		if err != nil {
			return nil, documentError(err)
		}
		if len(page.Rows) == 0 {
			break
		}
		writes := make([]items.Write, len(page.Rows))
		for i, row := range page.Rows {
			doc, err := items.Parse(row.Text)
			if err != nil {
				return nil, err
			}
			writes[i] = items.Write{Op: items.Delete, EPK: epk, ID: doc.ID}
		}
		outs, _, err := g.Items.Apply(ctx, r, c.now, writes)
		if fault.Is(err, fault.NotFound) && !items.Moved(err) {
			continue // somebody else deleted one of them
		}
		if err != nil {
			return nil, documentError(err)
		}
		for _, out := range outs {
			charge += chargeDelete(out.OldSize)
		}
		after = page.Rows[len(page.Rows)-1].Key
	}
	state, err := g.Items.Stat(ctx, r)
	if err != nil {
		return nil, documentError(err)
	}
	c.setCharge(charge)
	c.setRange(con, state)
	return &wire.Reply{Status: http.StatusOK}, nil
}
