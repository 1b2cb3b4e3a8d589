package posture

import (
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// pricing is a plan's properties.
type pricing struct {
	Tier       string          `json:"pricingTier"`
	SubPlan    string          `json:"subPlan,omitempty"`
	Trial      string          `json:"freeTrialRemainingTime"` // ISO 8601
	Enabled    *time.Time      `json:"enablementTime,omitempty"`
	Enforce    string          `json:"enforce,omitempty"`
	Deprecated bool            `json:"deprecated,omitempty"`
	ReplacedBy []string        `json:"replacedBy,omitempty"`
	Coverage   string          `json:"resourcesCoverageStatus,omitempty"`
	Extensions []planExtension `json:"extensions,omitempty"`
}

type planExtension struct {
	Name       string          `json:"name"`
	Enabled    string          `json:"isEnabled"`
	Additional json.RawMessage `json:"additionalExtensionProperties,omitempty"`
}

// replaced are plans that Azure keeps for the sake of old scripts.
var replaced = map[string][]string{"KubernetesService": {"Containers"}, "ContainerRegistry": {"Containers"}, "Dns": {"VirtualMachines"}}

// pricingType has the plans of a subscription. Which is chosen is kept and shown; detection is on in any of them.
func (s *Service) pricingType() arm.Type {
	return s.fixedType(fixed{
		name: namespace + "/pricings", tag: tagPricing, versions: []string{"2017-08-01-preview", "2018-06-01", "2022-03-01", "2023-01-01", "2024-01-01"},
		names: []string{
			"VirtualMachines", "SqlServers", "AppServices", "StorageAccounts", "SqlServerVirtualMachines", "KubernetesService", "ContainerRegistry", "KeyVaults", "Dns", "Arm",
			"OpenSourceRelationalDatabases", "CosmosDbs", "Containers", "CloudPosture", "Api", "AI",
		},
		initial: func(name string) any {
			return pricing{Tier: "Free", Trial: "P30D", Enforce: "False", Coverage: "NotCovered", Deprecated: replaced[name] != nil, ReplacedBy: replaced[name]}
		},
		put: putPricing,
	})
}

func putPricing(c *arm.Call, name string, old json.RawMessage) (any, error) {
	in, err := body(c)
	if err != nil {
		return nil, err
	}
	p := pricing{Trial: "PT0S", Enforce: "False", Coverage: "NotCovered", Deprecated: replaced[name] != nil, ReplacedBy: replaced[name]}
	if p.Tier, err = oneOf(in, "pricingTier", "", "Free", "Standard"); err != nil {
		return nil, err
	}
	if p.Enforce, err = oneOf(in, "enforce", "False", "False", "True"); err != nil {
		return nil, err
	}
	if err := in.Decode("subPlan", &p.SubPlan); err != nil {
		return nil, err
	}
	if err := in.Decode("extensions", &p.Extensions); err != nil {
		return nil, err
	}
	for _, e := range p.Extensions {
		if e.Name == "" || e.Enabled != "True" && e.Enabled != "False" {
			return nil, bad("An extension has a name and isEnabled of True or False; got %.60q and %.20q.", e.Name, e.Enabled)
		}
	}
	if p.Tier == "Free" {
		if p.SubPlan != "" {
			return nil, bad("The subPlan '%.60s' needs the pricingTier Standard.", p.SubPlan)
		}
		return p, nil
	}
	if name == "VirtualMachines" {
		if p.SubPlan, err = oneOf(in, "subPlan", "P2", "P1", "P2"); err != nil {
			return nil, err
		}
	}
	p.Coverage = "FullyCovered"
	var was pricing
	if json.Unmarshal(old, &was) == nil && was.Enabled != nil && was.Tier == p.Tier {
		p.Enabled = was.Enabled
	} else {
		now := c.New.Changed.UTC()
		p.Enabled = &now
	}
	return p, nil
}
