package monitor

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestMetrics_RollUp(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.measured(t)
	base := serverPath + "/providers/microsoft.insights/metrics?api-version=2018-01-01&metricnames=connections_failed&aggregation=total&interval=FULL&timespan=2026-03-01T09:30:00Z/2026-03-01T10:00:00Z&$filter="
	for _, c := range []struct {
		filter, rollup string
		want           map[string]float64
	}{
		{"Reason eq 'password' or Reason eq 'limit'", "", map[string]float64{"password": 3, "limit": 7}},
		{"Reason eq 'password' or Reason eq 'limit'", "reason", map[string]float64{"": 10}},
		{"Reason eq '*'", "Reason", map[string]float64{"": 12}},
	} {
		var m wireMetrics
		out := g.ok(t, "reader", "GET", base+url.QueryEscape(c.filter)+"&rollupby="+c.rollup, "")
		if err := json.Unmarshal([]byte(out), &m); err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, l := range m.Value[0].Lines {
			name := ""
			if len(l.Metadata) > 0 {
				name = l.Metadata[0].Value
			}
			got[name], _ = l.Data[0]["total"].(float64)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s rolled up by %q (-want +got):\n%s", c.filter, c.rollup, d)
		}
	}
}

// weeks measures cpu_percent for four weeks: 10 at night, 50 by day, a little up and down.
func (g *rig) weeks(t *testing.T) {
	t.Helper()
	now := g.clock.Now()
	g.clock.Advance(-28 * 24 * time.Hour)
	for g.clock.Now().Before(now) {
		v := 10.0
		if h := g.clock.Now().Hour(); h >= 8 && h < 20 {
			v = 50
		}
		v += float64(g.clock.Now().YearDay() % 3)
		refused, err := g.metrics.Add(t.Context(), []metrics.Sample{{Series: metrics.Series{Resource: g.server("db"), Namespace: serverType, Name: "cpu_percent"}, Time: g.clock.Now(), Cell: metrics.Of(v)}})
		if err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		g.clock.Advance(time.Hour)
	}
}

// Baselines are the bands of dynamic criteria: as wide as the sensitivity says, by the hour, and none before there is enough data.
func TestBaselines(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	path := serverPath + "/providers/Microsoft.Insights/metricBaselines?api-version=2019-03-01&metricnames=cpu_percent&interval=PT1H&aggregation=average&timespan=2026-03-01T02:00:00Z/2026-03-01T10:00:00Z"
	ask := func(more string) (b lineBaseline, ok bool) {
		var out wireBaselines
		if err := json.Unmarshal([]byte(g.ok(t, "reader", "GET", path+more, "")), &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Value) != 1 || out.Value[0].Name != "cpu_percent" || out.Value[0].Properties.Interval != "PT1H" {
			t.Fatalf("got %+v", out)
		}
		if len(out.Value[0].Properties.Baselines) == 0 {
			return b, false
		}
		return out.Value[0].Properties.Baselines[0], true
	}
	if b, ok := ask(""); ok {
		t.Errorf("of what was never measured there is %+v", b)
	}
	g.measured(t)
	if b, _ := ask(""); len(b.Times) != 0 || b.Metadata[len(b.Metadata)-1].Value != "NotEnoughData" {
		t.Errorf("of what was measured for minutes there is %+v", b)
	}

	g = newRig(t)
	g.weeks(t)
	b, ok := ask("&sensitivities=Low,High")
	if !ok || len(b.Times) != 8 || b.Times[0] != "2026-03-01T02:00:00Z" || len(b.Data) != 2 {
		t.Fatalf("got %+v", b)
	}
	for i, at := range b.Times {
		usual := 10.0
		if i >= 6 { // 08:00
			usual = 50
		}
		low, high := b.Data[0], b.Data[1]
		if low.Name != "Low" || high.Name != "High" {
			t.Fatalf("sensitivities %s and %s", low.Name, high.Name)
		}
		if !(low.Low[i] < high.Low[i] && high.Low[i] <= usual+2 && high.High[i] >= usual && high.High[i] < low.High[i] && low.High[i] < usual+20) {
			t.Errorf("%s: Low %v to %v, High %v to %v, usual is %v", at, low.Low[i], low.High[i], high.Low[i], high.High[i], usual)
		}
	}
}

// batch asks at the regional host.
func (g *rig) batch(t *testing.T, as, host, query string, ids ...string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"resourceids": ids})
	if err != nil {
		t.Fatal(err)
	}
	return g.at(t, as, host, "POST", "/subscriptions/"+g.sub+"/metrics:getBatch?"+query, string(body))
}

func TestBatch(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.measured(t)
	const west = "westeurope.metrics.monitor.azure.com"
	query := "api-version=2024-02-01&metricnamespace=" + url.QueryEscape(serverType) + "&metricnames=cpu_percent&aggregation=average&interval=PT1M&starttime=2026-03-01T09:59:00Z&endtime=2026-03-01T10:00:00Z"
	status, out := g.batch(t, "reader@monitoring", west, query, g.server("db"), g.server("db2"))
	var b wireBatch
	if err := json.Unmarshal([]byte(out), &b); err != nil || status != 200 {
		t.Fatal(status, out, err)
	}
	var got []string
	for _, v := range b.Values {
		got = append(got, fmt.Sprint(v.Resource[strings.LastIndex(v.Resource, "/")+1:], v.Start, v.End, v.Interval, v.Region, v.Value[0].Name.Value, v.Value[0].Lines[0].Data[0]["average"]))
	}
	want := []string{"db2026-03-01T09:59:00Z2026-03-01T10:00:00ZPT1Mwesteuropecpu_percent20", "db22026-03-01T09:59:00Z2026-03-01T10:00:00ZPT1Mwesteuropecpu_percent100"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, c := range []struct {
		as, host, query string
		ids             []string
		status          int
		says            string
	}{
		{"reader", west, query, []string{g.server("db")}, 401, "metrics.monitor.azure.com"},
		{"sender@monitoring", west, query, []string{g.server("db")}, 403, "AuthorizationFailed"},
		{"reader@monitoring", "eastus.metrics.monitor.azure.com", query, []string{g.server("db")}, 400, "westeurope"},
		{"reader@monitoring", west, query, nil, 400, "1 to 50"},
		{"reader@monitoring", west, query, make([]string, 51), 400, "1 to 50"},
		{"reader@monitoring", west, query, []string{g.server("nothing")}, 404, "ResourceNotFound"},
		{"reader@monitoring", west, query, []string{"/subscriptions/00000000-0000-0000-0000-0000000000ff/resourceGroups/rg/providers/A.B/c/d"}, 400, "no resource of the subscription"},
		{"reader@monitoring", west, "api-version=2024-02-01", []string{g.server("db")}, 400, "metricnamespace"},
		{"reader@monitoring", west, query + "&starttime=", []string{g.server("db")}, 200, ""},
	} {
		if status, out := g.batch(t, c.as, c.host, c.query, c.ids...); status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%s at %s: %d %s, want %d with %q", c.as, c.host, status, out, c.status, c.says)
		}
	}
}

// TestContract plays the public specification's examples of metrics, rebuilt.
func TestContract(t *testing.T) {
	t.Parallel()
	c := wiretest.PlayContract(t, "testdata/contract", func(t *testing.T) wiretest.Target {
		g := newRig(t)
		g.weeks(t)
		g.measured(t)
		g.ok(t, "sender@monitoring", "POST", serverPath+"/metrics", `{"time":"2026-03-01T10:00:00Z","data":{"baseData":{"metric":"queue","namespace":"app","dimNames":["name"],"series":[{"dimValues":["a"],"min":1,"max":1,"sum":1,"count":1}]}}}`)
		return wiretest.Target{Handler: g, Vars: map[string]string{"sub": g.sub, "db": g.server("db"), "db2": g.server("db2")}}
	})
	c.CheckPage(t, "../../../docs/divergences/monitor.md")
	t.Logf("%d fit, %d do not", len(c.Fit), len(c.Unfit))
}
