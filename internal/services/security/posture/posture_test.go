package posture

import (
	"strings"
	"testing"
	"time"
)

func TestAssessment_FlipsWithTheResource_AndTheScoreWithIt(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	s1, s2 := p.id("Microsoft.Web/sites/s1"), p.id("Microsoft.Web/sites/s2")
	p.ok("owner", "PUT", s1, `{"location":"westeurope","properties":{"httpsOnly":false}}`, 201)
	p.ok("owner", "PUT", s2, `{"location":"westeurope","properties":{"httpsOnly":true}}`, 201)
	p.wantCode(s1, https, "Unhealthy")
	p.wantCode(s2, https, "Healthy")
	score := func() map[string]any { return p.ok("owner", "GET", p.security("secureScores/ascScore"), "", 200) }
	p.want(score(), map[string]any{"max": 4, "current": 2, "percentage": 0.5}, "properties", "score")

	p.clk.Advance(time.Hour)
	out := p.ok("owner", "POST", p.assessment(s1, https)+"/remediate", "", 200)
	p.want(out, "Healthy", "properties", "status", "code")
	p.want(out, "PATCH", "properties", "steps", 0, "method")
	p.want(p.ok("owner", "GET", s1, "", 200), true, "properties", "httpsOnly")
	p.want(score(), map[string]any{"max": 4, "current": 4, "percentage": 1}, "properties", "score")

	// Since when it stands is told, and survives.
	out = p.ok("owner", "GET", p.assessment(s1, https)+"?api-version=2021-06-01", "", 200)
	p.want(out, "2026-01-02T03:04:05Z", "properties", "status", "firstEvaluationDate")
	p.want(out, "2026-01-02T04:04:05Z", "properties", "status", "statusChangeDate")
	p.ok("owner", "PUT", s1, `{"location":"westeurope","properties":{"httpsOnly":false}}`, 200)
	p.want(score(), 2, "properties", "score", "current")
}

func TestRemediate_IsTheCallersOwnCall(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	site := p.id("Microsoft.Web/sites/s1")
	p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{}}`, 201)
	fix := p.assessment(site, https) + "/remediate"
	p.refused("stranger", "POST", fix, "", 403, "AuthorizationFailed", "Microsoft.Security/assessments/remediate/action")
	// Who manages security, and not sites, may ask for the fix and not make it.
	p.assign("/subscriptions/"+p.sub, securityAdmin, objectID("other"))
	p.refused("other", "POST", fix, "", 403, "AuthorizationFailed", "Microsoft.Web/sites/write")
	p.want(p.ok("other", "POST", fix, `{"dryRun":true}`, 200), "Unhealthy", "properties", "status", "code")
	p.wantCode(site, https, "Unhealthy")
	// A lock holds.
	lock := site + "/providers/Microsoft.Authorization/locks/l?api-version=2016-09-01"
	p.ok("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 201)
	p.refused("owner", "POST", fix, "", 409, "ScopeLocked", "locked")
	p.ok("owner", "DELETE", lock, "", 200)
	p.ok("owner", "POST", fix, "", 200)
	p.refused("owner", "POST", fix, "", 400, "InvalidRemediation", "Healthy")
	// The call that put it right is in the activity log, by whom it was made.
	log := p.ok("owner", "GET", "/subscriptions/"+p.sub+"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter=resourceUri%20eq%20'"+site+"'", "", 200)
	p.want(log, "Microsoft.Web/sites/write", "value", 0, "operationName", "value")
	p.want(log, objectID("owner"), "value", 0, "caller")
}

func TestRemediate_EveryFixMakesItHealthy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, resource, body, check, ask string
		after                            string // what the check says then; "": Healthy
	}{
		{"soft delete", "Microsoft.KeyVault/vaults/v", `{"enableSoftDelete":false}`, "78211c00-15a9-336e-17c4-0b48613dadf4", "", ""},
		{"purge protection", "Microsoft.KeyVault/vaults/v", `{}`, purge, "", ""},
		{"vault network", "Microsoft.KeyVault/vaults/v", `{"networkAcls":{"defaultAction":"Allow","ipRules":[]}}`, "52f7826a-ace7-3107-dd0d-4875853c1576", `{"ipRules":["203.0.113.7"]}`, ""},
		{"account network", "Microsoft.DocumentDB/databaseAccounts/a", `{"publicNetworkAccess":"Enabled"}`, "276b1952-c364-852b-11e5-657f0fa34dc6", "", ""},
		{"account addresses", "Microsoft.DocumentDB/databaseAccounts/a", `{}`, "276b1952-c364-852b-11e5-657f0fa34dc6", `{"ipRules":["203.0.113.7"]}`, ""},
		{"local auth", "Microsoft.DocumentDB/databaseAccounts/a", `{}`, "14acab4e-ad95-11ec-b909-0242ac120002", "", ""},
		{"ports", "Microsoft.Network/networkSecurityGroups/g", `{"securityRules":[{"name":"any","properties":{"access":"Allow","direction":"Inbound","protocol":"*","priority":100,"sourceAddressPrefix":"10.0.0.0/8","destinationPortRange":"*"}},
			{"name":"all","properties":{"access":"Allow","direction":"Inbound","protocol":"*","priority":200,"sourceAddressPrefix":"*","destinationPortRange":"*"}}]}`, ports, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t)
			id := p.id(test.resource)
			p.ok("owner", "PUT", id, `{"location":"westeurope","properties":`+test.body+`}`, 201)
			p.wantCode(id, test.check, "Unhealthy")
			p.ok("owner", "POST", p.assessment(id, test.check)+"/remediate", test.ask, 200)
			p.wantCode(id, test.check, "Healthy")
		})
	}
}

func TestKeys_OldOnesAreToBeReplaced(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	id := p.id("Microsoft.DocumentDB/databaseAccounts/a")
	p.ok("owner", "PUT", id, `{"location":"westeurope","properties":{}}`, 201)
	p.wantCode(id, keys, "Healthy")
	p.clk.Advance(91 * 24 * time.Hour)
	p.wantCode(id, keys, "Unhealthy")
	out := p.ok("owner", "GET", p.assessment(id, keys)+"/subAssessments", "", 200)
	if n := len(out["value"].([]any)); n != 2 {
		t.Errorf("%d sub-assessments, want one for each of 2 keys: %v", n, out)
	}
	fix := p.assessment(id, keys) + "/remediate"
	p.want(p.ok("owner", "POST", fix, "", 200), map[string]any{"keyKind": "secondary"}, "properties", "steps", 0, "body")
	p.refused("owner", "POST", fix, "", 400, "InvalidRemediation", "keyKinds")
	p.ok("owner", "POST", fix, `{"keyKinds":["primary"]}`, 200)
	p.wantCode(id, keys, "Healthy")
}

func TestIdentity_OverPrivileged_AndUnused(t *testing.T) {
	t.Parallel()
	const principal, unused = "00000000-0000-0000-0000-0000000000f1", "8a2e7d15-90c6-4a7f-b1de-5c43f6089e21"
	p := newPlane(t)
	id := p.id("Microsoft.ManagedIdentity/userAssignedIdentities/u")
	p.ok("owner", "PUT", id, `{"location":"westeurope","properties":{"principalId":"`+principal+`"}}`, 201)
	p.assign(p.rg("rg1"), contributor, principal) // of a group only
	p.assign("/subscriptions/"+p.sub, reader, principal)
	p.wantCode(id, wide, "Healthy")
	grant := p.assign("/subscriptions/"+p.sub, contributor, principal)
	p.wantCode(id, wide, "Unhealthy")
	out := p.ok("owner", "POST", p.assessment(id, wide)+"/remediate", "", 200)
	p.want(out, strings.Split(grant, "?")[0]+"?api-version=2022-04-01", "properties", "steps", 0, "path")
	p.wantCode(id, wide, "Healthy")

	p.wantCode(id, unused, "NotApplicable")
	p.clk.Advance(8 * 24 * time.Hour)
	p.wantCode(id, unused, "Unhealthy")
	p.s.deps.Usage.Got(t.Context(), strings.ToUpper(principal))
	p.wantCode(id, unused, "Healthy")
	p.clk.Advance(91 * 24 * time.Hour)
	p.wantCode(id, unused, "Unhealthy")
	p.want(p.ok("owner", "POST", p.assessment(id, unused)+"/remediate", "", 200), "Removed", "properties", "status", "cause")
	p.refused("owner", "GET", id, "", 404, "ResourceNotFound", "")

	// A resource's own identity is turned off, the resource stays.
	site := p.id("Microsoft.Web/sites/s1")
	p.ok("owner", "PUT", site, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"properties":{}}`, 201)
	p.clk.Advance(8 * 24 * time.Hour)
	p.wantCode(site, unused, "Unhealthy")
	p.want(p.ok("owner", "POST", p.assessment(site, unused)+"/remediate", "", 200), "Removed", "properties", "status", "cause")
	p.want(p.ok("owner", "GET", site, "", 200), nil, "identity", "principalId")
}
