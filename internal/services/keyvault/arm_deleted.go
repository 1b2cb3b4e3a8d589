package keyvault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// purgeVault is the kind of outbox row that removes a purged vault's data and gives its name free.
const purgeVault = "keyvault.purge"

type purgeOrder struct {
	Name string `json:"name"`
	GUID string `json:"guid"`
}

// OutboxHandlers are the handlers of the outbox rows the service writes, for the platform's drainer.
func (s *Service) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{purgeVault: s.purgeVault}
}

func (s *Service) purgeVault(ctx context.Context, _ string, payload []byte) error {
	var o purgeOrder
	if err := json.Unmarshal(payload, &o); err != nil {
		return fmt.Errorf("outbox row %s: %w", purgeVault, err)
	}
	if err := s.deps.Store.Drop(ctx, shardOf(o.GUID)); err != nil {
		return fmt.Errorf("drop vault %s: %w", o.Name, err)
	}
	if err := s.deps.Names.Release(ctx, wire.HostVault, o.Name, o.GUID); err != nil {
		return fmt.Errorf("release the name of vault %s: %w", o.Name, err)
	}
	return nil
}

// deletedVaultBundle is a deleted vault on the wire.
type deletedVaultBundle struct {
	ID         string                 `json:"id"`
	Name       string                 `json:"name"`
	Type       string                 `json:"type"`
	Properties deletedVaultProperties `json:"properties"`
}

type deletedVaultProperties struct {
	VaultID   string            `json:"vaultId"`
	Location  string            `json:"location"`
	Tags      map[string]string `json:"tags,omitempty"`
	Deleted   time.Time         `json:"deletionDate"`
	Purge     time.Time         `json:"scheduledPurgeDate"`
	Protected *bool             `json:"purgeProtectionEnabled,omitempty"`
}

func subscriptionShard(id string) string { return "sub/" + strings.ToLower(id) }

func (d *deletedVault) bundle(subscription string) deletedVaultBundle {
	b := deletedVaultBundle{
		ID:   "/subscriptions/" + subscription + "/providers/Microsoft.KeyVault/locations/" + d.Location + "/deletedVaults/" + d.Name,
		Name: d.Name, Type: "Microsoft.KeyVault/deletedVaults",
		Properties: deletedVaultProperties{VaultID: d.ID, Location: d.Location, Tags: d.Tags, Deleted: d.Deleted.Truncate(time.Second), Purge: d.Purge.Truncate(time.Second)},
	}
	if d.Protected {
		b.Properties.Protected = yes()
	}
	return b
}

func (s *Service) deletedVaultActions() []arm.Action {
	const one = "locations/{location}/deletedVaults/{vault}"
	return []arm.Action{
		{Verb: "deletedVaults", Method: "GET", Operation: "Microsoft.KeyVault/deletedVaults/read", Collection: true, Handler: s.listDeletedVaults},
		{Verb: one, Method: "GET", Operation: "Microsoft.KeyVault/locations/deletedVaults/read", Collection: true, Handler: s.getDeletedVault},
		{Verb: one + "/purge", Operation: "Microsoft.KeyVault/locations/deletedVaults/purge/action", Collection: true, Writes: true, Handler: s.purgeDeletedVault},
	}
}

func (s *Service) listDeletedVaults(ctx context.Context, c *arm.Call) (any, error) {
	all, err := s.deletedVaults(ctx, subscriptionShard(c.ID.Subscription))
	if err != nil {
		return nil, err
	}
	out := make([]deletedVaultBundle, 0, len(all))
	for i := range all {
		out = append(out, all[i].bundle(c.ID.Subscription))
	}
	return wire.NewPage(out, ""), nil
}

func (s *Service) deletedVaults(ctx context.Context, shard string) ([]deletedVault, error) {
	var raw [][]byte
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		raw = nil
		return sn.Scan(store.Prefix([]byte(deletedPrefix)), func(_, value []byte) bool {
			raw = append(raw, clone(value))
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]deletedVault, 0, len(raw))
	for _, b := range raw {
		d, err := deletedCodec.Decode(b)
		if err != nil {
			return nil, fmt.Errorf("deleted vault in %s: %w", shard, err)
		}
		out = append(out, d)
	}
	return out, nil
}

func noDeletedVault(name, location string) *fault.Error {
	return fault.New(fault.NotFound, "DeletedVaultNotFound", "The specified deleted vault '%s' does not exist in the location '%s'.", clip(name), clip(location))
}

func (s *Service) deletedVault(ctx context.Context, shard, location, name string) (*deletedVault, error) {
	if vaultName(name) != "" {
		return nil, noDeletedVault(name, location)
	}
	k := deletedVaultKey(location, name)
	if len(k) > store.MaxKey {
		return nil, noDeletedVault(name, location)
	}
	var raw []byte
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		b, err := sn.Get(k)
		raw = clone(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, noDeletedVault(name, location)
	}
	d, err := deletedCodec.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("deleted vault %s: %w", name, err)
	}
	return &d, nil
}

func (s *Service) getDeletedVault(ctx context.Context, c *arm.Call) (any, error) {
	d, err := s.deletedVault(ctx, subscriptionShard(c.ID.Subscription), c.Param("location"), c.Param("vault"))
	if err != nil {
		return nil, err
	}
	return d.bundle(c.ID.Subscription), nil
}

// purgeDeletedVault removes a deleted vault for good: its entry in one transaction, then, by way of the outbox, its data and its claim to the name.
func (s *Service) purgeDeletedVault(ctx context.Context, c *arm.Call) (any, error) {
	shard := subscriptionShard(c.ID.Subscription)
	d, err := s.deletedVault(ctx, shard, c.Param("location"), c.Param("vault"))
	if err != nil {
		return nil, err
	}
	if d.Protected {
		return nil, fault.New(fault.Conflict, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed: purge protection is enabled for the vault '%s'.", d.Name)
	}
	if err := c.Commit(ctx, func(tx store.Tx) error { return orderPurge(tx, d) }); err != nil {
		return nil, err
	}
	if err := s.deps.Outbox.Drain(ctx, shard); err != nil {
		return nil, fmt.Errorf("purge vault %s: %w", d.Name, err)
	}
	return wire.Reply{Status: http.StatusOK}, nil
}

func orderPurge(tx store.Tx, d *deletedVault) error {
	k := deletedVaultKey(d.Location, d.Name)
	if there, err := exists(tx, k); err != nil || !there {
		return orFault(err, noDeletedVault(d.Name, d.Location))
	}
	payload, err := json.Marshal(purgeOrder{d.Name, d.GUID})
	if err != nil {
		return err
	}
	if err := outbox.Put(tx, purgeVault, payload); err != nil {
		return err
	}
	return tx.Delete(k)
}

// recovering is a deleted vault that a PUT is about to bring back.
type recovering struct {
	key   []byte
	vault *deletedVault
}

// recoverVault prepares PUT with createMode recover: the vault comes back as it was, under its own immutable id and so with its data.
func (s *Service) recoverVault(ctx context.Context, c *arm.Call) error {
	d, err := s.deletedVault(ctx, subscriptionShard(c.ID.Subscription), c.New.Location, c.ID.Name())
	if err != nil {
		return err
	}
	if !strings.EqualFold(d.ID, c.ID.String()) {
		return badRequest("BadRequest", "The deleted vault '%s' belongs to %s and can only be recovered there.", d.Name, d.ID)
	}
	c.New.GUID, c.New.Properties = d.GUID, d.Properties
	if !c.Body.Has("tags") {
		c.New.Tags = d.Tags
	}
	c.Prepared = &recovering{deletedVaultKey(d.Location, d.Name), d}
	return nil
}

// sweepVaults purges the deleted vaults whose time has come.
func (s *Service) sweepVaults(ctx context.Context) error {
	now := s.deps.Clock.Now()
	return store.EachShard(ctx, s.deps.Store, subscriptionShard(""), func(shard string) error {
		all, err := s.deletedVaults(ctx, shard)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Purge.After(now) {
				continue
			}
			_, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return orderPurge(tx, &all[i]) })
			if err != nil && !fault.Is(err, fault.NotFound) {
				return fmt.Errorf("purge vault %s: %w", all[i].Name, err)
			}
			if err := s.deps.Outbox.Drain(ctx, shard); err != nil {
				return fmt.Errorf("purge vault %s: %w", all[i].Name, err)
			}
		}
		return nil
	})
}
