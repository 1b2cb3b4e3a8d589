package directory

import (
	"crypto"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// checkMachine verifies an assertion that an enrolled machine has signed with its own key about its managed identity. Which keys are its own is what its resource says
// now: one that is deleted or was enrolled anew has no others.
func (s *Service) checkMachine(r *wire.Request, tenant *Tenant, sp *SP, keys []crypto.PublicKey, raw string) (by string, err error) {
	if authn.CheckCompact(raw) != nil {
		return "", badAssertion("JWT token is invalid or malformed.")
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256})
	if err != nil {
		return "", badAssertion("JWT token is invalid or malformed. A machine's assertion must be a compact JWS with the algorithm ES256, RS256 or PS256.")
	}
	app := &Application{AppID: sp.AppID, DisplayName: sp.DisplayName}
	var payload []byte
	for _, key := range keys {
		if payload, err = jws.Verify(key); err == nil {
			break
		}
	}
	if payload == nil {
		return "", badSignature(app, "The assertion is not signed by the key the machine was enrolled with.")
	}
	var claims jwt.Claims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", badAssertion("JWT token is invalid or malformed. Its claims are not what is expected.")
	}
	if err := checkAssertionClaims(r, tenant, app, &claims, s.Clock.Now()); err != nil {
		return "", err
	}
	return "machine key", nil
}
