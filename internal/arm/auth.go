package arm

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// application is the id of Azure Resource Manager's own application, which tokens may name as their audience.
const application = "797f4846-ba00-4fd7-ba43-dac1f8f63013"

// Authenticator demands a bearer token for the control plane; for services that answer on its host outside of their types.
func (p *Pipeline) Authenticator() wire.Authenticator { return p.bearer() }

// bearer demands a bearer token for the control plane, of any tenant: roles are for whom they name.
func (p *Pipeline) bearer() wire.Authenticator {
	return wire.Authenticator{Name: "bearer token (management)", Check: p.authenticate}
}

func (p *Pipeline) authenticate(ctx context.Context, r *wire.Request) error {
	h := r.HTTP.Header.Get("Authorization")
	if h == "" {
		return p.unauthenticated(ctx, r, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	scheme, token, ok := strings.Cut(h, " ")
	if token = strings.TrimSpace(token); !ok || token == "" || !strings.EqualFold(scheme, "Bearer") {
		return p.unauthenticated(ctx, r, "AuthenticationFailedInvalidHeader",
			"Authentication failed. The 'Authorization' header is provided in an invalid format: a bearer token is expected.")
	}
	who, err := p.deps.Verifier.Verify(ctx, token)
	var bad *authn.VerifyError
	switch {
	case errors.As(err, &bad):
		code, text := wordVerifyError(bad)
		return p.unauthenticated(ctx, r, code, text)
	case err != nil:
		return err
	case !audienceOK(r, who.Audience):
		return p.unauthenticated(ctx, r, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource '"+clip(who.Audience)+
			"'. It should exactly match with one of the allowed audiences '"+strings.Join(audiences(r), "','")+"'.")
	}
	r.Principal = who
	return p.auxiliary(ctx, r)
}

func wordVerifyError(e *authn.VerifyError) (code, text string) {
	switch e.Reason {
	case authn.Expired:
		return "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time: expired " + e.Detail + "."
	case authn.NotYetValid:
		return "InvalidAuthenticationToken", "The access token is not yet valid: " + e.Detail + "."
	case authn.BadSignature:
		return "InvalidAuthenticationToken", "The access token validation failed: its signature is invalid."
	case authn.BadIssuer:
		return "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer: " + clip(e.Detail) + "."
	}
	return "InvalidAuthenticationToken", "The access token is invalid: " + clip(e.Detail) + "."
}

// audiences are those a token may name, by the way the client came in.
func audiences(r *wire.Request) []string {
	out := []string{"https://management.core.windows.net/", "https://management.azure.com/"}
	if r.Hosts.Suffix != "" {
		out = append(out, "https://"+r.Hosts.Authority(wire.Host{}, wire.HostARM, "")+"/")
	}
	return out
}

func audienceOK(r *wire.Request, aud string) bool {
	if aud == application {
		return true
	}
	aud = strings.TrimRight(aud, "/")
	for _, a := range audiences(r) {
		a = strings.TrimRight(a, "/")
		if aud == a {
			return true
		}
	}
	return r.Hosts.Suffix != "" && aud == "https://management."+r.Hosts.Suffix
}

// unauthenticated is a 401 that says where to sign in: the subscription's tenant, if there is one.
func (p *Pipeline) unauthenticated(ctx context.Context, r *wire.Request, code, text string) error {
	tenant := "common"
	sub := r.Param(paramSub)
	if sub == "" {
		sub, _ = subscriptionOf("/" + strings.ToLower(r.Param(paramScope)))
	}
	if ids.IsGUID(sub) {
		shard := subShard(sub)
		pol, err := p.policies.Get(ctx, shard, shard)
		if err != nil {
			return err
		}
		if pol.tenantID != "" {
			tenant = pol.tenantID
		}
	}
	f := fault.New(fault.Unauthenticated, code, "%s", text)
	f.Header = http.Header{"Www-Authenticate": {
		`Bearer authorization_uri="` + r.URL(wire.HostLogin, "") + "/" + tenant + `", error="invalid_token", error_description="` +
			strings.Map(quotable, text) + `"`,
	}}
	return f
}

// quotable keeps a text from ending the quoted string it is put into.
func quotable(r rune) rune {
	if r == '"' || r == '\\' || r < 0x20 || r > 0x7e {
		return '\''
	}
	return r
}
