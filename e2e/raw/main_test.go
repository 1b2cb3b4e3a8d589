// Package raw sends requests that no SDK would send, as bytes over HTTP: what must be refused is refused with the right status, code and shape, and
// what real clients write oddly is understood.
package raw

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// shape is the form of a service's errors.
type shape struct {
	name string
	code func(body map[string]any) string // "" if the body has another form
}

// The shapes.
var (
	odata  = shape{"error.code", func(b map[string]any) string { return textOf(nested(b, "error"), "code", "message") }}
	cosmos = shape{"code", func(b map[string]any) string { return textOf(b, "code", "message") }}
	oauth  = shape{"error", func(b map[string]any) string {
		if codes, ok := b["error_codes"].([]any); !ok || len(codes) != 1 {
			return ""
		}
		for _, name := range []string{"trace_id", "correlation_id", "timestamp"} {
			if b[name] == nil {
				return ""
			}
		}
		return textOf(b, "error", "error_description")
	}}
)

func nested(b map[string]any, name string) map[string]any {
	m, _ := b[name].(map[string]any)
	return m
}

// textOf is the member code, if the member message says something too.
func textOf(b map[string]any, code, message string) string {
	c, _ := b[code].(string)
	if m, _ := b[message].(string); m == "" {
		return ""
	}
	return c
}

// request is one request and the answer it should have.
type request struct {
	name, method, url string
	header            http.Header
	body              any
	status            int
	code              string // of the error; "" for a success
	says              string // part of the body, besides
	challenge         bool   // the answer carries WWW-Authenticate
	hides             string // a secret that the answer must not hold, besides what the header says
}

// run sends each request by w and compares.
func run(t *testing.T, w harness.Way, s shape, requests []request) {
	t.Helper()
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			a := w.Do(t, r.method, r.url, r.header, r.body)
			if a.Status != r.status {
				t.Fatalf("%s %s: got %d, want %d\n%s", r.method, r.url, a.Status, r.status, a.Body)
			}
			if r.code != "" {
				if got := s.code(a.JSON()); got != r.code {
					t.Errorf("code (%s): got %q, want %q\n%s", s.name, got, r.code, a.Body)
				}
				if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
					t.Errorf("content type: got %q", ct)
				}
			}
			for _, name := range []string{"Authorization", "X-Identity-Header", "Secret"} {
				if secret := strings.TrimPrefix(r.header.Get(name), "Bearer "); secret != "" && strings.Contains(string(a.Body), secret) {
					t.Errorf("the answer repeats a credential: %s", a.Body)
				}
			}
			if r.hides != "" && strings.Contains(string(a.Body), r.hides) {
				t.Errorf("the answer holds a secret: %s", a.Body)
			}
			if r.says != "" && !strings.Contains(string(a.Body), r.says) {
				t.Errorf("body: got %s, want it to say %q", a.Body, r.says)
			}
			if got := a.Header.Get("WWW-Authenticate"); (got != "") != r.challenge {
				t.Errorf("WWW-Authenticate: got %q, want one: %v", got, r.challenge)
			}
			if a.Header.Get("X-Ms-Request-Id") == "" && a.Header.Get("X-Ms-Activity-Id") == "" {
				t.Error("the answer has no request id")
			}
		})
	}
}

// bearer is a header with a token, or with nothing.
func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return harness.Bearer(token)
}
