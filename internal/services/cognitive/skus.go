package cognitive

import (
	"slices"
	"strings"
)

// kind is a kind of account.
type kind struct {
	name string
	skus []sku
}

// sku is a pricing tier of a kind.
type sku struct {
	name string
	tier string
	// perSecond and perMinute bound the requests to each feature; 0: no bound.
	perSecond, perMinute int
	// monthly is how many transactions a month are free; 0: they are paid for, any number.
	monthly int64
}

// kinds are those there are. Limits: Azure's data-limits and pricing pages.
func kinds() []kind {
	return []kind{
		{"TextAnalytics", []sku{
			{"F0", "Free", 100, 300, 5000},
			{"S0", "Standard", 100, 300, 0},
			{"S1", "Standard", 200, 300, 0},
			{"S2", "Standard", 300, 300, 0},
			{"S3", "Standard", 500, 500, 0},
			{"S4", "Standard", 1000, 1000, 0},
			{"S", "Standard", 1000, 1000, 0},
		}},
		{"Face", []sku{{"F0", "Free", 10, 20, 30000}, {"S0", "Standard", 10, 0, 0}}},
		{"ComputerVision", []sku{{"F0", "Free", 10, 20, 5000}, {"S1", "Standard", 10, 0, 0}}},
		{"CognitiveServices", []sku{{"S0", "Standard", 1000, 1000, 0}}},
	}
}

func kindNamed(name string) (kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return strings.EqualFold(k.name, name) })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

func (k kind) sku(name string) (sku, bool) {
	i := slices.IndexFunc(k.skus, func(s sku) bool { return strings.EqualFold(s.name, name) })
	if i < 0 {
		return sku{}, false
	}
	return k.skus[i], true
}

func (k kind) skuNames() string {
	out := make([]string, len(k.skus))
	for i, s := range k.skus {
		out[i] = s.name
	}
	return strings.Join(out, ", ")
}

func kindNames() string {
	var out []string
	for _, k := range kinds() {
		out = append(out, k.name)
	}
	return strings.Join(out, ", ")
}

// regions are where accounts may be, as the list of SKUs names them.
func regions() []string {
	return []string{
		"WESTUS", "WESTUS2", "EASTUS", "EASTUS2", "CENTRALUS", "SOUTHCENTRALUS", "WESTCENTRALUS", "NORTHCENTRALUS", "CANADACENTRAL", "BRAZILSOUTH", "NORTHEUROPE", "WESTEUROPE", "UKSOUTH",
		"FRANCECENTRAL", "GERMANYWESTCENTRAL", "SWITZERLANDNORTH", "SWEDENCENTRAL", "NORWAYEAST", "EASTASIA", "SOUTHEASTASIA", "JAPANEAST", "JAPANWEST", "KOREACENTRAL", "CENTRALINDIA",
		"AUSTRALIAEAST", "SOUTHAFRICANORTH", "UAENORTH",
	}
}
