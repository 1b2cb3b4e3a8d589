package authn

import (
	"context"
	"time"
)

// Claims is what a token says, beyond what Issue fills in itself (iat, nbf, uti, aio, rh, ver, iss by version).
type Claims struct {
	Version   string // "1.0" or "2.0"; by the resource application, not by the endpoint
	Issuer    string // "" = the version's standard issuer of the tenant
	Audience  string // as requested: "https://vault.azure.net", "https://management.core.windows.net/", a client id
	Principal Principal
	Lifetime  time.Duration // 0 = 1 hour; at most MaxLifetime
	// ID makes an id_token: it tells the client (its Audience) who signed in and opens nothing. Verify refuses it.
	ID    bool
	Extra map[string]any // further claims; those that Issue writes itself win
}

// MaxLifetime is the longest a token may live. A signing key stays known for so long after the next one took over.
const MaxLifetime = 24 * time.Hour

// Token is an issued token.
type Token struct {
	Raw       string // never log it
	Expires   time.Time
	NotBefore time.Time
}

// Issuer makes tokens. Implemented by Tokens.
type Issuer interface {
	Issue(ctx context.Context, c Claims) (Token, error)
}

// Verifier checks signature, issuer (of a tenant that exists here), lifetime and form of a bearer token and returns who it proves. The audience is the
// caller's to check (Principal.Audience), since each plane words that error its own way. Errors are *VerifyError.
type Verifier interface {
	Verify(ctx context.Context, raw string) (*Principal, error)
}

// VerifyError says why a token was refused.
type VerifyError struct {
	Reason Reason
	Detail string // what was found (an issuer, a time); never the token
}

// Reason is the closed set of ways a token can be bad.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"
	BadSignature Reason = "signature"
	BadIssuer    Reason = "issuer"
	Expired      Reason = "expired"
	NotYetValid  Reason = "not yet valid"
	Gone         Reason = "gone" // its principal was deleted or disabled; found by whoever knows the principals, not by Tokens
)

// Error implements error.
func (e *VerifyError) Error() string { return "token " + string(e.Reason) + ": " + e.Detail }
