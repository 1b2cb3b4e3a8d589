package identity

import (
	"context"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// The first api-versions of the instance metadata service.
const (
	firstMetadata = "2018-02-01" // of tokens
	firstInstance = "2017-04-02"
)

// instanceAnswer is the body of a token response of the instance metadata service; every value is a string.
type instanceAnswer struct {
	AccessToken string `json:"access_token"`
	ClientID    string `json:"client_id"`
	ExpiresIn   string `json:"expires_in"`
	ExpiresOn   string `json:"expires_on"`
	ExtExpires  string `json:"ext_expires_in"`
	NotBefore   string `json:"not_before"`
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
}

// authenticateProcess takes a request that came through the proxy with the credentials of a process that runs as a resource, and leaves the resource's id in r.Resource. The
// service has no secret of its own. Metadata and X-Forwarded-For are what keeps a process from being tricked into asking: a redirect sets neither the one nor
// leaves out the other.
func authenticateProcess(_ context.Context, r *wire.Request) error {
	h := r.HTTP.Header
	switch {
	case !strings.EqualFold(h.Get("Metadata"), "true"):
		return badMetadata("bad_request_102", "Required metadata header not specified")
	case h.Get("X-Forwarded-For") != "":
		return badMetadata("invalid_request", "The request has a header X-Forwarded-For: requests that came by way of somebody else are not served")
	case r.Process == "":
		return badMetadata("invalid_request", "Identity not found: the request came without the proxy credentials of a process that runs as a resource; see bulkhead exec --identity")
	}
	r.Resource = r.Process
	return nil
}

// badMetadata is a refusal by the instance metadata service: 400, which no client tries again.
func badMetadata(code, format string, args ...any) error {
	f := fault.New(fault.Invalid, "BadRequest", format, args...)
	f.Inner = code
	return f
}

// instanceToken answers with a token for the identity the request names. If it names none it is the system-assigned one, else the only user-assigned one.
func (s *Service) instanceToken(ctx context.Context, r *wire.Request) (any, error) {
	resource := r.Query("resource")
	if resource == "" {
		return nil, badMetadata("invalid_request", "The parameter resource is missing")
	}
	sel, err := selectorOf(r, "client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id")
	if err != nil {
		return nil, err
	}
	h, err := s.holder(ctx, r.Resource)
	if err != nil {
		return nil, err
	}
	c, err := s.chooseForMachine(ctx, h, sel)
	if err != nil {
		return nil, err
	}
	tok, err := s.issue(ctx, r, h, c, resource, "proxy credentials")
	if err != nil {
		return nil, err
	}
	seconds := strconv.FormatInt(max(int64(tok.Expires.Sub(s.deps.Clock.Now()).Seconds()), 1), 10)
	return noStore(instanceAnswer{
		AccessToken: tok.Raw, ClientID: c.ClientID, ExpiresIn: seconds, ExpiresOn: strconv.FormatInt(tok.Expires.Unix(), 10), ExtExpires: seconds,
		NotBefore: strconv.FormatInt(tok.NotBefore.Unix(), 10), Resource: resource, TokenType: "Bearer",
	}), nil
}

// chooseForMachine picks the identity by the rules of virtual machines.
func (s *Service) chooseForMachine(ctx context.Context, h holder, sel selector) (c chosen, err error) {
	ok := false
	if sel.parameter != "" {
		c, ok, err = s.find(ctx, h, sel)
	} else if u, has := h.system(); has {
		c, ok = chosen{u, h.resource.Name, h.resource.ID}, true
	} else {
		if len(h.users()) > 1 {
			return c, badMetadata("invalid_request", "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request")
		}
		for id := range h.users() {
			c, ok, err = s.user(ctx, h, id)
		}
	}
	if err == nil && !ok {
		err = badMetadata("invalid_request", "Identity not found")
	}
	return c, err
}

// noMetadata answers what of the instance metadata service is not there. 404 is what clients that ask for something newer take as "not here".
func noMetadata(_ context.Context, r *wire.Request) (any, error) {
	return nil, fault.New(fault.NotFound, "NotFound", "/metadata/%.100s is not served by this platform", r.Param("path"))
}
