package directory

import (
	"crypto/sha1" //nolint:gosec // x5t is defined as SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys. In the shard platform:
//
//	D|t|<tenant id>    Tenant
//	D|d|<domain name>  tenant id
//
// In the shard tenant/<tenant id>:
//
//	D|a|<object id>    Application
//	D|A|<client id>    object id of the application
//	D|u|<uri>          object id of the application with that identifier URI, lower case
//	D|p|<object id>    SP (service principal)
//	D|P|<client id>    object id of the service principal
//	D|n|<name>         object id of the service principal with that name (identifier URI), lower case
const (
	platformShard = "platform"
	keyTenant     = "D|t|"
	keyDomain     = "D|d|"
	keyApp        = "D|a|"
	keyAppID      = "D|A|"
	keyURI        = "D|u|"
	keySP         = "D|p|"
	keySPAppID    = "D|P|"
	keySPName     = "D|n|"
)

// maxName bounds what becomes part of a key; the store allows 1,024 bytes.
const maxName = 512

func tenantShard(tenantID string) string { return "tenant/" + tenantID }

// Tenant is a directory of its own.
type Tenant struct {
	ID          string    `json:"id"` // GUID, lower case
	DisplayName string    `json:"displayName"`
	Domains     []string  `json:"domains"` // the first is the default; lower case
	Created     time.Time `json:"created"`
}

// Application is an application registration. It lives in one tenant; ObjectID names the registration, AppID the client.
type Application struct {
	TenantID       string        `json:"tenantId"`
	ObjectID       string        `json:"objectId"`
	AppID          string        `json:"appId"`
	DisplayName    string        `json:"displayName"`
	SignInAudience string        `json:"signInAudience,omitempty"`
	IdentifierURIs []string      `json:"identifierUris,omitempty"`
	TokenVersion   int           `json:"requestedAccessTokenVersion,omitempty"` // of tokens FOR it; 0 and 1 mean 1.0
	Created        time.Time     `json:"created"`
	Secrets        []Secret      `json:"secrets,omitempty"`
	Certificates   []Certificate `json:"certificates,omitempty"`
	Federated      []Federated   `json:"federatedIdentityCredentials,omitempty"`
	Owners         []string      `json:"owners,omitempty"` // object ids

	Roles          []AppRole        `json:"appRoles,omitempty"`
	Scopes         []Scope          `json:"oauth2PermissionScopes,omitempty"`
	PreAuthorized  []PreAuthorized  `json:"preAuthorizedApplications,omitempty"`
	RequiredAccess []RequiredAccess `json:"requiredResourceAccess,omitempty"`

	// Where sign-in pages may send a browser back to, by the kind of client that is there.
	WebRedirectURIs    []string `json:"webRedirectUris,omitempty"`
	SPARedirectURIs    []string `json:"spaRedirectUris,omitempty"`
	PublicRedirectURIs []string `json:"publicRedirectUris,omitempty"`
	PublicClient       bool     `json:"isFallbackPublicClient,omitempty"` // may sign users in without a credential of its own
	ImplicitID         bool     `json:"implicitIdToken,omitempty"`
	ImplicitAccess     bool     `json:"implicitAccessToken,omitempty"`
	GroupClaims        string   `json:"groupMembershipClaims,omitempty"` // SecurityGroup, All, ...: groups in tokens

	// Kept and shown, without effect.
	HomePage       string          `json:"homePageUrl,omitempty"`
	LogoutURL      string          `json:"logoutUrl,omitempty"`
	Tags           []string        `json:"tags,omitempty"`
	Notes          string          `json:"notes,omitempty"`
	Reference      string          `json:"serviceManagementReference,omitempty"`
	OptionalClaims json.RawMessage `json:"optionalClaims,omitempty"`
}

// Secret is a client secret as it is kept: enough to recognise it, not to know it.
type Secret struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName,omitempty"`
	Hint        string    `json:"hint"` // its first three characters
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	MAC         []byte    `json:"mac"`
}

// Certificate is a registered public certificate.
type Certificate struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName,omitempty"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	DER         []byte    `json:"der"`
}

// SP is a service principal: an application, or a managed identity, as one tenant knows it.
type SP struct {
	TenantID      string     `json:"tenantId"`
	ObjectID      string     `json:"objectId"`
	AppID         string     `json:"appId"`
	AppTenantID   string     `json:"appTenantId,omitempty"` // where the application lives; "" for a managed identity
	DisplayName   string     `json:"displayName"`
	Kind          authn.Kind `json:"kind"`
	ResourceID    string     `json:"resourceId,omitempty"` // ARM id of a managed identity's owner
	Names         []string   `json:"names,omitempty"`      // identifier URIs; the client id is a name besides
	Disabled      bool       `json:"disabled,omitempty"`
	Administrator bool       `json:"administrator,omitempty"` // may change the directory through Graph
	Created       time.Time  `json:"created"`
	Owners        []string   `json:"owners,omitempty"` // object ids
	Tags          []string   `json:"tags,omitempty"`
	// Credentials that work in this tenant only, beside those of the application. Their MACs are made with the application's ids.
	Secrets      []Secret      `json:"secrets,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
	// AssignmentRequired: only users and clients with a RoleAssignment get tokens for it.
	AssignmentRequired bool `json:"appRoleAssignmentRequired,omitempty"`
}

var (
	tenantCodec = store.Codec[Tenant]{Kind: 't', Version: 1}
	appCodec    = store.Codec[Application]{Kind: 'a', Version: 1}
	spCodec     = store.Codec[SP]{Kind: 'p', Version: 1}
	refCodec    = store.Codec[string]{Kind: 'r', Version: 1} // the value of an index row
)

// thumbprints are the SHA-1 and SHA-256 of the certificate.
func (c *Certificate) thumbprints() ([sha1.Size]byte, [sha256.Size]byte) {
	return sha1.Sum(c.DER), sha256.Sum256(c.DER) //nolint:gosec // see the import
}

// Thumbprint is the SHA-1 of the certificate in upper-case hexadecimal, as Azure shows it.
func (c *Certificate) Thumbprint() string {
	sum, _ := c.thumbprints()
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

func (c *Certificate) parse() (*x509.Certificate, error) { return x509.ParseCertificate(c.DER) }

// ref reads an index row; "" if there is none.
func ref(snap store.Snapshot, key string) (string, error) {
	b, err := snap.Get([]byte(key))
	if err != nil || b == nil {
		return "", err
	}
	return refCodec.Decode(b)
}

// load reads the row at key, nil if there is none.
func load[T any](snap store.Snapshot, codec store.Codec[T], key string) (*T, error) {
	b, err := snap.Get([]byte(key))
	if err != nil || b == nil {
		return nil, err
	}
	v, err := codec.Decode(b)
	if err != nil {
		return nil, err
	}
	return &v, nil
}
