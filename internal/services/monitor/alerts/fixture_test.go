package alerts

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const tenantID = "7e000000-0000-4000-8000-000000000001"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// people are the directory and the verifier: a caller's token is its name.
type people struct{}

func objectID(name string) string {
	return map[string]string{"owner": "00000000-0000-0000-0000-0000000000a1", "stranger": "00000000-0000-0000-0000-0000000000a3"}[name]
}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	id := objectID(raw)
	if id == "" {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: id, AppID: "app-" + raw, Audience: "https://management.azure.com/"}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(context.Context, string) (string, authn.Kind, bool, error) {
	return tenantID, authn.ServicePrincipal, true, nil
}

type lateOutbox struct{ *outbox.Drainer }

// plane is the service behind the real control plane, over a store that outlives it.
type plane struct {
	t        *testing.T
	s        *Service
	st       store.Store
	clk      *clock.Fake
	control  *arm.Pipeline
	measured *metrics.Store
	mux      *wire.Mux
	routes   []wire.Route
	sub      string
	hooks    *hooks
	mailer   *notify.Mailer
	programs string
	source   alerting.Source // nil: the store of metrics
}

// hooks are the receivers of webhooks: they keep what they got, and answer as they are told.
type hooks struct {
	*httptest.Server
	mu     sync.Mutex
	got    []hook
	status func(path string, n int) int
}

type hook struct {
	path, id, auth string
	at             time.Time
	body           map[string]any
}

func newHooks(t *testing.T, clk clock.Clock) *hooks {
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var body map[string]any
		_ = json.Unmarshal(b, &body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, hook{r.URL.Path, r.Header.Get(notify.HeaderID), r.Header.Get("Authorization"), clk.Now(), body})
		if h.status != nil {
			w.WriteHeader(h.status(r.URL.Path, len(h.got)))
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) take() []hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.got
	h.got = nil
	return out
}

func openPlane(t *testing.T) *plane {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clk := clock.NewFake(start)
	p := &plane{t: t, st: st, clk: clk, hooks: newHooks(t, clk)}
	p.begin()
	if p.sub, err = p.control.CreateSubscription(t.Context(), tenantID, "Sub", objectID("owner")); err != nil {
		t.Fatal(err)
	}
	return p
}

// begin makes everything but the store anew, as a start of the process does.
func (p *plane) begin() {
	p.t.Helper()
	sealer, err := seal.New([]byte(strings.Repeat("k", 32)))
	if err != nil {
		p.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(p.t.Output(), nil))
	trail, box := audit.NewLog(p.st, p.clk, log), &lateOutbox{}
	p.control = arm.New(arm.Deps{
		Store: p.st, Clock: p.clk, Log: log, Names: names.New(p.st, p.clk), Outbox: box, Verifier: people{}, Audit: trail, Directory: people{},
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	if p.measured, err = metrics.Open(p.t.Context(), metrics.Deps{Store: p.st, Clock: p.clk, Log: log}); err != nil {
		p.t.Fatal(err)
	}
	source := p.source
	if source == nil {
		source = NewSource(p.measured)
	}
	p.s = New(Deps{
		Store: p.st, Sealer: sealer, Clock: p.clk, Log: log, Outbox: box, Inventory: p.control, Resources: p.control, Source: source, Access: p.control, SignedIn: p.control.Authenticator(),
		Known: func(typ, namespace, metric string) (bool, bool) {
			return metric == "cpu_percent" || metric == "connections_failed", strings.EqualFold(typ, "Microsoft.DBforMySQL/servers") && namespace == ""
		},
		Token: func(_ context.Context, tenant, resource string) (string, error) {
			return "token-for-" + tenant + "-" + resource, nil
		},
		Advise: func(_ context.Context, _, metric string) string { return "look at " + metric },
		Mailer: p.mailer, Programs: p.programs,
	})
	keep := func(_ context.Context, c *arm.Call) error {
		c.New.Properties = c.Body.Get("properties")
		return nil
	}
	foreign := arm.Type{Name: "Microsoft.DBforMySQL/servers", Versions: []string{"2017-12-01"}, Put: keep}
	if err := p.control.Register(append(p.s.Types(), foreign)...); err != nil {
		p.t.Fatal(err)
	}
	handlers := p.control.OutboxHandlers()
	maps.Copy(handlers, trail.OutboxHandlers())
	maps.Copy(handlers, p.s.OutboxHandlers())
	box.Drainer = outbox.NewDrainer(p.st, log, handlers)
	services := []wire.Service{p.control.Service(), p.s.Service()}
	p.routes = nil
	for _, s := range services {
		for _, r := range s.Routes {
			if strings.Contains(r.Pattern, "/"+management+"/") || strings.Contains(r.Pattern, "/"+insights+"/") && !strings.Contains(r.Pattern, "eventtypes") {
				p.routes = append(p.routes, r)
			}
		}
	}
	if p.mux, err = wire.NewMux(services, wire.Options{Clock: p.clk, Log: log}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plane) rg() string { return "/subscriptions/" + p.sub + "/resourceGroups/rg1" }

// insights is a path below Microsoft.Insights in the group.
func (p *plane) insights(path string) string { return p.rg() + "/providers/" + insights + "/" + path }

func (p *plane) server(name string) string {
	return p.rg() + "/providers/Microsoft.DBforMySQL/servers/" + name
}

func (p *plane) do(who, method, path, body string) (int, http.Header, map[string]any) {
	p.t.Helper()
	if !strings.Contains(path, "api-version") {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "api-version=2024-05-01"
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			p.t.Fatalf("%s %s: %d with a body that is not JSON: %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code, w.Header(), out
}

func (p *plane) ok(method, path, body string, want int) map[string]any {
	p.t.Helper()
	status, _, out := p.do("owner", method, path, body)
	if status != want {
		p.t.Fatalf("%s %s %s = %d %v, want %d", method, path, body, status, out, want)
	}
	return out
}

// refused is a call that must fail with the status, saying something.
func (p *plane) refused(method, path, body string, want int, says string) {
	p.t.Helper()
	status, _, out := p.do("owner", method, path, body)
	message, _ := at(out, "error", "message").(string)
	if status != want || !strings.Contains(message, says) {
		p.t.Errorf("%s %s %s = %d %v, want %d with %q", method, path, body, status, out, want, says)
	}
}

// at walks an answer: "properties", "status", 0, "code".
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

func (p *plane) want(out any, want any, path ...any) {
	p.t.Helper()
	got, _ := json.Marshal(at(out, path...))
	w, _ := json.Marshal(want)
	if string(got) != string(w) {
		p.t.Errorf("%v is %s, want %s", path, got, w)
	}
}

// setUp has a group, a server and an action group of two webhooks.
func (p *plane) setUp() {
	p.t.Helper()
	p.ok("PUT", p.rg(), `{"location":"westeurope"}`, 201)
	p.ok("PUT", p.server("db1"), `{"location":"westeurope","properties":{}}`, 201)
	p.ok("PUT", p.insights("actionGroups/ag1"), `{"location":"Global","properties":{"groupShortName":"ag1","enabled":true,"webhookReceivers":[
		{"name":"common","serviceUri":"`+p.hooks.URL+`/common?sig=s3cret","useCommonAlertSchema":true},{"name":"plain","serviceUri":"`+p.hooks.URL+`/plain"}]}}`, 201)
}

// rule is the body of a metric alert of the server: cpu_percent > 80 over 5 minutes, each minute.
func (p *plane) rule(change ...string) string {
	body := `{"location":"global","properties":{"severity":2,"enabled":true,"scopes":["` + p.server("db1") + `"],"evaluationFrequency":"PT1M","windowSize":"PT5M","autoMitigate":true,
		"criteria":{"odata.type":"Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria","allOf":[{"criterionType":"StaticThresholdCriterion","name":"cpu","metricName":"cpu_percent",
		"operator":"GreaterThan","threshold":80,"timeAggregation":"Average","dimensions":[]}]},"actions":[{"actionGroupId":"` + p.insights("actionGroups/ag1") + `","webHookProperties":{"team":"db"}}]}}`
	for i := 0; i+1 < len(change); i += 2 {
		next := strings.Replace(body, change[i], change[i+1], 1)
		if next == body {
			p.t.Fatalf("the rule has no %s", change[i])
		}
		body = next
	}
	return body
}

// measure adds a value of the server in the present minute.
func (p *plane) measure(metric string, v float64, dims ...metrics.Dimension) {
	p.t.Helper()
	refused, err := p.measured.Add(p.t.Context(), []metrics.Sample{{
		Series: metrics.Series{Resource: p.server("db1"), Namespace: "Microsoft.DBforMySQL/servers", Name: metric, Dimensions: dims}, Time: p.clk.Now(), Cell: metrics.Of(v),
	}})
	if err != nil || len(refused) > 0 {
		p.t.Fatal(err, refused)
	}
}

// tick goes on to a moment after the next minute is over, judges and delivers.
func (p *plane) tick() {
	p.t.Helper()
	now := p.clk.Now()
	p.clk.Advance(now.Truncate(time.Minute).Add(time.Minute + 4*time.Second).Sub(now))
	p.judge()
}

func (p *plane) judge() {
	p.t.Helper()
	if err := p.s.engine.round(p.t.Context(), p.clk.Now()); err != nil {
		p.t.Fatal(err)
	}
	if err := p.s.queue.Round(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// minutes measures a value a minute, and ticks.
func (p *plane) minutes(values ...float64) {
	p.t.Helper()
	for _, v := range values {
		p.measure("cpu_percent", v)
		p.tick()
	}
}

func (p *plane) alerts(query string) []any {
	p.t.Helper()
	list, _ := p.ok("GET", "/subscriptions/"+p.sub+"/providers/"+management+"/alerts?"+query, "", 200)["value"].([]any)
	return list
}
