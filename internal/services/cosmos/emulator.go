package cosmos

import (
	"context"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// EmulatorResource is the id of the account that stands for the Cosmos DB emulator, in a subscription, and its resource group.
func EmulatorResource(subscription string) (group, account string) {
	group = "/subscriptions/" + subscription + "/resourceGroups/cosmos-emulator"
	return group, group + "/providers/" + typeName + "/" + gateway.EmulatorAccount
}

// EmulatorBody is what that account is put with.
func EmulatorBody() map[string]any {
	return map[string]any{
		"location": gateway.EmulatorRegion, "kind": "GlobalDocumentDB",
		"properties": map[string]any{
			"databaseAccountOfferType": "Standard",
			"locations":                []map[string]any{{"locationName": gateway.EmulatorRegion, "failoverPriority": 0}},
			"consistencyPolicy":        map[string]any{"defaultConsistencyLevel": gateway.EmulatorStrength},
		},
	}
}

// HasEmulator tells whether the account of that id is there. Another resource of its name is an error.
func (s *Service) HasEmulator(ctx context.Context, id string) (bool, error) {
	e, err := s.deps.Names.Lookup(ctx, wire.HostCosmos, gateway.EmulatorAccount)
	switch {
	case err != nil || e == nil:
		return false, err
	case !strings.EqualFold(e.ResourceID, id):
		return false, fmt.Errorf("the account name %q, which the emulator's account has, is taken by %s", gateway.EmulatorAccount, e.ResourceID)
	}
	r, _, err := s.deps.Reader.Resource(ctx, id)
	return r != nil, err
}

// GiveEmulatorKey makes the emulator's well-known key the primary key of an account, which from then on is served on loopback only.
func (s *Service) GiveEmulatorKey(ctx context.Context, id string) error {
	r, _, err := s.deps.Reader.Resource(ctx, id)
	switch {
	case err != nil:
		return err
	case r == nil:
		return fmt.Errorf("there is no account %s", id)
	}
	sub, err := subscriptionOf(r.ID)
	if err != nil {
		return err
	}
	shard := subscriptionShard(sub)
	return s.replaceKey(ctx, shard, r.GUID, gateway.Primary, gateway.EmulatorKey, s.deps.Clock.Now(), func(fn func(store.Tx) error) error {
		_, err := s.deps.Store.Update(ctx, shard, fn)
		return err
	})
}
