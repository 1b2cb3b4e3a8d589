package keyvault

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p := newPlatform(t)
		p.vault("kv1", nil)
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{"alice": token(alice), "bob": token(bob)}}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	check := wiretest.Check{
		Names: map[wire.HostKind]string{wire.HostVault: "kv1"}, Version: "7.4", Params: map[string]string{"version": "00000000000000000000000000000000"},
	}
	var done, missing []wire.Route
	for _, r := range p.s.routes() {
		if r.Host == wire.HostAdmin {
			continue
		}
		// What is not implemented answers 501 whatever the body.
		req := &wire.Request{HTTP: httptest.NewRequest(r.Method, "https://kv1.vault.azure.net/", nil), State: &vault{}}
		if _, err := r.Handler(t.Context(), req); err != nil && isNotImplemented(err) {
			missing = append(missing, r)
			continue
		}
		done = append(done, r)
	}
	if len(done) < 30 || len(missing) == 0 {
		t.Fatalf("%d routes work, %d do not", len(done), len(missing))
	}
	wiretest.CheckRoutes(t, p.mux, missing, check)
	check.Sign = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token(alice)) }
	wiretest.CheckRoutes(t, p.mux, done, check)
}
