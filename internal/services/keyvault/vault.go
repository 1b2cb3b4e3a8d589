package keyvault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// vault is a vault as the data plane needs it: parsed once per change of its resource. Never written after it was made.
type vault struct {
	id, name, location string
	guid, etag         string
	shard              string
	tenant             string

	rbac       bool
	grants     map[string][]grant // by lower-case object id
	softDelete bool
	protected  bool // against purge
	days       int

	denyPublic bool
	deny       bool // networkAcls.defaultAction is Deny
	bypass     bool // networkAcls.bypass is AzureServices
	firewall   netrule.Firewall

	level string // recoveryLevel of its objects
	mark  []byte // what stands in its shard at keyOfVault
}

// grant is one access policy.
type grant struct {
	application string // lower case; "" for any
	allowed     map[string]bool
}

// vaultFor finds the vault behind a request's host.
func (s *Service) vaultFor(ctx context.Context, r *wire.Request) (*vault, error) {
	return s.vaultNamed(ctx, r.Host.Name)
}

// vaultNamed finds a live vault by its name.
func (s *Service) vaultNamed(ctx context.Context, name string) (*vault, error) {
	e, res, _, err := arm.Named(ctx, s.deps.Reader, s.deps.Names, wire.HostVault, name)
	if err != nil {
		return nil, fmt.Errorf("look up vault %s: %w", name, err)
	}
	if res == nil {
		return nil, noVault(name)
	}
	if v, ok := s.vaults.Load(e.GUID); ok && v.(*vault).etag == res.ETag {
		return v.(*vault), nil
	}
	v, err := parseVault(res)
	if err != nil {
		return nil, err
	}
	s.vaults.Store(e.GUID, v)
	return v, nil
}

// noVault stands for what on Azure is a host name that does not resolve.
func noVault(name string) *fault.Error {
	return fault.New(fault.NotFound, "VaultNotFound", "There is no key vault with the name %s. On Azure this host name would not resolve.", name)
}

func shardOf(guid string) string { return "vault/" + guid }

func parseVault(res *arm.Resource) (*vault, error) {
	var p properties
	if err := json.Unmarshal(res.Properties, &p); err != nil {
		return nil, fmt.Errorf("properties of %s: %w", res.ID, err)
	}
	v := &vault{
		id: res.ID, name: res.Name, location: res.Location, guid: res.GUID, etag: res.ETag, shard: shardOf(res.GUID),
		tenant: strings.ToLower(p.TenantID), rbac: p.EnableRbacAuthorization, softDelete: p.softDelete(), protected: p.EnablePurgeProtection != nil && *p.EnablePurgeProtection,
		days: p.SoftDeleteRetentionInDays, denyPublic: strings.EqualFold(p.PublicNetworkAccess, "Disabled"), grants: map[string][]grant{},
	}
	for _, a := range p.AccessPolicies {
		g := grant{application: strings.ToLower(a.ApplicationID), allowed: map[string]bool{}}
		for kind, list := range map[string][]string{"secrets": a.Permissions.Secrets, "keys": a.Permissions.Keys, "certificates": a.Permissions.Certificates} {
			for _, perm := range list {
				g.allowed[kind+" "+strings.ToLower(perm)] = true
			}
		}
		oid := strings.ToLower(a.ObjectID)
		v.grants[oid] = append(v.grants[oid], g)
	}
	if n := p.NetworkACLs; n != nil && strings.EqualFold(n.DefaultAction, "Deny") {
		v.deny = true
		for _, rule := range n.IPRules {
			prefix, err := netrule.ParsePrefix4(rule.Value)
			if err != nil {
				return nil, fmt.Errorf("stored ip rule of %s: %w", res.ID, err)
			}
			v.firewall.Addresses = append(v.firewall.Addresses, prefix)
		}
		v.bypass = !strings.EqualFold(n.Bypass, "None")
		v.firewall.Service, v.firewall.Tags = endpointName, netrule.ServiceTags("AzureKeyVault", res.Location)
		v.firewall.Subnets = n.subnetRules()
	}
	v.level = v.recoveryLevel()
	var err error
	v.mark, err = markCodec.Encode(mark{Name: res.Name})
	return v, err
}

// sign leaves the vault's name in its shard if it is not there.
func (v *vault) sign(tx store.Tx) error {
	b, err := tx.Get(keyOfVault())
	if err != nil || bytes.Equal(b, v.mark) {
		return err
	}
	return tx.Put(keyOfVault(), v.mark)
}

func (v *vault) recoveryLevel() string {
	level := "Recoverable"
	switch {
	case !v.softDelete:
		return "Purgeable"
	case v.days < maxRetention:
		level = "CustomizedRecoverable"
	}
	if !v.protected {
		level += "+Purgeable"
	}
	return level
}

// recoverableDays is 0 without soft delete.
func (v *vault) recoverableDays() int {
	if !v.softDelete {
		return 0
	}
	return v.days
}

// network is the stage that asks the vault's firewall. It also finds the vault, for the stages after it.
func (s *Service) network(ctx context.Context, r *wire.Request) error {
	v, err := s.vaultFor(ctx, r)
	if err != nil {
		return err
	}
	r.State = v
	if v.denyPublic {
		return s.headed(r, v, forbidden(innerConnection, "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nVault: %s;location=%s",
			v.name, v.location))
	}
	if !v.deny {
		return nil
	}
	verdict, err := v.firewall.Admit(ctx, r.Client, s.deps.Subnet)
	if err != nil || verdict.Allowed {
		return err
	}
	return s.headed(r, v, v.refusal(r.Client.Unmap(), &verdict))
}

// refusal words what the firewall says to a client it does not admit.
func (v *vault) refusal(addr netip.Addr, verdict *netrule.Verdict) *fault.Error {
	why := "caller is not a trusted service"
	if !v.bypass {
		why = "caller was ignored because bypass is set to None"
	}
	group := ""
	if verdict.Blocked {
		group = "The network security group of the subnet does not let the client out to Key Vault" + verdict.ByText() + "\r\n"
	}
	return forbidden(innerFirewall, "Client address is not authorized and %s.\r\n%sClient address: %s\r\nVault: %s;location=%s", why, group, addr, v.name, v.location)
}
