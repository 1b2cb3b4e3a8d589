package monitor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const (
	publisherRole = "3913510d-42f4-4e42-8a64-420c390055eb" // Monitoring Metrics Publisher
	readerRole    = "43d0d8ad-25c7-4714-9337-8ba259a9fe05" // Monitoring Reader
)

// grant gives a principal a role at a resource.
func grant(t *testing.T, p *harness.Platform, scope, principal, role string) {
	t.Helper()
	name := principal[:len(principal)-4] + role[:4]
	p.ARM(t, http.MethodPut, scope+"/providers/Microsoft.Authorization/roleAssignments/"+name+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + role, "principalId": principal,
	}})
}

// jobs is something that Prometheus scrapes. Of its first scrapes each gets another number of jobs done; later ones get none, so that all there will ever be is known.
type jobs struct {
	*httptest.Server
	mu      sync.Mutex
	scrapes int
}

const scrapes = 6

func newJobs(t *testing.T) *jobs {
	j := &jobs{}
	j.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.scrapes++; j.scrapes <= scrapes {
			fmt.Fprintf(w, "# TYPE jobs_done counter\njobs_done{queue=\"mail\"} %d\njobs_done{queue=\"pay\"} %d.25\n", 1<<j.scrapes, j.scrapes)
		}
	}))
	t.Cleanup(j.Close)
	return j
}

// TestPrometheus: Debian's Prometheus writes what it scrapes into Bulkhead by remote_write, through the proxy, with its own TLS and token settings, and Azure's SDK reads the exact sums
// back; and it scrapes Bulkhead: what the platform says of itself, and a resource's metrics.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	id := group + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, group, "")
	w := p.ProxyWay(t)
	sender := p.CreateApp(t, "", harness.Name("prometheus-"))
	grant(t, p, id, sender.Principal, publisherRole)
	grant(t, p, id, sender.Principal, readerRole)
	token := w.AppToken(t, sender, "https://monitoring.azure.com/")
	depth := `{"time":"` + time.Now().UTC().Format(time.RFC3339) + `","data":{"baseData":{"metric":"Depth","namespace":"Queues","dimNames":["Queue"],"series":[{"dimValues":["mail"],"min":1,"max":9.5,"sum":12,"count":4}]}}}`
	if a := w.Do(t, http.MethodPost, "https://westeurope.monitoring.azure.com"+id+"/metrics", harness.Bearer(token), depth); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	j := newJobs(t)
	target, _ := url.Parse(j.URL)
	through := "proxy_url: '" + p.Env(t, "")["HTTPS_PROXY"] + "', tls_config: {ca_file: '" + p.Run.Root + "'}, authorization: {credentials_file: token}"
	prom := harness.StartPrometheus(t, map[string]string{"token": token, "prometheus.yml": `
global: {scrape_interval: 1s, scrape_timeout: 1s}
remote_write:
  - {url: 'https://westeurope.monitoring.azure.com` + id + `/api/v1/write', remote_timeout: 2m, ` + through + `}
scrape_configs:
  - {job_name: jobs, static_configs: [{targets: ['` + target.Host + `']}]}
  - {job_name: platform, scrape_timeout: 30s, scrape_interval: 30s, static_configs: [{targets: ['` + p.Run.Identity + `']}]}
  - {job_name: resource, scrape_timeout: 1m, scrape_interval: 1m, scheme: https, metrics_path: '` + id + `/metrics', static_configs: [{targets: ['westeurope.monitoring.azure.com:443']}], ` + through + `}
`})
	eventually(t, "scrapes", func() (bool, string) {
		up := prom.Query(t, `sum by (job) (up)`)
		return up[`{"job":"platform"}`] == "1" && up[`{"job":"resource"}`] == "1" && up[`{"job":"jobs"}`] == "1", fmt.Sprint(up, prom.Targets(t))
	})
	for expression, want := range map[string]string{
		`max(Depth_total{Queue="mail",exported_namespace=~".*",namespace="Queues"})`: "12", `max(Depth_average)`: "3", `max(Depth_minimum)`: "1", `max(Depth_maximum)`: "9.5", `max(Depth_count)`: "4",
		`max(bulkhead_store_writable)`: "1",
	} {
		if got := prom.Query(t, expression); got["{}"] != want {
			t.Errorf("%s is %v, want %s", expression, got, want)
		}
	}
	env := p.Env(t, "")
	charts, err := armmonitor.NewMetricsClient(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	read := func() (sums, counts map[string]float64) {
		res, err := charts.List(t.Context(), id, &armmonitor.MetricsClientListOptions{
			Metricnames: to.Ptr("jobs_done"), Metricnamespace: to.Ptr("prometheus"), Aggregation: to.Ptr("Total,Count"), Filter: to.Ptr("queue eq '*'"), Timespan: around(), Interval: to.Ptr("PT1M"),
		})
		if err != nil || len(res.Value) == 0 {
			return nil, nil // not yet
		}
		lines := res.Value[0].Timeseries
		return total(lines, func(v *armmonitor.MetricValue) *float64 { return v.Total }), total(lines, func(v *armmonitor.MetricValue) *float64 { return v.Count })
	}
	eventually(t, "all scrapes", func() (bool, string) {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.scrapes > scrapes+2, fmt.Sprint(j.scrapes)
	})
	// What Prometheus itself has of them: on a busy machine an answer may have come too late for it.
	wantSums, wantCounts := prom.Query(t, `sum by (queue) (sum_over_time(jobs_done[1h]))`), prom.Query(t, `sum by (queue) (count_over_time(jobs_done[1h]))`)
	if len(wantSums) != 2 {
		t.Fatalf("prometheus has %v", wantSums)
	}
	same := func(got map[string]float64, want map[string]string) bool {
		return fmt.Sprint(got["mail"]) == want[`{"queue":"mail"}`] && fmt.Sprint(got["pay"]) == want[`{"queue":"pay"}`]
	}
	eventually(t, "jobs written", func() (bool, string) {
		_, counts := read()
		return same(counts, wantCounts), fmt.Sprint(counts, wantCounts)
	})
	prom.Stop() // what is still to be sent is sent
	if sums, counts := read(); !same(sums, wantSums) || !same(counts, wantCounts) {
		t.Errorf("written: %v of %v, want %v of %v", sums, counts, wantSums, wantCounts)
	}
}

// TestPrometheus_Refused: a token that has no role is refused for good, and Prometheus says so instead of trying for ever.
func TestPrometheus_Refused(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	id := group + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, group, "")
	w := p.ProxyWay(t)
	token := w.AppToken(t, p.CreateApp(t, "", harness.Name("stranger-")), "https://monitoring.azure.com/")
	target, _ := url.Parse(newJobs(t).URL)
	prom := harness.StartPrometheus(t, map[string]string{"token": token, "prometheus.yml": `
global: {scrape_interval: 1s}
remote_write:
  - url: 'https://westeurope.monitoring.azure.com` + id + `/api/v1/write'
    proxy_url: '` + p.Env(t, "")["HTTPS_PROXY"] + `'
    tls_config: {ca_file: '` + p.Run.Root + `'}
    authorization: {credentials_file: token}
    queue_config: {batch_send_deadline: 1s}
scrape_configs:
  - {job_name: jobs, static_configs: [{targets: ['` + target.Host + `']}]}
`})
	eventually(t, "refused", func() (bool, string) {
		own := prom.Get(t, "/metrics")
		for line := range strings.Lines(own) {
			if strings.HasPrefix(line, "prometheus_remote_storage_samples_failed_total{") && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
				return true, ""
			}
		}
		return false, "no sample failed"
	})
	a := p.TryARM(t, http.MethodGet, id+"/providers/Microsoft.Insights/metrics?api-version=2021-05-01&metricnamespace=prometheus&metricnames=jobs_done&timespan="+*around(), nil)
	if strings.Contains(string(a.Body), `"total"`) || strings.Contains(string(a.Body), `"average"`) {
		t.Errorf("kept: %s", a.Body)
	}
}
