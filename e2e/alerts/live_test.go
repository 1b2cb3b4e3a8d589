package alerts

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// told is what a webhook gets.
type told struct {
	ID   string `json:"-"`
	Data struct {
		Essentials struct {
			Alert     string `json:"alertId"`
			Rule      string `json:"alertRule"`
			Condition string `json:"monitorCondition"`
			Severity  string `json:"severity"`
		} `json:"essentials"`
	} `json:"data"`
}

// hook is a receiver that keeps what it got.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	got []told
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b told
		_ = json.NewDecoder(r.Body).Decode(&b)
		b.ID = r.Header.Get("X-Bulkhead-Event")
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, b)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) all() []told {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]told(nil), h.got...)
}

// wait returns what came once it is n or more.
func (h *hook) wait(t *testing.T, n int) []told {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got := h.all(); len(got) >= n {
			return got
		}
	}
	t.Fatalf("told %d times, want %d", len(h.all()), n)
	return nil
}

// TestLive: a measurement that is sent as Azure's agents do makes a rule fire within two minutes, and the alert is told of once and listed; the platform is killed meanwhile.
func TestLive(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	w := p.Ways(t)[0]
	env := p.Env(t, "")
	f, err := armmonitor.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	h, group := newHook(t), p.PutGroup(t)
	rg := path.Base(group)
	base := "/subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/" + rg
	vault := harness.Name("kv")
	p.PutVault(t, group, vault)
	scope := base + "/providers/Microsoft.KeyVault/vaults/" + vault
	ag := must(f.NewActionGroupsClient().CreateOrUpdate(t.Context(), rg, "ag", actionGroup(h.URL), nil))(t, "action group")
	must(f.NewMetricAlertsClient().CreateOrUpdate(t.Context(), rg, "live", metricAlert(scope, *ag.ID, 80), nil))(t, "rule")
	publisher(t, p, scope)
	token := p.AdminToken(t, "https://monitoring.azure.com/")
	send := func() {
		body := map[string]any{"time": time.Now().UTC().Format(time.RFC3339), "data": map[string]any{"baseData": map[string]any{
			"metric": "load", "namespace": "own", "series": []any{map[string]any{"min": 95, "max": 95, "sum": 95, "count": 1}},
		}}}
		if a := w.Do(t, "POST", strings.Replace(w.ARM(), "management.azure.com", "westeurope.monitoring.azure.com", 1)+scope+"/metrics", harness.Bearer(token), body); a.Status != 200 {
			t.Fatalf("custom metric: %d %s", a.Status, a.Body)
		}
	}
	for end := time.Now().Add(4 * time.Minute); len(h.all()) == 0 && time.Now().Before(end); time.Sleep(time.Second) {
		send()
	}
	first := h.wait(t, 1)[0]
	if e := first.Data.Essentials; e.Condition != "Fired" || e.Rule != "live" || e.Severity != "Sev1" || first.ID == "" {
		t.Errorf("told %+v", first)
	}
	p.Kill9(t)
	p.Restart(t)
	alert := p.ARM(t, "GET", first.Data.Essentials.Alert+"?api-version=2019-05-05-preview", nil)
	if b, _ := json.Marshal(alert); !strings.Contains(string(b), `"monitorCondition":"Fired"`) {
		t.Errorf("after the restart it is %s", b)
	}
	for _, again := range h.all() {
		if again.ID != first.ID {
			t.Errorf("told of %+v, too", again)
		}
	}
	out := string(p.Output(t, "alert", "try", base+"/providers/Microsoft.Insights/metricAlerts/live", "--from", "10m"))
	if !strings.Contains(out, "Fired") || !strings.Contains(out, "Average of load over PT1M is 95 (GreaterThan 80)") {
		t.Errorf("alert try: %s", out)
	}
}

// publisher lets the administrator send metrics of a resource.
func publisher(t *testing.T, p *harness.Platform, scope string) {
	t.Helper()
	parts := strings.Split(p.AdminToken(t, harness.ARMResource), ".")
	var claims struct {
		ObjectID string `json:"oid"`
	}
	if b, err := decode(parts[1]); err != nil || json.Unmarshal(b, &claims) != nil {
		t.Fatal("the token has no claims")
	}
	p.ARM(t, "PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/3f0e6b2c-1d5a-4c3e-9b1f-7a2d8c4e6f01?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/3913510d-42f4-4e42-8a64-420c390055eb", "principalId": claims.ObjectID,
	}})
}
