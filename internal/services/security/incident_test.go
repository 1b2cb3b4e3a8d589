package security

import (
	"net/url"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// TestIncident: the intrusion that a machine reports is one incident in the API, in both shapes, that its alerts name; the graph leads from it to where it came from.
func TestIncident(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, func(l *replay.Log) { replay.Intrusion(l, replay.Disguise{}) })
	p.ingest(p.machine("rg2", "web1"), 1, fetch) // somebody else's doing
	var incidents, members, others []map[string]any
	for _, a := range p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version) {
		switch x := a["properties"].(map[string]any); {
		case x["isIncident"] == true:
			incidents = append(incidents, a)
		case x["correlationKey"] != nil:
			members = append(members, a)
		default:
			others = append(others, a)
		}
	}
	if len(incidents) != 1 || len(members) < 20 || len(others) != 1 {
		t.Fatalf("%d incidents, %d alerts in one, %d in none", len(incidents), len(members), len(others))
	}
	in := incidents[0]["properties"].(map[string]any)
	name, id := incidents[0]["name"].(string), incidents[0]["id"].(string)
	if in["severity"] != "High" || in["alertDisplayName"] != "Security incident detected on db1" || !strings.Contains(in["description"].(string), "203.0.0.0/16") || !strings.HasPrefix(in["intent"].(string), "InitialAccess,") ||
		!strings.Contains(in["remediationSteps"].([]any)[0].(string), "Isolate db1") || in["compromisedEntity"] != "db1" {
		t.Errorf("the incident: %v", in)
	}
	refs := 0
	for _, e := range in["entities"].([]any) {
		if e.(map[string]any)["type"] == "security-alert" {
			refs++
		}
	}
	if refs != len(members) {
		t.Errorf("the incident refers to %d alerts of %d", refs, len(members))
	}
	for _, m := range members {
		if m["properties"].(map[string]any)["correlationKey"] != name {
			t.Errorf("%v is in %v", m["name"], m["properties"].(map[string]any)["correlationKey"])
		}
	}
	old := p.ok("owner", "GET", id+oldVersion, "", 200)["properties"].(map[string]any)
	if old["isIncident"] != true || old["confidenceScore"].(float64) < 0.9 || len(old["confidenceReasons"].([]any)) < 4 {
		t.Errorf("the incident in the old shape: %v", old)
	}

	graph := p.ok("owner", "GET", members[0]["id"].(string)+"/investigation"+version+"&depth=2&focus="+url.QueryEscape("ip:203.0.113.7"), "", 200)
	path := graph["path"].([]any)
	if path[0] != "incident:"+name || path[len(path)-1] != "ip:203.0.113.7" || graph["focus"] != "ip:203.0.113.7" {
		t.Errorf("the path is %v", path)
	}
	// A role in the other machine's group shows nothing of it.
	p.assign(p.rg("rg2"), reader, "other")
	p.ok("other", "GET", strings.Replace(id, "rg1", "rg2", 1)+"/investigation"+version, "", 404)
	p.ok("other", "GET", id+"/investigation"+version, "", 403)
	p.ok("other", "GET", others[0]["id"].(string)+"/investigation"+version, "", 200)
}
