package posture

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// listener is a webhook that keeps what it is sent.
type listener struct {
	*httptest.Server
	got    chan string // event|body
	status atomic.Int32
}

func listen(t *testing.T) *listener {
	l := &listener{got: make(chan string, 100)}
	l.status.Store(200)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		l.got <- r.Header.Get("X-Bulkhead-Event") + "|" + string(b)
		w.WriteHeader(int(l.status.Load()))
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-l.got:
		return s
	case <-time.After(time.Minute):
		t.Fatal("the webhook was not called")
	}
	return ""
}

func (p *plane) automation(name, uri, rules string) {
	p.t.Helper()
	p.ok("owner", "PUT", p.id("Microsoft.Security/automations/"+name), `{"location":"westeurope","properties":{"scopes":[{"scopePath":"`+p.rg("rg1")+`"}],
		"sources":[{"eventSource":"Alerts","ruleSets":[{"rules":[`+rules+`]}]}],"actions":[{"actionType":"LogicApp","uri":"`+uri+`"}]}}`, 201)
}

const high = `{"propertyJPath":"severity","propertyType":"String","expectedValue":"High","operator":"Equals"}`

// alert queues an alert as the alerts engine does: in a transaction of a shard of its own, which it then drains.
func (p *plane) alert(id, resource, severity string) {
	p.t.Helper()
	shard := "security/" + p.sub
	_, err := p.st.Update(p.t.Context(), shard, func(tx store.Tx) error {
		return Notify(tx, Event{ID: id, Source: SourceAlerts, Subscription: p.sub, Resource: resource, Time: p.clk.Now(), Body: json.RawMessage(`{"name":"` + id + `","properties":{"severity":"` + severity + `"}}`)})
	})
	if err == nil {
		err = p.s.deps.Outbox.Drain(p.t.Context(), shard)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// work runs the service's background work until the test ends.
func (p *plane) work() (stop func()) {
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.s.Service().Run(ctx) }()
	var once atomic.Bool
	stop = func() {
		if !once.Swap(true) {
			cancel()
			if err := <-done; err != nil {
				p.t.Error(err)
			}
		}
	}
	p.t.Cleanup(stop)
	return stop
}

func TestAutomation_TellsWhatMatches(t *testing.T) {
	t.Parallel()
	p, l := newPlane(t), listen(t)
	p.automation("a", l.URL+"/hook?sig=secret", high)
	p.work()
	machine := p.id("Microsoft.HybridCompute/machines/m")
	p.alert("low", machine, "Low")
	p.alert("elsewhere", p.rg("rg2")+"/x", "High")
	p.alert("e1", machine, "High")
	if got, want := l.next(t), `e1|{"name":"e1","properties":{"severity":"High"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.alert("e2", machine, "high")
	if got := l.next(t); !strings.HasPrefix(got, "e2|") {
		t.Errorf("got %s, want e2", got)
	}
}

func TestAutomation_IsTriedAgain_AlsoByTheNextStart(t *testing.T) {
	t.Parallel()
	p, l := newPlane(t), listen(t)
	p.automation("a", l.URL, high)
	l.status.Store(503)
	stop := p.work()
	p.alert("e1", p.rg("rg1"), "High")
	l.next(t)
	stop() // not delivered yet: the next start has it
	l.status.Store(200)
	for len(l.got) > 0 {
		<-l.got
	}
	p.clk.Advance(time.Hour)
	p.work()
	if got := l.next(t); !strings.HasPrefix(got, "e1|") {
		t.Errorf("got %s, want e1", got)
	}
}

func TestAutomation_HangingReceiverHoldsUpNobody(t *testing.T) {
	t.Parallel()
	p, l := newPlane(t), listen(t)
	release := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); hang.Close() })
	p.automation("a", hang.URL, high)
	p.automation("b", l.URL, high)
	p.work()
	begun := time.Now()
	p.alert("e1", p.rg("rg1"), "High")
	if d := time.Since(begun); d > 8*time.Second {
		t.Errorf("the drain of the alert's shard took %v", d)
	}
	l.next(t)
}

func TestAutomation_KeepsItsAddressSecret(t *testing.T) {
	t.Parallel()
	p, l := newPlane(t), listen(t)
	id := p.id("Microsoft.Security/automations/a")
	logic := p.id("Microsoft.Logic/workflows/w")
	with := func(uri string) string {
		return `{"location":"westeurope","properties":{"scopes":[{"scopePath":"/subscriptions/` + p.sub + `"}],"sources":[{"eventSource":"alerts"}],"actions":[{"actionType":"LogicApp","logicAppResourceId":"` + logic + `"` + uri + `}]}}`
	}
	p.ok("owner", "PUT", id, with(`,"uri":"`+l.URL+`/topsecret"`), 201)
	out := p.ok("owner", "GET", id, "", 200)
	p.want(out, "Alerts", "properties", "sources", 0, "eventSource")
	if b, _ := json.Marshal(out); strings.Contains(string(b), "topsecret") {
		t.Errorf("the address is shown: %s", b)
	}
	var clear bool
	err := p.st.View(t.Context(), subShard(p.sub), func(s store.Snapshot) error {
		return s.Scan(store.Range{}, func(_, v []byte) bool { clear = clear || bytes.Contains(v, []byte("topsecret")); return true })
	})
	if err != nil || clear {
		t.Errorf("the address is stored in clear: %v %v", clear, err)
	}
	// What is read and sent back keeps it, whatever else changes; an action of its own needs one.
	p.ok("owner", "PUT", id, with(""), 200)
	p.ok("owner", "PATCH", id, `{"properties":{"description":"d"}}`, 200)
	p.refused("owner", "PUT", p.id("Microsoft.Security/automations/b"), with(""), 400, "InvalidInput", "no uri")
	p.work()
	p.alert("e1", p.rg("rg1"), "Low")
	l.next(t)
}

func TestAutomation_DeletedIsNotTold(t *testing.T) {
	t.Parallel()
	p, l := newPlane(t), listen(t)
	p.automation("a", l.URL, high)
	p.automation("b", l.URL+"/b", high)
	p.alert("e1", p.rg("rg1"), "High") // queued for both
	p.ok("owner", "DELETE", p.id("Microsoft.Security/automations/a"), "", 204)
	p.work()
	l.next(t)
	time.Sleep(300 * time.Millisecond)
	if n := len(l.got); n != 0 {
		t.Errorf("%d more deliveries than the one of the automation that is left", n)
	}
}

func TestAutomation_TellsOfAssessments(t *testing.T) {
	t.Parallel()
	p, l := newPlane(t), listen(t)
	p.ok("owner", "PUT", p.id("Microsoft.Security/automations/a"), `{"location":"westeurope","properties":{"scopes":[{"scopePath":"/subscriptions/`+p.sub+`"}],
		"sources":[{"eventSource":"Assessments","ruleSets":[{"rules":[{"propertyJPath":"properties.status.code","propertyType":"String","expectedValue":"Unhealthy","operator":"Equals"}]}]}],
		"actions":[{"actionType":"LogicApp","uri":"`+l.URL+`"}]}}`, 201)
	site := p.id("Microsoft.Web/sites/s1")
	p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{"httpsOnly":true}}`, 201)
	p.work()
	p.wantCode(site, https, "Healthy")
	p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{"httpsOnly":false}}`, 200)
	p.wantCode(site, https, "Unhealthy")
	if got := l.next(t); !strings.Contains(got, p.assessment(site, https)) || !strings.Contains(got, `"code":"Unhealthy"`) {
		t.Errorf("got %s", got)
	}
}

func TestAutomation_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	id := p.id("Microsoft.Security/automations/a")
	scopes := `"scopes":[{"scopePath":"/subscriptions/` + p.sub + `"}],`
	for _, test := range []struct {
		props  string
		status int
		says   string
	}{
		{`"scopes":[{"scopePath":"/subscriptions/00000000-0000-0000-0000-000000000009"}],` + webhookBody, 400, "scopePath"},
		{webhookBody, 400, "scopes"},
		{scopes + `"sources":[{"eventSource":"AttackPaths"}],"actions":[]`, 501, "AttackPaths"},
		{scopes + `"sources":[{"eventSource":"Alerts"}],"actions":[{"actionType":"EventHub"}]`, 501, "EventHub"},
		{scopes + `"sources":[{"eventSource":"Alerts"}],"actions":[{"actionType":"LogicApp","uri":"file:///etc/passwd"}]`, 400, "http or https"},
		{scopes + `"sources":[{"eventSource":"Alerts","ruleSets":[{"rules":[{"propertyJPath":"a[0]","propertyType":"String","operator":"Equals"}]}]}],"actions":[]`, 400, "propertyJPath"},
	} {
		code := map[int]string{400: "InvalidInput", 501: "NotImplemented"}[test.status]
		text := `{"location":"westeurope","properties":{` + test.props + `}}`
		p.refused("owner", "PUT", id, text, test.status, code, test.says)
		out := p.ok("owner", "POST", id+"/validate", text, 200)
		p.want(out, false, "isValid")
		if m, _ := out["message"].(string); !strings.Contains(m, test.says) {
			t.Errorf("validate says %q, want %q", m, test.says)
		}
	}
	p.want(p.ok("owner", "POST", id+"/validate", `{"properties":{`+scopes+webhookBody+`}}`, 200), true, "isValid")
	p.refused("owner", "GET", id, "", 404, "ResourceNotFound", "")
}

func TestRule_Holds(t *testing.T) {
	t.Parallel()
	const event = `{"name":"n","properties":{"severity":"High","count":7,"score":0.5,"isIncident":true,"tactics":["Execution","Impact"],"Entity":{"host":"VM-1"}}}`
	for _, test := range []struct {
		path, typ, op, expected string
		want                    bool
	}{
		{"severity", "String", "Equals", "high", true},
		{"$.properties.severity", "String", "NotEquals", "High", false},
		{"absent", "String", "NotEquals", "x", true},
		{"absent", "String", "Equals", "", false},
		{"count", "Integer", "GreaterThan", "6", true},
		{"count", "Integer", "GreaterThanOrEqualTo", "8", false},
		{"count", "Integer", "LesserThan", "10", true}, // as numbers, not as text
		{"score", "Number", "LesserThanOrEqualTo", "0.5", true},
		{"isIncident", "Boolean", "Equals", "TRUE", true},
		{"tactics", "String", "Equals", "impact", true},
		{"tactics", "String", "NotEquals", "Impact", false},
		{"entity.HOST", "String", "StartsWith", "vm-", true},
		{"entity.host", "String", "EndsWith", "-2", false},
		{"entity.host", "String", "Contains", "M-", true},
	} {
		r := rule{Path: test.path, Type: test.typ, Operator: test.op, Expected: test.expected}
		if err := r.check(); err != nil {
			t.Fatalf("%+v: %v", test, err)
		}
		a := automation{Scopes: []scope{{Path: "/subscriptions/s"}}, Sources: []source{{Event: SourceAlerts, RuleSets: []ruleSet{{Rules: []rule{r}}}}}}
		if got := a.wants(&Event{Source: SourceAlerts, Resource: "/subscriptions/S/x", Body: json.RawMessage(event)}); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

// FuzzRule: whatever a rule and an event say, the answer comes.
func FuzzRule(f *testing.F) {
	f.Add("a.b", "String", "Contains", "x", `{"a":{"b":["x",1,null]}}`)
	f.Add("$.count", "Integer", "LesserThan", "1e400", `{"properties":{"count":"9"}}`)
	f.Fuzz(func(t *testing.T, path, typ, op, expected, event string) {
		r := rule{Path: path, Type: typ, Operator: op, Expected: expected}
		if r.check() != nil {
			return
		}
		a := automation{Scopes: []scope{{Path: "/s"}}, Sources: []source{{Event: SourceAlerts, RuleSets: []ruleSet{{Rules: []rule{r}}}}}}
		a.wants(&Event{Source: SourceAlerts, Resource: "/s", Body: json.RawMessage(event)})
	})
}
