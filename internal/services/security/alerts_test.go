package security

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
)

// TestLists: the four lists show the alerts of their scope, to whom may read there.
func TestLists(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, fetch)
	p.ingest(p.machine("rg2", "web1"), 1, func(l *replay.Log) { replay.Intrusion(l, replay.Disguise{}) })
	p.assign(p.rg("rg1"), reader, "other")
	sub := "/subscriptions/" + p.sub + "/providers/Microsoft.Security"
	count := func(who, path string) int { return len(p.list(who, path+version)) }
	all := count("owner", sub+"/alerts")
	if all < 15 {
		t.Fatalf("%d alerts, want at least 15", all)
	}
	for _, c := range []struct {
		who, path string
		want      int
	}{
		{"owner", sub + "/locations/westeurope/alerts", all},
		{"owner", sub + "/locations/WestEurope/alerts", all},
		{"owner", sub + "/locations/eastus/alerts", 0},
		{"owner", p.rg("RG1") + "/providers/Microsoft.Security/alerts", 1},
		{"owner", p.rg("rg2") + "/providers/microsoft.security/Alerts", all - 1},
		{"owner", p.rg("rg2") + "/providers/Microsoft.Security/locations/westeurope/alerts", all - 1},
		{"other", sub + "/alerts", 1},
		{"other", p.rg("rg1") + "/providers/Microsoft.Security/alerts", 1},
	} {
		if got := count(c.who, c.path); got != c.want {
			t.Errorf("%s sees %d alerts at %s, want %d", c.who, got, c.path, c.want)
		}
	}
	p.ok("other", "GET", p.rg("rg2")+"/providers/Microsoft.Security/alerts"+version, "", 403)
	p.ok("other", "GET", sub+"/alerts", "", 400)
	// One alert, by the paths it has and those it hasn't.
	one := p.list("owner", p.rg("rg1")+"/providers/Microsoft.Security/alerts"+version)[0]
	id, name := one["id"].(string), one["name"].(string)
	if want := p.rg("rg1") + "/providers/Microsoft.Security/locations/westeurope/alerts/" + name; id != want {
		t.Errorf("id %s, want %s", id, want)
	}
	p.ok("other", "GET", id+version, "", 200)
	p.ok("owner", "GET", sub+"/locations/westeurope/alerts/"+strings.ToUpper(name)+version, "", 200)
	p.ok("owner", "GET", sub+"/locations/eastus/alerts/"+name+version, "", 404)
	p.ok("owner", "GET", strings.Replace(id, "rg1", "rg2", 1)+version, "", 404)
	p.ok("other", "POST", id+"/dismiss"+version, "", 403)
	// Roles are asked at the path: the subscription's shows nothing to who may read a group alone.
	p.ok("other", "GET", sub+"/locations/westeurope/alerts/"+name+version, "", 403)
}

// TestPaging: a list of many comes in pages, newest first, none twice.
func TestPaging(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, func(l *replay.Log) {
		for i := range 250 {
			l.Wait(time.Second)
			l.Exec(replay.Process{PID: uint32(3000 + i), Parent: 2001, AUID: 1000, UID: 1000, Session: uint32(i + 7), Dir: "/tmp"}, "/usr/bin/wget", []string{"wget", "http://nasapaul.com/x"})
		}
	})
	all := p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version)
	seen, last := map[string]bool{}, ""
	for _, a := range all {
		name := a["name"].(string)
		if seen[name] || name <= last {
			t.Fatalf("%s comes after %s", name, last)
		}
		seen[name], last = true, name
	}
	if len(all) != 250 {
		t.Errorf("%d alerts, want 250", len(all))
	}
	sub := "/subscriptions/" + p.sub + "/providers/Microsoft.Security"
	p.ok("owner", "GET", sub+"/alerts"+version+"&$skiptoken=%25", "", 400)
	// Both shapes, at each scope, and however narrowed down.
	for _, path := range []string{
		sub + "/alerts" + version, sub + "/alerts" + oldVersion, sub + "/locations/westeurope/alerts" + version, sub + "/locations/westeurope/alerts" + oldVersion,
		p.rg("rg1") + "/providers/Microsoft.Security/alerts" + version, p.rg("rg1") + "/providers/Microsoft.Security/alerts" + oldVersion,
		p.rg("rg1") + "/providers/Microsoft.Security/locations/westeurope/alerts" + oldVersion,
		sub + "/alerts" + version + "&$top=7", sub + "/alerts" + oldVersion + "&$filter=state%20eq%20'Active'",
	} {
		path = strings.ReplaceAll(path, "'", "%27")
		first := p.ok("owner", "GET", path, "", 200)
		if n, most := len(first["value"].([]any)), 100; first["nextLink"] == nil || n > most || n == 0 {
			t.Errorf("the first page of %s has %d alerts and leads to %v", path, n, first["nextLink"])
		}
		if n := len(p.list("owner", path)); n != 250 {
			t.Errorf("%s gives %d alerts, want 250", path, n)
		}
	}
}

// TestStates: each change of state is there at once, in both shapes and in the activity log; a resolved behaviour that comes back is a new alert.
func TestStates(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, fetch)
	list := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alerts"
	id := p.list("owner", list+version)[0]["id"].(string)
	for _, c := range []struct{ verb, version, want string }{
		{"dismiss", version, "Dismissed"},
		{"activate", version, "Active"},
		{"inProgress", version, "InProgress"},
		{"Dismiss", oldVersion, "Dismissed"},
		{"Reactivate", oldVersion, "Active"},
		{"resolve", version, "Resolved"},
	} {
		p.ok("owner", "POST", id+"/"+c.verb+c.version, "", 204)
		if got := properties(p.ok("owner", "GET", id+version, "", 200))["status"]; got != c.want {
			t.Errorf("after %s the status is %v, want %s", c.verb, got, c.want)
		}
		if got := properties(p.ok("owner", "GET", id+oldVersion, "", 200))["state"]; got != c.want {
			t.Errorf("after %s the state is %v, want %s", c.verb, got, c.want)
		}
	}
	log := p.ok("owner", "GET", "/subscriptions/"+p.sub+"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01", "", 200)
	if text := fmt.Sprint(log); !strings.Contains(text, "Microsoft.Security/locations/alerts/resolve/action") {
		t.Error("the activity log does not tell of the resolution")
	}
	p.ok("owner", "POST", id+"x/dismiss"+version, "", 404)
	p.ok("owner", "POST", id+"/forget"+version, "", 404)
	p.ingest(p.machine("rg1", "db1"), 2, fetch)
	all := p.list("owner", list+version)
	if len(all) != 2 || properties(all[0])["status"] == properties(all[1])["status"] {
		t.Errorf("after a resolved behaviour came back there are %d alerts", len(all))
	}
	// A read-only lock forbids it, as any change.
	p.ok("owner", "PUT", p.rg("rg1")+"/providers/Microsoft.Authorization/locks/l?api-version=2020-05-01", `{"properties":{"level":"ReadOnly"}}`, 201)
	p.ok("owner", "POST", id+"/dismiss"+version, "", 409)
}

// TestQuery: $filter and $select.
func TestQuery(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, func(l *replay.Log) { replay.Intrusion(l, replay.Disguise{}) })
	list := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alerts" + oldVersion
	all := len(p.list("owner", list))
	incident := p.list("owner", list+"&$filter=isIncident%20eq%20true")[0]["name"].(string)
	for _, c := range []struct {
		filter string
		least  int
		most   int
	}{
		{"state eq 'Active'", all, all},
		{"Properties/State ne 'active'", 0, 0},
		{"reportedSeverity eq 'High'", 1, 3},
		{"alertName eq 'VM_SuspectDownload' and state eq Active", 1, 3},
		{"isIncident eq true", 1, 1},
		{"compromisedEntity eq 'db''1'", 0, 0},
		{"compromisedEntity eq 'db1'", all, all},
		{"status ne 'Resolved' and status ne 'Dismissed'", all, all},
		{"status eq 'Resolved' and status eq 'Active'", 0, 0},
		{"isIncident ne true and compromisedEntity eq 'DB1'", all - 1, all - 1},
		{"startTimeUtc ge '2026-01-01T00:00:00Z'", all, all},
		{"startTimeUtc lt 2026-01-01T00:00:00Z", 0, 0},
		{"startTimeUtc gt '2026-01-03T00:00:00Z'", 0, 0},
		{"correlationKey eq '" + incident + "'", 15, all},
		{"correlationKey eq '" + incident + "' and isIncident eq true", 1, 1},
		{"correlationKey eq 'none'", 0, 0},
		{"name eq '" + strings.ToUpper(incident) + "'", 1, 1},
		{"name ge '" + incident + "' and name le '" + incident + "'", 1, 1},
		{"name gt '0' and name lt '1'", 0, 0},
	} {
		got := len(p.list("owner", list+"&$filter="+strings.NewReplacer(" ", "%20", "'", "%27").Replace(c.filter)))
		if got < c.least || got > c.most {
			t.Errorf("%q keeps %d alerts, want %d to %d", c.filter, got, c.least, c.most)
		}
	}
	for _, bad := range []string{"state", "state eq", "state gt 'x'", "color eq 'red'", "state eq 'Active' or state eq 'x'", "state eq 'Active", "state eq 'Active' and", "startTimeUtc eq '2026-01-01T00:00:00Z'", "startTimeUtc gt 'noon'", "severity gt 'Low'"} {
		p.ok("owner", "GET", list+"&$filter="+strings.NewReplacer(" ", "%20", "'", "%27").Replace(bad), "", 400)
	}
	for _, a := range p.list("owner", list+"&$select=state,Properties/alertName") {
		if got := properties(a); len(got) != 2 || got["state"] != "Active" || got["alertName"] == "" {
			t.Fatalf("$select=state,alertName shows %v", got)
		}
	}
	p.ok("owner", "GET", list+"&$expand=everything", "", 400)
}

// TestEntities: every reference among the entities of an alert leads to one of them, and the process leads to its parent, account and machine.
func TestEntities(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, func(l *replay.Log) { replay.Intrusion(l, replay.Disguise{}) })
	linked := 0
	for _, a := range p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version) {
		have := map[string]map[string]any{}
		list := properties(a)["entities"].([]any)
		for _, e := range list {
			have[e.(map[string]any)["$id"].(string)] = e.(map[string]any)
		}
		for _, e := range have {
			for field, v := range e {
				if to, ok := v.(map[string]any); ok && to["$ref"] != nil && have[to["$ref"].(string)] == nil {
					t.Errorf("%s of %v refers to nothing", field, e)
				}
			}
			if e["type"] == "process" && e["parentProcess"] != nil && e["account"] != nil && e["host"] != nil {
				linked++
			}
		}
	}
	if linked < 5 {
		t.Errorf("%d processes have a parent, an account and a host, want at least 5", linked)
	}
}

// TestSuppression: a rule dismisses new alerts that it fits, until it expires, is switched off or removed.
func TestSuppression(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	rule := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alertsSuppressionRules/Backup?api-version=2019-01-01-preview"
	list := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alerts" + version
	body := func(state, expires, scope string) string {
		return `{"properties":{"alertType":"VM_SuspectDownload","reason":"Other","comment":"c","state":"` + state + `","expirationDateUtc":"` + expires + `","suppressionAlertsScope":{"allOf":[` + scope + `]}}}`
	}
	const far, fits = "2027-01-01T00:00:00.0000000Z", `{"field":"entities.process.commandline","contains":"NASAPAUL.com/speed"},{"field":"entities.dns.domainName","in":["x","nasapaul.com"]}`
	seq := uint64(0)
	status := func() any { // of a new alert
		t.Helper()
		seq++
		p.ingest(p.machine("rg1", "db1"), seq, fetch)
		a := p.list("owner", list)[0]
		got := properties(a)["status"]
		p.ok("owner", "POST", a["id"].(string)+"/resolve"+version, "", 204) // so that the next is new
		p.clock.Advance(time.Minute)
		return got
	}
	for _, c := range []struct{ rule, want string }{
		{"", "Active"},
		{body("Enabled", far, fits), "Dismissed"},
		{body("Disabled", far, fits), "Active"},
		{body("Enabled", far, `{"field":"entities.ip.address","in":["192.0.2.1"]}`), "Active"},
		{body("Enabled", far, fits+`,{"field":"entities.host.azureID","contains":"/machines/web1"}`), "Active"},
		{body("Enabled", far, ``), "Dismissed"},
		{body("Enabled", far, `{"field":"entities.account.name","in":"x"},{"field":"entities.dns.domainname","in":"[\"y\",\"nasapaul.com\"]"}`), "Active"},
		{body("Enabled", far, `{"field":"entities.dns.domainname","in":"[\"y\",\"nasapaul.com\"]"}`), "Dismissed"},
		{body("Enabled", far, `{"field":"entities.dns.domainname","in":"nasapaul.com"}`), "Dismissed"},
		{strings.Replace(body("Enabled", far, fits), "VM_SuspectDownload", "*", 1), "Dismissed"},
		{strings.Replace(body("Enabled", far, fits), "VM_SuspectDownload", "VM_Other", 1), "Active"},
		{body("Enabled", "2026-01-02T04:00:00", fits), "Dismissed"},
	} {
		if c.rule != "" {
			p.ok("owner", "PUT", rule, c.rule, 200)
		}
		if got := status(); got != c.want {
			t.Errorf("with the rule %s the alert is %v, want %s", c.rule, got, c.want)
		}
	}
	p.clock.Advance(time.Hour)
	if got := properties(p.ok("owner", "GET", rule, "", 200)); got["state"] != "Expired" || got["expirationDateUtc"] != "2026-01-02T04:00:00.0000000Z" || got["lastModifiedUtc"] == "" {
		t.Errorf("the expired rule is %v", got)
	}
	if got := status(); got != "Active" {
		t.Errorf("with an expired rule the alert is %v", got)
	}
	p.ok("owner", "PUT", rule, body("Enabled", far, fits), 200)
	if n := len(p.list("owner", list+"&autoDismissRuleName=backup")); n != 0 {
		t.Errorf("%d alerts are dismissed by the rule, want those resolved since not to count", n)
	}
	all := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alertsSuppressionRules?api-version=2019-01-01-preview"
	if n := len(p.list("owner", all)); n != 1 {
		t.Errorf("%d rules, want 1", n)
	}
	if n := len(p.list("owner", all+"&AlertType=VM_Other")); n != 0 {
		t.Errorf("%d rules for another type, want 0", n)
	}
	p.ok("owner", "DELETE", rule, "", 204)
	p.ok("owner", "DELETE", rule, "", 204)
	if got := status(); got != "Active" {
		t.Errorf("with the rule removed the alert is %v", got)
	}
	for _, bad := range []string{
		`{"properties":{"reason":"r","state":"Enabled"}}`, `{"properties":{"alertType":"*","state":"Enabled"}}`, `{"properties":{"alertType":"*","reason":"r","state":"On"}}`,
		body("Enabled", "tomorrow", fits), body("Enabled", far, `{"field":"entities.color","in":["red"]}`), body("Enabled", far, `{"field":"entities.ip.address"}`),
		body("Enabled", far, `{"field":"entities.ip.address","in":["a"],"contains":"b"}`), body("Enabled", far, `{"field":"entities.ip.address","in":[""]}`),
	} {
		p.ok("owner", "PUT", rule, bad, 400)
	}
}

// TestRetention: an alert goes 90 days after it was last added to, and its behaviour then begins anew.
func TestRetention(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, fetch)
	list := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alerts" + version
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{engine.Retention - 7*time.Hour, 1}, {2 * time.Hour, 0}} {
		p.clock.Advance(c.after)
		if err := p.s.Engine().Upkeep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(p.list("owner", list)); n != c.want {
			t.Errorf("at %s there are %d alerts, want %d", p.clock.Now(), n, c.want)
		}
	}
	p.ingest(p.machine("rg1", "db1"), 2, fetch)
	if n := len(p.list("owner", list)); n != 1 {
		t.Errorf("%d alerts after the behaviour came again, want 1", n)
	}
}

// TestSimulate: sample alerts say that they are samples; a client that waits is told when they are there.
func TestSimulate(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	path := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/locations/westeurope/alerts/default/simulate" + version
	status, header, _ := p.do("owner", "POST", path, `{"properties":{"kind":"Bundles","bundles":["VirtualMachines","keyvaults"]}}`)
	if status != 202 {
		t.Fatalf("simulate: %d", status)
	}
	p.ok("owner", "GET", strings.TrimPrefix(header.Get("Location"), "https://management.azure.com"), "", 204)
	all := p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version)
	kinds := map[any]bool{}
	for _, a := range all {
		x := properties(a)
		kinds[x["alertType"]] = true
		if extended := x["extendedProperties"].(map[string]any); extended["simulated"] != "true" || !strings.HasPrefix(x["alertDisplayName"].(string), "[SAMPLE ALERT] ") {
			t.Errorf("a sample alert is %v", x)
		}
		p.ok("owner", "POST", a["id"].(string)+"/dismiss"+version, "", 204)
	}
	if len(all) != 5 || !kinds["VM_EICAR"] || !kinds["KV_TORAccess"] {
		t.Errorf("the alerts are of the types %v", kinds)
	}
	p.ok("owner", "POST", strings.Replace(path, "2022-01-01", "2021-01-01", 1), `{"properties":{"kind":"Bundles","bundles":["DNS"]}}`, 204)
	for _, bad := range []string{`{}`, `{"properties":{"kind":"Bundles"}}`, `{"properties":{"kind":"Bundles","bundles":["Toasters"]}}`, `{"properties":{"kind":"One","bundles":["DNS"]}}`} {
		p.ok("owner", "POST", path, bad, 400)
	}
	p.ok("owner", "POST", strings.Replace(path, "westeurope", "eastus", 1), `{"properties":{"kind":"Bundles","bundles":["DNS"]}}`, 404)
	p.ok("other", "POST", path, `{"properties":{"kind":"Bundles","bundles":["DNS"]}}`, 403)
}

// TestNotify: automations hear of a new alert once, and of its repetitions no more.
func TestNotify(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	for seq := range uint64(3) {
		p.ingest(p.machine("rg1", "db1"), seq+1, fetch)
	}
	if want := []string{"VM_SuspectDownload db1"}; !slices.Equal(p.told, want) {
		t.Errorf("told of %v, want %v", p.told, want)
	}
}

// TestNotify_Incident: automations hear of an incident when it is new, when it goes on after it was resolved, and a while after it grew; each time as the incident, with why.
func TestNotify_Incident(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	of := func() (incidents []string) {
		for _, told := range p.told {
			if strings.Contains(told, "ncident") {
				incidents = append(incidents, told)
			}
		}
		p.told = nil
		return incidents
	}
	id := ""
	for seq, want := range []string{"[BH_SecurityIncident db1]", "[BH_SecurityIncident db1 reopened]", "[]", "[BH_SecurityIncident db1 grown]"} {
		switch seq {
		case 0:
			p.ingest(p.machine("rg1", "db1"), 1, func(l *replay.Log) { replay.Intrusion(l, replay.Disguise{}) })
			for _, a := range p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version) {
				if properties(a)["isIncident"] == true {
					id = a["id"].(string)
				}
			}
			p.ok("owner", "POST", id+"/resolve"+version, "", 204)
		case 1, 2:
			p.ingest(p.machine("rg1", "db1"), uint64(seq+1), func(l *replay.Log) {
				l.Wait(time.Duration(seq) * 5 * time.Hour)
				replay.Intrusion(l, replay.Disguise{Other: true, Wrap: seq == 2, Seed: uint64(seq)})
			})
		case 3:
			p.clock.Advance(engine.UpdateAfter)
			if err := p.s.engine.TellUpdates(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(of()); got != want {
			t.Errorf("step %d: told of %s, want %s", seq, got, want)
		}
	}
}
