package keyvault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Types is what the control plane learns from Key Vault.
func (s *Service) Types() []arm.Type {
	return []arm.Type{{
		Name: "Microsoft.KeyVault/vaults",
		Versions: []string{
			"2015-06-01", "2016-10-01", "2018-02-14", "2018-02-14-preview", "2019-09-01", "2020-04-01-preview", "2021-04-01-preview", "2021-06-01-preview",
			"2021-10-01", "2021-11-01-preview", "2022-02-01-preview", "2022-07-01", "2022-11-01", "2023-02-01", "2023-07-01", "2024-04-01-preview", "2024-11-01",
			"2024-12-01-preview",
		},
		Move:         func(context.Context, *arm.Move) error { return nil }, // all of a vault is in its own shard
		OnCreate:     http.StatusOK,                                         // as Key Vault itself answers
		Put:          s.putVault,
		HostNames:    hostNames,
		Commit:       s.commitVault,
		Applied:      s.applied,
		CommitDelete: s.commitDelete,
		Render:       renderVault,
		Actions: append(append(s.deletedVaultActions(), s.objectActions()...),
			arm.Action{
				Verb: "checkNameAvailability", Operation: "Microsoft.KeyVault/checkNameAvailability/read", Collection: true, Handler: s.checkNameAvailability,
			},
			s.policyAction("add"), s.policyAction("replace"), s.policyAction("remove"),
		),
	}}
}

func hostNames(r *arm.Resource) []arm.HostName {
	p, err := propertiesOf(r)
	return []arm.HostName{{Kind: wire.HostVault, Name: r.Name, Retain: err == nil && p.softDelete()}}
}

func propertiesOf(r *arm.Resource) (*properties, error) {
	p := new(properties)
	if err := json.Unmarshal(r.Properties, p); err != nil {
		return nil, fmt.Errorf("properties of %s: %w", r.ID, err)
	}
	return p, nil
}

// vaultName tells what is wrong with a vault's name, "" for nothing.
func vaultName(name string) string {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	switch {
	case len(name) < 3 || len(name) > 24:
		return "it must have 3 to 24 characters"
	case !letter(name[0]):
		return "it must begin with a letter"
	case !letter(name[len(name)-1]) && !digit(name[len(name)-1]):
		return "it must end with a letter or digit"
	case strings.Contains(name, "--"):
		return "it must not have two dashes in a row"
	}
	for i := 0; i < len(name); i++ {
		if !letter(name[i]) && !digit(name[i]) && name[i] != '-' {
			return "it may have only letters, digits and dashes"
		}
	}
	return ""
}

// putVault checks what was sent and settles what will be stored.
func (s *Service) putVault(ctx context.Context, c *arm.Call) error {
	name := c.ID.Name()
	if problem := vaultName(name); problem != "" {
		return badRequest("VaultNameNotValid", "The vault name '%s' is invalid: %s. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742", clip(name), problem)
	}
	var p *properties
	if err := c.Body.Decode("properties", &p); err != nil {
		return err
	}
	if p == nil {
		return badRequest("BadRequest", "The parameter properties is required.")
	}
	var old *properties
	if c.Old != nil {
		var err error
		if old, err = propertiesOf(c.Old); err != nil {
			return err
		}
	}
	mode := strings.ToLower(p.CreateMode)
	switch {
	case mode == "recover" && c.Old == nil:
		return s.recoverVault(ctx, c)
	case mode != "" && mode != "default" && mode != "recover":
		return badRequest("BadRequest", "The property createMode is '%s'; it must be default or recover.", clip(p.CreateMode))
	}
	if c.Old == nil {
		if err := s.nameTaken(ctx, name); err != nil {
			return err
		}
	}
	if err := p.settle(old, c.Version); err != nil {
		return err
	}
	if err := s.settleSubnets(ctx, c, p, old); err != nil {
		return err
	}
	var err error
	c.New.Properties, err = json.Marshal(p)
	return err
}

// nameTaken refuses the name of a vault that lives or lies deleted.
func (s *Service) nameTaken(ctx context.Context, name string) error {
	e, err := s.deps.Names.Lookup(ctx, wire.HostVault, name)
	switch {
	case err != nil:
		return fmt.Errorf("look up vault %s: %w", name, err)
	case e == nil || !e.Confirmed && !e.Deleted:
		return nil
	case e.Deleted:
		return fault.New(fault.Conflict, "ConflictError", "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. "+
			"Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.")
	}
	return fault.New(fault.Conflict, "VaultAlreadyExists", "The vault name '%s' is already in use. Vault names are globally unique so it is possible that the name is already taken. "+
		"If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a "+
		"recoverable state.", name)
}

// commitVault ends a recovery: in the transaction that brings the vault back, its entry among the deleted ones goes.
func (s *Service) commitVault(tx store.Tx, c *arm.Call) error {
	row, ok := c.Prepared.(*recovering)
	if !ok {
		return nil
	}
	if there, err := exists(tx, row.key); err != nil || !there {
		return orFault(err, noDeletedVault(c.ID.Name(), row.vault.Location))
	}
	return tx.Delete(row.key)
}

// commitDelete keeps a vault with soft delete among the deleted ones of its subscription.
func (s *Service) commitDelete(tx store.Tx, c *arm.Call) error {
	p, err := propertiesOf(c.Old)
	if err != nil || !p.softDelete() {
		return err
	}
	row, err := deletedCodec.Encode(deletedVault{
		ID: c.Old.ID, Name: c.Old.Name, Location: c.Old.Location, Tags: c.Old.Tags, GUID: c.Old.GUID, Properties: c.Old.Properties,
		Deleted: c.Time, Purge: c.Time.AddDate(0, 0, p.SoftDeleteRetentionInDays), Protected: p.EnablePurgeProtection != nil && *p.EnablePurgeProtection,
	})
	if err != nil {
		return err
	}
	return tx.Put(deletedVaultKey(c.Old.Location, c.Old.Name), row)
}

// applied drops the data of a deleted vault that has no soft delete. The name of one that has is kept by the pipeline (HostName.Retain).
func (s *Service) applied(ctx context.Context, c *arm.Call) error {
	if c.New != nil || c.Old == nil {
		return nil
	}
	s.vaults.Delete(c.Old.GUID)
	p, err := propertiesOf(c.Old)
	if err != nil || p.softDelete() {
		return err
	}
	return s.deps.Store.Drop(ctx, shardOf(c.Old.GUID))
}

// renderVault adds the address by the way the client came in.
func renderVault(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	p, err := propertiesOf(r)
	if err != nil {
		return nil, err
	}
	p.VaultURI = c.URL(wire.HostVault, strings.ToLower(r.Name)) + "/"
	p.NetworkACLs = p.NetworkACLs.shown()
	return json.Marshal(p)
}

type nameAvailability struct {
	Available bool   `json:"nameAvailable"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
}

func (s *Service) checkNameAvailability(ctx context.Context, c *arm.Call) (any, error) {
	name := c.Body.String("name")
	if t := c.Body.String("type"); !strings.EqualFold(t, "Microsoft.KeyVault/vaults") {
		return nil, badRequest("BadRequest", "The property type is '%s'; it must be Microsoft.KeyVault/vaults.", clip(t))
	}
	if problem := vaultName(name); problem != "" {
		return nameAvailability{Reason: "AccountNameInvalid", Message: "The vault name '" + clip(name) + "' is invalid: " + problem + "."}, nil
	}
	e, err := s.deps.Names.Lookup(ctx, wire.HostVault, name)
	if err != nil {
		return nil, fmt.Errorf("look up vault %s: %w", name, err)
	}
	if e != nil {
		return nameAvailability{Reason: "AlreadyExists", Message: "The vault name '" + name + "' is already in use."}, nil
	}
	return nameAvailability{Available: true}, nil
}
