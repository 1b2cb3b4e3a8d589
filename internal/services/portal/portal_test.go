package portal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

const (
	sub   = "11111111-1111-4111-8111-111111111111"
	aID   = "/subscriptions/" + sub + "/resourceGroups/g/providers/Microsoft.Security/locations/westeurope/alerts/2518_a"
	angry = `<script>alert(1)</script>`
)

// platform answers what the portal asks of the other services: a token for the administrator and one alert, whose texts an intruder chose.
type platform struct {
	posted []string
	status int

	sent []sentBody // to the monitor
	gone string     // part of a path that the user may not see
	lost bool       // the resource group is gone
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) { w.Header().Set("Content-Type", "application/json"); _ = json.NewEncoder(w).Encode(v) }
	alert := map[string]any{"id": aID, "name": "2518_a", "properties": map[string]any{
		"alertDisplayName": "Shell " + angry, "severity": "High", "status": "Active", "intent": "Execution", "compromisedEntity": angry, "startTimeUtc": "2018-11-20T01:00:00Z",
		"endTimeUtc": "2018-11-20T01:00:00Z", "extendedProperties": map[string]string{"count": "3"},
		"supportingEvidence": map[string]any{"columns": []string{"Time", "Process id", "Command line"}, "rows": [][]string{{"2018-11-20T01:00:00Z", "7", "echo " + angry}}},
	}}
	switch {
	case strings.HasPrefix(r.Host, "login."):
		b, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(b))
		if form.Get("client_secret") != "s3cret" && form.Get("code") != "c0de" {
			w.WriteHeader(http.StatusUnauthorized)
			answer(map[string]string{"error_description": "AADSTS7000215: Invalid client secret."})
			return
		}
		answer(map[string]any{"access_token": "t0ken", "expires_in": 3600})
	case r.Header.Get("Authorization") != "Bearer t0ken":
		w.WriteHeader(http.StatusUnauthorized)
		answer(map[string]any{"error": map[string]string{"code": "AuthenticationFailed", "message": "no"}})
	case p.status != 0:
		w.WriteHeader(p.status)
		answer(map[string]any{"error": map[string]string{"code": "AuthorizationFailed", "message": "may not " + angry}})
	case p.monitor(w, r):
	case r.Method == http.MethodPost:
		p.posted = append(p.posted, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/subscriptions":
		answer(map[string]any{"value": []any{map[string]string{"subscriptionId": sub, "displayName": "S"}}})
	case strings.HasSuffix(r.URL.Path, "/investigation") && r.URL.Query().Get("to") != "": // nothing happened by then
		answer(map[string]any{"focus": "alert:a", "path": []string{"incident:i", "alert:a"}, "nodes": []any{}, "edges": []any{}})
	case strings.HasSuffix(r.URL.Path, "/investigation"):
		answer(map[string]any{"focus": "alert:a", "path": []string{"alert:a"}, "nodes": []any{
			map[string]any{"id": "alert:a", "type": "alert", "label": "A"}, map[string]any{"id": "process:1", "type": "process", "label": angry},
		}, "edges": []any{map[string]any{"from": "alert:a", "to": "process:1", "type": "about"}}})
	case strings.HasSuffix(r.URL.Path, "/alertCounts"):
		answer(map[string]any{"value": []any{map[string]any{"properties": map[string]any{"compromisedEntity": angry, "counts": []any{
			map[string]any{"isIncident": false, "status": "Active", "severity": "High", "count": 1},
		}}}}})
	case strings.HasSuffix(r.URL.Path, "/alerts"):
		if f := r.URL.Query().Get("$filter"); strings.Contains(f, "isIncident eq true") || strings.Contains(f, "severity eq 'Low'") {
			answer(map[string]any{"value": []any{}})
			return
		}
		answer(map[string]any{"value": []any{alert}})
	case r.URL.Path == aID:
		answer(alert)
	default:
		w.WriteHeader(http.StatusNotFound)
		answer(map[string]any{"error": map[string]string{"code": "NotFound", "message": "none"}})
	}
}

type browser struct {
	t       *testing.T
	h       http.Handler
	cookies map[string]string
}

func open(t *testing.T) (*Service, *platform, *browser) {
	t.Helper()
	p := &platform{}
	s := New(Deps{Clock: clock.NewFake(atNight), Log: slog.New(slog.DiscardHandler), FrontDoor: &http.Client{Transport: reach.InProcess{Handler: p}}, Administrator: func(context.Context) (Credential, error) {
		return Credential{TenantID: sub, ClientID: "admin", Secret: "s3cret"}, nil
	}})
	mux, err := wire.NewMux([]wire.Service{s.Service()}, wire.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s, p, &browser{t, mux, map[string]string{}}
}

func (b *browser) do(method, target string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "https://portal.azure.com"+target, body)
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
		if !c.Secure || !c.HttpOnly || !strings.HasPrefix(c.Name, "__Host-") {
			b.t.Errorf("cookie %s could be read or set by others", c.Name)
		}
	}
	return w
}

// admin signs the browser in by a link.
func (b *browser) admin(s *Service) {
	b.t.Helper()
	_, code, _ := strings.Cut(s.Link(), "#")
	if w := b.do("POST", "/signin/once", url.Values{"code": {code}}); w.Code != http.StatusSeeOther {
		b.t.Fatalf("sign-in by link = %d %s", w.Code, w.Body)
	}
	if w := b.do("POST", "/signin/once", url.Values{"code": {code}}); w.Code != http.StatusForbidden {
		b.t.Errorf("the link's second use = %d, want 403", w.Code)
	}
}

var canary = regexp.MustCompile(`name="canary" value="([^"]+)"`)

func TestPages(t *testing.T) {
	t.Parallel()
	s, p, b := open(t)
	b.admin(s)
	id := url.QueryEscape(aID)
	for path, want := range map[string]string{
		"/": "Subscriptions", "/security": "High", "/security/alerts": "1 to 1 of 1", "/security/alerts?severity=Low": "No alert is like this", "/security/alerts?text=SHELL": "1 to 1,",
		"/security/alerts?text=nothing": "No alert is like this", "/security/alerts?from=noon": "is not a time", "/security/alerts?after=x": "no place in the list",
		"/security/alert?id=" + id: "Evidence", "/security/investigation?id=" + id: "svg", "/security/investigation?id=" + id + "&from=nonsense": "is not a time",
		"/security/investigation?id=" + id + "&to=2000-01-01T00:00": "Investigation",
	} {
		w := b.do("GET", path, nil)
		text := w.Body.String()
		if !strings.Contains(text, want) || w.Code >= 500 {
			t.Errorf("GET %s = %d without %q:\n%s", path, w.Code, want, text)
		}
		if strings.Contains(text, angry) {
			t.Errorf("GET %s lets an intruder's text through", path)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s has the policy %q", path, csp)
		}
	}
	for _, bad := range []string{"/subscriptions/x", aID + "/../../x", aID + "?x", "https://example.org" + aID, ""} {
		if w := b.do("GET", "/security/alert?id="+url.QueryEscape(bad), nil); w.Code != http.StatusBadRequest {
			t.Errorf("the alert %q = %d, want 400", bad, w.Code)
		}
	}
	form := url.Values{"id": {aID}, "verb": {"dismiss"}}
	if w := b.do("POST", "/security/alert/status", form); w.Code != http.StatusForbidden || len(p.posted) != 0 {
		t.Errorf("a form without the canary = %d, %v", w.Code, p.posted)
	}
	form.Set("canary", canary.FindStringSubmatch(b.do("GET", "/security/alert?id="+id, nil).Body.String())[1])
	if w := b.do("POST", "/security/alert/status", form); w.Code != http.StatusSeeOther || len(p.posted) != 1 || p.posted[0] != aID+"/dismiss" {
		t.Errorf("dismiss = %d, %v", w.Code, p.posted)
	}
	form.Set("verb", "delete")
	if w := b.do("POST", "/security/alert/status", form); w.Code != http.StatusBadRequest || len(p.posted) != 1 {
		t.Errorf("another verb = %d, %v", w.Code, p.posted)
	}
	p.status = http.StatusForbidden
	if w := b.do("GET", "/security/alert?id="+id, nil); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "AuthorizationFailed") || strings.Contains(w.Body.String(), angry) {
		t.Errorf("what the user may not see = %d %s", w.Code, w.Body)
	}
	if w := b.do("POST", "/signout", form); w.Code != http.StatusSeeOther {
		t.Errorf("sign-out = %d", w.Code)
	}
	if w := b.do("GET", "/security", nil); w.Code != http.StatusFound || !strings.HasPrefix(w.Header().Get("Location"), "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?") {
		t.Errorf("after the sign-out = %d %s", w.Code, w.Header().Get("Location"))
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	_, _, b := open(t)
	to, err := url.Parse(b.do("GET", "/security/alerts?status=open", nil).Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("redirect_uri") != "https://portal.azure.com/signin/code" {
		t.Errorf("the directory is asked %v", q)
	}
	stranger := &browser{t, b.h, map[string]string{}}
	if w := stranger.do("GET", "/signin/code?code=c0de&state="+q.Get("state"), nil); w.Code != http.StatusBadRequest {
		t.Errorf("the answer in another browser = %d, want 400", w.Code)
	}
	if w := b.do("GET", "/signin/code?code=c0de&state="+q.Get("state"), nil); w.Code != http.StatusFound || w.Header().Get("Location") != "/security/alerts?status=open" {
		t.Errorf("the answer = %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := b.do("GET", "/", nil); w.Code != http.StatusOK {
		t.Errorf("after the sign-in = %d", w.Code)
	}
	b.do("GET", "/signin/code?code=c0de&state="+q.Get("state"), nil)
	if w := b.do("GET", "/signin/code?code=c0de&state="+q.Get("state"), nil); w.Code != http.StatusBadRequest {
		t.Errorf("the answer again = %d, want 400", w.Code)
	}
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		s, _, b := open(t)
		_, code, _ := strings.Cut(s.Link(), "#")
		return wiretest.Target{Handler: b.h, Vars: map[string]string{"code": code}}
	})
}

func TestExchanges_CoverEveryRoute(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t)
	wiretest.CheckCovered(t, "testdata", s.Service().Routes)
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	s, _, b := open(t)
	wiretest.CheckRoutes(t, b.h, s.Service().Routes, wiretest.Check{Params: map[string]string{"file": "portal.css"}})
	for _, file := range []string{"portal.css", "portal.js", "graph.js", "icon.svg"} {
		if w := b.do("GET", "/static/"+file, nil); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s = %d", file, w.Code)
		}
	}
	if w := b.do("GET", "/static/doc.go", nil); w.Code != http.StatusNotFound {
		t.Errorf("another file = %d", w.Code)
	}
}

func TestTable_Bounded(t *testing.T) {
	t.Parallel()
	now, all := time.Unix(1_800_000_000, 0), table[int]{}
	for i := range maxSessions + 100 {
		all.put(now.Add(time.Duration(i)*time.Second), fmt.Sprint(i), i, 24*time.Hour)
	}
	if _, old := all.get(now, "0"); len(all) != maxSessions || old {
		t.Errorf("%d are kept, the oldest among them: %t", len(all), old)
	}
	if v, ok := all.get(now, fmt.Sprint(maxSessions+99)); !ok || v != maxSessions+99 {
		t.Errorf("the newest is %d, %t", v, ok)
	}
	if _, ok := all.get(now.Add(48*time.Hour), fmt.Sprint(maxSessions+99)); ok {
		t.Error("an old one is still good")
	}
}
