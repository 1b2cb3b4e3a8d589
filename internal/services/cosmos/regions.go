package cosmos

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// regionActions are what the provider serves of a subscription beside accounts: its regions, and the accounts whose continuous backups could be restored, of which
// there are none.
func regionActions() []arm.Action {
	const name, restorable = "Microsoft.DocumentDB/locations", "restorableDatabaseAccounts"
	get := func(verb, operation string, h func(ctx context.Context, c *arm.Call) (any, error)) arm.Action {
		return arm.Action{Verb: verb, Method: http.MethodGet, Operation: operation + "/read", Collection: true, Handler: h}
	}
	return []arm.Action{
		get("locations", name, listRegions),
		get("locations/{location}", name, getRegion),
		get(restorable, "Microsoft.DocumentDB/"+restorable, noBackups),
		get("locations/{location}/"+restorable, name+"/"+restorable, noBackups),
		get("locations/{location}/"+restorable+"/{instance}", name+"/"+restorable, func(_ context.Context, c *arm.Call) (any, error) {
			return nil, fault.New(fault.NotFound, "NotFound", "The restorable database account '%.100s' does not exist in the location '%.100s': this platform makes no continuous backups.",
				c.Param("instance"), c.Param("location"))
		}),
	}
}

func noBackups(context.Context, *arm.Call) (any, error) {
	return map[string][]string{"value": {}}, nil
}

func listRegions(_ context.Context, c *arm.Call) (any, error) {
	var out struct {
		Value []region `json:"value"`
	}
	for _, l := range arm.Locations() {
		out.Value = append(out.Value, regionOf(c, l))
	}
	return out, nil
}

func getRegion(_ context.Context, c *arm.Call) (any, error) {
	for _, l := range arm.Locations() {
		if strings.EqualFold(strings.ReplaceAll(l, " ", ""), strings.ReplaceAll(c.Param("location"), " ", "")) {
			return regionOf(c, l), nil
		}
	}
	return nil, fault.New(fault.NotFound, "NotFound", "There is no location '%.100s'.", c.Param("location"))
}

// region is a location on the wire.
type region struct {
	ID         string           `json:"id"`
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	Properties regionProperties `json:"properties"`
}

type regionProperties struct {
	Status       string   `json:"status"`
	Zones        bool     `json:"supportsAvailabilityZone"`
	Restricted   bool     `json:"isResidencyRestricted"`
	Redundancies []string `json:"backupStorageRedundancies"`
	Regular      bool     `json:"isSubscriptionRegionAccessAllowedForRegular"`
	Zonal        bool     `json:"isSubscriptionRegionAccessAllowedForAz"`
}

func regionOf(c *arm.Call, name string) region {
	return region{
		ID: "/subscriptions/" + strings.ToLower(c.ID.Subscription) + "/providers/Microsoft.DocumentDB/locations/" + name, Name: name, Type: "Microsoft.DocumentDB/locations",
		Properties: regionProperties{Status: "Online", Redundancies: []string{"Local"}, Regular: true},
	}
}
