package keyvault

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Audiences of Key Vault's tokens: the resource, and the id of its first-party application.
const (
	resource    = "https://vault.azure.net"
	application = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"
)

// authenticate demands a bearer token for Key Vault of the vault's own tenant; whatever is wrong with it is answered with the challenge from which the
// SDKs learn tenant and resource.
func (s *Service) authenticate(ctx context.Context, r *wire.Request) error {
	v := r.State.(*vault)
	raw, ok := bearer(r.HTTP.Header.Get("Authorization"))
	if !ok {
		return s.challenge(r, v, "AKV10000: Request is missing a Bearer or PoP token.")
	}
	p, err := s.deps.Verifier.Verify(ctx, raw)
	if err != nil {
		var bad *authn.VerifyError
		if errors.As(err, &bad) {
			return s.challenge(r, v, verifyText(v, bad))
		}
		return err
	}
	if !forVault(r, p.Audience) {
		return s.challenge(r, v, "AKV10022: Invalid audience. Expected "+resourceOf(r)+", found: "+p.Audience+".")
	}
	if !strings.EqualFold(p.TenantID, v.tenant) {
		return s.challenge(r, v, issuerText(v, p.Issuer))
	}
	r.Principal = p
	return nil
}

// bearer takes the token out of an Authorization header.
func bearer(h string) (string, bool) {
	scheme, token, ok := strings.Cut(h, " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// resourceOf is the resource a client by this way must ask a token for. The SDKs check that it is their own request's host without its first label, with
// the port.
func resourceOf(r *wire.Request) string {
	if r.Host.Public {
		return resource
	}
	_, rest, _ := strings.Cut(r.Host.Text, ".")
	return "https://" + rest
}

func forVault(r *wire.Request, audience string) bool {
	audience = strings.TrimSuffix(audience, "/")
	if audience == resource || audience == application {
		return true
	}
	if r.Hosts.Suffix == "" {
		return false
	}
	_, own, _ := strings.Cut(r.Hosts.Authority(wire.Host{}, wire.HostVault, "x"), ".")
	return audience == "https://"+own || audience == resourceOf(r)
}

func issuerText(v *vault, found string) string {
	return "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/" + v.tenant + "/, https://login.microsoftonline.com/" + v.tenant + "/v2.0, found " + found + "."
}

func verifyText(v *vault, bad *authn.VerifyError) string {
	switch bad.Reason {
	case authn.BadIssuer:
		return issuerText(v, bad.Detail)
	case authn.Expired:
		return "Error validating token: IDX10223: Lifetime validation failed. The token is expired. " + bad.Detail
	case authn.NotYetValid:
		return "Error validating token: IDX10222: Lifetime validation failed. The token is not yet valid. " + bad.Detail
	case authn.Gone:
		return "Error validating token: " + bad.Detail + "."
	case authn.BadSignature:
		return "Error validating token: IDX10511: Signature validation failed."
	default:
		return "Error validating token: IDX12741: JWT must have three segments (JWS) or five segments (JWE)."
	}
}

// challenge is a 401 that says where and for what to get a token.
func (s *Service) challenge(r *wire.Request, v *vault, message string) error {
	e := fault.New(fault.Unauthenticated, "Unauthorized", "%s", message)
	e.Header = s.headers(r, v)
	e.Header.Set("WWW-Authenticate", `Bearer authorization="`+r.URL(wire.HostLogin, "")+"/"+v.tenant+`", resource="`+resourceOf(r)+`"`)
	return e
}

// headers are those every answer of a vault carries.
func (s *Service) headers(r *wire.Request, v *vault) http.Header {
	family, conn := "InterNetwork", "Ipv4"
	addr := r.Client.Unmap()
	if addr.Is6() {
		family, conn = "InterNetworkV6", "Ipv6"
	}
	h := make(http.Header, 4)
	h["X-Ms-Keyvault-Region"] = []string{v.location}
	h["X-Ms-Keyvault-Service-Version"] = []string{serviceVersion}
	h["X-Ms-Keyvault-Network-Info"] = []string{"conn_type=" + conn + ";addr=" + addr.String() + ";act_addr_fam=" + family + ";"}
	return h
}

// serviceVersion has the form of Azure's; clients only print it.
const serviceVersion = "1.9.0.0"

// headed adds the vault's headers to whatever err becomes.
func (s *Service) headed(r *wire.Request, v *vault, err error) error {
	e := *fault.As(err)
	h := s.headers(r, v)
	for name, values := range e.Header {
		h[name] = values
	}
	e.Header = h
	return &e
}
