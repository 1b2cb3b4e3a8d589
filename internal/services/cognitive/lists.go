package cognitive

import (
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

type shownSKU struct {
	Name string `json:"name"`
	Tier string `json:"tier,omitempty"`
}

// accountSKU is a tier an account may have.
type accountSKU struct {
	ResourceType string   `json:"resourceType"`
	SKU          shownSKU `json:"sku"`
}

func accountSKUs(_ context.Context, c *arm.Call) (any, error) {
	k, _ := kindNamed(c.Old.Kind)
	out := []accountSKU{}
	for _, t := range k.skus {
		out = append(out, accountSKU{typeName, shownSKU{t.name, t.tier}})
	}
	return wire.NewPage(out, ""), nil
}

// resourceSKU is a tier of a kind in a region.
type resourceSKU struct {
	ResourceType string   `json:"resourceType"`
	Name         string   `json:"name"`
	Tier         string   `json:"tier"`
	Kind         string   `json:"kind"`
	Locations    []string `json:"locations"`
	Restrictions []string `json:"restrictions"`
}

// allSKUs lists every tier of every kind in every region, from which clients learn the kinds, too.
func allSKUs(context.Context, *arm.Call) (any, error) {
	out := []resourceSKU{}
	for _, k := range kinds() {
		for _, t := range k.skus {
			for _, place := range regions() {
				out = append(out, resourceSKU{"accounts", t.name, t.tier, k.name, []string{place}, []string{}})
			}
		}
	}
	return wire.NewPage(out, ""), nil
}

type shownName struct {
	Value     string `json:"value"`
	Localized string `json:"localizedValue"`
}

type shownUsage struct {
	Unit    string    `json:"unit"`
	Name    shownName `json:"name"`
	Period  string    `json:"quotaPeriod"`
	Limit   *float64  `json:"limit,omitempty"`
	Current float64   `json:"currentValue"`
	Reset   time.Time `json:"nextResetTime"`
	Status  string    `json:"status"`
}

// accountUsages shows what the account used this month: by feature, by containers, and, against the quota if there is one, in all.
func (s *Service) accountUsages(ctx context.Context, c *arm.Call) (any, error) {
	used, err := s.usage.used(ctx, c.Old.GUID)
	if err != nil {
		return nil, err
	}
	reset := nextMonth(s.deps.Clock.Now())
	row := func(name, localized string, n int64) shownUsage {
		return shownUsage{Unit: "Count", Name: shownName{name, localized}, Period: "30.00:00:00", Current: float64(n), Reset: reset, Status: "Included"}
	}
	total := row(c.Old.Kind+".Transactions", "Transactions", used.total())
	if k, ok := kindNamed(c.Old.Kind); ok {
		if t, ok := k.sku(skuOf(c.Old)); ok && t.monthly > 0 {
			limit := float64(t.monthly)
			total.Limit = &limit
			if used.total() >= t.monthly {
				total.Status = "Blocked"
			}
		}
	}
	out := []shownUsage{total, row(c.Old.Kind+".Containers", "Transactions of containers", used.Containers)}
	for _, a := range s.deps.APIs {
		seen := map[string]bool{}
		for _, r := range a.Routes {
			if n := used.Features[r.Feature]; n > 0 && !seen[r.Feature] {
				seen[r.Feature] = true
				out = append(out, row(c.Old.Kind+"."+r.Feature, "Transactions of "+r.Feature, n))
			}
		}
	}
	return wire.NewPage(out, ""), nil
}

func noUsages(context.Context, *arm.Call) (any, error) { return wire.NewPage([]shownUsage{}, ""), nil }

type domainAvailability struct {
	Available bool   `json:"isSubdomainAvailable"`
	Reason    string `json:"reason,omitempty"`
	Name      string `json:"subdomainName"`
	Type      string `json:"type"`
	Kind      string `json:"kind,omitempty"`
}

func (s *Service) checkDomain(ctx context.Context, c *arm.Call) (any, error) {
	out := domainAvailability{Name: c.Body.String("subdomainName"), Type: c.Body.String("type"), Kind: c.Body.String("kind")}
	if !domainName.MatchString(out.Name) {
		out.Reason = "The subdomain name '" + clip(out.Name) + "' is invalid: it has up to 63 letters, digits and inner hyphens."
		return out, nil
	}
	var err error
	if out.Available, err = s.deps.Names.Available(ctx, wire.HostCognitive, out.Name); err != nil {
		return nil, err
	}
	if !out.Available {
		out.Reason = "Sub domain name '" + out.Name + "' is already used. Please pick a different name."
	}
	return out, nil
}

type skuAvailability struct {
	Kind      string `json:"kind"`
	Type      string `json:"type"`
	SKU       string `json:"skuName"`
	Available bool   `json:"skuAvailable"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
}

func checkSKU(_ context.Context, c *arm.Call) (any, error) {
	var names []string
	if err := c.Body.Decode("skus", &names); err != nil {
		return nil, err
	}
	k, known := kindNamed(c.Body.String("kind"))
	out := []skuAvailability{}
	for _, n := range names {
		a := skuAvailability{Kind: c.Body.String("kind"), Type: c.Body.String("type"), SKU: n}
		if _, a.Available = k.sku(n); !known || !a.Available {
			a.Available, a.Reason = false, "NotAvailable"
			a.Message = "There is no SKU '" + clip(n) + "' of the kind '" + clip(a.Kind) + "'; there are " + strings.TrimSpace(k.skuNames()) + "."
		}
		out = append(out, a)
	}
	return wire.NewPage(out, ""), nil
}
