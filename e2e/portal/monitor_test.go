package portal

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/bulkheadhq/bulkhead/e2e/harness/browser"
)

// administrator signs the browser in by a link of `bulkhead portal`.
func administrator(t *testing.T, p *harness.Platform, b tab) {
	t.Helper()
	link := strings.TrimSpace(string(p.Output(t, "portal")))
	b.do("sign in by the link", chromedp.Navigate("https://"+portal+"/signin/once#"+link[strings.IndexByte(link, '#')+1:]), chromedp.WaitVisible(`#code`), chromedp.Submit(`#code`), chromedp.WaitVisible(`nav`))
}

// sender gives a function that sends a custom metric of the resource, of a time.
func sender(t *testing.T, p *harness.Platform, scope string) func(value float64, at time.Time) {
	t.Helper()
	var claims struct {
		ObjectID string `json:"oid"`
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(p.AdminToken(t, harness.ARMResource), ".")[1])
	if err != nil || json.Unmarshal(b, &claims) != nil {
		t.Fatal("the token has no claims")
	}
	p.ARM(t, "PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/3f0e6b2c-1d5a-4c3e-9b1f-7a2d8c4e6f01?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/3913510d-42f4-4e42-8a64-420c390055eb", "principalId": claims.ObjectID,
	}})
	w, token := p.Ways(t)[0], p.AdminToken(t, "https://monitoring.azure.com/")
	return func(value float64, at time.Time) {
		t.Helper()
		body := map[string]any{"time": at.UTC().Format(time.RFC3339), "data": map[string]any{"baseData": map[string]any{
			"metric": "load", "namespace": "own", "series": []any{map[string]any{"min": value, "max": value, "sum": value, "count": 1}},
		}}}
		if a := w.Do(t, "POST", strings.Replace(w.ARM(), "management.azure.com", "westeurope.monitoring.azure.com", 1)+scope+"/metrics", harness.Bearer(token), body); a.Status != 200 {
			t.Fatalf("custom metric: %d %s", a.Status, a.Body)
		}
	}
}

// A rule is made by the form, which says before what it would have done; a metric goes over its threshold; the alert is in the list, says who was told of it, is acknowledged, and
// shades the chart beside the rule's threshold.
func TestMetricAlert(t *testing.T) {
	p := shared.Platform(t)
	told := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.URL.Path }))
	defer hook.Close()
	group := p.PutGroup(t)
	scope := group + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, group, "")
	rule := harness.Name("load")
	p.ARM(t, "PUT", group+"/providers/Microsoft.Insights/actionGroups/oncall?api-version=2023-01-01", map[string]any{"location": "Global", "properties": map[string]any{
		"groupShortName": "oncall", "enabled": true, "webhookReceivers": []any{map[string]any{"name": "hook", "serviceUri": hook.URL + "/told", "useCommonAlertSchema": true}},
	}})
	send := sender(t, p, scope)
	// 13 and 12 minutes ago, then nothing, then over the threshold from 7 to 5 minutes ago: one line, a gap, another line.
	now := time.Now()
	for minutes, value := range map[int]float64{13: 40, 12: 42, 7: 95, 6: 96, 5: 95} {
		send(value, now.Add(-time.Duration(minutes)*time.Minute))
	}
	chart := "https://" + portal + "/monitor/metrics?resource=" + url.QueryEscape(scope) + "&metric=" + url.QueryEscape("own|load")

	t.Run("the form", func(t *testing.T) {
		b := newTab(t, browser.Start(t, p, portal, login), "")
		administrator(t, p, b)
		b.do("resources", chromedp.Navigate("https://"+portal+"/monitor/metrics"), chromedp.WaitVisible(`ul.choices`))
		b.do("the chart", chromedp.Navigate(chart), chromedp.WaitVisible(`svg.chart .line path`))
		if runs := value[int](b, `document.querySelector(".line path").getAttribute("d").split("M").length - 1`); runs != 2 {
			t.Errorf("the line has %d parts, want two with a gap between them", runs)
		}
		if n := value[int](b, `document.querySelectorAll("svg.chart .level, svg.chart .span").length`); n != 0 {
			t.Errorf("%d thresholds and spans before there is a rule", n)
		}
		b.do("the form", chromedp.Click(`a.button[href^="/monitor/rule"]`), chromedp.WaitVisible(`input[name="threshold"]`),
			chromedp.SendKeys(`input[name="threshold"]`, "80"), chromedp.SendKeys(`input[name="name"]`, rule))
		value[string](b, `(() => { for (const [n, v] of [["window", "PT1M"], ["frequency", "PT1M"], ["severity", "1"], ["span", "1h"]]) document.querySelector("form.card [name=" + n + "]").value = v;
			const g = document.querySelector("[name=actionGroup]"); g.value = [...g.options].find(o => o.text.startsWith("oncall")).value; return g.value; })()`)
		b.do("try it", chromedp.Click(`button[value="try"]`), chromedp.WaitVisible(`#tried`))
		if text := value[string](b, `document.querySelector("#tried p").innerText`); !strings.Contains(text, "fired 1 time.") {
			t.Errorf("the try says %s", text)
		}
		if text := value[string](b, `document.querySelector("table.changes tbody").innerText`); !strings.Contains(text, "Average of load over PT1M is 95 (GreaterThan 80)") {
			t.Errorf("the try's changes are %s", text)
		}
		if n := value[int](b, `document.querySelectorAll("#tried svg.chart rect.span, #tried svg.chart line.level").length`); n != 2 {
			t.Errorf("the try's chart has %d spans and thresholds, want one of each", n)
		}
		if a := p.TryARM(t, "GET", group+"/providers/Microsoft.Insights/metricAlerts/"+rule+"?api-version=2018-03-01", nil); a.Status != http.StatusNotFound {
			t.Errorf("trying made the rule: %d", a.Status)
		}
		b.shoot("rule")
		b.do("make it", chromedp.Click(`button[value="create"]`), chromedp.WaitVisible(`table.rules`))
		if text := value[string](b, `document.querySelector("table.rules tbody").innerText`); !strings.Contains(text, rule) || !strings.Contains(text, "Average of load > 80 over 1 minute") || !strings.Contains(text, "Sev1") {
			t.Errorf("the list of rules says %s", text)
		}
		b.shoot("rules")
		b.do("turn it off", chromedp.Click(`button[value="disable"]`), chromedp.WaitVisible(`button[value="enable"]`))
		b.do("and on", chromedp.Navigate("https://"+portal+"/monitor/rules?text="+rule), chromedp.Click(`button[value="enable"]`), chromedp.WaitVisible(`button[value="disable"]`))
	})

	fired := func() bool {
		list, _ := p.ARM(t, "GET", group+"/providers/Microsoft.AlertsManagement/alerts?api-version=2019-05-05-preview&monitorCondition=Fired", nil)["value"].([]any)
		return len(list) > 0
	}
	for end := time.Now().Add(4 * time.Minute); !fired(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal("no alert within four minutes")
		}
		send(97, time.Now())
	}
	select {
	case <-told:
	case <-time.After(2 * time.Minute):
		t.Fatal("nobody was told")
	}

	b := newTab(t, browser.Start(t, p, portal, login), "")
	administrator(t, p, b)
	b.do("the list", chromedp.Navigate("https://"+portal+"/monitor/alerts?condition=Fired&severity=Sev1&rule="+rule), chromedp.WaitVisible(`table.alerts`))
	if n := value[int](b, `document.querySelectorAll("table.alerts tbody tr").length`); n != 1 {
		t.Errorf("the list has %d alerts, want one", n)
	}
	b.shoot("raisedlist")
	b.do("the alert", chromedp.Click(`table.alerts tbody a`), chromedp.WaitVisible(`table.history`))
	b.until(`(() => { if (document.querySelector("table.sent")) return true; location.reload(); return false; })()`) // told and noted so
	if text := value[string](b, `document.querySelector("main").innerText`); !strings.Contains(text, "Average of load was 97 (> 80)") || !strings.Contains(text, "ActionsTriggered") || !strings.Contains(text, "hook") {
		t.Errorf("the alert's page says %s", text)
	}
	b.shoot("raised")
	b.do("acknowledge", chromedp.Click(`button[value="Acknowledged"]`), chromedp.WaitNotPresent(`button[value="Acknowledged"]`))
	if text := value[string](b, `document.querySelector("table.history").innerText`); !strings.Contains(text, "StateChange\tNew\tAcknowledged") {
		t.Errorf("the history says %s", text)
	}
	b.do("the chart again", chromedp.Navigate(chart), chromedp.WaitVisible(`svg.chart rect.span`))
	shown := value[map[string]float64](b, `(() => { const a = s => +document.querySelector("svg.chart " + s[0]).getAttribute(s[1]);
		const ticks = [...document.querySelectorAll("svg.chart text.tick[text-anchor=end]")].map(e => [parseFloat(e.textContent), +e.getAttribute("y")]);
		const zero = ticks.find(e => e[0] === 0)[1], top = ticks.at(-1);
		return {level: a(["line.level", "y1"]), want: zero + (top[1] - zero) * 80 / top[0], x: a(["rect.span", "x"]), w: a(["rect.span", "width"]), spans: document.querySelectorAll("svg.chart rect.span").length}; })()`)
	if d := shown["level"] - shown["want"]; d > 0.2 || d < -0.2 || shown["spans"] != 1 || shown["w"] < 2 || shown["x"]+shown["w"] < 900 {
		t.Errorf("the threshold of 80 and the time until now are drawn as %v", shown)
	}
	if text := value[string](b, `document.querySelector("table.fired").innerText`); !strings.Contains(text, rule) || !strings.Contains(text, "not yet") {
		t.Errorf("below the chart there is %s", text)
	}
	if rows := value[int](b, `document.querySelectorAll("details.numbers tbody tr").length`); rows != 60 {
		t.Errorf("the table has %d rows, want 60", rows)
	}
	b.shoot("metrics")
	t.Run("a reader of the group", func(t *testing.T) { readerOfGroup(t, p, group, chart, rule) })
}

// readerOfGroup sees what is of the group, though nothing of the subscription, and changes nothing.
func readerOfGroup(t *testing.T, p *harness.Platform, group, chart, rule string) {
	var user struct{ ObjectID, Password string }
	upn := harness.Name("rea") + "@default.onmicrosoft.com"
	if err := json.Unmarshal(p.Output(t, "user", "create", upn), &user); err != nil {
		t.Fatal(err)
	}
	const reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	sub := group[:strings.Index(group, "/resourceGroups/")]
	p.ARM(t, http.MethodPut, group+"/providers/Microsoft.Authorization/roleAssignments/22222222-2222-4222-8222-222222222227?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{"roleDefinitionId": sub + "/providers/Microsoft.Authorization/roleDefinitions/" + reader, "principalId": user.ObjectID, "principalType": "User"},
	})
	b := newTab(t, browser.Start(t, p, portal, login), "status of 403")
	b.do("sign in", chromedp.Navigate("https://"+portal+"/monitor/alerts"), chromedp.WaitVisible(`input[name="passwd"]`),
		chromedp.SendKeys(`input[name="login"]`, upn), chromedp.SendKeys(`input[name="passwd"]`, user.Password), chromedp.Submit(`input[name="passwd"]`), chromedp.WaitVisible(`table.alerts`))
	b.do("the alert", chromedp.Click(`table.alerts tbody a`), chromedp.WaitVisible(`table.history`))
	b.do("close it", chromedp.Click(`button[value="Closed"]`), chromedp.WaitNotPresent(`table.history`))
	if text := value[string](b, `document.querySelector("main").innerText`); !strings.Contains(text, "AuthorizationFailed") {
		t.Errorf("a reader who closes an alert is told %s", text)
	}
	b.do("the chart", chromedp.Navigate(chart), chromedp.WaitVisible(`svg.chart rect.span`))
	b.do("the rules", chromedp.Navigate("https://"+portal+"/monitor/rules"), chromedp.WaitVisible(`table.rules`))
	if text := value[string](b, `document.querySelector("table.rules").innerText`); !strings.Contains(text, rule) {
		t.Errorf("the rules are %s", text)
	}
	b.do("turn it off", chromedp.Click(`button[value="disable"]`), chromedp.WaitNotPresent(`table.rules`))
	if text := value[string](b, `document.querySelector("main").innerText`); !strings.Contains(text, "AuthorizationFailed") {
		t.Errorf("a reader who turns a rule off is told %s", text)
	}
}

// Who has no role sees none of it.
func TestMetricAlert_Stranger(t *testing.T) {
	p := shared.Platform(t)
	group := p.PutGroup(t)
	vault := p.PutVault(t, group, "")
	var user struct{ ObjectID, Password string }
	upn := harness.Name("eve") + "@default.onmicrosoft.com"
	if err := json.Unmarshal(p.Output(t, "user", "create", upn), &user); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, browser.Start(t, p, portal, login), "status of 403")
	b.do("sign in",
		chromedp.Navigate("https://"+portal+"/monitor/metrics"), chromedp.WaitVisible(`input[name="passwd"]`),
		chromedp.SendKeys(`input[name="login"]`, upn), chromedp.SendKeys(`input[name="passwd"]`, user.Password), chromedp.Submit(`input[name="passwd"]`), chromedp.WaitVisible(`nav`))
	for path, want := range map[string]string{
		"/monitor/metrics": "There is no resource that you can see", "/monitor/alerts": "No alert is like this", "/monitor/rules": "There is no rule that you can see", "/databases": "There is no MySQL server that you can see",
		"/monitor/rule": "There is no resource that you can see", "/monitor/metrics?resource=" + url.QueryEscape(group+"/providers/Microsoft.KeyVault/vaults/"+vault): "AuthorizationFailed",
	} {
		b.do(path, chromedp.Navigate("https://"+portal+path), chromedp.WaitVisible(`main`))
		text := value[string](b, `document.querySelector("main").innerText`)
		if !strings.Contains(text, want) || !strings.Contains(text, "AuthorizationFailed") && strings.Contains(text, vault) {
			t.Errorf("%s says to a stranger: %s", path, text)
		}
	}
}
