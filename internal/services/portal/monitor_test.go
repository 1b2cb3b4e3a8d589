package portal

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// atNight is the time of the tests.
var atNight = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	inGroup  = "/subscriptions/" + sub + "/resourceGroups/g/providers/"
	dbID     = inGroup + "Microsoft.DBforMySQL/servers/db1"
	ruleID   = inGroup + "Microsoft.Insights/metricAlerts/cpu"
	usualID  = inGroup + "Microsoft.Insights/metricAlerts/usual"
	onCallID = inGroup + "Microsoft.Insights/actionGroups/oncall"
	raisedIn = inGroup + "Microsoft.AlertsManagement/alerts/aaaaaaaa-0000-4000-8000-000000000001"
	raisedAt = "/subscriptions/" + sub + "/providers/Microsoft.AlertsManagement/alerts/aaaaaaaa-0000-4000-8000-000000000001"
)

// sentBody is what was asked to be changed.
type sentBody struct {
	Method, Path string
	Body         map[string]any
}

func object(text string) (out any) {
	text = strings.NewReplacer("DBID", dbID, "RULEID", ruleID, "USUALID", usualID, "ONCALLID", onCallID, "RAISEDID", raisedAt, "ANGRY", strings.ReplaceAll(angry, `"`, `\"`)).Replace(text)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

// monitor answers what the rooms of metrics, alerts and databases ask; false if it isn't asked.
func (p *platform) monitor(w http.ResponseWriter, r *http.Request) bool {
	answer := func(status int, text string) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(object(text))
		return true
	}
	path, q := r.URL.Path, r.URL.Query()
	if p.gone != "" && strings.Contains(path, p.gone) {
		return answer(http.StatusForbidden, `{"error":{"code":"AuthorizationFailed","message":"may not"}}`)
	}
	b, _ := io.ReadAll(r.Body)
	note := func() {
		s := sentBody{Method: r.Method, Path: r.URL.RequestURI()}
		_ = json.Unmarshal(b, &s.Body)
		p.sent = append(p.sent, s)
	}
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/try"):
		note()
		if q.Get("from") == "" || q.Get("to") == "" {
			return answer(400, `{"error":{"code":"BadRequest","message":"from and to"}}`)
		}
		return answer(200, `{"evaluations":60,"noData":55,"changes":[{"at":"2026-01-02T02:40:00Z","condition":"Fired","resource":"DBID","why":"Average of cpu_percent is 90"},
			{"at":"2026-01-02T02:55:00Z","condition":"Resolved","resource":"DBID","why":"ANGRY"}],"lines":[{"resource":"DBID","metricName":"cpu_percent","dimensions":[],"points":[
			{"timeStamp":"2026-01-02T02:39:00Z","value":50,"low":40,"high":60},{"timeStamp":"2026-01-02T02:40:00Z","value":90,"low":45,"high":65}]}]}`)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/changestate"):
		note()
		return answer(200, `{}`)
	case strings.Contains(path, "/metricAlerts/") && r.Method != http.MethodGet:
		note()
		if strings.HasSuffix(path, "/cpu") && r.Header.Get("If-None-Match") == "*" || strings.HasSuffix(path, "/taken") && r.Header.Get("If-None-Match") == "*" {
			return answer(412, `{"error":{"code":"PreconditionFailed","message":"it is there"}}`)
		}
		return answer(200, `{}`)
	case strings.HasSuffix(path, "/resourcegroups"):
		return answer(200, `{"value":[{"name":"g"}]}`)
	case strings.HasSuffix(path, "/resources"):
		return answer(200, `{"value":[{"id":"DBID","name":"db1","type":"Microsoft.DBforMySQL/servers","location":"westeurope"},{"id":"RULEID","name":"cpu","type":"Microsoft.Insights/metricAlerts"},
			{"id":"/subscriptions/x/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v","name":"ANGRY","type":"Microsoft.KeyVault/vaults"}]}`)
	case strings.HasSuffix(path, "/metricNamespaces"):
		return answer(200, `{"value":[{"properties":{"metricNamespaceName":"Microsoft.DBforMySQL/servers"}}]}`)
	case strings.HasSuffix(path, "/metricDefinitions"):
		return answer(200, `{"value":[{"namespace":"Microsoft.DBforMySQL/servers","name":{"value":"cpu_percent","localizedValue":"CPU percent"},"unit":"Percent","primaryAggregationType":"Average","supportedAggregationTypes":["Average","Maximum"]},
			{"namespace":"Microsoft.DBforMySQL/servers","name":{"value":"connections_failed","localizedValue":"Failed connections"},"unit":"Count","primaryAggregationType":"Total","supportedAggregationTypes":["Total"],"dimensions":[{"value":"Reason","localizedValue":"Reason"}]}]}`)
	case strings.HasSuffix(path, "/providers/Microsoft.Insights/metrics"):
		return p.metrics(w, q)
	case strings.HasSuffix(path, "/metricAlerts"):
		return answer(200, `{"value":[{"id":"RULEID","name":"cpu","properties":{"severity":1,"enabled":true,"scopes":["DBID"],"evaluationFrequency":"PT1M","windowSize":"PT5M","criteria":{"allOf":[{"criterionType":"StaticThresholdCriterion",
			"metricName":"cpu_percent","metricNamespace":"Microsoft.DBforMySQL/servers","operator":"GreaterThan","threshold":80,"timeAggregation":"Average"}]}}},
			{"id":"USUALID","name":"usual ANGRY","properties":{"severity":3,"enabled":false,"scopes":["DBID"],"evaluationFrequency":"PT5M","windowSize":"PT1H","criteria":{"allOf":[{"criterionType":"DynamicThresholdCriterion",
			"metricName":"cpu_percent","metricNamespace":"Microsoft.DBforMySQL/servers","operator":"GreaterOrLessThan","alertSensitivity":"Low","timeAggregation":"Average"}]}}}]}`)
	case strings.HasSuffix(path, "/actionGroups"):
		return answer(200, `{"value":[{"id":"ONCALLID","name":"oncall"}]}`)
	case strings.HasSuffix(path, "/Microsoft.AlertsManagement/alerts"):
		if q.Get("severity") == "Sev4" {
			return answer(200, `{"value":[]}`)
		}
		return answer(200, `{"value":[`+oneRaised+`]}`)
	case p.lost && path == raisedIn:
		return answer(http.StatusNotFound, `{"error":{"code":"ResourceGroupNotFound","message":"gone"}}`)
	case path == raisedAt, path == raisedIn:
		return answer(200, oneRaised)
	case path == raisedAt+"/history", path == raisedIn+"/history" && !p.lost:
		return answer(200, `{"properties":{"modifications":[{"modificationEvent":"ActionsFailed","modifiedAt":"2026-01-02T03:00:02Z","modifiedBy":"System","description":"Webhook hook: no answer"},
			{"modificationEvent":"ActionsTriggered","modifiedAt":"2026-01-02T03:00:01Z","modifiedBy":"System","description":"Told Email ops"},
			{"modificationEvent":"AlertCreated","newValue":"Fired","modifiedAt":"2026-01-02T03:00:00Z","modifiedBy":"System","description":"Average of cpu_percent is 90"}]}}`)
	}
	return p.database(answer, path)
}

const oneRaised = `{"id":"RAISEDID","name":"aaaaaaaa","properties":{"essentials":{"severity":"Sev1","alertState":"New","monitorCondition":"Fired","targetResource":"DBID","targetResourceName":"db1","alertRule":"RULEID",
	"startDateTime":"2026-01-02T03:00:00.0000000Z","lastModifiedDateTime":"2026-01-02T03:00:00Z","description":"CPU ANGRY","thingsToCheck":"Scale up to GP_Gen5_4."},
	"context":{"context":{"condition":{"windowSize":"PT5M","windowStartTime":"2026-01-02T02:55:00Z","windowEndTime":"2026-01-02T03:00:00Z","allOf":[{"metricName":"cpu_percent","metricNamespace":"Microsoft.DBforMySQL/servers",
	"operator":"GreaterThan","threshold":"80","timeAggregation":"Average","metricValue":90,"dimensions":[]}]}}}}}`

// database answers what is asked of the server.
func (p *platform) database(answer func(int, string) bool, path string) bool {
	const one = `{"id":"DBID","name":"db1","type":"Microsoft.DBforMySQL/servers","sku":{"name":"GP_Gen5_2","tier":"GeneralPurpose","capacity":2},"properties":{"userVisibleState":"Ready","fullyQualifiedDomainName":"db1.mysql.database.azure.com",
		"version":"5.7","administratorLogin":"ada","sslEnforcement":"Enabled","storageProfile":{"storageMB":102400,"storageAutogrow":"Disabled"},"bulkhead":{"readOnly":true,"engine":"10.11","endpoint":"127.0.0.1:3306","problem":"ANGRY"}}}`
	switch {
	case strings.HasSuffix(path, "/providers/Microsoft.DBforMySQL/servers"):
		return answer(200, `{"value":[`+one+`]}`)
	case path == dbID:
		return answer(200, one)
	case path == dbID+"/performanceTiers":
		return answer(200, `{"value":[{"serviceLevelObjectives":[{"id":"GP_Gen5_4","maxConnections":625},{"id":"GP_Gen5_2","maxConnections":300}]}]}`)
	case path == dbID+"/logFiles":
		return answer(200, `{"value":[{"name":"mysql-slow-db1.log","properties":{"sizeInKB":12,"lastModifiedTime":"2026-01-02T01:00:00Z","type":"slowlog","url":"https://db1.mysql.database.azure.com/logs/mysql-slow-db1.log?se=1&sig=x"}}]}`)
	case path == dbID+"/firewallRules":
		return answer(200, `{"value":[{"name":"office","properties":{"startIpAddress":"192.0.2.1","endIpAddress":"192.0.2.9"}}]}`)
	case path == dbID+"/recommendations":
		return answer(200, `{"value":[{"name":"cpu","advice":[["check1","look"]],"properties":{"severity":1,"windowSize":"PT5M","criteria":{"allOf":[{"metricName":"cpu_percent","operator":"GreaterThanOrEqual","threshold":100,"timeAggregation":"Minimum"}]}}},
			{"name":"db1-storage","properties":{"severity":2,"windowSize":"PT5M","criteria":{"allOf":[{"metricName":"storage_percent","operator":"GreaterThanOrEqual","threshold":80,"timeAggregation":"Average"}]}}}]}`)
	}
	return false
}

// metrics has cpu_percent at 50 for the first ten grains of the span, nothing for ten, then 90; and failed connections by reason.
func (p *platform) metrics(w http.ResponseWriter, q url.Values) bool {
	from, to, _ := strings.Cut(q.Get("timespan"), "/")
	at, err1 := time.Parse(time.RFC3339, from)
	end, err2 := time.Parse(time.RFC3339, to)
	if err1 != nil || err2 != nil {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	type metric = map[string]any
	var out []metric
	for name := range strings.SplitSeq(q.Get("metricnames"), ",") {
		if name == "connections_failed" {
			line := func(why string, n int) metric {
				return metric{"metadatavalues": []any{metric{"name": metric{"value": "reason"}, "value": why}}, "data": []any{metric{"timeStamp": from, "total": n}}}
			}
			out = append(out, metric{"name": metric{"value": name}, "unit": "Count", "timeseries": []any{line("password", 7), line(angry, 2), line("tls", 0)}})
			continue
		}
		i := slices.IndexFunc(grains, func(g grain) bool { return g.Name == q.Get("interval") })
		var data []any
		for n, t := 0, at; t.Before(end) && i >= 0; n, t = n+1, t.Add(grains[i].Long) {
			point := metric{"timeStamp": t.Format(time.RFC3339)}
			switch v, named := map[string]float64{"active_connections": 270, "memory_percent": 85, "storage_used": 1 << 36, "storage_limit": 1 << 37, "storage_percent": 50}[name]; {
			case named:
				point["average"] = v
			case name != "cpu_percent":
			case n < 10:
				point["average"] = 50
			case n >= 20:
				point["average"] = 90
			}
			data = append(data, point)
		}
		out = append(out, metric{"name": metric{"value": name}, "unit": "Percent", "timeseries": []any{metric{"metadatavalues": []any{}, "data": data}}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"value": out})
	return true
}

func TestMonitorPages(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	db, alert := url.QueryEscape(dbID), url.QueryEscape(raisedAt)
	for path, want := range map[string]string{
		"/monitor/metrics":                `<h2>Microsoft.DBforMySQL/servers</h2>`,
		"/monitor/metrics?resource=" + db: `<option value="Microsoft.DBforMySQL/servers|cpu_percent" selected>CPU percent</option>`,
		"/monitor/metrics?metric=connections_failed&split=Reason&resource=" + db:    `&lt;script&gt;alert(1)&lt;/script&gt;</span>`,
		"/monitor/metrics?span=30d&grain=PT1M&resource=" + db:                       "the finest that a chart of this time can have",
		"/monitor/metrics?span=year&resource=" + db:                                 "is not one of 1h",
		"/monitor/metrics?from=x&resource=" + db:                                    "is not a time",
		"/monitor/metrics?from=2026-01-02T00:00&to=2026-01-01T00:00&resource=" + db: "ends before it begins",
		"/monitor/alerts":                           "1 to 1 of 1",
		"/monitor/alerts?severity=Sev4":             "No alert is like this",
		"/monitor/alerts?resource=other":            "No alert is like this",
		"/monitor/alerts?resource=DB1&from=9999":    "No alert is like this",
		"/monitor/alert?id=" + alert:                "Scale up to GP_Gen5_4.",
		"/monitor/rules":                            "outside of what is usual (Low) over 1 hour",
		"/monitor/rules?text=nothing":               "that is like this",
		"/monitor/rule":                             "choose one",
		"/monitor/rule?kind=dynamic&resource=" + db: "what is usual, with sensitivity",
		"/databases":                                "GP_Gen5_2",
		"/database?id=" + db:                        "Recommended alert rules",
	} {
		w := b.do("GET", path, nil)
		text := w.Body.String()
		if !strings.Contains(text, want) || w.Code >= 500 {
			t.Errorf("GET %s = %d without %q:\n%s", path, w.Code, want, text)
		}
		if strings.Contains(text, angry) {
			t.Errorf("GET %s lets an intruder's text through", path)
		}
		if csp := w.Header().Get("Content-Security-Policy"); csp != policy {
			t.Errorf("GET %s has the policy %q", path, csp)
		}
	}
	for _, bad := range []string{"/subscriptions/x", dbID + "/../../x", dbID + "?x", "https://example.org" + dbID, "", raisedAt, dbID + "%2e"} {
		if w := b.do("GET", "/database?id="+url.QueryEscape(bad), nil); w.Code != http.StatusBadRequest {
			t.Errorf("the server %q = %d, want 400", bad, w.Code)
		}
		if bad == raisedAt {
			continue
		}
		if w := b.do("GET", "/monitor/alert?id="+url.QueryEscape(bad), nil); w.Code != http.StatusBadRequest {
			t.Errorf("the alert %q = %d, want 400", bad, w.Code)
		}
	}
	if len(p.posted) > 0 || slices.ContainsFunc(p.sent, func(s sentBody) bool { return !strings.Contains(s.Path, "/try?") }) {
		t.Errorf("looking changed something: %v %v", p.posted, p.sent)
	}
}

// The chart has the rule's threshold, the learned band, the time in which the rule was fired, and a gap where nothing was measured.
func TestMetricsPage_Overlays(t *testing.T) {
	t.Parallel()
	s, _, b := open(t)
	b.admin(s)
	text := b.do("GET", "/monitor/metrics?resource="+url.QueryEscape(dbID), nil).Body.String()
	// 60 minutes from 02:05 on 850 pixels; 100 percent are 260 pixels above 280. 03:00 is 55 minutes in.
	for _, want := range []string{
		`<line class="level" x1="70" x2="920" y1="72" y2="72"/>`, `>cpu: Average &gt; 80 %</text>`,
		`<rect class="span sev1" x="849.2" y="20" width="70.8" height="260"><title>cpu, fired from 2026-01-02 03:00:00 to 2026-01-02 03:05:00</title></rect>`,
		`<path class="band" d="M551.7 124L565.8 111L565.8 163L551.7 176Z"><title>What is usual, says usual `,
		`d="M77.1 150L91.3 150L`, `L204.6 150M360.4 46L`, // the line ends with the tenth minute, and goes on with the twenty-first
		`<th scope="row" class="time">2026-01-02 02:15:00</th><td class="number"><span class="note">no data</span></td>`, `<th scope="row" class="time">2026-01-02 02:05:00</th><td class="number">50 %</td>`,
		`href="/monitor/rule?aggregation=Average&amp;metric=Microsoft.DBforMySQL%2Fservers%7Ccpu_percent&amp;resource=`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s:\n%s", want, text)
		}
	}
}

func TestServerPage(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	text := b.do("GET", "/database?id="+url.QueryEscape(dbID), nil).Body.String()
	for _, want := range []string{
		`aria-label="Connections: 270 of 300"`, `<li class="at-medium">`, // 90 percent of the SKU's limit
		`aria-label="IO: no data "`, `64 GB of 128 GB`, `read-only`, `GP_Gen5_2 (GeneralPurpose, 2 vCores), 300 connections at the most`, `100 GB, does not grow by itself`,
		`<td>password</td><td class="number">7</td>`, `split=Reason`, `<code>192.0.2.1</code>`, `<a href="https://db1.mysql.database.azure.com/logs/mysql-slow-db1.log?se=1&amp;sig=x" download>`,
		`Minimum of cpu_percent ≥ 100 over 5 minutes`, `<span class="badge is-fired">fired</span>`, `<span class="badge">missing</span>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "<td>tls</td>") {
		t.Error("a reason that no connection failed for is shown")
	}
	p.gone = "/logFiles"
	if w := b.do("GET", "/database?id="+url.QueryEscape(dbID), nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "You have no right to see its logs.") || strings.Contains(w.Body.String(), "sig=") {
		t.Errorf("without the right to logs = %d %s", w.Code, w.Body)
	}
	p.gone = "/servers/db1"
	if w := b.do("GET", "/database?id="+url.QueryEscape(dbID), nil); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "GP_Gen5") {
		t.Errorf("without any right = %d %s", w.Code, w.Body)
	}
}

func TestGauge(t *testing.T) {
	t.Parallel()
	for percent, want := range map[float64][2]string{
		0: {"", "fine"}, 50: {"M16 66A54 54 0 0 1 70 12", "fine"}, 80: {"M16 66A54 54 0 0 1 113.7 34.3", "medium"}, 95: {"M16 66A54 54 0 0 1 123.3 57.6", "high"}, 100: {"M16 66A54 54 0 0 1 124 66", "high"},
		140: {"M16 66A54 54 0 0 1 124 66", "high"},
	} {
		g := gauge{Percent: percent}
		if diff := cmp.Diff(want, [2]string{g.Arc(), g.State()}); diff != "" {
			t.Errorf("%v percent (-want +got):\n%s", percent, diff)
		}
	}
}

// The form tries a rule before it makes it, and makes what was filled in.
func TestNewRule(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	form := url.Values{
		"resource": {dbID}, "metric": {"Microsoft.DBforMySQL/servers|cpu_percent"}, "aggregation": {"Average"}, "operator": {"GreaterThan"}, "kind": {"static"}, "threshold": {"80,5"}, "window": {"PT15M"},
		"frequency": {"PT5M"}, "severity": {"2"}, "name": {"hot cpu"}, "group": {"g"}, "actionGroup": {onCallID}, "description": {"d"}, "span": {"1h"}, "do": {"try"},
	}
	if w := b.do("POST", "/monitor/rule", form); w.Code != http.StatusForbidden || len(p.sent) != 0 {
		t.Fatalf("a form without the canary = %d, %v", w.Code, p.sent)
	}
	form.Set("canary", canary.FindStringSubmatch(b.do("GET", "/monitor/rule?resource="+url.QueryEscape(dbID), nil).Body.String())[1])
	w := b.do("POST", "/monitor/rule", form)
	text := w.Body.String()
	for _, want := range []string{
		"It would have been checked 60 times, 55 of them without any data, and fired <b>1</b> time.", `value="create">`, `value="hot cpu"`, `<option value="PT15M" selected>15 minutes</option>`, `&gt; 80,5</text>`,
		`<rect class="span sev2" x="580" y="20" width="212.5"`, // 02:04 to 03:04: from 36 to 51 minutes in
	} {
		if w.Code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("the try = %d without %s:\n%s", w.Code, want, text)
		}
	}
	want := map[string]any{"location": "global", "properties": object(`{"description":"d","severity":2,"enabled":true,"scopes":["DBID"],"evaluationFrequency":"PT5M","windowSize":"PT15M","autoMitigate":true,
		"targetResourceType":"Microsoft.DBforMySQL/servers","criteria":{"odata.type":"Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria","allOf":[{"criterionType":"StaticThresholdCriterion","name":"Metric1",
		"metricName":"cpu_percent","metricNamespace":"Microsoft.DBforMySQL/servers","operator":"GreaterThan","threshold":80.5,"timeAggregation":"Average","dimensions":[]}]},"actions":[{"actionGroupId":"ONCALLID"}]}`)}
	path := inGroup + "Microsoft.Insights/metricAlerts/hot%20cpu"
	tried := []sentBody{{"POST", path + "/try?api-version=2018-03-01&from=2026-01-02T02%3A04%3A00Z&points=400&to=2026-01-02T03%3A04%3A00Z", want}}
	if diff := cmp.Diff(tried, p.sent); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
	p.sent = nil
	form.Set("do", "create")
	if w := b.do("POST", "/monitor/rule", form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/monitor/rules?text=hot+cpu" {
		t.Errorf("create = %d %s", w.Code, w.Header().Get("Location"))
	}
	if diff := cmp.Diff([]sentBody{{"PUT", path + "?api-version=2018-03-01", want}}, p.sent); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	form.Set("name", "taken")
	if w := b.do("POST", "/monitor/rule", form); w.Code != http.StatusPreconditionFailed || !strings.Contains(w.Body.String(), "PreconditionFailed: it is there") || !strings.Contains(w.Body.String(), `value="taken"`) {
		t.Errorf("a name that is taken = %d %s", w.Code, w.Body)
	}
	p.sent = nil
	for field, bad := range map[string]string{"threshold": "much", "name": "a/../b", "group": "g?x", "severity": "high", "actionGroup": dbID, "metric": "none", "resource": "/x", "span": "1y"} {
		try := url.Values{}
		for k, v := range form {
			try[k] = v
		}
		try.Set(field, bad)
		if field == "span" {
			try.Set("do", "try")
		}
		if w := b.do("POST", "/monitor/rule", try); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "Invalid") {
			t.Errorf("%s=%s is %d %.300s", field, bad, w.Code, w.Body)
		}
	}
	if len(p.sent) > 0 {
		t.Errorf("what is wrong was sent on: %v", p.sent)
	}
	for k, v := range map[string]string{"kind": "dynamic", "operator": "GreaterOrLessThan", "name": "usual", "do": "create", "dimension": "Reason", "values": "tls, password", "keep": "1", "actionGroup": ""} {
		form.Set(k, v)
	}
	if w := b.do("POST", "/monitor/rule", form); w.Code != http.StatusSeeOther {
		t.Fatalf("a dynamic rule = %d %s", w.Code, w.Body)
	}
	got := p.sent[0].Body["properties"].(map[string]any)
	criteria := object(`{"odata.type":"Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria","allOf":[{"criterionType":"DynamicThresholdCriterion","name":"Metric1","metricName":"cpu_percent",
		"metricNamespace":"Microsoft.DBforMySQL/servers","operator":"GreaterOrLessThan","alertSensitivity":"Medium","failingPeriods":{"numberOfEvaluationPeriods":4,"minFailingPeriodsToAlert":4},
		"timeAggregation":"Average","dimensions":[{"name":"Reason","operator":"Include","values":["tls","password"]}]}]}`)
	if diff := cmp.Diff(criteria, got["criteria"]); diff != "" || got["autoMitigate"] != false || len(got["actions"].([]any)) != 0 {
		t.Errorf("the dynamic rule (-want +got):\n%s\n%v", diff, got)
	}
}

// Rules are turned on and off and deleted, alerts change their state: each by a form of the session's own pages.
func TestMonitorForms(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	token := canary.FindStringSubmatch(b.do("GET", "/monitor/rules", nil).Body.String())[1]
	for _, test := range []struct {
		to   string
		form url.Values
		want sentBody
	}{
		{"/monitor/rules", url.Values{"id": {ruleID}, "verb": {"disable"}}, sentBody{"PATCH", ruleID + "?api-version=2018-03-01", map[string]any{"properties": map[string]any{"enabled": false}}}},
		{"/monitor/rules", url.Values{"id": {ruleID}, "verb": {"enable"}}, sentBody{"PATCH", ruleID + "?api-version=2018-03-01", map[string]any{"properties": map[string]any{"enabled": true}}}},
		{"/monitor/rules", url.Values{"id": {ruleID}, "verb": {"delete"}}, sentBody{"DELETE", ruleID + "?api-version=2018-03-01", nil}},
		{"/monitor/alert/state", url.Values{"id": {raisedAt}, "state": {"Closed"}}, sentBody{"POST", raisedAt + "/changestate?newState=Closed&api-version=2019-05-05-preview", nil}},
	} {
		p.sent = nil
		if w := b.do("POST", test.to, test.form); w.Code != http.StatusForbidden || len(p.sent) > 0 {
			t.Errorf("%v without the canary = %d, %v", test.form, w.Code, p.sent)
		}
		test.form.Set("canary", token)
		if w := b.do("POST", test.to, test.form); w.Code != http.StatusSeeOther {
			t.Errorf("%v = %d %s", test.form, w.Code, w.Body)
		}
		if diff := cmp.Diff([]sentBody{test.want}, p.sent); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.form, diff)
		}
	}
	p.sent = nil
	for to, form := range map[string]url.Values{
		"/monitor/rules":       {"id": {dbID}, "verb": {"delete"}},
		"/monitor/alert/state": {"id": {raisedAt}, "state": {"Closed&x=y"}},
	} {
		form.Set("canary", token)
		if w := b.do("POST", to, form); w.Code != http.StatusBadRequest || len(p.sent) > 0 {
			t.Errorf("%v = %d, %v", form, w.Code, p.sent)
		}
	}
	p.status = http.StatusForbidden
	if w := b.do("POST", "/monitor/rules", url.Values{"id": {ruleID}, "verb": {"delete"}, "canary": {token}}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "AuthorizationFailed") {
		t.Errorf("who may not delete = %d %s", w.Code, w.Body)
	}
}

// The recommended rules that are missing are made for whom the form says; one that is there isn't overwritten.
func TestMakeRecommended(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	text := b.do("GET", "/database?id="+url.QueryEscape(dbID), nil).Body.String()
	if !strings.Contains(text, "Make the missing one<") || !strings.Contains(text, `<option value="`+onCallID+`">oncall (g)</option>`) {
		t.Errorf("the page has no form for the missing rule: %s", text)
	}
	form := url.Values{"id": {dbID}, "actionGroup": {onCallID}}
	if w := b.do("POST", "/database/recommended", form); w.Code != http.StatusForbidden || len(p.sent) > 0 {
		t.Errorf("without the canary = %d, %v", w.Code, p.sent)
	}
	form.Set("canary", canary.FindStringSubmatch(text)[1])
	if w := b.do("POST", "/database/recommended", form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != serverLink(dbID) {
		t.Errorf("made = %d %s", w.Code, w.Header().Get("Location"))
	}
	if len(p.sent) != 2 || p.sent[1].Method != "PUT" || p.sent[1].Path != inGroup+"Microsoft.Insights/metricAlerts/db1-storage?api-version=2018-03-01" {
		t.Fatalf("sent %v", p.sent)
	}
	if diff := cmp.Diff(object(`[{"actionGroupId":"ONCALLID","webHookProperties":{"check1":"look"}}]`), p.sent[0].Body["properties"].(map[string]any)["actions"]); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	for field, bad := range map[string]string{"id": ruleID, "actionGroup": dbID} {
		try := url.Values{"id": form["id"], "actionGroup": form["actionGroup"], "canary": form["canary"]}
		try.Set(field, bad)
		if w := b.do("POST", "/database/recommended", try); w.Code != http.StatusBadRequest || len(p.sent) != 2 {
			t.Errorf("%s %s = %d", field, bad, w.Code)
		}
	}
}

// An alert is found at its resource's group, and once the group is gone at the subscription.
func TestRaisedPage_Places(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	for _, lost := range []bool{false, true} {
		p.lost = lost
		text := b.do("GET", "/monitor/alert?id="+url.QueryEscape(raisedIn), nil).Body.String()
		want := map[bool]string{false: raisedIn, true: raisedAt}[lost]
		if !strings.Contains(text, `name="id" value="`+want+`"><button class="plain" name="state" value="Closed">`) || !strings.Contains(text, "Told Email ops") {
			t.Errorf("group gone: %t: the page says %s", lost, text)
		}
	}
}

// Where the subscription's list is refused, the groups that the user can see are asked.
func TestEverywhere_GroupByGroup(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	p.gone = "/subscriptions/" + sub + "/providers/"
	if text := b.do("GET", "/databases", nil).Body.String(); !strings.Contains(text, ">db1</a>") {
		t.Errorf("with rights on a group alone the page says %s", text)
	}
}
