package wire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// bearer accepts one token.
var bearer = wire.Authenticator{Name: "bearer", Check: func(_ context.Context, r *wire.Request) error {
	if r.HTTP.Header.Get("Authorization") != "Bearer good" {
		return &fault.Error{
			Kind: fault.Unauthenticated, Code: "Unauthorized", Message: "AKV10000: Request is missing a Bearer or PoP token.",
			Header: http.Header{"www-authenticate": {`Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"`}},
		}
	}
	r.Principal = &authn.Principal{ObjectID: "o"}
	return nil
}}

// testRoutes is a small service on each plane: PUT binds a body, GET answers it, /fail/{kind} fails in every way.
func testRoutes() []wire.Route {
	type thing struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
	}
	versions := map[wire.HostKind]wire.Versions{
		wire.HostARM:    {Required: true, First: "2015-04-08"},
		wire.HostVault:  {Required: true, First: "2016-10-01"},
		wire.HostCosmos: {Header: "x-ms-version"},
	}
	var out []wire.Route
	for _, h := range []wire.HostKind{wire.HostARM, wire.HostVault, wire.HostCosmos, wire.HostLogin, wire.HostGraph, wire.HostMachine, wire.HostSite, wire.HostAdmin} {
		out = append(out,
			wire.Route{
				Host: h, Method: "PUT", Pattern: "/things/{name}", Versions: versions[h], Auth: bearer, BodyLimit: 64,
				Handler: wire.HandleBody(func(_ context.Context, r *wire.Request, in *thing) (*thing, error) {
					in.Name = r.Param("name")
					return in, nil
				}),
			},
			wire.Route{Host: h, Method: "GET", Pattern: "/fail/{kind}", Auth: wire.Anonymous, Handler: fail},
			wire.Route{Host: h, Method: "GET", Pattern: "/metadata/fail/{kind}", Auth: wire.Anonymous, Handler: fail},
			wire.Route{Host: h, Method: "GET", Pattern: "/list", Auth: wire.Anonymous, Handler: func(_ context.Context, r *wire.Request) (any, error) {
				after, err := r.SkipToken()
				if err != nil {
					return nil, err
				}
				n, err := r.QueryInt("maxresults", 2, 1, 25)
				if err != nil {
					return nil, err
				}
				all := []string{"a", "b", "c"}
				for len(all) > 0 && all[0] <= string(after) {
					all = all[1:]
				}
				next := ""
				if len(all) > n {
					all = all[:n]
					next = r.NextLink([]byte(all[n-1]))
				}
				return wire.NewPage(all, next), nil
			}})
	}
	return out
}

func fail(_ context.Context, r *wire.Request) (any, error) {
	switch r.Param("kind") {
	case "details":
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "InvalidTemplate", Message: "2 < 3", Target: "properties.x",
			Details: []fault.Error{{Code: "A", Message: "a", Target: "t"}, {Code: "B", Message: "b"}},
		}
	case "inner":
		return nil, &fault.Error{Kind: fault.Forbidden, Code: "Forbidden", Inner: "SecretDisabled", Message: "Operation get is not allowed on a disabled secret."}
	case "throttled":
		return nil, &fault.Error{Kind: fault.TooMany, Code: "TooManyRequests", Message: "slow down", Substatus: 3200, RetryAfter: 1500 * time.Millisecond}
	case "oauth":
		return nil, &fault.Error{Kind: fault.Invalid, Code: "AADSTS70011", Inner: "invalid_scope", Message: "The scope is not valid."}
	}
	return nil, fmt.Errorf("secret cause")
}

func newPlanes(t *testing.T) *wire.Mux {
	t.Helper()
	return newMux(t, wire.Options{
		Clock: clock.NewFake(time.Date(2018, 9, 23, 21, 37, 56, 0, time.UTC)),
		Hosts: wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443},
	}, testRoutes()...)
}

func TestPlanes(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		m := newPlanes(t)
		byHost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Host {
			case "127.0.0.1":
				m.For(wire.HostMachine).ServeHTTP(w, r)
			case "admin":
				m.For(wire.HostAdmin).ServeHTTP(w, r)
			default:
				m.ServeHTTP(w, r)
			}
		})
		return wiretest.Target{Handler: byHost, Vars: map[string]string{"big": strings.Repeat("x", 65), "id": "11111111-2222-3333-4444-55555555555a"}}
	})
}

func TestCheckRoutes(t *testing.T) {
	t.Parallel()
	check := wiretest.Check{
		Names: map[wire.HostKind]string{wire.HostVault: "kv1", wire.HostCosmos: "acc1", wire.HostSite: "web1"},
		Sign:  func(r *http.Request) { r.Header.Set("Authorization", "Bearer good") },
	}
	var front, machine []wire.Route
	for _, r := range testRoutes() {
		switch {
		case strings.Contains(r.Pattern, "fail"):
		case r.Host == wire.HostMachine:
			machine = append(machine, r)
		case r.Host != wire.HostAdmin:
			front = append(front, r)
		}
	}
	m := newPlanes(t)
	wiretest.CheckRoutes(t, m, front, check)
	check.Kind = wire.HostMachine
	wiretest.CheckRoutes(t, m.For(wire.HostMachine), machine, check)
}

func TestCorrelation(t *testing.T) {
	t.Parallel()
	const a, b = "AAAAAAAA-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"
	const lowA = "aaaaaaaa-0000-0000-0000-000000000001"
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const traceGUID = "0af76519-16cd-43dd-8448-eb211c80319c"
	m := newPlanes(t)
	for _, tt := range []struct {
		header []string
		want   string // "" = the request id
	}{
		{nil, ""},
		{[]string{"x-ms-correlation-request-id", a, "x-ms-client-request-id", b}, lowA},
		{[]string{"x-ms-correlation-request-id", "not a guid", "x-ms-client-request-id", b}, b},
		{[]string{"traceparent", trace, "x-ms-client-request-id", b}, traceGUID},
		{[]string{"traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "client-request-id", b}, b},
		{[]string{"traceparent", "00-zz", "x-ms-activity-id", b}, b},
		{[]string{"traceparent", strings.Replace(trace, "0af", "0ag", 1)}, ""},
	} {
		w := get(t, m, "GET", "https://kv1.vault.azure.net/list", nil, tt.header...)
		want := tt.want
		if want == "" {
			want = w.Header().Get("x-ms-request-id")
		}
		if got := w.Header().Get("x-ms-correlation-request-id"); got != want || got == "" {
			t.Errorf("%v: got %q, want %q", tt.header, got, want)
		}
	}
}

// Pages chain to the end, by the way the client came in, and keep the other parameters.
func TestNextLink(t *testing.T) {
	t.Parallel()
	m := newPlanes(t)
	for _, host := range []string{"kv1.vault.azure.net", "kv1.vault.bulkhead.localhost:8443"} {
		url, seen := "https://"+host+"/list?maxresults=1&api%2Dversion=7.4&%24filter=a+eq+'%C3%A4'", ""
		for range 3 {
			w := get(t, m, "GET", url, nil)
			var p wire.Page[string]
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%s: %v in %s", url, err, w.Body)
			}
			seen += strings.Join(p.Value, "")
			url = p.NextLink
			if url == "" {
				break
			}
			if want := "https://" + host + "/list?maxresults=1&api-version=7.4&$filter=a+eq+%27%C3%A4%27&$skiptoken="; !strings.HasPrefix(url, want) {
				t.Fatalf("nextLink %s, want it to begin with %s", url, want)
			}
		}
		if seen != "abc" || url != "" {
			t.Errorf("%s: pages gave %q, last link %q", host, seen, url)
		}
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                              "it is empty",
		"  \n":                          "it is empty",
		`{"name":"x"`:                   "ends early",
		`{"name":"x"} {}`:               "text follows",
		`{"name":"x"}]`:                 "text follows",
		`{"name":"hunter2","count":"1"`: "ends early",
		`{"count":"hunter2"}`:           "the property 'count' is of the wrong type: string",
		`{"count":1.5}`:                 "the property 'count' is of the wrong type: number",
		`["hunter2"]`:                   "wrong type: array",
		`{"count":hunter2}`:             "malformed JSON at offset 10",
	} {
		r := &wire.Request{HTTP: httptest.NewRequest("PUT", "/", nil), Host: wire.Host{Kind: wire.HostVault}, Body: []byte(body)}
		var v struct {
			Name  string `json:"name"`
			Count int    `json:"count"`
		}
		err := wire.Bind(r, &v)
		f := fault.As(err)
		if f == nil || f.Code != "BadParameter" || f.Kind != fault.Invalid || !strings.Contains(f.Message, want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want a BadParameter with %q and nothing of the body", body, err, want)
		}
	}
	var v struct {
		Name string `json:"name"`
	}
	r := &wire.Request{HTTP: httptest.NewRequest("PUT", "/", nil), Body: []byte(` {"NAME":"x","newer":1} `)}
	if err := wire.Bind(r, &v); err != nil || v.Name != "x" {
		t.Errorf("got %+v, %v", v, err)
	}
}
