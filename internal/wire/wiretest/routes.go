package wiretest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Check says how CheckRoutes addresses routes.
type Check struct {
	Names   map[wire.HostKind]string // the vault, account or site to address, which exists
	Params  map[string]string        // values of path parameters; others are "x1"
	Version string                   // api-version to send where a route requires one; "" = the route's First or 2024-01-01
	// Sign adds a credential that is good for everything; nil leaves out the checks that need one.
	Sign func(r *http.Request)
	// Kind, if set, is the host kind that the handler serves whatever the Host header (Mux.For).
	Kind wire.HostKind
}

// CheckRoutes holds every route to the rules of all: not anonymous means 401 or 403 without a good credential, whatever the body; api-version errors
// come before that; with a credential a body over the limit is 413 and malformed JSON another 4xx; errors have the plane's shape.
func CheckRoutes(t *testing.T, h http.Handler, routes []wire.Route, c Check) {
	t.Helper()
	if len(routes) == 0 {
		t.Fatal("no routes")
	}
	for _, r := range routes {
		if c.Kind != "" && r.Host != c.Kind {
			continue
		}
		method := r.Method
		if method == "*" {
			method = http.MethodPost
		}
		t.Run(method+" "+string(r.Host)+strings.ReplaceAll(r.Pattern, "/", "|"), func(t *testing.T) {
			checkVersions(t, h, &r, method, c)
			if r.Auth.Name != wire.Anonymous.Name {
				checkStranger(t, h, &r, method, c)
			}
			if c.Sign != nil || r.Auth.Name == wire.Anonymous.Name {
				checkBody(t, h, &r, method, c)
			}
		})
	}
}

// CheckCovered demands that the exchanges in dir have a request for every route.
func CheckCovered(t *testing.T, dir string, routes []wire.Route) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 || len(routes) == 0 {
		t.Fatalf("%d files of exchanges in %s for %d routes: %v", len(files), dir, len(routes), err)
	}
	var lines []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(b), "\n")...)
	}
	rest, name := regexp.MustCompile(`\\\{[a-zA-Z0-9]+\\\*\\\}`), regexp.MustCompile(`\\\{[a-zA-Z0-9]+\\\}`)
	for _, r := range routes {
		pattern := name.ReplaceAllString(rest.ReplaceAllString(regexp.QuoteMeta(r.Pattern), `.+`), `[^/?]+`)
		want := regexp.MustCompile("(?i)^" + r.Method + " " + pattern + `(\?|$)`)
		if !slices.ContainsFunc(lines, want.MatchString) {
			t.Errorf("no exchange for %s %s", r.Method, r.Pattern)
		}
	}
}

func checkVersions(t *testing.T, h http.Handler, r *wire.Route, method string, c Check) {
	t.Helper()
	if r.Versions.Header != "" || !r.Versions.Required && r.Versions.First == "" {
		return
	}
	bad := []string{"yesterday", "2024-13-01", "2024-01-01-"}
	if r.Versions.Required {
		bad = append(bad, "")
	}
	if r.Versions.First != "" {
		bad = append(bad, "2000-01-01")
	}
	for _, v := range bad {
		w := send(h, r, method, v, "", nil, c)
		if w.Code != http.StatusBadRequest {
			t.Errorf("api-version %q: got %d %s, want 400", v, w.Code, w.Body)
		}
		checkShape(t, r, w)
	}
}

func checkStranger(t *testing.T, h http.Handler, r *wire.Route, method string, c Check) {
	t.Helper()
	for _, credential := range []string{"", "Bearer x.y.z", "type%3Dmaster%26ver%3D1.0%26sig%3Dx", "Basic eDp4"} {
		for _, body := range []string{"", "{", strings.Repeat("x", 1000)} {
			w := send(h, r, method, version(r, c), body, func(q *http.Request) {
				if credential != "" {
					q.Header.Set("Authorization", credential)
				}
			}, c)
			if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
				t.Errorf("credential %.10q, body %.10q: got %d %s, want 401 or 403", credential, body, w.Code, w.Body)
			}
			checkShape(t, r, w)
		}
	}
}

func checkBody(t *testing.T, h http.Handler, r *wire.Route, method string, c Check) {
	t.Helper()
	limit := r.BodyLimit
	if limit == 0 {
		limit = wire.DefaultBodyLimit
	}
	if limit < 0 || method == http.MethodGet || method == http.MethodHead {
		return
	}
	if limit <= 16<<20 {
		w := send(h, r, method, version(r, c), strings.Repeat("x", int(limit)+1), c.Sign, c)
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("body over the limit: got %d %.200s, want 413", w.Code, w.Body)
		}
		checkShape(t, r, w)
	}
	for _, body := range []string{`{"a":`, `[[[[`, `nonsense`, "\x00\xff"} {
		w := send(h, r, method, version(r, c), body, c.Sign, c)
		if w.Code >= 500 || w.Code < 400 && method != http.MethodDelete {
			t.Errorf("body %q: got %d %s, want 4xx", body, w.Code, w.Body)
		}
		if w.Code >= 400 {
			checkShape(t, r, w)
		}
	}
}

func version(r *wire.Route, c Check) string {
	switch {
	case !r.Versions.Required:
		return ""
	case c.Version != "":
		return c.Version
	case r.Versions.First != "":
		return r.Versions.First
	}
	return "2024-01-01"
}

// send addresses the route with its parameters filled in.
func send(h http.Handler, r *wire.Route, method, version, body string, sign func(*http.Request), c Check) *httptest.ResponseRecorder {
	url := "https://" + wire.Hosts{}.Authority(wire.Host{Public: true}, r.Host, c.Names[r.Host])
	if r.Host == wire.HostTAXII { // there is no Azure name of it
		url = "https://" + wire.Hosts{Suffix: "bulkhead.localhost"}.Authority(wire.Host{}, r.Host, "")
	}
	if c.Kind != "" {
		url = "http://127.0.0.1"
	}
	for _, seg := range strings.Split(strings.Trim(r.Pattern, "/"), "/") {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			name = strings.TrimRight(name, "}*?")
			if seg = c.Params[name]; seg == "" {
				seg = "x1"
			}
		}
		url += "/" + seg
	}
	if version != "" {
		url += "?api-version=" + version
	}
	req := httptest.NewRequest(method, url, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if sign != nil {
		sign(req)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// checkShape demands the plane's form of an error answer.
func checkShape(t *testing.T, r *wire.Route, w *httptest.ResponseRecorder) {
	t.Helper()
	if r.Method == http.MethodHead || w.Code < 400 {
		return
	}
	field, contentType := "", "application/json"
	switch r.Host {
	case wire.HostTAXII:
		field, contentType = "title", "application/taxii+json;version=2.1"
	case wire.HostImages:
		field = "errors"
	case wire.HostSite, wire.HostSCM, wire.HostPortal:
		return // a page
	case wire.HostCosmos:
		field = "code"
	case wire.HostMachine:
		field = "message"
		if strings.HasPrefix(r.Pattern, "/metadata/") {
			field = "error_description"
		}
	case wire.HostCognitive:
		field = "error"
		if wire.FlatCognitive(r.Pattern) && w.Code == http.StatusBadRequest {
			field = "code"
		}
	default:
		field = "error"
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body[field] == nil {
		t.Errorf("%d answer %.200q is not of the plane's shape (no %q)", w.Code, w.Body, field)
	}
	if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, contentType) {
		t.Errorf("%d answer has Content-Type %q", w.Code, ct)
	}
}
