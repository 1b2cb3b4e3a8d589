package mysql

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenantID = "7e000000-0000-4000-8000-000000000001"
	ownerID  = "00000000-0000-0000-0000-0000000000a1"
	readerID = "00000000-0000-0000-0000-0000000000a2"
)

var testHosts = wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}

// people are the directory and the verifier: a caller's token is "owner" or "reader".
type people struct{}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	id, ok := map[string]string{"owner": ownerID, "reader": readerID}[raw]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: id, AppID: id, Audience: "https://management.azure.com/"}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(context.Context, string) (string, authn.Kind, bool, error) {
	return tenantID, authn.ServicePrincipal, true, nil
}

func (people) IssueManagedIdentity(context.Context, string, string, string) (authn.Token, error) {
	return authn.Token{Raw: "token"}, nil
}

type lateOutbox struct{ *outbox.Drainer }

// recorder keeps samples.
type recorder struct {
	mu      sync.Mutex
	samples []metrics.Sample
}

func (r *recorder) Add(_ context.Context, s []metrics.Sample) ([]metrics.Refusal, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s...)
	return nil, nil
}

// sum adds up a metric's values, of a reason unless it is "".
func (r *recorder) sum(metric, reason string) (total float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.samples {
		if s.Name == metric && (reason == "" || len(s.Dimensions) == 1 && s.Dimensions[0].Value == reason) {
			total += s.Sum
		}
	}
	return total
}

// least is a metric's lowest value.
func (r *recorder) least(metric string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	least := math.Inf(1)
	for _, s := range r.samples {
		if s.Name == metric {
			least = min(least, s.Min)
		}
	}
	return least
}

// count is how often a metric was measured.
func (r *recorder) count(metric string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.samples {
		if s.Name == metric {
			n++
		}
	}
	return n
}

// last is a metric's newest value.
func (r *recorder) last(metric string) (v float64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.samples {
		if s.Name == metric {
			v, ok = s.Sum, true
		}
	}
	return v, ok
}

// still is an instance that is ready at once and runs nothing.
type still struct {
	mu sync.Mutex
	d  *desired
}

func (s *still) want(d *desired) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.d = d
}

func (s *still) status() status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return status{Ready: true, Endpoint: "127.0.0.1:3306", Engine: "10.11.6-MariaDB", Wanted: s.d.lsn, Applied: s.d.lsn}
}
func (s *still) restart(context.Context) error { return nil }
func (s *still) loop(ctx context.Context)      { <-ctx.Done() }
func (s *still) databases(context.Context) (map[string]databaseRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.d.databases, nil
}

// platform is the service behind the real control plane.
type platform struct {
	t       *testing.T
	handler http.Handler
	mysql   *Service
	store   *pebble.Engine
	clock   *clock.Fake
	metrics *recorder
	vault   http.RoundTripper
	sub     string
	ca      *pki.Authority
	dir     string
	stop    func()
}

// newPlatform makes one; real lets servers run as far as programs are installed. dir is the data folder.
func newPlatform(t *testing.T, dir string, real bool) *platform {
	t.Helper()
	st, err := pebble.Open(dir+"/store", pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{t: t, store: st, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), metrics: &recorder{}, dir: dir}
	if p.ca, err = pki.Open(dir+"/ca", testHosts.Suffixes(), sealer, clock.System{}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	registry, trail, box := names.New(st, p.clock), audit.NewLog(st, p.clock, log), &lateOutbox{}
	control := arm.New(arm.Deps{
		Store: st, Clock: p.clock, Log: log, Names: registry, Outbox: box, Verifier: people{}, Audit: trail, Directory: people{}, Hosts: testHosts,
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	p.mysql = New(Deps{
		Store: st, Sealer: sealer, Clock: p.clock, Log: log, Resources: control, Names: registry, Hosts: testHosts, Metrics: p.metrics, Tokens: people{},
		FrontDoor: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return p.vault.RoundTrip(r) })},
		TLS:       p.ca.TLS(func(name string) bool { _, ok := testHosts.Resolve(name); return ok }), Data: dir,
		RootPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.ca.Root.Raw}),
	})
	p.mysql.host.every = time.Second
	if !real {
		p.mysql.host.make = func(_ *host, d *desired) instance { return &still{d: d} }
		p.mysql.host.find = func(program string) (string, error) { return program, nil }
	}
	if err := control.Register(p.mysql.Types()...); err != nil {
		t.Fatal(err)
	}
	handlers := control.OutboxHandlers()
	for kind, h := range trail.OutboxHandlers() {
		handlers[kind] = h
	}
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	if p.handler, err = wire.NewMux([]wire.Service{control.Service(), p.mysql.Service()}, wire.Options{Clock: p.clock, Hosts: testHosts}); err != nil {
		t.Fatal(err)
	}
	if p.sub, err = control.CreateSubscription(t.Context(), tenantID, "Sub", ownerID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.mysql.host.run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	p.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(p.stop)
	within(t, "host runs", func() bool {
		p.mysql.host.mu.Lock()
		defer p.mysql.host.mu.Unlock()
		return p.mysql.host.ctx != nil
	})
	return p
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// try sends a request to the control plane as the owner; path is below the subscription.
func (p *platform) try(method, path, body string) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com/subscriptions/"+p.sub+path+"?api-version=2017-12-01", strings.NewReader(body))
	if strings.HasSuffix(path, "/rg1") {
		r = httptest.NewRequest(method, "https://management.azure.com/subscriptions/"+p.sub+path+"?api-version=2021-04-01", strings.NewReader(body))
	}
	r.Header.Set("Authorization", "Bearer owner")
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// do is try that must succeed; it gives the answer's JSON.
func (p *platform) do(method, path, body string) map[string]any {
	p.t.Helper()
	w := p.try(method, path, body)
	if w.Code/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

const (
	groupPath  = "/resourceGroups/rg1"
	serverPath = groupPath + "/providers/Microsoft.DBforMySQL/servers/db1"
	password   = "Passw0rd!x"
)

// server makes db1 of a SKU and waits until it is ready.
func (p *platform) server(sku, more string) *engine {
	p.t.Helper()
	p.do("PUT", groupPath, `{"location":"westeurope"}`)
	p.do("PUT", serverPath, `{"location":"westeurope","sku":{"name":"`+sku+`"},"properties":{"administratorLogin":"ada","administratorLoginPassword":"`+password+`"`+more+`}}`)
	p.do("PUT", serverPath+"/firewallRules/here", `{"properties":{"startIpAddress":"0.0.0.0","endIpAddress":"0.0.0.0"}}`)
	return p.ready()
}

// outcome asks for an operation's status, which it gives with the error's code and message.
func (p *platform) outcome(w *httptest.ResponseRecorder) (status, code, message string) {
	p.t.Helper()
	if w.Code != http.StatusAccepted {
		p.t.Fatalf("%d %s, want 202", w.Code, w.Body)
	}
	at := w.Header().Get("Azure-Asyncoperation")
	_, path, _ := strings.Cut(at, p.sub)
	path, _, _ = strings.Cut(path, "?")
	var out shownOperation
	b, _ := json.Marshal(p.do("GET", path, ""))
	if err := json.Unmarshal(b, &out); err != nil {
		p.t.Fatal(err)
	}
	if out.Error != nil {
		code, message = out.Error.Code, out.Error.Message
	}
	return out.Status, code, message
}

// done makes a change and waits for its operation, which must succeed.
func (p *platform) done(method, path, body string) {
	p.t.Helper()
	w := p.try(method, path, body)
	var status, code, message string
	within(p.t, method+" "+path+" done", func() bool { status, code, message = p.outcome(w); return status != "InProgress" })
	if status != "Succeeded" {
		p.t.Fatalf("%s %s: %s %s %s", method, path, status, code, message)
	}
}

// failed makes a change and waits for its operation, which must fail with that code.
func (p *platform) failed(method, path, body, want string) (message string) {
	p.t.Helper()
	w := p.try(method, path, body)
	var status, code string
	within(p.t, method+" "+path+" ended", func() bool { status, code, message = p.outcome(w); return status != "InProgress" })
	if status != "Failed" || code != want {
		p.t.Errorf("%s %s: %s %s %s, want it failed with %s", method, path, status, code, message, want)
	}
	return message
}

// ready waits until db1 is, and gives its engine.
func (p *platform) ready() *engine {
	p.t.Helper()
	within(p.t, "server ready", func() bool { return p.properties()["userVisibleState"] == "Ready" })
	r, _, err := p.mysql.deps.Resources.Resource(p.t.Context(), "/subscriptions/"+p.sub+serverPath)
	if err != nil || r == nil {
		p.t.Fatalf("server: %v, %v", r, err)
	}
	e, _ := p.mysql.host.of(r.GUID).(*engine)
	return e
}

func (p *platform) properties() map[string]any {
	p.t.Helper()
	props, _ := p.do("GET", serverPath, "")["properties"].(map[string]any)
	return props
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 90 s: %s", what)
}

// answers is a vault that says the same to all.
func answers(body string) http.RoundTripper {
	return roundTripper(func(*http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		_, _ = w.WriteString(body)
		return w.Result(), nil
	})
}
