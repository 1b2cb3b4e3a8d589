package gateway

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Preflight answers a browser that asks whether a page of another origin may send a request. No credential, no network rule is asked: the request itself
// passes all of them.
func (g *Gateway) Preflight(ctx context.Context, r *wire.Request) (any, error) {
	a, err := g.account(ctx, r)
	if err != nil {
		return nil, err
	}
	h, ok := a.CORS.Preflight(r.HTTP.Header.Get("Origin"), r.HTTP.Header.Get("Access-Control-Request-Method"), r.HTTP.Header.Get("Access-Control-Request-Headers"))
	if !ok {
		return nil, fault.New(fault.Forbidden, "Forbidden", "CORS not enabled or no matching rule found for this request.")
	}
	return wire.Reply{Status: http.StatusOK, Header: h}, nil
}

// allowOrigin lets a page of another origin read the answer, whatever it becomes.
func (a *Account) allowOrigin(r *wire.Request) {
	if a.CORS == nil {
		return
	}
	for name, values := range a.CORS.Answer(r.HTTP.Header.Get("Origin")) {
		r.ShareHeader(name, values)
	}
}
