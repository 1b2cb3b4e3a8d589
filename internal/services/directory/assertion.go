package directory

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is defined as SHA-1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// assertionSkew is how far the client's clock may be off.
const assertionSkew = 5 * time.Minute

// assertionHeader names the certificate an assertion is signed with. Clients spell thumbprints in base64 of either alphabet, padded or not.
type assertionHeader struct {
	SHA1   string   `json:"x5t"`
	SHA256 string   `json:"x5t#S256"`
	KeyID  string   `json:"kid"`
	Chain  []string `json:"x5c"`
}

// checkAssertion verifies a client assertion (RFC 7523) against the certificates registered on the application: signature first, then what it says.
// Replays are not refused: @azure/msal-node sends one assertion for as long as it lives, for any number of requests.
func (s *Service) checkAssertion(r *wire.Request, tenant *Tenant, app *Application, raw string) (by string, err error) {
	if authn.CheckCompact(raw) != nil {
		return "", badAssertion("JWT token is invalid or malformed.")
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil {
		return "", badAssertion("JWT token is invalid or malformed. The client assertion must be a compact JWS with the algorithm RS256 or PS256.")
	}
	var header assertionHeader
	if !decodeHeader(raw, &header) {
		return "", badAssertion("JWT token is invalid or malformed. Its header is not what is expected.")
	}
	var claims jwt.Claims
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims); err != nil {
		return "", badAssertion("JWT token is invalid or malformed. Its claims are not what is expected.")
	}
	if header.names() == 0 {
		return "", badAssertion("Invalid JWT token. No certificate thumbprint (x5t, x5t#S256), kid or x5c specified in token header.")
	}
	certificate := header.find(app.Certificates)
	if certificate == nil {
		return "", badSignature(app, "The key was not found., Thumbprint of key used by client: '"+clip(header.shown())+"'")
	}
	parsed, err := certificate.parse()
	if err != nil {
		return "", err
	}
	public, ok := parsed.PublicKey.(*rsa.PublicKey)
	if !ok {
		return "", badSignature(app, "The key is not an RSA key.")
	}
	if _, err := jws.Verify(public); err != nil {
		return "", badSignature(app, "The provided signature value did not match the expected signature value., Thumbprint of key used by client: '"+certificate.Thumbprint()+"'")
	}
	now := s.Clock.Now()
	if now.Before(certificate.Start) || !now.Before(certificate.End) {
		return "", badSignature(app, "The key used is expired., Thumbprint of key used by client: '"+certificate.Thumbprint()+"', Found key 'Start="+
			certificate.Start.Format(time.RFC3339)+", End="+certificate.End.Format(time.RFC3339)+"'")
	}
	if err := checkAssertionClaims(r, tenant, app, &claims, now); err != nil {
		return "", err
	}
	return "certificate " + certificate.Thumbprint(), nil
}

// checkAssertionClaims checks a verified assertion: from the client about itself, for this token endpoint, now.
func checkAssertionClaims(r *wire.Request, tenant *Tenant, app *Application, c *jwt.Claims, now time.Time) error {
	if !strings.EqualFold(c.Issuer, app.AppID) || !strings.EqualFold(c.Subject, app.AppID) {
		return oauth(fault.Unauthenticated, 700021, "invalid_client",
			"Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at "+
				"https://learn.microsoft.com/entra/identity-platform/certificate-credentials. Issuer '%s', subject '%s'.", clip(c.Issuer), clip(c.Subject))
	}
	if c.Expiry == nil || now.After(c.Expiry.Time().Add(assertionSkew)) || c.NotBefore != nil && now.Add(assertionSkew).Before(c.NotBefore.Time()) {
		return oauth(fault.Unauthenticated, 700024, "invalid_client",
			"Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s.",
			now.Format(time.RFC3339), shownTime(c.NotBefore), shownTime(c.Expiry))
	}
	for _, aud := range c.Audience {
		if ownAudience(r, tenant, aud) {
			return nil
		}
	}
	return oauth(fault.Unauthenticated, 700023, "invalid_client",
		"Client assertion audience claim does not match Realm issuer. Audience '%s' is not a token endpoint of tenant %s.",
		clip(strings.Join(c.Audience, " ")), tenant.ID)
}

// ownAudience tells whether aud is a token endpoint (or the issuer) of the tenant, by any of its names and any name of the login host.
func ownAudience(r *wire.Request, tenant *Tenant, aud string) bool {
	u, err := url.Parse(aud)
	if err != nil || u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		return false
	}
	if h, ok := r.Hosts.Resolve(u.Host); !ok || h.Kind != wire.HostLogin {
		return false
	}
	segment, rest, _ := strings.Cut(strings.ToLower(strings.Trim(u.Path, "/")), "/")
	switch rest {
	case "oauth2/token", "oauth2/v2.0/token", "v2.0", "":
	default:
		return false
	}
	switch segment {
	case tenant.ID, "common", "organizations", "adfs":
		// The authorities that name no tenant: the client is in only one as its own.
		return true
	}
	for _, d := range tenant.Domains {
		if segment == d {
			return true
		}
	}
	return false
}

// decodeHeader reads the protected header, of which go-jose keeps only what it knows.
func decodeHeader(raw string, into *assertionHeader) bool {
	encoded, _, _ := strings.Cut(raw, ".")
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	return err == nil && json.Unmarshal(b, into) == nil
}

func (h *assertionHeader) names() int {
	return len(h.SHA1) + len(h.SHA256) + len(h.KeyID) + len(h.Chain)
}

// shown is the name the client gave its key, for the error.
func (h *assertionHeader) shown() string {
	for _, name := range []string{h.SHA1, h.SHA256, h.KeyID} {
		if b := anyBase64(name); b != nil && (len(b) == sha1.Size || len(b) == sha256.Size) {
			return strings.ToUpper(hex.EncodeToString(b))
		}
		if name != "" {
			return name
		}
	}
	return "x5c"
}

// find picks the registered certificate that the header names. All the names it gives must be of the same one. A chain is read for its leaf only:
// no authority vouches for a certificate here, registration does.
func (h *assertionHeader) find(registered []Certificate) *Certificate {
	var leaf []byte
	if len(h.Chain) > 0 {
		if leaf = anyBase64(h.Chain[0]); leaf == nil {
			return nil
		}
	}
	for i := range registered {
		c := &registered[i]
		short, long := c.thumbprints()
		switch {
		case h.SHA256 != "" && !bytes.Equal(anyBase64(h.SHA256), long[:]):
		case h.SHA1 != "" && !bytes.Equal(anyBase64(h.SHA1), short[:]):
		case leaf != nil && !bytes.Equal(leaf, c.DER):
		case h.SHA256 == "" && h.SHA1 == "" && leaf == nil && !namesKey(h.KeyID, short[:], long[:]):
		default:
			return c
		}
	}
	return nil
}

// namesKey tells whether a kid is a thumbprint, in hexadecimal or base64. Beside other names it is the client's own affair.
func namesKey(kid string, short, long []byte) bool {
	if b, err := hex.DecodeString(kid); err == nil && len(b) > 0 {
		return bytes.Equal(b, short) || bytes.Equal(b, long)
	}
	b := anyBase64(kid)
	return len(b) > 0 && (bytes.Equal(b, short) || bytes.Equal(b, long))
}

// anyBase64 decodes base64 of either alphabet, padded or not; nil if it is neither.
func anyBase64(s string) []byte {
	s = strings.TrimRight(s, "=")
	for _, enc := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
		if b, err := enc.DecodeString(s); err == nil {
			return b
		}
	}
	return nil
}

func shownTime(d *jwt.NumericDate) string {
	if d == nil {
		return "(none)"
	}
	return d.Time().UTC().Format(time.RFC3339)
}

func badAssertion(message string) error {
	return oauth(fault.Unauthenticated, 50027, "invalid_client", "%s", message)
}

func badSignature(app *Application, reason string) error {
	return oauth(fault.Unauthenticated, 700027, "invalid_client",
		"The certificate with identifier used to sign the client assertion is not registered on application or its signature is invalid. "+
			"[Reason - %s, Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '%s'.]", reason, app.AppID)
}
