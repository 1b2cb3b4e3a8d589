package posture

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// unimplemented are collections that clients ask for and this platform has nothing to say of.
var unimplemented = []struct{ path, what string }{
	{"regulatoryComplianceStandards", "Regulatory compliance is"},
	{"regulatoryComplianceStandards/{standard}", "Regulatory compliance is"},
	{"regulatoryComplianceStandards/{standard}/regulatoryComplianceControls", "Regulatory compliance is"},
	{"jitNetworkAccessPolicies", "Just-in-time access to machines is"},
	{"locations/{location}/jitNetworkAccessPolicies", "Just-in-time access to machines is"},
	{"discoveredSecuritySolutions", "Discovery of security solutions is"},
	{"externalSecuritySolutions", "The list of external security solutions is"},
	{"securitySolutions", "The list of security solutions is"},
	{"securitySolutionsReferenceData", "The catalogue of security solutions is"},
	{"topologies", "The topology of networks is"},
	{"allowedConnections", "The list of allowed connections is"},
	{"iotSecuritySolutions", "Security of IoT hubs is"},
	{"applicationWhitelistings", "Adaptive application control is"},
	{"securityConnectors", "Connectors to other clouds are"},
	{"governanceRules", "Governance rules are"},
	{"serverVulnerabilityAssessmentsSettings", "Vulnerability assessment of servers is"},
	{"compliances", "The list of compliances is"},
}

// inGroups are those that are asked for in resource groups, too.
var inGroups = []string{"jitNetworkAccessPolicies", "locations/{location}/jitNetworkAccessPolicies", "iotSecuritySolutions", "securityConnectors"}

// unimplementedRoutes answer what is not there with an error that names it, to those who may read it.
func (s *Service) unimplementedRoutes() []wire.Route {
	var out []wire.Route
	add := func(scope, path, what string) {
		typ := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(path, "/{standard}", ""), "/{location}", ""), "{", "")
		out = append(out, wire.Route{
			Host: wire.HostARM, Method: http.MethodGet, Pattern: scope + "/providers/" + namespace + "/" + path, Operation: namespace + "/" + typ + "/read",
			Versions: wire.Versions{Required: true, First: "2015-06-01-preview"}, Auth: s.deps.SignedIn, Authorize: s.mayRead,
			Handler: func(context.Context, *wire.Request) (any, error) { return nil, notImplemented(what) },
		})
	}
	for _, u := range unimplemented {
		add("/subscriptions/{subscriptionId}", u.path, u.what)
		for _, g := range inGroups {
			if g == u.path {
				add("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}", u.path, u.what)
			}
		}
	}
	return out
}

// mayRead lets only those on who have the right in the subscription.
func (s *Service) mayRead(ctx context.Context, r *wire.Request) error {
	sub := strings.ToLower(r.Param("subscriptionId"))
	if !ids.IsGUID(sub) {
		return fault.New(fault.Invalid, "InvalidSubscriptionId", "The provided subscription identifier '%.60s' is malformed or invalid.", sub)
	}
	scope := "/subscriptions/" + sub
	r.Resource = scope
	d, err := s.deps.Access.Check(ctx, r.Principal, r.Route.Operation, false, scope)
	if err != nil || d.Allowed {
		r.AllowedBy = d.By
		return err
	}
	return fault.New(fault.Forbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		r.Principal.AppID, r.Principal.ObjectID, r.Route.Operation, scope)
}
