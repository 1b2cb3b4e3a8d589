// Package authn says who calls: principals, the tokens that prove them, and the keys that sign those tokens.
package authn

import "time"

// Kind of a principal, as Microsoft Graph names it.
type Kind string

// The kinds.
const (
	User             Kind = "User"
	ServicePrincipal Kind = "ServicePrincipal"
	ManagedIdentity  Kind = "ManagedIdentity" // a service principal whose credential nobody holds
	Group            Kind = "Group"           // never a caller; roles may be assigned to it
)

// Principal is a verified caller.
type Principal struct {
	Kind       Kind
	TenantID   string // home tenant, GUID
	ObjectID   string // of the user or service principal in that tenant, GUID
	AppID      string // client id; "" for none
	Name       string // for people reading logs, never for decisions
	UserName   string // user principal name of a User; like Name, never for decisions: it may be given to another later
	Resource   string // ARM id of the resource a managed identity belongs to (xms_mirid)
	Audience   string // aud of the token
	Issuer     string // iss of the token
	TokenID    string // uti of the token
	ClientAuth string // appidacr: "0" none, "1" secret, "2" certificate or platform
	Scopes     string // scp, for delegated tokens: what the user let the client do, blank separated
	Roles      []string
	Groups     []string
	Expires    time.Time
}
