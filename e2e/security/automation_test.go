package security

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// notice is what a webhook was told: a resource as the control plane shows it.
type notice struct {
	event string
	body  struct {
		ID, Name, Type string
		Properties     struct {
			AlertType, AlertDisplayName, Severity, Status, CompromisedEntity string
			IsIncident                                                       bool
			ExtendedProperties                                               map[string]string
			Entities                                                         []map[string]any
		}
	}
}

// witness is a webhook that keeps what it is told; it refuses the first so many calls.
type witness struct {
	url string

	mu      sync.Mutex
	refuse  int
	refused []notice
	got     []notice
}

func newWitness(t *testing.T, refuse int) *witness {
	w := &witness{refuse: refuse}
	// It outlives the test that makes it: the machine is broken into once, for all tests.
	w.url = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := notice{event: r.Header.Get("X-Bulkhead-Event")}
		b, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(b, &n.body) != nil {
			t.Errorf("a webhook was told %s, %v", b, err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refuse > 0 {
			w.refuse--
			w.refused = append(w.refused, n)
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.got = append(w.got, n)
	})).URL
	return w
}

// of is what it was told of a resource group.
func (w *witness) of(group string) (list []notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.got {
		if strings.Contains(strings.ToLower(n.body.ID), "/resourcegroups/"+strings.ToLower(group)+"/") {
			list = append(list, n)
		}
	}
	return list
}

// waits waits until it was told of what is wanted of a group, and gives all that it was told of it.
func (w *witness) waits(t *testing.T, group, what string, wanted func(n notice) bool) []notice {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if list := w.of(group); slices.ContainsFunc(list, wanted) {
			return list
		}
		if time.Now().After(end) {
			t.Fatal("after a minute the webhook was not told of ", what)
		}
	}
}

// witnesses are told of a machine that is broken into: of what is High, of incidents, and by name; the last doesn't take it the first time.
type witnesses struct{ high, incidents, named *witness }

var seen witnesses

// witnessed sets automations up, before the intrusion.
func witnessed(t *testing.T, p *harness.Platform) {
	t.Helper()
	seen = witnesses{newWitness(t, 0), newWitness(t, 0), newWitness(t, 1)}
	group := p.PutGroup(t)
	for _, a := range []struct {
		name string
		to   *witness
		rule map[string]string
	}{
		{"high", seen.high, map[string]string{"propertyJPath": "Severity", "propertyType": "String", "expectedValue": "High", "operator": "Equals"}},
		{"incidents", seen.incidents, map[string]string{"propertyJPath": "properties.isIncident", "propertyType": "Boolean", "expectedValue": "true", "operator": "Equals"}},
		{"named", seen.named, map[string]string{"propertyJPath": "AlertDisplayName", "propertyType": "String", "expectedValue": "password spray", "operator": "Contains"}},
	} {
		p.ARM(t, http.MethodPut, group+"/providers/Microsoft.Security/automations/"+a.name+"?api-version=2019-01-01-preview", map[string]any{"location": "westeurope", "properties": map[string]any{
			"isEnabled": true, "scopes": []any{map[string]any{"scopePath": "/subscriptions/" + p.Run.SubscriptionID}},
			"sources": []any{map[string]any{"eventSource": "Alerts", "ruleSets": []any{map[string]any{"rules": []any{a.rule}}}}},
			"actions": []any{map[string]any{"actionType": "LogicApp", "logicAppResourceId": group + "/providers/Microsoft.Logic/workflows/w", "uri": a.to.url + "/?sig=secret"}},
		}})
	}
}

// Automations tell webhooks of a real intrusion: of its alerts by severity and by name, of the incident they make, each once; a webhook that fails is told again, with the same id.
func TestAutomation_Intrusion(t *testing.T) {
	group := intruded(t)
	p := shared.Platform(t)
	get := func(id string) map[string]any {
		t.Helper()
		properties, _ := p.ARM(t, http.MethodGet, id+"?api-version=2022-01-01", nil)["properties"].(map[string]any)
		return properties
	}
	anything := func(notice) bool { return true }
	check := func(n notice) {
		t.Helper()
		now := get(n.body.ID)
		if n.body.Type != "Microsoft.Security/Locations/alerts" || n.body.Properties.AlertType != now["alertType"] || n.body.Properties.CompromisedEntity != now["compromisedEntity"] || !strings.HasPrefix(n.event, n.body.Name) {
			t.Errorf("the webhook was told %+v of %v", n, now)
		}
	}

	named := seen.named.waits(t, group, "the password spray", anything)
	if len(named) != 1 || named[0].body.Properties.AlertType != "BH_OutgoingPasswordSpray" || named[0].body.Properties.Severity != "High" || named[0].body.Properties.Status != "Active" {
		t.Fatalf("by name it was told of %+v", named)
	}
	check(named[0])
	seen.named.mu.Lock()
	defer seen.named.mu.Unlock() // it was told all there is
	if r := seen.named.refused; len(r) != 1 || r[0].event != named[0].event || r[0].body.ID != named[0].body.ID {
		t.Errorf("first it was told %+v, and then %+v", r, named[0])
	}

	incidents := seen.incidents.waits(t, group, "the incident", anything)
	if len(incidents) != 1 {
		t.Fatalf("it was told of %d incidents: %+v", len(incidents), incidents)
	}
	in := incidents[0]
	check(in)
	members := 0
	for _, e := range in.body.Properties.Entities {
		if e["type"] == "security-alert" {
			members++
		}
	}
	if !in.body.Properties.IsIncident || members < 2 || in.body.Properties.ExtendedProperties["update"] != "" {
		t.Errorf("the incident is told as %+v", in.body)
	}

	events := map[string]bool{}
	for _, n := range seen.high.waits(t, group, "the password spray, which is High", func(n notice) bool { return n.event == named[0].event }) {
		if n.body.Properties.Severity != "High" || events[n.event] {
			t.Errorf("told of %s, which is %s; before: %t", n.body.Properties.AlertType, n.body.Properties.Severity, events[n.event])
		}
		events[n.event] = true
		check(n)
	}
}
