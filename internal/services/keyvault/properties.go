package keyvault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

// properties of a vault, as stored and as the wire shows them.
type properties struct {
	TenantID                     string         `json:"tenantId"`
	SKU                          sku            `json:"sku"`
	AccessPolicies               []accessPolicy `json:"accessPolicies"`
	VaultURI                     string         `json:"vaultUri,omitempty"` // shown, never stored: it follows the way the client came in
	EnabledForDeployment         bool           `json:"enabledForDeployment"`
	EnabledForDiskEncryption     bool           `json:"enabledForDiskEncryption"`
	EnabledForTemplateDeployment bool           `json:"enabledForTemplateDeployment"`
	EnableSoftDelete             *bool          `json:"enableSoftDelete,omitempty"`
	SoftDeleteRetentionInDays    int            `json:"softDeleteRetentionInDays,omitempty"`
	EnableRbacAuthorization      bool           `json:"enableRbacAuthorization"`
	EnablePurgeProtection        *bool          `json:"enablePurgeProtection,omitempty"`
	NetworkACLs                  *networkACLs   `json:"networkAcls,omitempty"`
	PublicNetworkAccess          string         `json:"publicNetworkAccess,omitempty"`
	CreateMode                   string         `json:"createMode,omitempty"` // asked, never stored
	ProvisioningState            string         `json:"provisioningState,omitempty"`
}

type sku struct {
	Family string `json:"family"`
	Name   string `json:"name"`
}

type accessPolicy struct {
	TenantID      string      `json:"tenantId"`
	ObjectID      string      `json:"objectId"`
	ApplicationID string      `json:"applicationId,omitempty"`
	Permissions   permissions `json:"permissions"`
}

type permissions struct {
	Keys         []string `json:"keys,omitempty"`
	Secrets      []string `json:"secrets,omitempty"`
	Certificates []string `json:"certificates,omitempty"`
	Storage      []string `json:"storage,omitempty"`
}

type networkACLs struct {
	Bypass              string       `json:"bypass"`
	DefaultAction       string       `json:"defaultAction"`
	IPRules             []ipRule     `json:"ipRules"`
	VirtualNetworkRules []subnetRule `json:"virtualNetworkRules"`
}

type ipRule struct {
	Value string `json:"value"`
}

type subnetRule struct {
	ID            string `json:"id"` // in lower case, as Key Vault keeps it
	IgnoreMissing bool   `json:"ignoreMissingVnetServiceEndpoint,omitempty"`
	GUID          string `json:"bulkheadGuid,omitempty"` // of the subnet; never taken from a client, never shown
}

const (
	minRetention   = 7
	maxRetention   = 90
	maxPolicies    = 1024
	maxIPRules     = 1000
	softDeleteBorn = "2019-09-01" // from this api-version on, a vault has soft delete unless its creator says otherwise
)

// permitted lists what may stand in an access policy.
func permitted() map[string][]string {
	return map[string][]string{
		"keys": {
			"all", "encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify", "get", "list", "create", "update", "import", "delete", "backup", "restore",
			"recover", "purge", "release", "rotate", "getrotationpolicy", "setrotationpolicy",
		},
		"secrets": {"all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge"},
		"certificates": {
			"all", "get", "list", "delete", "create", "import", "update", "managecontacts", "getissuers", "listissuers", "setissuers", "deleteissuers",
			"manageissuers", "recover", "purge", "backup", "restore",
		},
		"storage": {"all", "get", "list", "delete", "set", "update", "regeneratekey", "recover", "purge", "backup", "restore", "setsas", "listsas", "getsas", "deletesas"},
	}
}

func (p *properties) softDelete() bool { return p.EnableSoftDelete != nil && *p.EnableSoftDelete }

func badRequest(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, code, format, args...)
}

// settle checks p as sent with a PUT of the api-version and fills in defaults; old is what is stored, nil for a new vault.
func (p *properties) settle(old *properties, version string) error {
	p.VaultURI, p.ProvisioningState, p.CreateMode = "", "Succeeded", ""
	if !ids.IsGUID(p.TenantID) {
		return badRequest("BadRequest", "The property tenantId of the vault is '%s', which is no GUID.", clip(p.TenantID))
	}
	if err := p.SKU.settle(); err != nil {
		return err
	}
	if p.AccessPolicies == nil && old == nil && !p.EnableRbacAuthorization {
		return badRequest("BadRequest", "The parameter accessPolicies is required: give an array, which may be empty, or set enableRbacAuthorization.")
	}
	if p.AccessPolicies == nil {
		p.AccessPolicies = []accessPolicy{}
		if old != nil {
			p.AccessPolicies = old.AccessPolicies
		}
	}
	if err := p.settleSoftDelete(old, version); err != nil {
		return err
	}
	if err := settlePolicies(p.AccessPolicies, p.TenantID); err != nil {
		return err
	}
	switch strings.ToLower(p.PublicNetworkAccess) {
	case "", "enabled":
		p.PublicNetworkAccess = "Enabled"
	case "disabled":
		p.PublicNetworkAccess = "Disabled"
	default:
		return badRequest("BadRequest", "The property publicNetworkAccess is '%s'; it must be Enabled or Disabled.", clip(p.PublicNetworkAccess))
	}
	if p.NetworkACLs != nil {
		return p.NetworkACLs.settle()
	}
	return nil
}

func (k *sku) settle() error {
	if !strings.EqualFold(k.Family, "A") {
		return badRequest("BadRequest", "The property sku.family is '%s'; it must be A.", clip(k.Family))
	}
	k.Family, k.Name = "A", strings.ToLower(k.Name)
	if k.Name != "standard" && k.Name != "premium" {
		return badRequest("BadRequest", "The property sku.name is '%s'; it must be standard or premium.", clip(k.Name))
	}
	return nil
}

func (p *properties) settleSoftDelete(old *properties, version string) error {
	yes, no := true, false
	if p.EnableSoftDelete == nil {
		p.EnableSoftDelete = &yes
		if version < softDeleteBorn {
			p.EnableSoftDelete = &no
		}
		if old != nil && old.EnableSoftDelete != nil {
			p.EnableSoftDelete = old.EnableSoftDelete
		}
	}
	if old != nil && old.softDelete() && !*p.EnableSoftDelete {
		return badRequest("BadRequest", "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.")
	}
	if p.EnablePurgeProtection != nil && !*p.EnablePurgeProtection {
		if old != nil && old.EnablePurgeProtection != nil && *old.EnablePurgeProtection {
			return badRequest("BadRequest", "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.")
		}
		p.EnablePurgeProtection = nil
	}
	if p.EnablePurgeProtection == nil && old != nil {
		p.EnablePurgeProtection = old.EnablePurgeProtection
	}
	if !*p.EnableSoftDelete {
		if p.EnablePurgeProtection != nil {
			return badRequest("BadRequest", "The property \"enablePurgeProtection\" can be set to true only when \"enableSoftDelete\" is set to true.")
		}
		p.SoftDeleteRetentionInDays = 0
		return nil
	}
	kept := 0
	if old != nil && old.softDelete() {
		kept = old.SoftDeleteRetentionInDays
	}
	switch days := p.SoftDeleteRetentionInDays; {
	case days == 0 && kept == 0:
		p.SoftDeleteRetentionInDays = maxRetention
	case days == 0:
		p.SoftDeleteRetentionInDays = kept
	case days < minRetention || days > maxRetention:
		return badRequest("BadRequest", "The property \"softDeleteRetentionInDays\" is %d; it must be from %d to %d.", days, minRetention, maxRetention)
	case kept != 0 && days != kept:
		return badRequest("BadRequest", "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.")
	}
	return nil
}

// settlePolicies checks access policies and puts the permissions into the casing Azure answers with.
func settlePolicies(list []accessPolicy, tenant string) error {
	if len(list) > maxPolicies {
		return badRequest("BadRequest", "There are %d access policies, more than %d.", len(list), maxPolicies)
	}
	known := permitted()
	seen := map[string]bool{}
	for i := range list {
		a := &list[i]
		if !ids.IsGUID(a.TenantID) || !ids.IsGUID(a.ObjectID) || a.ApplicationID != "" && !ids.IsGUID(a.ApplicationID) {
			return badRequest("BadRequest", "An invalid value was provided for accessPolicies[%d]: tenantId '%s', objectId '%s' and applicationId '%s' must be GUIDs.", i, clip(a.TenantID),
				clip(a.ObjectID), clip(a.ApplicationID))
		}
		if !strings.EqualFold(a.TenantID, tenant) {
			return badRequest("BadRequest", "An invalid value was provided for 'accessPolicies': the tenant %s of accessPolicies[%d] is not the vault's tenant %s.", a.TenantID, i, tenant)
		}
		id := strings.ToLower(a.ObjectID + "/" + a.ApplicationID)
		if seen[id] {
			return badRequest("BadRequest", "An invalid value was provided for 'accessPolicies': the object id %s appears more than once.", a.ObjectID)
		}
		seen[id] = true
		for area, perms := range a.areas() {
			if err := settlePermissions(perms, known[area], fmt.Sprintf("accessPolicies[%d].permissions.%s", i, area)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *accessPolicy) areas() map[string]*[]string {
	p := &a.Permissions
	return map[string]*[]string{"keys": &p.Keys, "secrets": &p.Secrets, "certificates": &p.Certificates, "storage": &p.Storage}
}

func settlePermissions(perms *[]string, known []string, path string) error {
	var out []string
	for _, perm := range *perms {
		lower := strings.ToLower(perm)
		if !slices.Contains(known, lower) {
			return badRequest("BadRequest", "An invalid value was provided for '%s': '%s' is no permission.", path, clip(perm))
		}
		if !slices.Contains(out, lower) {
			out = append(out, lower)
		}
	}
	*perms = out
	return nil
}

// settle checks network rules and normalises them as Key Vault does: single addresses become /32.
func (n *networkACLs) settle() error {
	switch strings.ToLower(n.DefaultAction) {
	case "", "allow":
		n.DefaultAction = "Allow"
	case "deny":
		n.DefaultAction = "Deny"
	default:
		return badRequest("BadRequest", "The property networkAcls.defaultAction is '%s'; it must be Allow or Deny.", clip(n.DefaultAction))
	}
	switch strings.ToLower(n.Bypass) {
	case "", "azureservices":
		n.Bypass = "AzureServices"
	case "none":
		n.Bypass = "None"
	default:
		return badRequest("BadRequest", "The property networkAcls.bypass is '%s'; it must be AzureServices or None.", clip(n.Bypass))
	}
	if n.VirtualNetworkRules == nil {
		n.VirtualNetworkRules = []subnetRule{}
	}
	if len(n.IPRules) > maxIPRules {
		return badRequest("BadRequest", "networkAcls.ipRules has %d rules, more than %d.", len(n.IPRules), maxIPRules)
	}
	if n.IPRules == nil {
		n.IPRules = []ipRule{}
	}
	for i, rule := range n.IPRules {
		p, err := netrule.ParsePrefix4(strings.TrimSpace(rule.Value))
		if err != nil {
			return badRequest("BadRequest", "An invalid value was provided for networkAcls.ipRules[%d]: '%s' is no IPv4 address or CIDR block.", i, clip(rule.Value))
		}
		n.IPRules[i].Value = p.String()
	}
	return nil
}
