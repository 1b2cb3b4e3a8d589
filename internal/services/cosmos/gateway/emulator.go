package gateway

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// What clients know of the Cosmos DB emulator (https://learn.microsoft.com/azure/cosmos-db/emulator#authentication). The key is printed in its documentation: it is
// no secret, and the account that has it is served on loopback only.
const (
	EmulatorAccount  = "localhost"
	EmulatorKey      = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==" // gitleaks:allow
	EmulatorRegion   = "South Central US"
	EmulatorStrength = "Strong" // its consistency level
)

// emulatorEndpoint is where a client goes on that came to host. The emulator calls itself by its address; what has another name for it keeps that.
func emulatorEndpoint(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "443"
	}
	if name == "localhost" {
		name = "127.0.0.1"
	}
	return "https://" + net.JoinHostPort(strings.Trim(name, "[]"), port) + "/"
}

// computePort is where the emulator has its compute gateway, which takes ids as they are. At any other port is its routing gateway.
const computePort = "8903"

// checkRouted refuses what the routing gateway can't take apart again: it decodes paths twice and trims them before it verifies their signature, so that an item
// can be created with such an id but not addressed by it.
func checkRouted(host, escaped string) error {
	if _, port, err := net.SplitHostPort(host); err == nil && port == computePort {
		return nil
	}
	for segment := range strings.SplitSeq(escaped, "/") {
		name := decode(segment)
		switch {
		case strings.ContainsFunc(name, unicode.IsControl):
			return fault.New(fault.Invalid, wire.CodeInvalidURL, "The request URL is invalid: the path '%s' holds control characters.", escaped)
		case strings.TrimRight(name, " ") != name, strings.ContainsAny(name, `/\#`), escapes.MatchString(name):
			return unauthorized("The input authorization token can't serve the request: the id '" + strings.ToValidUTF8(name, "?") +
				"' does not come through the gateway as it was signed. Ids that are to be addressed hold none of / \\ # and no percent escapes, and end in no space.")
		}
	}
	return nil
}

var escapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// emulatorKeyID is the kid of tokens that clients of the emulator make themselves: the last part is the key as it is, not a signature.
const emulatorKeyID = "CosmosEmulatorPrimaryMaster"

// tokenDrift is how far the clock of who made a token may be from ours.
const tokenDrift = 5 * time.Minute

// maxEmulatorToken bounds what is decoded before anything is known of the caller.
const maxEmulatorToken = 8 << 10

// isEmulatorToken tells whether a token names the emulator's key as that it is signed with.
func isEmulatorToken(token string) bool {
	var header struct {
		KeyID string `json:"kid"`
	}
	first, _, _ := strings.Cut(token, ".")
	return len(token) <= maxEmulatorToken && decodePart(first, &header) && header.KeyID == emulatorKeyID
}

// emulatorClaims are what is read of such a token.
type emulatorClaims struct {
	ObjectID string `json:"oid"`
	From     int64  `json:"nbf"`
	Until    int64  `json:"exp"`
}

// parseEmulatorToken checks that the token holds the key and is of now.
func parseEmulatorToken(token string, now time.Time) (*emulatorClaims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	key, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || subtle.ConstantTimeCompare(key, []byte(EmulatorKey)) != 1 {
		return nil, false
	}
	var c emulatorClaims
	if !decodePart(parts[1], &c) || c.ObjectID == "" {
		return nil, false
	}
	at := now.Unix()
	drift := int64(tokenDrift / time.Second)
	return &c, c.From <= at+drift && at < c.Until+drift
}

func decodePart(part string, out any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, out) == nil
}

// authenticateEmulator lets the holder of the emulator's key be a principal with the role that reads and writes data.
func (g *Gateway) authenticateEmulator(ctx context.Context, c *call, token string) error {
	claims, ok := parseEmulatorToken(token, c.now)
	if !ok {
		return unauthorized("The provided AAD token is not valid: it does not hold the emulator's key, or is not valid at the current time.")
	}
	c.Principal = &authn.Principal{Kind: authn.ServicePrincipal, TenantID: c.account.TenantID, ObjectID: claims.ObjectID}
	return g.allowAssigned(ctx, c, []Assignment{{
		ID: emulatorKeyID, Principal: claims.ObjectID, Role: "Cosmos DB Built-in Data Contributor",
		Permissions: []rbac.Permission{{DataActions: []string{ActionMetadata, inContainer + "*", inContainer + "items/*"}}},
	}})
}
