package app

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
)

// posture makes the part of Microsoft.Security that judges what the other services hold.
func (p *Platform) posture(accounts *cosmos.Service) *posture.Service {
	usage := posture.NewUsage(p.store, p.clock, p.log)
	p.tokens.OnIssue(func(ctx context.Context, who *authn.Principal) {
		if who.Kind == authn.ManagedIdentity {
			usage.Got(context.WithoutCancel(ctx), who.ObjectID)
		}
	})
	return posture.New(posture.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Outbox: drainer{p}, Inventory: p.arm, Resources: p.arm, Access: p.arm, SignedIn: p.arm.Authenticator(),
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}}, Usage: usage,
		Keys: func(ctx context.Context, account *arm.Resource) ([]assess.Key, error) {
			ages, err := accounts.KeyAges(ctx, account)
			out := make([]assess.Key, 0, len(ages))
			for _, a := range ages {
				out = append(out, assess.Key(a))
			}
			return out, err
		},
	})
}
