package portal

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/bulkheadhq/bulkhead/e2e/harness/browser"
)

// The post's intrusion, as people see it: from the list to the incident, its time line, and the graph in which nodes open and the way to them stands out.
func TestIncident(t *testing.T) {
	p := shared.Platform(t)
	group, machine := p.Intrude(t)
	b := newTab(t, browser.Start(t, p, portal, login), "")
	link := strings.TrimSpace(string(p.Output(t, "portal")))
	code := link[strings.IndexByte(link, '#')+1:]
	b.do("sign in by the link",
		chromedp.Navigate("https://"+portal+"/signin/once#"+code), chromedp.WaitVisible(`#code`), chromedp.Submit(`#code`), chromedp.WaitVisible(`nav`))
	if host := value[string](b, `location.pathname + location.hash + document.getElementById("code")`); host != "/null" {
		t.Errorf("after the sign-in the address is %s", host)
	}

	b.do("overview", chromedp.Navigate("https://"+portal+"/security"), chromedp.WaitVisible(`.tiles`))
	if n := value[int](b, `+document.querySelector(".tile.sev-medium b").textContent`); n < 3 {
		t.Errorf("the overview counts %d open alerts of medium severity", n)
	}
	b.shoot("overview")
	name := machine[strings.LastIndexByte(machine, '/')+1:]
	b.do("list", chromedp.Navigate("https://"+portal+"/security/alerts?machine="+name), chromedp.WaitVisible(`table.alerts`))
	if n := value[int](b, `document.querySelectorAll("tr.incident").length`); n != 1 {
		t.Errorf("the list shows %d incidents, want one", n)
	}
	b.shoot("alerts")

	b.do("the incident", chromedp.Click(`tr.incident a`), chromedp.WaitVisible(`svg.timeline`))
	marks, rows := value[int](b, `document.querySelectorAll(".timeline .mark").length`), value[int](b, `document.querySelectorAll(".timeline text.phase").length`)
	if marks < 10 || rows < 4 {
		t.Errorf("the time line has %d alerts in %d phases", marks, rows)
	}
	b.shoot("incident")
	b.do("an alert of it", chromedp.Click(`table.alerts tbody tr:nth-child(2) a`), chromedp.WaitVisible(`table.evidence`))
	if text := value[string](b, `document.querySelector("main").innerText`); !strings.Contains(text, "What to do") || !strings.Contains(text, "Part of") {
		t.Errorf("the alert's page says %s", text)
	}
	b.shoot("alert")
	b.do("take it on", chromedp.Click(`button[value="inProgress"]`), chromedp.WaitNotPresent(`button[value="inProgress"]`))
	var states struct {
		Value []struct {
			Properties struct{ Status, AlertURI, AlertDisplayName string }
		}
	}
	a := p.TryARM(t, http.MethodGet, group+"/providers/Microsoft.Security/alerts?api-version=2022-01-01", nil)
	if err := json.Unmarshal(a.Body, &states); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, v := range states.Value {
		if v.Properties.Status == "InProgress" {
			taken++
		}
	}
	if taken != 1 {
		t.Errorf("%d alerts are in progress, want one", taken)
	}

	first := states.Value[0].Properties
	at, err := url.Parse(first.AlertURI)
	if err != nil {
		t.Fatal(err)
	}
	if at.Scheme != "https" || at.Host != "portal.bulkhead.localhost:"+p.Port() {
		t.Errorf("the alert's page is said to be %s", first.AlertURI)
	}
	back := value[string](b, `location.href`)
	b.do("the page that the API names", chromedp.Navigate("https://"+portal+at.RequestURI()), chromedp.WaitVisible(`dl.facts`))
	if text := value[string](b, `document.querySelector("h1").innerText`); !strings.Contains(text, first.AlertDisplayName) {
		t.Errorf("the page that the API names is %q, want %q", text, first.AlertDisplayName)
	}
	b.do("back", chromedp.Navigate(back), chromedp.WaitVisible(`a.button`))
	b.do("the graph", chromedp.Click(`a.button`), chromedp.WaitVisible(`#graph.live .node.focus`))
	nodes := value[int](b, `document.querySelectorAll(".node").length`)
	if way := value[string](b, `document.querySelector(".way").innerText`); nodes < 5 || !strings.HasPrefix(way, "incident") || !strings.Contains(way, "alert") {
		t.Errorf("%d nodes, the way is %q", nodes, way)
	}
	if lit := value[int](b, `document.querySelectorAll(".node.on").length`); lit < 2 {
		t.Errorf("%d nodes stand out as the way to the focus", lit)
	}
	b.shoot("graph")
	value[bool](b, `window.same = true`)
	b.do("open a node", chromedp.Click(`.node .more`))
	b.until(`document.querySelectorAll(".node").length > ` + strconv.Itoa(nodes))
	b.do("focus on a process", chromedp.Click(`.node.kind-process:not(.focus) rect`), chromedp.WaitVisible(`.node.kind-process.focus`))
	if !value[bool](b, `window.same === true && history.length > 2`) {
		t.Error("nodes open by loading the page anew")
	}
	if on := value[int](b, `document.querySelectorAll(".arrow.on").length`); on < 2 {
		t.Errorf("%d arrows stand out as the way from the incident to the process", on)
	}
	if !value[bool](b, `(() => { const n = document.querySelector(".node.focus rect"); n.dispatchEvent(new PointerEvent("pointerover", {bubbles: true})); return document.querySelectorAll(".graph.hover .node.lit").length > 1 && document.querySelectorAll(".node:not(.lit)").length > 0; })()`) {
		t.Error("hovering lights nothing up")
	}
	b.shoot("process")
	before := value[string](b, `document.querySelector("#view").getAttribute("transform")`)
	value[bool](b, `document.getElementById("graph").dispatchEvent(new WheelEvent("wheel", {deltaY: -100, cancelable: true}))`)
	if after := value[string](b, `document.querySelector("#view").getAttribute("transform")`); after == before {
		t.Error("the wheel does not zoom")
	}
	address := value[string](b, `location.href`)
	whole := value[int](b, `document.querySelectorAll(".node.kind-alert").length`)
	b.do("time scope before it all", chromedp.Navigate(address+"&to=2000-01-01T00:00"), chromedp.WaitVisible(`#graph.live`))
	if n := value[int](b, `document.querySelectorAll(".node.kind-alert").length`); n != 1 || whole < 5 {
		t.Errorf("%d alerts before the intrusion, %d at all times; want only the one that the page is of", n, whole)
	}
}

// A user sees what the user's roles allow, signs in at the directory's own page, and signs out.
func TestUser(t *testing.T) {
	p := shared.Platform(t)
	group, _ := p.Intrude(t)
	var user struct{ ObjectID, Password string }
	upn := harness.Name("ada") + "@default.onmicrosoft.com"
	if err := json.Unmarshal(p.Output(t, "user", "create", upn), &user); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, browser.Start(t, p, portal, login), "status of 403")
	b.do("sign in",
		chromedp.Navigate("https://"+portal+"/security/alerts?status=open"), chromedp.WaitVisible(`input[name="passwd"]`),
		chromedp.SendKeys(`input[name="login"]`, upn), chromedp.SendKeys(`input[name="passwd"]`, user.Password), chromedp.Submit(`input[name="passwd"]`),
		chromedp.WaitVisible(`nav`))
	if at := value[string](b, `location.pathname + location.search`); at != "/security/alerts?status=open" {
		t.Errorf("after the sign-in the page is %s", at)
	}
	if text := value[string](b, `document.body.innerText`); !strings.Contains(text, upn) || !strings.Contains(text, "No alert is like this") {
		t.Errorf("without a role the page says %s", text)
	}
	const reader = "39bc4728-0917-49c7-9d2c-d95423bc2eb4" // Security Reader
	sub := group[:strings.Index(group, "/resourceGroups/")]
	p.ARM(t, http.MethodPut, sub+"/providers/Microsoft.Authorization/roleAssignments/22222222-2222-4222-8222-222222222222?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{"roleDefinitionId": sub + "/providers/Microsoft.Authorization/roleDefinitions/" + reader, "principalId": user.ObjectID, "principalType": "User"},
	})
	b.do("with the role", chromedp.Navigate("https://"+portal+"/security/alerts?status=open"), chromedp.WaitVisible(`table.alerts`))
	b.do("a reader dismisses nothing",
		chromedp.Click(`tr:not(.incident) td a`), chromedp.WaitVisible(`button[value="dismiss"]`), chromedp.Click(`button[value="dismiss"]`), chromedp.WaitNotPresent(`button[value="dismiss"]`))
	if text := value[string](b, `document.body.innerText`); !strings.Contains(text, "AuthorizationFailed") {
		t.Errorf("a reader who dismisses is told %s", text)
	}
	b.do("sign out", chromedp.Click(`header button`), chromedp.WaitNotPresent(`nav`))
	b.until(`location.host === "login.microsoftonline.com" && document.readyState === "complete"`)
	b.do("and is asked again", chromedp.Navigate("https://"+portal+"/"), chromedp.WaitVisible(`input[name="passwd"]`))
}
