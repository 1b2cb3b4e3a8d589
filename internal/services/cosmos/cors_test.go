package cosmos

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	c := newControlled(t).withItem()
	ask := func(origin, method, headers string) (int, http.Header) {
		r := httptest.NewRequest(http.MethodOptions, "https://"+host+"/dbs/db/colls/c/docs", nil)
		r.RemoteAddr = "203.0.113.9:1"
		for k, v := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers} {
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		w := httptest.NewRecorder()
		c.mux.ServeHTTP(w, r)
		return w.Code, w.Header()
	}
	const a = "https://a.example"
	if code, h := ask(a, "GET", "authorization"); code != 403 || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("no policy: %d %v", code, h)
	}
	c.arm("owner", "PATCH", "", `{"properties":{"cors":[{"allowedOrigins":"https://a.example,https://b.example","allowedMethods":"GET,POST","maxAgeInSeconds":300}],"ipRules":[{"ipAddressOrRange":"192.0.2.7"}]}}`, 200)
	if got, _ := dig(c.arm("owner", "GET", "", "", 200), "properties", "cors").([]any); len(got) != 1 || dig(got[0], "allowedOrigins") != "https://a.example,https://b.example" || dig(got[0], "maxAgeInSeconds") != 300.0 {
		t.Errorf("shown %v", got)
	}
	// A preflight is answered whatever the firewall says; the request after it is not.
	if code, h := ask(a, "POST", "authorization,x-ms-date"); code != 200 || h.Get("Access-Control-Allow-Origin") != a || h.Get("Access-Control-Allow-Methods") != "POST" ||
		h.Get("Access-Control-Allow-Headers") != "authorization,x-ms-date" || h.Get("Access-Control-Max-Age") != "300" {
		t.Errorf("preflight: %d %v", code, h)
	}
	for _, bad := range [][2]string{{"https://c.example", "GET"}, {a, "DELETE"}} {
		if code, h := ask(bad[0], bad[1], ""); code != 403 || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %d %v", bad, code, h)
		}
	}
	if code, _ := ask("", "GET", ""); code != 405 {
		t.Errorf("OPTIONS that is no preflight: %d", code)
	}
	for _, tt := range []struct {
		origin, from string
		status       int
		allow        string
	}{{a, "192.0.2.7", 200, a}, {"https://c.example", "192.0.2.7", 200, ""}, {"", "192.0.2.7", 200, ""}, {a, "203.0.113.9", 403, a}} {
		r := c.request("GET", "/dbs/db/colls/c/docs/1", "", pkA...)
		r.RemoteAddr = tt.from + ":1"
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		got := c.serve(c.sign(c.keys.Keys[0], r))
		if got.status != tt.status || got.header.Get("Access-Control-Allow-Origin") != tt.allow || tt.allow != "" && got.header.Get("Access-Control-Expose-Headers") != "*" {
			t.Errorf("%q from %s: %d %v", tt.origin, tt.from, got.status, got.header)
		}
	}
	c.arm("owner", "PATCH", "", `{"properties":{"cors":[]}}`, 200)
	if code, _ := ask(a, "GET", ""); code != 403 {
		t.Errorf("policy removed: %d", code)
	}
}
