package monitor

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		g := newRig(t)
		g.measured(t)
		return wiretest.Target{Handler: g, Vars: map[string]string{"sub": g.sub, "db": g.server("db")}}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.grant(t, ownerID, "3913510d-42f4-4e42-8a64-420c390055eb")
	wiretest.CheckRoutes(t, g, g.service.Service().Routes, wiretest.Check{
		Names: map[wire.HostKind]string{wire.HostARM: "", wire.HostMetrics: "westeurope", wire.HostBatch: "westeurope"}, Params: map[string]string{"scope": g.server("db")[1:], "subscriptionId": g.sub},
		Sign: func(r *http.Request) {
			token := "owner"
			if strings.Contains(r.URL.Host, ".monitoring.") || strings.Contains(r.URL.Host, ".metrics.") {
				token += "@monitoring"
			}
			r.Header.Set("Authorization", "Bearer "+token)
		},
	})
}

// chartOf shows an answer's lines in short.
func chartOf(t *testing.T, body string) string {
	t.Helper()
	var m struct {
		Interval string
		Value    []struct {
			Name       localized
			Timeseries []struct {
				MetadataValues []wireDimension
				Data           []map[string]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(m.Interval)
	for _, v := range m.Value {
		b.WriteString(" " + v.Name.Value)
		for _, l := range v.Timeseries {
			b.WriteString(" [")
			for _, d := range l.MetadataValues {
				b.WriteString(d.Name.Value + "=" + d.Value + " ")
			}
			for i, p := range l.Data {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(p["timeStamp"].(string)[11:16])
				for _, a := range []string{"average", "total", "minimum", "maximum", "count"} {
					if x, ok := p[a]; ok {
						fmt.Fprintf(&b, " %.3s=%v", a, x)
					}
				}
			}
			b.WriteString("]")
		}
	}
	return b.String()
}

func TestMetrics_Parameters(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.measured(t)
	const span = "&timespan=2026-03-01T09:56:00Z/2026-03-01T10:00:00Z"
	base := serverPath + "/providers/microsoft.insights/metrics?api-version=2021-05-01"
	for _, c := range []struct{ name, query, want string }{
		{"first metric, primary aggregation", base + span, "PT1M cpu_percent [09:56, 09:57 ave=10, 09:58, 09:59 ave=20]"},
		{"all aggregations", base + span + "&metricnames=CPU_percent&aggregation=average,Minimum,maximum,total,count", "PT1M cpu_percent [09:56, 09:57 ave=10 tot=60 min=5 max=15 cou=6, 09:58, 09:59 ave=20 tot=120 min=15 max=25 cou=6]"},
		{"timespan escaped twice", base + "&interval=PT1H&timespan=2026-03-01T09%253A56%253A00.5%252F2026-03-01T10%253A00%253A00.5", "PT1H cpu_percent [09:56 ave=15]"},
		{"grain", base + span + "&interval=PT5M", "PT5M cpu_percent [09:56 ave=15]"},
		{"full", base + span + "&interval=FULL", "FULL cpu_percent [09:56 ave=15]"},
		{"adjusted", base + span + "&interval=PT2M&AutoAdjustTimegrain=True", "PT5M cpu_percent [09:56 ave=15]"},
		{"no filter", base + span + "&interval=PT1H&metricnames=connections_failed", "PT1H connections_failed [09:56 tot=12]"},
		{"two metrics", base + span + "&interval=PT1H&metricnames=connections_failed,cpu_percent", "PT1H connections_failed [09:56 tot=12] cpu_percent [09:56 ave=15]"},
		{"split", base + span + "&interval=PT1H&metricnames=connections_failed&$filter=Reason%20eq%20'*'", "PT1H connections_failed [reason=limit 09:56 tot=7] [reason=password 09:56 tot=3] [reason=TLS 09:56 tot=2]"},
		{"values", base + span + "&interval=PT1H&metricnames=connections_failed&$filter=Reason%20eq%20'password'%20or%20reason%20eq%20'tls'", "PT1H connections_failed [reason=password 09:56 tot=3] [reason=TLS 09:56 tot=2]"},
		{"top", base + span + "&interval=PT1H&metricnames=connections_failed&$filter=Reason%20eq%20'*'&top=2&orderby=sum%20asc", "PT1H connections_failed [reason=TLS 09:56 tot=2] [reason=password 09:56 tot=3]"},
		{"metadata", base + span + "&interval=PT1H&metricnames=connections_failed&$filter=Reason%20eq%20'*'&resultType=metadata", "PT1H connections_failed [reason=limit ] [reason=password ] [reason=TLS ]"},
		{"unknown dimension allowed", base + span + "&metricnames=connections_failed&$filter=Color%20eq%20'*'&ValidateDimensions=false", "PT1M connections_failed"},
		{"time without data", base + "&interval=PT1H&timespan=2026-02-01T00:00:00Z/2026-02-01T02:00:00Z", "PT1H cpu_percent [00:00, 01:00]"},
	} {
		if got := chartOf(t, g.ok(t, "reader", "GET", c.query, "")); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestMetrics_Subscription(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.measured(t)
	query := func(region, more string) string {
		return "/subscriptions/" + g.sub + "/providers/Microsoft.Insights/metrics?api-version=2021-05-01&region=" + region + "&metricnamespace=" + serverType +
			"&timespan=2026-03-01T09:56:00Z/2026-03-01T10:00:00Z&interval=PT5M&metricnames=cpu_percent" + more
	}
	for _, c := range []struct{ path, want string }{
		{query("West%20Europe", "&aggregation=average,count"), "PT5M cpu_percent [09:56 ave=43.333333333333336 cou=18]"},
		{query("eastus", ""), "PT5M"},
		{query("westeurope", "&$filter=Microsoft.ResourceId%20eq%20'*'"), "PT5M cpu_percent [microsoft.resourceid=" + g.server("db2") + " 09:56 ave=100] [microsoft.resourceid=" + g.server("db") + " 09:56 ave=15]"},
		{query("westeurope", "&$filter=Microsoft.ResourceId%20eq%20'"+strings.ToUpper(g.server("db"))+"'"), "PT5M cpu_percent [microsoft.resourceid=" + g.server("db") + " 09:56 ave=15]"},
	} {
		if got := chartOf(t, g.ok(t, "owner", "GET", c.path, "")); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.path, got, c.want)
		}
	}
	body := `{"timespan":"2026-03-01T09:56:00Z/2026-03-01T10:00:00Z","interval":"PT5M","metricNames":"connections_failed","filter":"Reason eq '*'","top":1,"orderBy":"total desc"}`
	post := "/subscriptions/" + g.sub + "/providers/Microsoft.Insights/metrics?api-version=2021-05-01&region=westeurope&metricnamespace=" + serverType
	if got, want := chartOf(t, g.ok(t, "owner", "POST", post, body)), "PT5M connections_failed [reason=limit 09:56 tot=7]"; got != want {
		t.Errorf("POST:\n got %s\nwant %s", got, want)
	}
	if status, _ := g.do(t, "reader", "GET", query("westeurope", ""), ""); status != 403 {
		t.Errorf("a reader of the group reads the subscription: %d", status)
	}
}

func TestMetrics_Refused(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	base := serverPath + "/providers/microsoft.insights/metrics?api-version=2021-05-01"
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{base + "&metricnames=nonsense", 400, "Failed to find metric configuration for provider: Microsoft.DBforMySQL, resource Type: servers, metric: nonsense, Valid metrics: cpu_percent,connections_failed"},
		{base + "&metricnamespace=mine&metricnames=x", 400, "Failed to find metric configuration for namespace: mine"},
		{base + "&interval=PT7M", 400, "Detected invalid time grain input: PT7M"},
		{base + "&timespan=yesterday", 400, "timespan"},
		{base + "&timespan=2026-03-02T00:00:00Z/2026-03-01T00:00:00Z", 400, "ends before it begins"},
		{base + "&timespan=2025-03-02T00:00:00Z/2026-03-01T00:00:00Z", 400, "kept for"},
		{base + "&aggregation=median", 400, "median"},
		{base + "&orderby=size", 400, "size"},
		{base + "&top=0", 400, "top"},
		{base + "&resultType=picture", 400, "picture"},
		{base + "&AutoAdjustTimegrain=maybe", 400, "maybe"},
		{base + "&rollupby=Reason", 400, "rollupby"},
		{base + "&$filter=Color%20eq%20'*'", 400, "supported ones are"},
		{base + "&$filter=Reason%20like%20'x'", 400, "eq, ne or sw"},
		{"/subscriptions/" + g.sub + "/providers/Microsoft.Insights/metrics?api-version=2021-05-01", 400, "metricnamespace"},
		{"/subscriptions/" + g.sub + "/providers/Microsoft.Insights/metrics?api-version=2021-05-01&metricnamespace=x", 400, "region"},
		{"$/providers/Microsoft.DBforMySQL/servers/none/providers/Microsoft.Insights/metrics?api-version=2021-05-01", 404, "was not found"},
		{serverPath + "/providers/microsoft.insights/metricBaselines?api-version=2019-03-01&sensitivities=Extreme", 400, "sensitivity"},
		{serverPath + "/providers/microsoft.insights/metricBaselines?api-version=2019-03-01&interval=FULL", 400, "grains"},
		{serverPath + "/providers/microsoft.insights/metricBaselines?api-version=2019-03-01&metricnames=nothing", 400, "Failed to find metric configuration"},
		{"$/providers/microsoft.insights/metricBaselines?api-version=2019-03-01&region=westeurope", 400, "of a resource"},
	} {
		if status, out := g.do(t, "owner", "GET", c.path, ""); status != c.status || !strings.Contains(out, c.want) {
			t.Errorf("%s: got %d %s, want %d %s", c.path, status, out, c.status, c.want)
		}
	}
	if status, _ := g.do(t, "sender", "GET", base, ""); status != 403 {
		t.Errorf("a publisher of metrics reads them: %d", status)
	}
}

const customBody = `{"time":"2026-03-01T10:55:20+01:00","data":{"baseData":{"metric":"Queue Depth","namespace":"QueueProcessing","dimNames":["QueueName","MessageType"],"series":[
 {"dimValues":["ImagesToProcess","JPEG"],"min":3,"max":20,"sum":28,"count":3},{"dimValues":["ImagesToProcess","PNG"],"min":1,"max":1,"sum":1,"count":1}]}}}
{"time":"2026-03-01T09:56:00","data":{"baseData":{"metric":"Queue Depth","namespace":"QueueProcessing","dimNames":["QueueName","MessageType"],"series":[{"dimValues":["ImagesToProcess","JPEG"],"min":5,"max":5,"sum":5,"count":1}]}}}`

func TestCustom(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.ok(t, "sender@monitoring", "POST", serverPath+"/metrics", customBody)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(customBody))
	_ = z.Close()
	g.ok(t, "sender@monitoring", "POST", serverPath+"/metrics", packed.String(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
	got := chartOf(t, g.ok(t, "reader", "GET", serverPath+"/providers/microsoft.insights/metrics?api-version=2018-01-01&metricnamespace=queueprocessing&metricnames=Queue%20Depth&interval=PT1M"+
		"&aggregation=total,count&timespan=2026-03-01T09:55:00Z/2026-03-01T09:58:00Z&$filter=MessageType%20eq%20'*'%20and%20QueueName%20eq%20'imagestoprocess'", ""))
	want := "PT1M Queue Depth [messagetype=JPEG queuename=ImagesToProcess 09:55 tot=56 cou=6, 09:56 tot=10 cou=2, 09:57] [messagetype=PNG queuename=ImagesToProcess 09:55 tot=2 cou=2, 09:56, 09:57]"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	// The metric is seen, and its namespace.
	if out := g.ok(t, "reader", "GET", serverPath+"/providers/microsoft.insights/metricNamespaces?api-version=2017-12-01-preview", ""); !strings.Contains(out, `"QueueProcessing"`) || !strings.Contains(out, `"Custom"`) {
		t.Errorf("namespaces: %s", out)
	}
	if out := g.ok(t, "reader", "GET", serverPath+"/providers/microsoft.insights/metricDefinitions?api-version=2018-01-01&metricnamespace=QueueProcessing", ""); !strings.Contains(out, `"Queue Depth"`) || !strings.Contains(out, `"MessageType"`) {
		t.Errorf("definitions: %s", out)
	}
}

func TestCustom_Refused(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	one := func(replace, by string) string {
		body := `{"time":"2026-03-01T10:00:00Z","data":{"baseData":{"metric":"m","namespace":"n","dimNames":["d"],"series":[{"dimValues":["v"],"min":1,"max":1,"sum":1,"count":1}]}}}`
		if !strings.Contains(body, replace) {
			t.Fatalf("%s is not in the body", replace)
		}
		return strings.Replace(body, replace, by, 1)
	}
	for _, c := range []struct {
		as, path, body string
		status         int
		want           string
	}{
		{"owner@monitoring", serverPath, one("", ""), 403, "Microsoft.Insights/Metrics/Write"},
		{"reader@monitoring", serverPath, one("", ""), 403, "Microsoft.Insights/Metrics/Write"},
		{"sender@monitoring", "$", one("", ""), 400, "is no resource"},
		{"sender@monitoring", serverPath, "", 400, "Object 1"},
		{"sender@monitoring", serverPath, one("10:00", "09:00"), 400, "TooOld"},
		{"sender@monitoring", serverPath, one("10:00", "10:06"), 400, "TooFarInFuture"},
		{"sender@monitoring", serverPath, one(`"time"`, `"thyme"`), 400, "time"},
		{"sender@monitoring", serverPath, one(`["v"]`, `["v","w"]`), 400, "2 dimValues for 1 dimNames"},
		{"sender@monitoring", serverPath, one(`"count":1`, `"count":0`), 400, "InvalidValue"},
		{"sender@monitoring", serverPath, one(`"namespace":"n"`, `"namespace":""`), 400, "InvalidSeries"},
		{"sender@monitoring", serverPath, one(`"namespace":"n"`, `"namespace":"microsoft.dbformysql/servers"`), 400, "platform's own"},
		{"sender@monitoring", serverPath, one(`"count":1`, `"count":"1"`), 400, "count"},
		{"sender@monitoring", serverPath, one("", "") + "nonsense", 400, "Object 2"},
	} {
		if status, out := g.do(t, c.as, "POST", c.path+"/metrics", c.body); status != c.status || !strings.Contains(out, c.want) {
			t.Errorf("%s %s %s: got %d %s, want %d %s", c.as, c.path, c.body, status, out, c.status, c.want)
		}
	}
	status, out := g.do(t, "sender@monitoring", "POST", serverPath+"/metrics", one("", ""), func(r *http.Request) {
		r.Host, r.URL.Host = "eastus.monitoring.azure.com", "eastus.monitoring.azure.com"
	})
	if status != 400 || !strings.Contains(out, `"RegionMismatch"`) {
		t.Errorf("another region: %d %s", status, out)
	}
	if status, out := g.do(t, "sender@monitoring", "POST", serverPath+"/metrics", one("", ""), func(r *http.Request) { r.Header.Set("Authorization", "Bearer sender") }); status != 401 || !strings.Contains(out, "InvalidAudience") {
		t.Errorf("a token for the control plane: %d %s", status, out)
	}
}

// remote makes a WriteRequest of one series.
func remote(labels [][2]string, samples map[int64]float64) []byte {
	var series []byte
	for _, l := range labels {
		var b []byte
		b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), l[0])
		b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), l[1])
		series = protowire.AppendBytes(protowire.AppendTag(series, 1, protowire.BytesType), b)
	}
	for at, v := range samples {
		var b []byte
		b = protowire.AppendFixed64(protowire.AppendTag(b, 1, protowire.Fixed64Type), math.Float64bits(v))
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(at))
		series = protowire.AppendBytes(protowire.AppendTag(series, 2, protowire.BytesType), b)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), series)
}

func TestRemoteWriteAndScrape(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	at := start.Truncate(time.Minute)
	ms := func(d time.Duration) int64 { return at.Add(d).UnixMilli() }
	body := append(remote([][2]string{{"__name__", "node_load1"}, {"instance", `a"b`}, {"job", "node"}}, map[int64]float64{ms(0): 1.5, ms(15 * time.Second): 2.5, ms(30 * time.Second): math.NaN()}),
		remote([][2]string{{"__name__", "up"}, {"job", "node"}}, map[int64]float64{ms(0): 1})...)
	packed := string(snappy.Encode(nil, body))
	asSnappy := func(r *http.Request) { r.Header.Set("Content-Encoding", "snappy") }
	if status, out := g.do(t, "sender@monitoring", "POST", serverPath+"/api/v1/write", packed, asSnappy); status != 204 {
		t.Fatalf("%d %s", status, out)
	}
	got := chartOf(t, g.ok(t, "reader", "GET", serverPath+"/providers/microsoft.insights/metrics?api-version=2018-01-01&metricnamespace=Prometheus&metricnames=node_load1&aggregation=average,count"+
		"&timespan=2026-03-01T10:00:00Z/2026-03-01T10:01:00Z&$filter=instance%20eq%20'*'", ""))
	if want := `PT1M node_load1 [instance=a"b 10:00 ave=2 cou=2]`; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	out := g.ok(t, "reader@monitoring", "GET", serverPath+"/metrics", "")
	for _, want := range []string{
		"# TYPE node_load1_average gauge\n" + `node_load1_average{resource_id="` + g.server("db") + `",namespace="prometheus",instance="a\"b",job="node"} 2` + "\n",
		`node_load1_total{resource_id="` + g.server("db") + `",namespace="prometheus",instance="a\"b",job="node"} 4` + "\n",
		`up_count{`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the scrape lacks %s:\n%s", want, out)
		}
	}
	if out := g.ok(t, "reader@monitoring", "GET", "$/providers/Microsoft.DBforMySQL/servers/db2/metrics", ""); out != "" {
		t.Errorf("another resource's scrape: %s", out)
	}
	if out := g.ok(t, "reader@monitoring", "GET", "$/metrics", ""); !strings.Contains(out, "up_count{") {
		t.Errorf("the group's scrape: %s", out)
	}
	g.clock.Advance(time.Hour)
	if out := g.ok(t, "reader@monitoring", "GET", serverPath+"/metrics", ""); out != "" {
		t.Errorf("an hour later: %s", out)
	}
	if status, _ := g.do(t, "sender@monitoring", "POST", serverPath+"/api/v1/write", packed, asSnappy); status != 400 {
		t.Errorf("an hour late: %d", status)
	}
	for _, bad := range []string{"", "\xff\xff\xff\xff\xff\x01x", string(snappy.Encode(nil, []byte{0x0a, 0x7f}))} {
		if status, out := g.do(t, "sender@monitoring", "POST", serverPath+"/api/v1/write", bad, asSnappy); status != 400 {
			t.Errorf("%q: %d %s", bad, status, out)
		}
	}
}

func TestParseFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []metrics.DimensionFilter
	}{
		{"", nil},
		{"A eq 'x'", []metrics.DimensionFilter{{Name: "A", Values: []string{"x"}}}},
		{" a EQ 'x' or A eq 'it''s' ", []metrics.DimensionFilter{{Name: "a", Values: []string{"x", "it's"}}}},
		{"A eq '*' and (B eq 'x' or B sw 'y')", []metrics.DimensionFilter{{Name: "A", Values: []string{"*"}}, {Name: "B", Values: []string{"x", "y*"}}}},
		{"A ne 'x' and A ne 'y'", []metrics.DimensionFilter{{Name: "A", Values: []string{"x", "y"}, Exclude: true}}},
		{"('A b' eq 'x') AND C eq''", []metrics.DimensionFilter{{Name: "A b", Values: []string{"x"}}, {Name: "C", Values: []string{""}}}},
	} {
		got, err := parseFilter(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
	for _, bad := range []string{"A", "A eq", "A eq x", "A eq 'x", "A eq 'x' B eq 'y'", "A eq 'x' and", "A eq 'x' or B eq 'y'", "(A eq 'x'", "A gt 'x'", "eq 'x'", "A eq 'x' and A ne 'y'", ")"} {
		if got, err := parseFilter(bad); err == nil {
			t.Errorf("%s was read as %v", bad, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"PT1M": time.Minute, "P1DT2H3M4S": 26*time.Hour + 3*time.Minute + 4*time.Second, "P7D": 7 * 24 * time.Hour} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "1M", "P1M", "PT1", "PT1M1H", "PTxM", "PT-1M", "PT9999999M", "P1DT1D"} {
		if got, err := parseDuration(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("A eq '*' and (B eq 'x' or B sw 'it''s')")
	f.Add("A ne 'x'")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseFilter(text)
		for _, one := range got {
			if err == nil && (one.Name == "" || len(one.Values) == 0) {
				t.Fatalf("%q was read as %v", text, got)
			}
		}
	})
}

func FuzzCustom(f *testing.F) {
	f.Add([]byte(customBody))
	f.Fuzz(func(t *testing.T, b []byte) {
		samples, err := parseCustom("/r", b)
		if err == nil && len(samples) == 0 {
			t.Fatal("nothing was read, and no error")
		}
	})
}

func FuzzRemote(f *testing.F) {
	f.Add(remote([][2]string{{"__name__", "up"}, {"job", "x"}}, map[int64]float64{1: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		samples, err := parseRemote("/r", b)
		for _, s := range samples {
			if err == nil && (math.IsNaN(s.Sum) || s.Resource != "/r") {
				t.Fatalf("%v", s)
			}
		}
	})
}

func FuzzTimes(f *testing.F) {
	f.Add("2026-03-01T10:55:20+01:00", "P1DT2H")
	f.Fuzz(func(t *testing.T, at, span string) {
		_, _ = parseTime(at)
		if d, err := parseDuration(span); err == nil && d < 0 {
			t.Fatalf("%q is %v", span, d)
		}
	})
}
