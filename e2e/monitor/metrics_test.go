package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// eventually tries until ok, for a minute at most.
func eventually(t *testing.T, what string, try func() (bool, string)) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		ok, last := try()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: after a minute %s", what, last)
		}
	}
}

// around is a timespan that has now in it, however long the test takes.
func around() *string {
	now := time.Now().UTC()
	return to.Ptr(now.Add(-30*time.Minute).Format(time.RFC3339) + "/" + now.Add(30*time.Minute).Format(time.RFC3339))
}

// total adds up what a chart's answer has of an aggregation, for each value of its first dimension.
func total(lines []*armmonitor.TimeSeriesElement, of func(*armmonitor.MetricValue) *float64) map[string]float64 {
	out := map[string]float64{}
	for _, l := range lines {
		k := ""
		if len(l.Metadatavalues) > 0 {
			k = *l.Metadatavalues[0].Value
		}
		for _, v := range l.Data {
			if n := of(v); n != nil {
				out[k] += *n
			}
		}
	}
	return out
}

// TestVaultMetrics: requests to a vault are counted, and the SDK charts them.
func TestVaultMetrics(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	env := p.Env(t, "")
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			group := p.PutGroup(t)
			vault := p.PutVault(t, group, "")
			id := group + "/providers/Microsoft.KeyVault/vaults/" + vault
			const refused = 7
			for range refused {
				if a := w.Do(t, http.MethodGet, w.Vault(vault)+"/secrets/none?api-version=7.4", nil, nil); a.Status != http.StatusUnauthorized {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
			cred := w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"])
			defs, err := armmonitor.NewMetricDefinitionsClient(p.Run.SubscriptionID, cred, w.ARMOptions())
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]armmonitor.AggregationType{}
			for pager := defs.NewListPager(id, nil); pager.More(); {
				page, err := pager.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page.Value {
					names[*d.Name.Value] = *d.PrimaryAggregationType
				}
			}
			if names["ServiceApiHit"] != armmonitor.AggregationTypeCount || names["ServiceApiLatency"] != armmonitor.AggregationTypeAverage {
				t.Errorf("definitions: %v", names)
			}
			charts, err := armmonitor.NewMetricsClient(p.Run.SubscriptionID, cred, w.ARMOptions())
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "refusals charted", func() (bool, string) {
				res, err := charts.List(t.Context(), id, &armmonitor.MetricsClientListOptions{
					Metricnames: to.Ptr("ServiceApiResult"), Aggregation: to.Ptr("Count,Total"), Filter: to.Ptr("StatusCode eq '*'"), Timespan: around(), Interval: to.Ptr("PT5M"), Top: to.Ptr[int32](5),
				})
				if err != nil {
					t.Fatal(err)
				}
				got := total(res.Value[0].Timeseries, func(v *armmonitor.MetricValue) *float64 { return v.Count })
				return got["401"] == refused, fmt.Sprint(got)
			})
			// The same by the subscription, of all vaults in the region.
			res, err := charts.ListAtSubscriptionScope(t.Context(), "westeurope", &armmonitor.MetricsClientListAtSubscriptionScopeOptions{
				Metricnames: to.Ptr("ServiceApiHit"), Metricnamespace: to.Ptr("Microsoft.KeyVault/vaults"), Filter: to.Ptr("Microsoft.ResourceId eq '*'"), Timespan: around(), Interval: to.Ptr("PT1H"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := total(res.Value[0].Timeseries, func(v *armmonitor.MetricValue) *float64 { return v.Count }); got[id] != refused {
				t.Errorf("by the subscription: %v", got)
			}
		})
	}
}

// TestCustomMetrics_Kill9: an application with the publisher's role sends metrics; what was acknowledged is there after kill -9, once.
func TestCustomMetrics_Kill9(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	group := p.PutGroup(t)
	id := group + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, group, "")
	sender := p.CreateApp(t, "", harness.Name("sender-"))
	w := p.SuffixWay(t)
	target := strings.Replace(w.Vault("westeurope"), ".vault.", ".monitoring.", 1) + id
	send := func(n int) harness.Answer {
		token := w.AppToken(t, sender, "https://monitoring.azure.com/")
		body, _ := json.Marshal(map[string]any{"time": time.Now().UTC(), "data": map[string]any{"baseData": map[string]any{
			"metric": "Jobs", "namespace": "Workers", "dimNames": []string{"Queue"},
			"series": []any{map[string]any{"dimValues": []string{"q"}, "min": n, "max": n, "sum": n, "count": 1}},
		}}})
		return w.Do(t, http.MethodPost, target+"/metrics", harness.Bearer(token), string(body))
	}
	if a := send(1); a.Status != http.StatusForbidden {
		t.Fatalf("without a role: %d %s", a.Status, a.Body)
	}
	p.ARM(t, http.MethodPut, id+"/providers/Microsoft.Authorization/roleAssignments/"+sender.Principal+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/3913510d-42f4-4e42-8a64-420c390055eb", "principalId": sender.Principal,
	}})
	chart := func() float64 {
		t.Helper()
		a := p.ARM(t, http.MethodGet, id+"/providers/Microsoft.Insights/metrics?api-version=2021-05-01&metricnamespace=Workers&metricnames=Jobs&aggregation=Total&interval=FULL&timespan="+*around(), nil)
		b, _ := json.Marshal(a)
		var out struct {
			Value []struct {
				Timeseries []struct{ Data []struct{ Total float64 } }
			}
		}
		if err := json.Unmarshal(b, &out); err != nil || len(out.Value) != 1 || len(out.Value[0].Timeseries) != 1 {
			t.Fatalf("%s: %v", b, err)
		}
		return out.Value[0].Timeseries[0].Data[0].Total
	}
	want := 0.0
	for round := range 3 {
		for n := range 5 {
			if a := send(10*round + n); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			want += float64(10*round + n)
		}
		p.Kill9(t)
		p.Restart(t)
		w = p.SuffixWay(t)
		target = strings.Replace(w.Vault("westeurope"), ".vault.", ".monitoring.", 1) + id
		if got := chart(); got != want {
			t.Fatalf("round %d: %g, want %g", round, got, want)
		}
	}
}
