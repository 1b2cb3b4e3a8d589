package posture

import (
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
)

func TestTask_FollowsTheAssessment_AndTheUser(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	site := p.id("Microsoft.Web/sites/s1")
	p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{"httpsOnly":true}}`, 201)
	list := func() map[string]any { return p.ok("owner", "GET", p.security("tasks"), "", 200) }
	p.want(list(), []any{}, "value")
	set := func(on string) {
		p.clk.Advance(time.Minute)
		p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{"httpsOnly":`+on+`}}`, 200)
	}
	set("false")
	out := list()
	p.want(out, "Active", "value", 0, "properties", "state")
	p.want(out, site, "value", 0, "properties", "securityTaskParameters", "resourceId")
	id, _ := at(out, "value", 0, "id").(string)
	name, _ := at(out, "value", 0, "name").(string)
	p.want(p.ok("owner", "GET", id, "", 200), "Active", "properties", "state")
	p.assign("/subscriptions/"+p.sub, securityReader, objectID("other"))
	p.refused("other", "POST", id+"/Dismiss", "", 403, "AuthorizationFailed", "tasks/dismiss/action")
	p.ok("owner", "POST", id+"/Dismiss", "", 204)
	p.want(list(), "Dismissed", "value", 0, "properties", "state")
	p.ok("owner", "POST", p.security("locations/"+HomeRegion+"/tasks/"+name)+"/Start", "", 204)
	p.want(list(), "InProgress", "value", 0, "properties", "state")
	set("true")
	p.want(list(), "Resolved", "value", 0, "properties", "state")
	set("false")
	p.want(list(), "Active", "value", 0, "properties", "state") // once more: what the user said was of the time before
	p.want(p.ok("owner", "GET", p.security("tasks")+"?$filter=Properties/State%20eq%20'Resolved'", "", 200), []any{}, "value")
}

func TestMachines_TellOfTheirLogin(t *testing.T) {
	t.Parallel()
	const ssh = "22441184-2f7b-d4a0-e00b-4c5eaef4afc9"
	p := newPlane(t)
	id := p.id("Microsoft.HybridCompute/machines/M")
	p.ok("owner", "PUT", id, `{"location":"westeurope","properties":{}}`, 201)
	p.wantCode(id, ssh, "NotApplicable")
	yes := true
	p.mu.Lock()
	p.machines["/subscriptions/"+p.sub+"/resourcegroups/rg1/providers/microsoft.hybridcompute/machines/m"] = assess.Hardening{PasswordLogin: &yes, Why: "PasswordAuthentication yes in sshd_config."}
	p.mu.Unlock()
	p.wantCode(id, ssh, "Unhealthy")
	p.refused("owner", "POST", p.assessment(id, ssh)+"/remediate", "", 400, "InvalidRemediation", "PasswordAuthentication no")
}

func TestContact_InTheWordsOfEveryVersion(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	at := func(version string) string { return p.security("securityContacts/default") + "?api-version=" + version }
	p.ok("owner", "PUT", at(contactsOldest), `{"properties":{"email":"a@example.com","phone":"1","alertNotifications":"On","alertsToAdmins":"On"}}`, 201)
	out := p.ok("owner", "GET", at(contactsMiddle), "", 200)
	p.want(out, map[string]any{"state": "On", "minimalSeverity": "High"}, "properties", "alertNotifications")
	out = p.ok("owner", "GET", at(contactsNewest), "", 200)
	p.want(out, []any{map[string]any{"sourceType": "Alert", "minimalSeverity": "High"}}, "properties", "notificationsSources")
	p.want(out, map[string]any{"state": "On", "roles": []any{"Owner"}}, "properties", "notificationsByRole")
	p.ok("owner", "PATCH", at(contactsOldest), `{"properties":{"alertNotifications":"Off"}}`, 200)
	out = p.ok("owner", "GET", at(contactsNewest), "", 200)
	p.want(out, []any{}, "properties", "notificationsSources")
	p.want(out, "a@example.com", "properties", "emails")
	p.refused("owner", "PUT", at(contactsNewest), `{"properties":{"emails":"nobody"}}`, 400, "InvalidInput", "nobody")
	p.refused("owner", "PUT", p.security("securityContacts/me"), `{"properties":{"emails":"a@example.com"}}`, 400, "InvalidInput", "default")
	p.ok("owner", "DELETE", at(contactsNewest), "", 204)
	p.ok("owner", "DELETE", at(contactsNewest), "", 204)
}

func TestPricing_IsKept_AndKnowsSinceWhen(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	id := p.security("pricings/VirtualMachines")
	p.want(p.ok("owner", "GET", id, "", 200), "Free", "properties", "pricingTier")
	p.want(p.ok("owner", "PUT", p.security("pricings/virtualmachines"), `{"properties":{"pricingTier":"standard"}}`, 200), "P2", "properties", "subPlan")
	p.clk.Advance(time.Hour)
	out := p.ok("owner", "PUT", id, `{"properties":{"pricingTier":"Standard","subPlan":"P1"}}`, 200)
	p.want(out, "2026-01-02T03:04:05Z", "properties", "enablementTime")
	p.want(out, "VirtualMachines", "name")
	p.refused("owner", "PUT", id, `{"properties":{"pricingTier":"Gold"}}`, 400, "InvalidInput", "Gold")
	p.refused("owner", "PUT", p.security("pricings/Nonsense"), `{"properties":{"pricingTier":"Free"}}`, 400, "InvalidResourceName", "VirtualMachines")
	p.refused("owner", "DELETE", id, "", 405, "MethodNotAllowed", "can't be deleted")
	p.assign("/subscriptions/"+p.sub, securityReader, objectID("other"))
	p.ok("other", "GET", id, "", 200)
	p.refused("other", "PUT", id, `{"properties":{"pricingTier":"Free"}}`, 403, "AuthorizationFailed", "Microsoft.Security/pricings/write")
	lock := "/subscriptions/" + p.sub + "/providers/Microsoft.Authorization/locks/l?api-version=2016-09-01"
	p.ok("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 201)
	p.refused("owner", "PUT", id, `{"properties":{"pricingTier":"Free"}}`, 409, "ScopeLocked", "")
}

func TestCustomAssessment_IsListed_AndCountsInNoScore(t *testing.T) {
	t.Parallel()
	const own = "ca039e75-a276-4175-aebc-bcd41e4b14b7"
	p := newPlane(t)
	site := p.id("Microsoft.Web/sites/s1")
	p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{"httpsOnly":true}}`, 201)
	put := `{"properties":{"resourceDetails":{"source":"Azure"},"status":{"code":"Unhealthy","cause":"C"},"additionalData":{"a":"b"}}}`
	p.refused("owner", "PUT", p.assessment(site, own), put, 404, "AssessmentMetadataNotFound", own)
	p.ok("owner", "PUT", p.security("assessmentMetadata/"+own), `{"properties":{"displayName":"Mine","severity":"High","assessmentType":"CustomerManaged"}}`, 200)
	p.ok("owner", "PUT", p.assessment(site, own), put, 201)
	out := p.ok("owner", "GET", p.assessment(site, own)+"?$expand=metadata", "", 200)
	p.want(out, "Mine", "properties", "displayName")
	p.want(out, "CustomerManaged", "properties", "metadata", "assessmentType")
	p.want(p.ok("owner", "GET", p.security("secureScores/ascScore"), "", 200), 1, "properties", "score", "percentage")
	listed := func() int { return len(p.ok("owner", "GET", p.security("assessments"), "", 200)["value"].([]any)) }
	if n := listed(); n != 2 {
		t.Errorf("%d assessments, want 2", n)
	}
	p.refused("owner", "PUT", p.assessment(site, https), put, 409, "BuiltInAssessment", "state")
	p.refused("owner", "DELETE", p.assessment(site, https), "", 409, "BuiltInAssessment", "state")
	p.refused("owner", "POST", p.assessment(site, own)+"/remediate", "", 400, "InvalidInput", own)
	p.ok("owner", "DELETE", site, "", 200)
	if n := listed(); n != 0 {
		t.Errorf("%d assessments of a site that is gone", n)
	}
}
