package wire_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

type silent struct{}

func (silent) Record(context.Context, *wire.Event) error { return nil }

// BenchmarkMux is the shape of reading a secret: named host, parameters, api-version, authentication, JSON out, one log line.
func BenchmarkMux(b *testing.B) {
	type attributes struct {
		Enabled bool  `json:"enabled"`
		Created int64 `json:"created"`
	}
	type bundle struct {
		Value      string     `json:"value"`
		ID         string     `json:"id"`
		Attributes attributes `json:"attributes"`
	}
	p := &authn.Principal{ObjectID: "o", TenantID: "t"}
	rt := wire.Route{
		Host: wire.HostVault, Method: "GET", Pattern: "/secrets/{name}/{version?}", Operation: "SecretGet",
		Versions: wire.Versions{Required: true, First: "2016-10-01"},
		Auth:     wire.Authenticator{Name: "t", Check: func(_ context.Context, r *wire.Request) error { r.Principal = p; return nil }},
		Handler: wire.Handle(func(_ context.Context, r *wire.Request) (*bundle, error) {
			return &bundle{"secret", r.URL(wire.HostVault, r.Host.Name) + "/secrets/" + r.Param("name"), attributes{true, 1}}, nil
		}),
	}
	for name, log := range map[string]*slog.Logger{"nolog": nil, "json": slog.New(slog.NewJSONHandler(nopWriter{}, nil))} {
		b.Run(name, func(b *testing.B) {
			m := newMux(b, wire.Options{Log: log, Audit: silent{}}, rt)
			r := httptest.NewRequest("GET", "https://kv1.vault.azure.net/secrets/my-secret/?api-version=7.4", nil)
			r.Header.Set("X-Ms-Client-Request-Id", "11111111-2222-3333-4444-555555555555")
			bar := benchbar.Start(b)
			b.RunParallel(func(pb *testing.PB) {
				w := &discard{http.Header{}}
				for pb.Next() {
					clear(w.h)
					m.ServeHTTP(w, r)
				}
			})
			bar.Allocs(14)
		})
	}
}

type nopWriter struct{}

func (nopWriter) Write(b []byte) (int, error) { return len(b), nil }
