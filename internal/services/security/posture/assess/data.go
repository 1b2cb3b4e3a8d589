package assess

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const (
	typeSite    = "Microsoft.Web/sites"
	typeVault   = "Microsoft.KeyVault/vaults"
	typeAccount = "Microsoft.DocumentDB/databaseAccounts"

	siteVersion    = "?api-version=2022-03-01"
	vaultVersion   = "?api-version=2023-07-01"
	accountVersion = "?api-version=2023-11-15"
)

func patch(r *arm.Resource, version string, props any) []Step {
	return []Step{{Method: "PATCH", Path: r.ID + version, Body: map[string]any{"properties": props}}}
}

func judgeHTTPS(_ *State, r *arm.Resource) *Verdict {
	p := properties[struct {
		HTTPSOnly bool `json:"httpsOnly"`
	}](r, typeSite)
	switch {
	case p == nil || strings.Contains(strings.ToLower(r.Kind), "functionapp"):
		return nil
	case p.HTTPSOnly:
		return healthy()
	}
	return unhealthy("HttpsOnlyOff", "The site also answers plain HTTP: httpsOnly is false.")
}

func fixHTTPS(_ *State, v *Verdict, _ arm.Object) ([]Step, error) {
	return patch(v.Resource, siteVersion, map[string]any{"httpsOnly": true}), nil
}

// vault is what is looked at of a vault.
type vault struct {
	SoftDelete *bool           `json:"enableSoftDelete"`
	Purge      *bool           `json:"enablePurgeProtection"`
	Public     string          `json:"publicNetworkAccess"`
	ACLs       json.RawMessage `json:"networkAcls"`
}

func judgeSoftDelete(_ *State, r *arm.Resource) *Verdict {
	p := properties[vault](r, typeVault)
	switch {
	case p == nil:
		return nil
	case p.SoftDelete == nil || *p.SoftDelete:
		return healthy()
	}
	return unhealthy("SoftDeleteOff", "enableSoftDelete is false.")
}

func judgePurgeProtection(_ *State, r *arm.Resource) *Verdict {
	p := properties[vault](r, typeVault)
	switch {
	case p == nil:
		return nil
	case p.Purge != nil && *p.Purge:
		return healthy()
	}
	return unhealthy("PurgeProtectionOff", "enablePurgeProtection is not set.")
}

func patchVault(props map[string]any) func(*State, *Verdict, arm.Object) ([]Step, error) {
	return func(_ *State, v *Verdict, _ arm.Object) ([]Step, error) {
		return patch(v.Resource, vaultVersion, props), nil
	}
}

func judgeVaultNetwork(_ *State, r *arm.Resource) *Verdict {
	p := properties[vault](r, typeVault)
	if p == nil {
		return nil
	}
	var acls struct {
		Default string `json:"defaultAction"`
	}
	if p.ACLs != nil && json.Unmarshal(p.ACLs, &acls) != nil {
		return nil
	}
	if strings.EqualFold(p.Public, "Disabled") || strings.EqualFold(acls.Default, "Deny") {
		return healthy()
	}
	return unhealthy("AllNetworks", "The vault answers all networks: networkAcls.defaultAction is Allow.")
}

// fixVaultNetwork denies what no rule allows. {"ipRules":["203.0.113.7"]} adds addresses.
func fixVaultNetwork(_ *State, v *Verdict, ask arm.Object) ([]Step, error) {
	p := properties[vault](v.Resource, typeVault)
	addresses, err := list(ask, "ipRules")
	if err != nil {
		return nil, err
	}
	acls := map[string]any{"bypass": "AzureServices"}
	if p.ACLs != nil {
		_ = json.Unmarshal(p.ACLs, &acls)
	}
	acls["defaultAction"] = "Deny"
	if len(addresses) > 0 {
		rules, _ := acls["ipRules"].([]any)
		for _, a := range addresses {
			rules = append(rules, map[string]any{"value": a})
		}
		acls["ipRules"] = rules
	}
	if rules, ok := acls["virtualNetworkRules"].([]any); ok { // only what a client may say of one
		for i, rule := range rules {
			if m, ok := rule.(map[string]any); ok {
				rules[i] = map[string]any{"id": m["id"], "ignoreMissingVnetServiceEndpoint": true}
			}
		}
	}
	return patch(v.Resource, vaultVersion, map[string]any{"networkAcls": acls}), nil
}

// account is what is looked at of a database account.
type account struct {
	IPRules  []json.RawMessage `json:"ipRules"`
	Filter   bool              `json:"isVirtualNetworkFilterEnabled"`
	Public   string            `json:"publicNetworkAccess"`
	NoKeys   bool              `json:"disableLocalAuth"`
	Networks []json.RawMessage `json:"virtualNetworkRules"`
}

func judgeAccountNetwork(_ *State, r *arm.Resource) *Verdict {
	p := properties[account](r, typeAccount)
	switch {
	case p == nil:
		return nil
	case strings.EqualFold(p.Public, "Disabled"), len(p.IPRules) > 0, p.Filter:
		return healthy()
	}
	return unhealthy("AllNetworks", "The account answers all networks: it has neither ipRules nor virtual network rules.")
}

// fixAccountNetwork turns public access off or, with {"ipRules":["203.0.113.7"]}, limits it to these addresses.
func fixAccountNetwork(_ *State, v *Verdict, ask arm.Object) ([]Step, error) {
	addresses, err := list(ask, "ipRules")
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return patch(v.Resource, accountVersion, map[string]any{"publicNetworkAccess": "Disabled"}), nil
	}
	var rules []any
	for _, a := range addresses {
		rules = append(rules, map[string]any{"ipAddressOrRange": a})
	}
	return patch(v.Resource, accountVersion, map[string]any{"ipRules": rules}), nil
}

func judgeLocalAuth(_ *State, r *arm.Resource) *Verdict {
	p := properties[account](r, typeAccount)
	switch {
	case p == nil:
		return nil
	case p.NoKeys:
		return healthy()
	}
	return unhealthy("LocalAuthEnabled", "Account keys open the account: disableLocalAuth is false.")
}

func fixLocalAuth(_ *State, v *Verdict, _ arm.Object) ([]Step, error) {
	return patch(v.Resource, accountVersion, map[string]any{"disableLocalAuth": true}), nil
}

func judgeKeyAge(s *State, r *arm.Resource) *Verdict {
	p := properties[account](r, typeAccount)
	if p == nil {
		return nil
	}
	if p.NoKeys {
		return notApplicable("LocalAuthDisabled", "The account's keys open nothing.")
	}
	keys := s.Keys[strings.ToLower(r.ID)]
	if len(keys) == 0 {
		return nil
	}
	days := int(s.Limits.keyAge().Hours() / 24)
	var old []Part
	for _, k := range keys {
		if age := s.Now.Sub(k.Generated); age > s.Limits.keyAge() {
			old = append(old, Part{Key: k.Kind, DisplayName: "The " + k.Kind + " key is old", Description: fmt.Sprintf("It is %d days old.", int(age.Hours()/24))})
		}
	}
	if len(old) == 0 {
		return healthy()
	}
	return unhealthy("KeysNotRotated", fmt.Sprintf("%d of %d keys are older than %d days.", len(old), len(keys), days), old...)
}

// fixKeyAge regenerates the old secondary keys, or those that {"keyKinds":["primary"]} names: clients use the primary keys, so that these have to be asked for.
func fixKeyAge(_ *State, v *Verdict, ask arm.Object) ([]Step, error) {
	kinds, err := list(ask, "keyKinds")
	if err != nil {
		return nil, err
	}
	if kinds == nil {
		for _, p := range v.Parts {
			if strings.HasPrefix(p.Key, "secondary") {
				kinds = append(kinds, p.Key)
			}
		}
	}
	if len(kinds) == 0 {
		return nil, invalid("Only primary keys are old. Clients use them: move these to the secondary keys, then send {\"keyKinds\":[\"primary\",\"primaryReadonly\"]}.")
	}
	var steps []Step
	for _, k := range kinds {
		steps = append(steps, Step{Method: "POST", Path: v.Resource.ID + "/regenerateKey" + accountVersion, Body: map[string]any{"keyKind": k}})
	}
	return steps, nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidRemediation", format, args...)
}

// list reads an optional list of strings of what a caller asks of a fix.
func list(ask arm.Object, name string) ([]string, error) {
	var out []string
	err := ask.Decode(name, &out)
	return out, err
}
