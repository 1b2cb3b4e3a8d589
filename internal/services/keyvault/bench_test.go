package keyvault

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct {
	h      http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(status int)      { n.status = status }

// BenchmarkSecretGet reads the newest version of a secret through the mux, without TLS and the real token check.
func BenchmarkSecretGet(b *testing.B) {
	p := newPlatform(b)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/db-password", `{"value":"0123456789abcdef0123456789abcdef","contentType":"text/plain","tags":{"a":"b"}}`)
	p.mux = p.quietMux()
	r := httptest.NewRequest("GET", "https://kv1.vault.azure.net/secrets/db-password/?api-version=7.4", nil)
	r.RemoteAddr = "10.1.2.3:4567"
	r.Header.Set("Authorization", "Bearer "+token(bob))
	bar := benchbar.Start(b)
	for b.Loop() {
		w := &nowhere{h: http.Header{}}
		if p.mux.ServeHTTP(w, r); w.status != 200 {
			b.Fatal(w.status)
		}
	}
	bar.Allocs(75)
}
