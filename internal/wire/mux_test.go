package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// echo answers what the mux found out about the request.
func echo(params ...string) wire.Handler {
	return func(_ context.Context, r *wire.Request) (any, error) {
		out := map[string]string{"op": r.Route.Operation}
		for _, p := range params {
			out[p] = r.Param(p)
		}
		if r.APIVersion != "" {
			out["v"] = r.APIVersion
		}
		return out, nil
	}
}

func newMux(t testing.TB, o wire.Options, routes ...wire.Route) *wire.Mux {
	t.Helper()
	m, err := wire.NewMux([]wire.Service{{Name: "test", Routes: routes}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func get(t testing.TB, h http.Handler, method, url string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, url, body)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func route(method, pattern, op string, params ...string) wire.Route {
	return wire.Route{Host: wire.HostVault, Method: method, Pattern: pattern, Operation: op, Auth: wire.Anonymous, Handler: echo(params...)}
}

func TestMux_Match(t *testing.T) {
	t.Parallel()
	m := newMux(t, wire.Options{},
		route("GET", "/", "root"),
		route("GET", "/secrets", "list"),
		route("GET", "/secrets/{name}/{version?}", "get", "name", "version"),
		route("PUT", "/secrets/{name}", "set", "name"),
		route("GET", "/secrets/{name}/versions", "versions", "name"),
		route("POST", "/secrets/restore", "restore"),
		route("GET", "/files/{path*}", "files", "path"),
		route("GET", "/{scope*}/providers/Microsoft.Authorization/locks/{name}", "lock", "scope", "name"),
		route("GET", "/subs/{s}/providers/{ns}/{type}/{name}", "resource", "s", "ns", "type", "name"),
		route("GET", "/subs/{s}/providers/Microsoft.Authorization/locks/{name}", "sublock", "s", "name"),
		route("GET", "/groups/{g}/providers/{ns}/{type}/{name}", "ingroup", "g", "ns", "type", "name"),
	)
	tests := []struct {
		method, path string
		want         string // "op k=v ..." or a status
	}{
		{"GET", "/", "root"},
		{"GET", "//", "root"},
		{"GET", "/secrets", "list"},
		{"GET", "/secrets/", "list"},
		{"GET", "//secrets//", "list"},
		{"GET", "/SECRETS/Abc", "get name=Abc version="},
		{"GET", "/secrets/s1/?api-version=7.0", "get name=s1 v=7.0 version="},
		{"GET", "/secrets/s1/0123", "get name=s1 version=0123"},
		{"GET", "/secrets/s1/VERSIONS", "versions name=s1"},
		{"GET", "/%73ecrets/s1", "get name=s1 version="},
		{"GET", "/secrets/restore", "get name=restore version="},
		{"POST", "/secrets/Restore", "restore"},
		{"GET", "/secrets/a%2Fb", "get name=a/b version="},
		{"GET", "/secrets/a%20b%25", "get name=a b% version="},
		{"GET", "/secrets/a+b", "get name=a+b version="},
		{"PUT", "/secrets/a/b", "405 GET, HEAD"},
		{"DELETE", "/secrets/a", "405 GET, HEAD, PUT"},
		{"GET", "/nothing", "404"},
		{"GET", "/secrets/a/b/c", "404"},
		{"GET", "/files", "files path="},
		{"GET", "/files/a//b%2Fc/%C3%A4/", "files path=a/b%2Fc/ä"},
		{"GET", "/providers/microsoft.authorization/locks/l", "lock name=l scope="},
		{"GET", "/a/b/c/providers/Microsoft.Authorization/locks/l", "lock name=l scope=a/b/c"},
		{"GET", "/subs/1/providers/Microsoft.Authorization/locks/l", "sublock name=l s=1"},
		{"GET", "/subs/1/providers/Microsoft.Authorization/other/l", "resource name=l ns=Microsoft.Authorization s=1 type=other"},
		// The literals nearer the end decide.
		{"GET", "/groups/1/providers/Microsoft.Authorization/locks/l", "lock name=l scope=groups/1"},
		{"POST", "/x/providers/Microsoft.Authorization/locks/l", "405 GET, HEAD"},
	}
	for _, tt := range tests {
		w := get(t, m, tt.method, "https://kv1.vault.azure.net"+tt.path, nil)
		got := fmt.Sprint(w.Code)
		switch w.Code {
		case 200:
			var kv map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &kv); err != nil {
				t.Fatal(err)
			}
			got = kv["op"]
			delete(kv, "op")
			for _, f := range []string{"g", "name", "ns", "path", "s", "scope", "type", "v", "version"} {
				if v, ok := kv[f]; ok {
					got += " " + f + "=" + v
				}
			}
		case 405:
			got += " " + w.Header().Get("Allow")
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestNewMux_Refuses(t *testing.T) {
	t.Parallel()
	ok := route("GET", "/a/{b}", "x")
	tests := map[string][]wire.Route{
		"same shape":         {ok, route("GET", "/A/{c}", "y")},
		"optional overlaps":  {route("GET", "/a/{b?}", "x"), route("GET", "/a", "y")},
		"same scope":         {route("GET", "/{s*}/locks/{n}", "x"), route("GET", "/{z*}/Locks/{m}", "y")},
		"no auth":            {{Host: wire.HostVault, Method: "GET", Pattern: "/", Handler: echo()}},
		"no handler":         {{Host: wire.HostVault, Method: "GET", Pattern: "/", Auth: wire.Anonymous}},
		"any without raw":    {route("*", "/", "x")},
		"no slash":           {route("GET", "a", "x")},
		"optional not last":  {route("GET", "/{a?}/b", "x")},
		"many in the middle": {route("GET", "/a/{b*}/c", "x")},
		"name twice":         {route("GET", "/{b}/{b}", "x")},
		"mixed segment":      {route("GET", "/a{b}", "x")},
		"unclosed":           {route("GET", "/{b", "x")},
		"brief stream": {{
			Host: wire.HostVault, Method: "GET", Pattern: "/", Auth: wire.Anonymous, Brief: func(*http.Request) bool { return true },
			Raw: func(http.ResponseWriter, *wire.Request) error { return nil },
		}},
	}
	for name, routes := range tests {
		if _, err := wire.NewMux([]wire.Service{{Name: "test", Routes: routes}}, wire.Options{}); err == nil {
			t.Errorf("%s: NewMux accepted it", name)
		}
	}
}

func TestMux_Brief(t *testing.T) {
	t.Parallel()
	quick := route("GET", "/quick/{a}", "x")
	quick.Brief = func(r *http.Request) bool { return r.Header.Get("Slow") == "" }
	m := newMux(t, wire.Options{}, quick, route("GET", "/other", "y"), route("POST", "/quick/{a}", "z"))
	for _, c := range []struct {
		method, url, slow string
		want              bool
	}{
		{"GET", "https://v.vault.azure.net/quick/1", "", true},
		{"GET", "https://v.vault.azure.net/QUICK/%2F?x=y", "", true},
		{"GET", "https://v.vault.azure.net/quick/1", "yes", false},
		{"POST", "https://v.vault.azure.net/quick/1", "", false},
		{"GET", "https://v.vault.azure.net/other", "", false},
		{"GET", "https://v.vault.azure.net/none", "", false},
		{"GET", "https://v.documents.azure.com/quick/1", "", false},
		{"GET", "https://example.com/quick/1", "", false},
	} {
		r := httptest.NewRequest(c.method, c.url, nil)
		if c.slow != "" {
			r.Header.Set("Slow", c.slow)
		}
		if got := m.Brief(r); got != c.want {
			t.Errorf("Brief(%s %s, %q) = %t, want %t", c.method, c.url, c.slow, got, c.want)
		}
	}
}

func TestMux_Hosts(t *testing.T) {
	t.Parallel()
	vault, arm := route("GET", "/", "vault"), route("GET", "/", "arm")
	arm.Host = wire.HostARM
	admin := route("GET", "/", "admin")
	admin.Host = wire.HostAdmin
	m := newMux(t, wire.Options{Hosts: wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}}, vault, arm, admin)
	for host, want := range map[string]int{
		"kv1.vault.azure.net":                   200,
		"KV1.VAULT.AZURE.NET:443":               200,
		"kv1.vault.bulkhead.localhost:8443":     200,
		"kv1.vault.azure.net.":                  200,
		"management.azure.com":                  200,
		"management.bulkhead.localhost:8443":    200,
		"a.b.vault.azure.net":                   421,
		"vault.azure.net":                       421,
		".vault.azure.net":                      421,
		"evilvault.azure.net":                   421,
		"kv1.vault.azure.net.example.org":       421,
		"admin":                                 421,
		"":                                      421,
		"kv1.vaultbulkhead.localhost":           421,
		"login.microsoftonline.com":             404, // known host without routes
		"kv1.vault.xbulkhead.localhost":         421,
		"management.azure.com:notaport":         421,
		"management.bulkhead.localhost.evil:80": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: got %d, want %d", host, w.Code, want)
		}
	}
	w := get(t, m.For(wire.HostAdmin), "GET", "http://anything/", nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "admin") {
		t.Errorf("For(admin): got %d %s", w.Code, w.Body)
	}
}

// The stages run in order, and the first that refuses ends it.
func TestMux_StageOrder(t *testing.T) {
	t.Parallel()
	var ran []string
	step := func(name string) func(context.Context, *wire.Request) error {
		return func(_ context.Context, r *wire.Request) error {
			ran = append(ran, name)
			if r.HTTP.Header.Get("Stop") == name {
				return fault.New(fault.Forbidden, "Stopped", "at %s", name)
			}
			if r.Body != nil {
				t.Errorf("%s: the body was read already", name)
			}
			return nil
		}
	}
	rt := wire.Route{
		Host: wire.HostVault, Method: "PUT", Pattern: "/x", BodyLimit: 4, Versions: wire.Versions{Required: true},
		Network: step("network"), Auth: wire.Authenticator{Name: "t", Check: step("auth")}, Authorize: step("authorize"),
		Handler: func(_ context.Context, r *wire.Request) (any, error) {
			ran = append(ran, "handler "+string(r.Body))
			return nil, nil
		},
	}
	m := newMux(t, wire.Options{}, rt)
	const good, old, long = "?api-version=7.0", "", "12345"
	tests := []struct {
		stop, query, body string
		status            int
		ran               []string
	}{
		{"network", old, long, 403, []string{"network"}},
		{"", old, long, 400, []string{"network"}},
		{"auth", good, long, 403, []string{"network", "auth"}},
		{"authorize", good, long, 403, []string{"network", "auth", "authorize"}},
		{"", good, long, 413, []string{"network", "auth", "authorize"}},
		{"", good, "1234", 204, []string{"network", "auth", "authorize", "handler 1234"}},
	}
	for _, tt := range tests {
		for _, sized := range []bool{true, false} {
			ran = nil
			var body io.Reader = strings.NewReader(tt.body)
			if !sized {
				body = io.MultiReader(body) // hides the length: chunked
			}
			w := get(t, m, "PUT", "https://kv1.vault.azure.net/x"+tt.query, body, "Stop", tt.stop)
			if w.Code != tt.status || !cmp.Equal(ran, tt.ran) {
				t.Errorf("stop %q query %q sized %v: got %d %v, want %d %v", tt.stop, tt.query, sized, w.Code, ran, tt.status, tt.ran)
			}
		}
	}
}

func TestMux_Answers(t *testing.T) {
	t.Parallel()
	type val struct {
		A string `json:"a"`
	}
	var typedNil *val
	answers := map[string]func() (any, error){
		"value":   func() (any, error) { return val{"<&>"}, nil },
		"nil":     func() (any, error) { return nil, nil },
		"created": func() (any, error) { return wire.Created(val{"x"}), nil },
		"bytes": func() (any, error) {
			return wire.Reply{Header: http.Header{"content-type": {"text/plain"}, "ETag": {`"1"`}}, Body: []byte("<x>")}, nil
		},
		"raw":      func() (any, error) { return json.RawMessage(`{"b": 1}`), nil },
		"notmod":   func() (any, error) { return wire.Reply{Status: 304}, nil },
		"fault":    func() (any, error) { return typedNil, fault.New(fault.Conflict, "Taken", "is taken") },
		"wrapped":  func() (any, error) { return nil, fmt.Errorf("w: %w", fault.New(fault.Gone, "Gone", "gone")) },
		"other":    func() (any, error) { return nil, errors.New("the password is 123") },
		"full":     func() (any, error) { return nil, fmt.Errorf("put: %w", store.ErrFull) },
		"closed":   func() (any, error) { return nil, store.ErrClosed },
		"deadline": func() (any, error) { return nil, context.DeadlineExceeded },
		"panic":    func() (any, error) { panic("the password is 123") },
		"badjson":  func() (any, error) { return make(chan int), nil },
	}
	var routes []wire.Route
	for name, fn := range answers {
		routes = append(routes, wire.Route{
			Host: wire.HostVault, Method: "GET", Pattern: "/" + name, Operation: name, Auth: wire.Anonymous,
			Handler: func(context.Context, *wire.Request) (any, error) { return fn() },
		})
	}
	var log bytes.Buffer
	m := newMux(t, wire.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, routes...)
	tests := []struct {
		name   string
		status int
		body   string
		ctype  string
	}{
		{"value", 200, `{"a":"<&>"}`, "application/json; charset=utf-8"},
		{"nil", 204, "", ""},
		{"created", 201, `{"a":"x"}`, "application/json; charset=utf-8"},
		{"bytes", 200, "<x>", "text/plain"},
		{"raw", 200, `{"b": 1}`, "application/json; charset=utf-8"},
		{"notmod", 304, "", ""},
		{"fault", 409, `{"error":{"code":"Taken","message":"is taken"}}`, "application/json; charset=utf-8"},
		{"wrapped", 410, `{"error":{"code":"Gone","message":"gone"}}`, "application/json; charset=utf-8"},
		{"other", 500, `{"error":{"code":"InternalServerError","message":"The server met an internal error."}}`, "application/json; charset=utf-8"},
		{"full", 507, "", "application/json; charset=utf-8"},
		{"closed", 503, "", "application/json; charset=utf-8"},
		{"deadline", 503, "", "application/json; charset=utf-8"},
		{"panic", 500, `{"error":{"code":"InternalServerError","message":"The server met an internal error."}}`, "application/json; charset=utf-8"},
		{"badjson", 500, `{"error":{"code":"InternalServerError","message":"The server met an internal error."}}`, "application/json; charset=utf-8"},
	}
	for _, tt := range tests {
		log.Reset()
		w := get(t, m, "GET", "https://kv1.vault.azure.net/"+tt.name, nil)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body || w.Header().Get("Content-Type") != tt.ctype {
			t.Errorf("%s: got %d %q %q", tt.name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if n := w.Body.Len(); tt.status != 204 && tt.status != 304 && w.Header().Get("Content-Length") != fmt.Sprint(n) {
			t.Errorf("%s: Content-Length %q, body %d", tt.name, w.Header().Get("Content-Length"), n)
		}
		if n := strings.Count(log.String(), "msg=request"); n != 1 {
			t.Errorf("%s: %d log lines, want 1:\n%s", tt.name, n, &log)
		}
		if tt.status == 500 && !strings.Contains(log.String(), "cause=") {
			t.Errorf("%s: the cause is not logged:\n%s", tt.name, &log)
		}
		head := get(t, m, "HEAD", "https://kv1.vault.azure.net/"+tt.name, nil)
		if head.Code != tt.status || head.Body.Len() != 0 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: got %d, %d bytes, Content-Length %q", tt.name, head.Code, head.Body.Len(), head.Header().Get("Content-Length"))
		}
	}
}

func TestMux_RawAbortsAfterPanic(t *testing.T) {
	t.Parallel()
	raw := wire.Route{
		Host: wire.HostSite, Method: "*", Pattern: "/{path*}", Auth: wire.Anonymous, BodyLimit: -1,
		Raw: func(w http.ResponseWriter, r *wire.Request) error {
			switch r.Param("path") {
			case "fail":
				return fault.New(fault.BadGateway, "AppDown", "The <app> did not answer.")
			case "late":
				_, _ = w.Write([]byte("half"))
				panic("x")
			}
			b, err := io.ReadAll(r.HTTP.Body)
			if r.Param("path") == "own" {
				w.Header().Add("x-ms-correlation-request-id", "own")
			}
			_, _ = w.Write(append([]byte("got "), b...))
			return err
		},
	}
	srv := httptest.NewServer(newMux(t, wire.Options{}, raw).For(wire.HostSite))
	t.Cleanup(srv.Close)
	post := func(path string) (int, string, error) {
		resp, err := http.Post(srv.URL+path, "text/plain", strings.NewReader("body"))
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	if st, body, err := post("/ok?a=%zz"); st != 200 || body != "got body" || err != nil {
		t.Errorf("raw: got %d %q %v", st, body, err)
	}
	for path, want := range map[string]int{"/own": 3, "/ok": 36} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if ids := resp.Header.Values("x-ms-correlation-request-id"); len(ids) != 1 || len(ids[0]) != want {
			t.Errorf("%s: correlation %q", path, ids)
		}
	}
	if st, body, err := post("/fail"); st != 502 || !strings.Contains(body, "The &lt;app&gt; did") || err != nil {
		t.Errorf("raw fault: got %d %q %v", st, body, err)
	}
	if st, body, err := post("/late"); err == nil {
		t.Errorf("panic after half an answer looked complete: %d %q", st, body)
	}
}

type auditor struct {
	seen []string
	when func()
}

func (a *auditor) Record(_ context.Context, e *wire.Event) error {
	a.seen = append(a.seen, fmt.Sprint(e.Request.Route.Operation, " ", e.Status, " ", e.Duration))
	if a.when != nil {
		a.when()
	}
	return nil
}

func TestMux_Audit(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Unix(1e9, 0))
	answer := func(err error, audited bool) wire.Handler {
		return func(_ context.Context, r *wire.Request) (any, error) {
			r.Audited = audited
			clk.Advance(time.Second)
			return nil, err
		}
	}
	forbidden := fault.New(fault.Forbidden, "No", "no")
	r := func(op string, quiet bool, h wire.Handler) wire.Route {
		return wire.Route{Host: wire.HostARM, Method: "GET", Pattern: "/" + op, Operation: op, Auth: wire.Anonymous, Handler: h, Quiet: quiet}
	}
	a := &auditor{}
	m := newMux(t, wire.Options{Audit: a, Clock: clk},
		r("read", false, answer(nil, false)), r("written", false, answer(nil, true)),
		r("quiet", true, answer(nil, false)), r("quietrefused", true, answer(forbidden, false)), r("refused", false, answer(forbidden, false)))
	for _, op := range []string{"read", "written", "quiet", "quietrefused", "refused", "unknown"} {
		w := httptest.NewRecorder()
		a.when = func() {
			if w.Body.Len() > 0 {
				t.Errorf("%s: answered before it was recorded", op)
			}
		}
		m.ServeHTTP(w, httptest.NewRequest("GET", "https://management.azure.com/"+op, nil))
	}
	want := []string{"read 204 1s", "quietrefused 403 1s", "refused 403 1s"}
	if diff := cmp.Diff(want, a.seen); diff != "" {
		t.Error(diff)
	}
}

func TestMux_EventAndLogHoldNoQuery(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var events []wire.Event
	m := newMux(t, wire.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Event: func(e *wire.Event) { events = append(events, *e) }}, route("GET", "/a", "op"))
	get(t, m, "GET", "https://kv1.vault.azure.net/a?code=hunter2&sig=hunter2", nil)
	if len(events) != 1 || events[0].Status != 200 || events[0].Bytes == 0 {
		t.Errorf("events: %+v", events)
	}
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "operation=op") {
		t.Errorf("log: %s", &log)
	}
}

func TestMux_FakeClock(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2018, 9, 23, 21, 37, 56, 0, time.UTC))
	rt := route("POST", "/token", "token")
	rt.Host = wire.HostLogin
	rt.Handler = func(context.Context, *wire.Request) (any, error) {
		return nil, &fault.Error{Kind: fault.Unauthenticated, Code: "AADSTS7000215", Inner: "invalid_client", Message: "Invalid client secret provided."}
	}
	m := newMux(t, wire.Options{Clock: clk}, rt)
	w := get(t, m, "POST", "https://login.microsoftonline.com/token", nil, "client-request-id", "11111111-2222-3333-4444-555555555555", "return-client-request-id", "true")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	id := w.Header().Get("x-ms-request-id")
	want := map[string]any{
		"error": "invalid_client", "error_codes": []any{7000215.0}, "timestamp": "2018-09-23 21:37:56Z", "trace_id": id,
		"correlation_id": "11111111-2222-3333-4444-555555555555", "error_uri": "https://login.microsoftonline.com/error?code=7000215",
		"error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: " + id +
			"\r\nCorrelation ID: 11111111-2222-3333-4444-555555555555\r\nTimestamp: 2018-09-23 21:37:56Z",
	}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != 401 {
		t.Errorf("status %d\n%s", w.Code, diff)
	}
	if got := w.Header().Get("client-request-id"); got != "11111111-2222-3333-4444-555555555555" {
		t.Errorf("client-request-id: got %q", got)
	}
}
