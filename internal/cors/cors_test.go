package cors

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPreflight(t *testing.T) {
	t.Parallel()
	p := Policy{Origins: []string{"https://a.example", "http://localhost:3000/"}, Methods: []string{"GET", "POST"}, Headers: []string{"authorization", "x-ms-*"}, MaxAge: 60}
	all := Policy{Origins: []string{Any}, Methods: []string{Any}, Headers: []string{Any}}
	with := Policy{Origins: []string{Any}, Methods: []string{Any}, Credentials: true}
	for _, tt := range []struct {
		p                       *Policy
		origin, method, headers string
		want                    string // Access-Control-Allow-Origin; "": refused
	}{
		{&p, "https://a.example", "GET", "", "https://a.example"},
		{&p, "https://a.example", "POST", "Authorization, x-ms-date", "https://a.example"},
		{&p, "HTTPS://A.example", "GET", "", "HTTPS://A.example"},
		{&p, "http://localhost:3000", "GET", "", "http://localhost:3000"},
		{&p, "http://localhost:3001", "GET", "", ""},
		{&p, "https://a.example.evil", "GET", "", ""},
		{&p, "https://b.example", "GET", "", ""},
		{&p, "null", "GET", "", ""},
		{&p, "", "GET", "", ""},
		{&p, "https://a.example", "DELETE", "", ""},
		{&p, "https://a.example", "get", "", ""},
		{&p, "https://a.example", "GET", "x-other", ""},
		{&p, "https://a.example", "GET", "authorization,x-other", ""},
		{&all, "https://b.example", "PATCH", "anything", "*"},
		{&all, "null", "GET", "", "*"},
		{&with, "https://b.example", "GET", "", "https://b.example"},
		{&Policy{}, "https://b.example", "GET", "", ""},
		{nil, "https://b.example", "GET", "", ""},
	} {
		h, ok := tt.p.Preflight(tt.origin, tt.method, tt.headers)
		if ok != (tt.want != "") || h.Get("Access-Control-Allow-Origin") != tt.want {
			t.Errorf("%q %s %q: %v %v, want %q", tt.origin, tt.method, tt.headers, ok, h, tt.want)
		}
		if ok && (h.Get("Access-Control-Allow-Methods") != tt.method || h.Get("Access-Control-Allow-Headers") != tt.headers || h.Get("Vary") == "") {
			t.Errorf("%q %s %q: %v", tt.origin, tt.method, tt.headers, h)
		}
	}
	if h, _ := p.Preflight("https://a.example", "GET", ""); h.Get("Access-Control-Max-Age") != "60" {
		t.Errorf("max age: %v", h)
	}
	if h, _ := with.Preflight("https://a.example", "GET", ""); h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("credentials: %v", h)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	p := &Policy{Origins: []string{"https://a.example"}, Exposed: []string{"etag", "x-ms-request-charge"}}
	for origin, want := range map[string]http.Header{
		"https://a.example": {"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"https://a.example"}, "Access-Control-Expose-Headers": {"etag,x-ms-request-charge"}},
		"https://b.example": {"Vary": {"Origin"}},
	} {
		if d := cmp.Diff(want, p.Answer(origin)); d != "" {
			t.Errorf("%s: %s", origin, d)
		}
	}
	if h := (*Policy)(nil).Answer("https://a.example"); len(h) != 0 {
		t.Errorf("no policy: %v", h)
	}
}

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	for origin, ok := range map[string]bool{
		"*": true, "https://a.example": true, "http://localhost:3000": true, "https://a.example/": true, "https://*.example": false, "a.example": false,
		"https://a.example/x": false, "https://u@a.example": false, "": false, "https://": false, "https://a.example?x": false,
	} {
		if err := CheckOrigin(origin); (err == nil) != ok {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

func FuzzPreflight(f *testing.F) {
	f.Add("https://a.example", "GET", "x-ms-date, authorization")
	p := &Policy{Origins: []string{"https://a.example"}, Methods: []string{"GET"}, Headers: []string{"x-ms-*"}}
	f.Fuzz(func(t *testing.T, origin, method, headers string) {
		if _, ok := p.Preflight(origin, method, headers); ok && method != "GET" {
			t.Errorf("%q %q %q is allowed", origin, method, headers)
		}
		_ = CheckOrigin(origin)
	})
}
