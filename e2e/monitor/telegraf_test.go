package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// sent is a line as Telegraf makes it: a measurement without tags has null for its dimensions, a minute has one line for each set of tags' names.
type sent struct {
	Time time.Time `json:"time"`
	Data struct {
		Base struct {
			Metric    string       `json:"metric"`
			Namespace string       `json:"namespace"`
			DimNames  []string     `json:"dimNames"`
			Series    []sentSeries `json:"series"`
		} `json:"baseData"`
	} `json:"data"`
}

type sentSeries struct {
	DimValues []string `json:"dimValues"`
	Min       float64  `json:"min"`
	Max       float64  `json:"max"`
	Sum       float64  `json:"sum"`
	Count     int64    `json:"count"`
}

// TestTelegraf: a virtual machine's Telegraf finds region, resource and token by the instance metadata service, and what it sends for three minutes is charted exactly. Telegraf itself is no
// package of Debian's; its requests are replayed by monitor/telegraf.
func TestTelegraf(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	id := p.PutGroup(t) + "/providers/Microsoft.Compute/virtualMachines/" + harness.Name("vm-")
	vm := p.ARM(t, http.MethodPut, id+"?api-version=2024-07-01", map[string]any{"location": "westeurope", "identity": map[string]any{"type": "SystemAssigned"}, "properties": map[string]any{
		"hardwareProfile": map[string]any{"vmSize": "Standard_D2s_v5"}, "osProfile": map[string]any{"computerName": "vm1"}, "storageProfile": map[string]any{"osDisk": map[string]any{"osType": "Linux"}},
	}})
	program, err := harness.Program("./monitor/telegraf")
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	want := map[string]float64{}
	minute := time.Now().UTC().Truncate(time.Minute)
	for ago := range 3 {
		var cpu, load sent
		cpu.Time, load.Time = minute.Add(-time.Duration(ago)*time.Minute), minute.Add(-time.Duration(ago)*time.Minute)
		cpu.Data.Base.Metric, cpu.Data.Base.Namespace, cpu.Data.Base.DimNames = "usage_user", "Telegraf/cpu", []string{"cpu", "host"}
		for k := range 2 {
			s := sentSeries{DimValues: []string{fmt.Sprint("cpu", k), "vm1"}, Min: float64(k) + 0.5, Max: 90, Sum: 101.25 + float64(ago), Count: 6}
			cpu.Data.Base.Series = append(cpu.Data.Base.Series, s)
			want[fmt.Sprint("cpu", k)] += s.Sum
		}
		load.Data.Base.Metric, load.Data.Base.Namespace = "load1", "Telegraf/system"
		load.Data.Base.Series = []sentSeries{{Min: 0.1, Max: 0.4, Sum: 1.5, Count: 6}}
		for _, l := range []sent{cpu, load} {
			b, _ := json.Marshal(l)
			lines.Write(append(b, '\n'))
		}
	}
	if !strings.Contains(lines.String(), `"dimNames":null`) {
		t.Fatal("no measurement is without tags")
	}
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	send := func() (string, error) {
		out, err := p.Command("exec", "--identity", id, "--", program, file).CombinedOutput()
		return string(out), err
	}
	if out, err := send(); err == nil || !strings.Contains(out, "403") {
		t.Fatalf("without a role: %v %s", err, out)
	}
	grant(t, p, id, vm["identity"].(map[string]any)["principalId"].(string), publisherRole)
	if out, err := send(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	w := p.ProxyWay(t)
	env := p.Env(t, "")
	charts, err := armmonitor.NewMetricsClient(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	read := func(namespace, metric, filter string) []*armmonitor.TimeSeriesElement {
		t.Helper()
		o := &armmonitor.MetricsClientListOptions{Metricnames: &metric, Metricnamespace: &namespace, Aggregation: to.Ptr("Total,Count,Minimum,Maximum"), Timespan: around(), Interval: to.Ptr("PT1M")}
		if filter != "" {
			o.Filter = &filter
		}
		res, err := charts.List(t.Context(), id, o)
		if err != nil || len(res.Value) != 1 {
			t.Fatal(err)
		}
		return res.Value[0].Timeseries
	}
	cpu := read("Telegraf/cpu", "usage_user", "cpu eq '*'")
	if got := total(cpu, func(v *armmonitor.MetricValue) *float64 { return v.Total }); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("cpu: %v, want %v", got, want)
	}
	for _, v := range cpu[0].Data {
		if v.Total != nil && (*v.Maximum != 90 || *v.Count != 6) {
			t.Errorf("cpu at %s: max %g of %g", v.TimeStamp, *v.Maximum, *v.Count)
		}
	}
	load := read("Telegraf/system", "load1", "")
	if sum, n := total(load, func(v *armmonitor.MetricValue) *float64 { return v.Total }), total(load, func(v *armmonitor.MetricValue) *float64 { return v.Count }); sum[""] != 4.5 || n[""] != 18 {
		t.Errorf("load: %v of %v", sum, n)
	}
}
