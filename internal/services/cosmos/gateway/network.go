package gateway

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// network finds the account and asks its firewall.
func (g *Gateway) network(ctx context.Context, r *wire.Request) error {
	a, err := g.account(ctx, r)
	if err != nil {
		return err
	}
	a.allowOrigin(r)
	r.State = &call{Request: r, account: a, op: operationOf(r.HTTP), now: r.Time}
	r.Resource = a.ID
	return g.firewall(ctx, r, a)
}

// account finds the account of a request's host.
func (g *Gateway) account(ctx context.Context, r *wire.Request) (*Account, error) {
	a, err := g.Accounts.Account(ctx, r.Host.Name)
	if err == nil && a == nil {
		err = withSub(fault.New(fault.Forbidden, "Forbidden", "Database Account %s does not exist", r.Host.Name), subAccountGone)
	}
	return a, err
}

// firewall refuses whom the account does not admit: publicNetworkAccess, subnets, IP rules.
func (g *Gateway) firewall(ctx context.Context, r *wire.Request, a *Account) error {
	if !a.Public {
		return fault.New(fault.Forbidden, "Forbidden", "Request originated from IP %s through public internet. This is blocked by your Cosmos DB account: its publicNetworkAccess is disabled.", r.Client)
	}
	if !a.Filtered || a.AllowPlatform && r.Process != "" {
		return nil
	}
	v, err := a.Firewall.Admit(ctx, r.Client, g.Subnet)
	if err != nil || v.Allowed {
		return err
	}
	return g.refusal(ctx, r, a, &v)
}

// refusal words by which way the client came, as far as the account's own subscription tells.
func (g *Gateway) refusal(ctx context.Context, r *wire.Request, a *Account, v *netrule.Verdict) error {
	if v.Blocked {
		return fault.New(fault.Forbidden, "Forbidden", "Request originated from client VNET through service endpoint. This is blocked by the network security group of the subnet %s%s. Client address: %s",
			v.Subnet.ID, v.ByText(), r.Client)
	}
	inside := false
	if id, err := arm.ParseID(a.ID); err == nil && g.Inside != nil {
		if inside, err = g.Inside(ctx, id.Subscription, a.Firewall.Service, r.Client); err != nil {
			return err
		}
	}
	if inside {
		return fault.New(fault.Forbidden, "Forbidden",
			"Request originated from client VNET through service endpoint. This is blocked by your Cosmos DB account firewall settings. Client address: %s. More info: https://aka.ms/cosmosdb-tsg-forbidden", r.Client)
	}
	return fault.New(fault.Forbidden, "Forbidden", "Request originated from IP %s through public internet. This is blocked by your Cosmos DB account firewall settings. More info: https://aka.ms/cosmosdb-tsg-forbidden", r.Client)
}
