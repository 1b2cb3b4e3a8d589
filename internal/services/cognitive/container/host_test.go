package container

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text/texttest"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// endpoint is a billing endpoint that keeps what it got.
type endpoint struct {
	mu      sync.Mutex
	bodies  [][]byte
	reports []usageBody
	status  int // what it answers; 0: 200
	code    string
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	var u usage
	_ = json.Unmarshal(raw, &u)
	head, _ := json.Marshal(r.Header)
	e.bodies = append(e.bodies, append(append(raw, head...), r.URL.String()...))
	e.reports = append(e.reports, u.Body)
	if r.URL.Path != usagePath || r.Header.Get("Ocp-Apim-Subscription-Key") != testKey {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.status != 0 {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(e.status)
		fmt.Fprintf(w, `{"error":{"code":"%s","message":"so it is"}}`, e.code)
		return
	}
	_, _ = io.WriteString(w, `{"status":"Valid"}`)
}

func (e *endpoint) answer(status int, code string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status, e.code = status, code
}

// counted is how many transactions the reports that were taken add up to, each sequence once.
func (e *endpoint) counted() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	by := map[int64]int{}
	for _, r := range e.reports {
		by[r.Sequence] = int(r.Meter.Quantity)
	}
	n := 0
	for _, q := range by {
		n += q
	}
	return n
}

// newTest makes a language container that reports to e by a standing clock.
func newTest(t *testing.T, e http.Handler, console io.Writer, more ...string) (*Host, *clock.Fake) {
	t.Helper()
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	c, err := Parse(append([]string{"eula=accept", "apikey=" + testKey, "billing=" + srv.URL}, more...), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := text.New(texttest.Engines()).Container("language")
	fake := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	h, err := New(Options{API: a, Config: c, Listen: "127.0.0.1:0", Version: "1.2.3", Console: console, Clock: fake})
	if err != nil {
		t.Fatal(err)
	}
	return h, fake
}

func opened(t *testing.T, e http.Handler, console io.Writer, more ...string) (*Host, *clock.Fake) {
	t.Helper()
	h, fake := newTest(t, e, console, more...)
	if err := h.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h, fake
}

const secretText = "the patient has a secret illness"

func detect(h http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://localhost:5000/text/analytics/v2.0/languages", strings.NewReader(`{"documents":[{"id":"document-7","text":"`+secretText+`"}]}`))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		h, _ := opened(t, &endpoint{}, io.Discard)
		return wiretest.Target{Handler: h}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	h, _ := opened(t, &endpoint{}, io.Discard)
	routes, err := h.Routes()
	if err != nil {
		t.Fatal(err)
	}
	wiretest.CheckRoutes(t, h, routes, wiretest.Check{Kind: "cognitive", Params: map[string]string{"path": "index.html"}})
	wiretest.CheckCovered(t, "testdata", routes)
}

// TestUsage_OutageOfTheBillingEndpoint: nine failed reports change nothing, the tenth stops the container, one that gets through brings it back, and every
// transaction is counted once.
func TestUsage_OutageOfTheBillingEndpoint(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	var console safeBuffer
	h, fake := opened(t, e, &console)
	m := h.meter
	if w := detect(h); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	m.step(t.Context())
	if n := e.counted(); n != 0 {
		t.Fatalf("%d transactions were reported before it was time", n)
	}
	e.answer(http.StatusInternalServerError, "down")
	for i := 1; i <= 10; i++ {
		if w := detect(h); w.Code != 200 {
			t.Fatalf("after %d failed reports: %d %s", i-1, w.Code, w.Body)
		}
		fake.Advance(10 * time.Minute)
		m.step(t.Context())
	}
	w := detect(h)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "60" || !strings.Contains(w.Body.String(), "until its usage can be reported") {
		t.Fatalf("after ten failed reports: %d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	if got := get(h, "/ready"); got.Code != 200 {
		t.Errorf("/ready while stopped: %d", got.Code)
	}
	if got := get(h, "/status"); !strings.Contains(got.Body.String(), `"apiStatus":"Unknown"`) {
		t.Errorf("/status while stopped: %s", got.Body)
	}
	e.answer(0, "")
	m.step(t.Context())
	if w := detect(h); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("before the next report: %d", w.Code)
	}
	fake.Advance(time.Minute)
	m.step(t.Context())
	if w := detect(h); w.Code != 200 {
		t.Fatalf("after a report got through: %d %s", w.Code, w.Body)
	}
	fake.Advance(10 * time.Minute)
	m.step(t.Context())
	if n := e.counted(); n != 12 {
		t.Errorf("%d transactions were counted, want 12", n)
	}
	if log := console.String(); strings.Contains(log, testKey) || strings.Contains(log, "illness") {
		t.Errorf("the log tells a key or a text: %s", log)
	}
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:5000"+path, nil))
	return w
}

// TestUsage_CountsOnly: what goes to the billing endpoint has the number of transactions and nothing of the texts.
func TestUsage_CountsOnly(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	h, fake := opened(t, e, io.Discard)
	for range 3 {
		detect(h)
	}
	fake.Advance(10 * time.Minute)
	h.meter.step(t.Context())
	if len(e.bodies) != 2 {
		t.Fatalf("%d reports, want that of the start and one", len(e.bodies))
	}
	last := e.reports[1]
	want := usageBody{
		APIType: "textanalytics", ContainerType: "language", ContainerVersion: "1.2.3", ContainerID: h.meter.id, Sequence: 2,
		Meter: usageMeter{"CognitiveServices.TextAnalytics.Container.BatchScoring", 3},
	}
	if last != want {
		t.Errorf("report %+v, want %+v", last, want)
	}
	for _, b := range e.bodies {
		for _, w := range append(strings.Fields(secretText), "document-7", "English") {
			if len(w) > 3 && bytes.Contains(b, []byte(w)) {
				t.Errorf("a report has %q: %s", w, b)
			}
		}
	}
}

// TestStart_RefusedKey: a key that is wrong, or of another kind of account, ends the container before it serves.
func TestStart_RefusedKey(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{401: "401", 403: "Mismatch"} {
		e := &endpoint{status: status, code: code}
		h, _ := newTest(t, e, io.Discard)
		err := h.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the key was refused") || strings.Contains(err.Error(), testKey) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestStart_EndpointDown: a container starts without its billing endpoint; that is its first failed report.
func TestStart_EndpointDown(t *testing.T) {
	t.Parallel()
	e := &endpoint{status: 500}
	h, fake := opened(t, e, io.Discard)
	if w := detect(h); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for range 9 {
		fake.Advance(10 * time.Minute)
		h.meter.step(t.Context())
	}
	if w := detect(h); w.Code != 503 {
		t.Errorf("after ten failed reports, the first included: %d", w.Code)
	}
}

func TestStandings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   Standing
	}{
		{200, "", Valid},
		{401, "401", Invalid},
		{403, "Mismatch", Mismatch},
		{403, "OutOfQuota", OutOfQuota},
		{429, "429", Busy},
		{503, "503", Busy},
		{302, "", Unknown},
	} {
		got, _, err := judge(c.status, []byte(`{"error":{"code":"`+c.code+`"}}`), time.Second)
		if got != c.want || (err == nil) != (c.want == Valid) {
			t.Errorf("%d %s: %s, %v; want %s", c.status, c.code, got, err, c.want)
		}
	}
}

// TestProxy: reports go by the proxy, with its credentials; wrong ones are a failed report, and none of them are told.
func TestProxy(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	billing := httptest.NewTLSServer(e)
	t.Cleanup(billing.Close)
	const creds = "proxyuser:s3cret"
	proxy := &connectProxy{creds: "Basic " + base64.StdEncoding.EncodeToString([]byte(creds)), to: strings.TrimPrefix(billing.URL, "https://")}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	for given, want := range map[string]Standing{creds: Valid, "proxyuser:wrong": CouldNotConnect} {
		var console safeBuffer
		c, err := Parse([]string{
			"eula=accept", "apikey=" + testKey, "billing=https://example.com", "HTTP_PROXY=" + front.URL, "HTTP_PROXY_CREDS=" + given,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := text.New(texttest.Engines()).Container("language")
		client := reporting(c)
		client.Transport.(*http.Transport).TLSClientConfig = billing.Client().Transport.(*http.Transport).TLSClientConfig
		h, err := New(Options{API: a, Config: c, Version: "1", Console: &console, Client: client})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := h.meter.state(); got != want {
			t.Errorf("with %s: %s, want %s: %s", given, got, want, console.String())
		}
		for _, secret := range []string{testKey, "s3cret", "wrong"} {
			if strings.Contains(console.String(), secret) {
				t.Errorf("the log tells %q: %s", secret, console.String())
			}
		}
	}
}

// connectProxy is an HTTP proxy that tunnels everything to one address, for those who have its credentials.
type connectProxy struct{ creds, to string }

// ServeHTTP implements http.Handler.
func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != p.creds {
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	in, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		_ = out.Close()
		return
	}
	_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
}

// TestRun serves over the network, tells its address, logs on disk and to Fluentd, and reports what is left when it ends.
func TestRun(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	dir := t.TempDir()
	logs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = logs.Close() }()
	forwarded := make(chan string, 1)
	go func() {
		c, err := logs.Accept()
		if err != nil {
			return
		}
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		forwarded <- string(b[:n])
	}()
	_, port, _ := net.SplitHostPort(logs.Addr().String())
	var console safeBuffer
	h, _ := newTest(t, e, &console, "Logging:Disk:Format=json", "Mounts:Output="+dir, "mistake=1", "Fluentd:Host=127.0.0.1", "Fluentd:Port="+port)
	addr := make(chan net.Addr, 1)
	h.o.Listening = func(a net.Addr) { addr <- a }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	base := ""
	select {
	case a := <-addr:
		base = "http://" + a.String()
	case err := <-done:
		t.Fatal(err)
	}
	resp, err := http.Post(base+"/text/analytics/v3.1/languages", "application/json", strings.NewReader(`{"documents":[{"id":"1","text":"Bonjour"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	cancel()
	if err := <-done; err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	if n := e.counted(); n != 1 {
		t.Errorf("%d transactions were reported at the end, want 1", n)
	}
	if !strings.Contains(console.String(), "Now listening on: "+base) || !strings.Contains(console.String(), "argument=mistake") {
		t.Errorf("console: %s", console.String())
	}
	if got := <-forwarded; !strings.HasPrefix(got, "\x93\xdb\x00\x00\x00\x09cognitive\xce") || !strings.Contains(got, "mistake") {
		t.Errorf("forwarded %q", got)
	}
	onDisk(t, dir)
}

func TestRotating(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := openRotating(dir+"/log.json", 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if _, err := io.WriteString(r, `{"n":`+strconv.Itoa(100+i)+"}\n"); err != nil {
			t.Fatal(err)
		}
	}
	r.Close()
	for _, name := range []string{"log.json", "log.json.1"} {
		b := onDiskFile(t, dir+"/"+name)
		if len(b) == 0 || len(b) > 100 {
			t.Errorf("%s has %d bytes", name, len(b))
		}
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	h, _ := opened(t, &endpoint{}, io.Discard)
	if w := get(h, "/"); !strings.Contains(w.Body.String(), `<a href="/swagger">Service API Description</a>`) {
		t.Errorf("%s", w.Body)
	}
	page := get(h, "/swagger")
	if page.Code != 200 || !strings.Contains(page.Body.String(), `/swagger/text-analytics-v3.1/swagger.json`) {
		t.Errorf("/swagger: %d %s", page.Code, page.Body)
	}
	for _, asset := range []string{"/swagger/swagger-ui-bundle.js", "/swagger/swagger-ui.css", "/swagger/swagger-ui-standalone-preset.js"} {
		if w := get(h, asset); w.Code != 200 || w.Body.Len() < 10000 {
			t.Errorf("%s: %d with %d bytes", asset, w.Code, w.Body.Len())
		}
		if _, err := url.Parse(asset); err != nil || !strings.Contains(page.Body.String(), asset) {
			t.Errorf("the page does not load %s", asset)
		}
	}
	if strings.Contains(page.Body.String(), "https://") && !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'self'") {
		t.Error("the page may reach for other hosts")
	}
}

// safeBuffer is a buffer for several writers.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String gives what was written.
func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
