package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const (
	planTypeName = "Microsoft.Web/serverfarms"
	siteTypeName = "Microsoft.Web/sites"
)

// planType is Microsoft.Web/serverfarms. A plan has no size here: its sites share this machine, whatever its SKU says.
func (s *Service) planType() arm.Type {
	return arm.Type{Name: planTypeName, Versions: versions, OnCreate: http.StatusOK, Put: putPlan, Render: renderPlan, Delete: s.deletePlan, Move: s.movePlan}
}

// deletePlan refuses to take a plan from under its sites. Deleted with its group, a plan goes whatever it has: the sites go with it.
func (s *Service) deletePlan(ctx context.Context, c *arm.Call) error {
	if c.Request.Route == nil || c.Request.Route.Operation != planTypeName+"/delete" {
		return nil
	}
	sites, err := s.sitesOf(ctx, "sub/"+strings.ToLower(c.ID.Subscription), c.ID.String())
	if err != nil || len(sites) == 0 {
		return err
	}
	return fault.New(fault.Conflict, "Conflict", "Server farm '%s' cannot be deleted because it has web app(s) %s assigned to it.", c.ID.Name(), sites[0].Name)
}

// sitesOf gives the sites of a plan. They are in the shard of its subscription.
func (s *Service) sitesOf(ctx context.Context, shard, plan string) ([]*arm.Resource, error) {
	sites, packages := map[string]string{}, map[string]string{}
	if err := s.sitesIn(ctx, shard, sites, packages); err != nil {
		return nil, err
	}
	var out []*arm.Resource
	for _, id := range sites {
		site, _, err := s.deps.Resources.Resource(ctx, id)
		if err != nil {
			return nil, err
		}
		var p siteProperties
		if site != nil && json.Unmarshal(site.Properties, &p) == nil && strings.EqualFold(p.ServerFarmID, plan) {
			out = append(out, site)
		}
	}
	return out, nil
}

// planSKU is a plan's sku as clients send it.
type planSKU struct {
	Name     string `json:"name"`
	Tier     string `json:"tier,omitempty"`
	Size     string `json:"size,omitempty"`
	Family   string `json:"family,omitempty"`
	Capacity *int   `json:"capacity,omitempty"`
}

// planProperties is what is kept of a plan.
type planProperties struct {
	Reserved       bool `json:"reserved"` // Linux
	PerSiteScaling bool `json:"perSiteScaling"`
	IsXenon        bool `json:"isXenon"`
	ZoneRedundant  bool `json:"zoneRedundant"`
	HyperV         bool `json:"hyperV"`
}

func putPlan(_ context.Context, c *arm.Call) error {
	var p planProperties
	if err := decodeField(c.Body, "properties", &p); err != nil {
		return err
	}
	sku := planSKU{Name: "F1"}
	if c.Old != nil && len(c.Old.SKU) > 0 {
		if err := json.Unmarshal(c.Old.SKU, &sku); err != nil {
			return err
		}
	}
	if err := decodeField(c.Body, "sku", &sku); err != nil {
		return err
	}
	if sku.Name == "" || len(sku.Name) > 20 || !dnsLabel(sku.Name) {
		return fault.New(fault.Invalid, "BadRequest", "The plan's sku.name %q is not one, such as B1.", sku.Name)
	}
	if sku.Tier == "" {
		sku.Tier = tierOf(sku.Name)
	}
	if sku.Size == "" {
		sku.Size = sku.Name
	}
	if sku.Family == "" {
		sku.Family = familyOf(sku.Name)
	}
	if sku.Capacity == nil {
		one := 1
		sku.Capacity = &one
	}
	var err error
	if c.New.SKU, err = json.Marshal(sku); err != nil {
		return err
	}
	if c.New.Kind == "" {
		c.New.Kind = "app"
		if p.Reserved {
			c.New.Kind = "linux"
		}
	}
	c.New.Properties, err = json.Marshal(p)
	return err
}

// familyOf is the name without the size in it: B1 is of family B, P1v3 of Pv3.
func familyOf(sku string) string {
	const digits = "0123456789"
	i := strings.IndexAny(sku, digits)
	if i < 0 {
		return sku
	}
	return sku[:i] + strings.TrimLeft(sku[i:], digits)
}

func tierOf(sku string) string {
	for prefix, tier := range map[string]string{
		"F": "Free", "D": "Shared", "B": "Basic", "S": "Standard", "Y": "Dynamic", "EP": "ElasticPremium", "P": "Premium", "I": "Isolated",
	} {
		if strings.TrimRight(strings.ToUpper(sku), "0123456789") == prefix {
			return tier
		}
	}
	if strings.HasPrefix(strings.ToUpper(sku), "P") {
		return "PremiumV" + sku[len(sku)-1:] // P1v3
	}
	return "Basic"
}

func renderPlan(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	var p planProperties
	if err := json.Unmarshal(r.Properties, &p); err != nil {
		return nil, err
	}
	id := c.ID
	return json.Marshal(struct {
		planProperties
		Status            string `json:"status"`
		ProvisioningState string `json:"provisioningState"`
		Subscription      string `json:"subscription"`
		ResourceGroup     string `json:"resourceGroup"`
		GeoRegion         string `json:"geoRegion"`
	}{p, "Ready", "Succeeded", id.Subscription, id.ResourceGroup, r.Location})
}

// planTier is the tier of the plan with that id, "" where there is none (any more).
func (s *Service) planTier(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	plan, _, err := s.deps.Resources.Resource(ctx, id)
	if err != nil || plan == nil {
		return "", err
	}
	var sku planSKU
	if err := json.Unmarshal(plan.SKU, &sku); err != nil {
		return "", err
	}
	return sku.Tier, nil
}
