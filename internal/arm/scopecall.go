package arm

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// scopeCall makes a call of a request that no type stands behind: an operation on the subscription or group of its path that writes. The caller's right is
// checked, and locks; commitTx then does what it does for types.
func (p *Pipeline) scopeCall(ctx context.Context, r *wire.Request, operation string) (*Call, error) {
	var id ID
	if err := id.setSubscription(r.Param(paramSub)); err != nil {
		return nil, err
	}
	t := &Type{Name: "Microsoft.Resources/subscriptions", Versions: []string{"2014-04-01"}}
	if g := r.Param(paramGroup); g != "" {
		if err := id.setGroup(g); err != nil {
			return nil, err
		}
		t = p.byName[strings.ToLower(typeGroup)]
	}
	shard := subShard(id.Subscription)
	e := &endpoint{p: p, typ: t, kind: onAction, method: http.MethodPost, operation: operation}
	c := &Call{Request: r, Type: t, ID: id, Version: t.nearest(r.APIVersion), run: &run{p: p, e: e, shard: shard, home: shard, scope: id.Fold()}}
	r.Resource = id.String()
	return c, c.run.check(ctx, c)
}
