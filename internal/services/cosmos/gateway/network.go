package gateway

import (
	"context"

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
	r.State = &call{Request: r, account: a, op: classify(r.HTTP), now: r.Time}
	r.Resource = a.ID
	return a.admit(ctx, r, g.Subnet)
}

// account finds the account of a request's host.
func (g *Gateway) account(ctx context.Context, r *wire.Request) (*Account, error) {
	a, err := g.Accounts.Account(ctx, r.Host.Name)
	if err == nil && a == nil {
		err = withSub(fault.New(fault.Forbidden, "Forbidden", "Database Account %s does not exist", r.Host.Name), subAccountGone)
	}
	return a, err
}

// admit applies the firewall: publicNetworkAccess, subnets, IP rules.
func (a *Account) admit(ctx context.Context, r *wire.Request, subnet netrule.Lookup) error {
	if !a.Public {
		return fault.New(fault.Forbidden, "Forbidden", "Request originated from IP %s through public internet. This is blocked by your Cosmos DB account: its publicNetworkAccess is disabled.", r.Client)
	}
	if !a.Filtered || a.AllowPlatform && r.Process != "" {
		return nil
	}
	v, err := a.Firewall.Admit(ctx, r.Client, subnet)
	switch {
	case err != nil || v.Allowed:
		return err
	case v.Blocked:
		return fault.New(fault.Forbidden, "Forbidden", "Request originated from IP %s through the subnet %s, whose network security group does not let it out to Cosmos DB%s.", r.Client, v.Subnet.ID, v.ByText())
	}
	return fault.New(fault.Forbidden, "Forbidden", "Request originated from IP %s through public internet. This is blocked by your Cosmos DB account firewall settings. More info: https://aka.ms/cosmosdb-tsg-forbidden", r.Client)
}
