package directory

import (
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Rows of the sign-in shards; see grant_artifacts.go for their keys and shard.

// wanted is what a delegated token is asked for: scopes of one resource, and what OpenID Connect adds.
type wanted struct {
	Resource string   `json:"resource"`         // as the client spelt it; "" where only OpenID scopes were asked for
	Scopes   []string `json:"scopes,omitempty"` // names without the resource; ".default" = all that was consented to
	Bare     bool     `json:"bare,omitempty"`   // the scopes were spelt without their resource (Microsoft Graph's)
	OpenID   bool     `json:"openid,omitempty"`
	Profile  bool     `json:"profile,omitempty"`
	Email    bool     `json:"email,omitempty"`
	Offline  bool     `json:"offline,omitempty"`
}

// login is a user's proof of who they are, and when.
type login struct {
	UserID string    `json:"userId"`
	At     time.Time `json:"at"`
	AMR    []string  `json:"amr,omitempty"` // how: "pwd"
}

// codeRecord is an authorization code. It stays, used, until it ends, so that a second use is seen.
type codeRecord struct {
	Login       login     `json:"login"`
	ClientID    string    `json:"clientId"`
	RedirectURI string    `json:"redirectUri"`
	Kind        uriKind   `json:"kind"`
	Challenge   string    `json:"challenge,omitempty"` // S256
	Wanted      wanted    `json:"wanted"`
	Nonce       string    `json:"nonce,omitempty"`
	Used        bool      `json:"used,omitempty"` // the family its use began has the same id
	Until       time.Time `json:"until"`
}

// familyRecord is a row behind all refresh tokens that come of one sign-in to one client. Without it none of them is good.
type familyRecord struct {
	Login    login     `json:"login"`
	ClientID string    `json:"clientId"`
	Wanted   wanted    `json:"wanted"`
	Public   bool      `json:"public,omitempty"` // begun without a credential of the client's
	SPA      bool      `json:"spa,omitempty"`    // its tokens live a day and no longer
	Created  time.Time `json:"created"`
	Until    time.Time `json:"until"`
}

// sessionRecord is a signed-in browser.
type sessionRecord struct {
	Login login     `json:"login"`
	Until time.Time `json:"until"`
}

// deviceState is how far a device code has come.
type deviceState string

const (
	devicePending  deviceState = "pending"
	deviceApproved deviceState = "approved"
	deviceDeclined deviceState = "declined"
	deviceUsed     deviceState = "used"
)

// deviceRecord is a device code.
type deviceRecord struct {
	Segment  string      `json:"segment"` // the authority it was asked of
	ClientID string      `json:"clientId"`
	Wanted   wanted      `json:"wanted"`
	V2       bool        `json:"v2,omitempty"`
	State    deviceState `json:"state"`
	TenantID string      `json:"tenantId,omitempty"` // of the user who approved
	Login    login       `json:"login"`
	Until    time.Time   `json:"until"`
}

var (
	codeCodec    = store.Codec[codeRecord]{Kind: 'c', Version: 1}
	familyCodec  = store.Codec[familyRecord]{Kind: 'f', Version: 1}
	sessionCodec = store.Codec[sessionRecord]{Kind: 's', Version: 1}
	deviceCodec  = store.Codec[deviceRecord]{Kind: 'd', Version: 1}
	signinCodec  = store.Codec[SignIn]{Kind: 'l', Version: 1}
)
