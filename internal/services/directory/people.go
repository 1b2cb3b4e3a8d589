package directory

import (
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys of users, groups and who belongs to what, in the shard tenant/<tenant id>:
//
//	D|U|<object id>           User
//	D|m|<user principal name> object id of the user, lower case
//	D|g|<object id>           Group
//	D|M|<group>|<member>      member: the member's kind
//	D|W|<member>|<group>      the same the other way round
//	D|r|<principal>|<resource>|<role>    RoleAssignment, all three GUIDs
//	D|o|<client>|<resource>|<user or *>  Consent
//	D|x|<object id>           Deleted
//
// Rows about membership, roles and consent stay when one of their objects is deleted, and count only while all of them are there: so that a restored object
// gets back what it had. They go when the object goes for good.
const (
	keyUser     = "D|U|"
	keyUPN      = "D|m|"
	keyGroup    = "D|g|"
	keyMember   = "D|M|"
	keyMemberOf = "D|W|"
	keyRole     = "D|r|"
	keyConsent  = "D|o|"
	keyDeleted  = "D|x|"

	// keyStanding is no row: in the cache it stands for a service principal or user with the groups it is in.
	keyStanding = "D|*|"
)

// User is a person of one tenant.
type User struct {
	TenantID      string    `json:"tenantId"`
	ObjectID      string    `json:"objectId"`
	UPN           string    `json:"userPrincipalName"` // as it was written; compared in lower case
	DisplayName   string    `json:"displayName"`
	MailNickname  string    `json:"mailNickname,omitempty"`
	Mail          string    `json:"mail,omitempty"`
	GivenName     string    `json:"givenName,omitempty"`
	Surname       string    `json:"surname,omitempty"`
	JobTitle      string    `json:"jobTitle,omitempty"`
	Department    string    `json:"department,omitempty"`
	Office        string    `json:"officeLocation,omitempty"`
	Mobile        string    `json:"mobilePhone,omitempty"`
	Language      string    `json:"preferredLanguage,omitempty"`
	Country       string    `json:"usageLocation,omitempty"`
	ImmutableID   string    `json:"onPremisesImmutableId,omitempty"`
	Disabled      bool      `json:"disabled,omitempty"`
	Administrator bool      `json:"administrator,omitempty"` // may change the directory through Graph
	Created       time.Time `json:"created"`

	Password Password `json:"password"`
	// ForceChange: the next sign-in has to change the password.
	ForceChange bool `json:"forceChangePasswordNextSignIn,omitempty"`
}

// Password is what recognises a password: argon2id of it, then a keyed MAC, so that the store alone does not allow guessing. The zero value matches nothing.
type Password struct {
	Salt    []byte    `json:"salt,omitempty"`
	MAC     []byte    `json:"mac,omitempty"`
	Time    uint32    `json:"time,omitempty"`      // passes
	Memory  uint32    `json:"memoryKiB,omitempty"` // KiB
	Threads uint8     `json:"threads,omitempty"`
	Changed time.Time `json:"changed"`
}

// Group is a security group. Its members are rows of their own.
type Group struct {
	TenantID     string    `json:"tenantId"`
	ObjectID     string    `json:"objectId"`
	DisplayName  string    `json:"displayName"`
	Description  string    `json:"description,omitempty"`
	MailNickname string    `json:"mailNickname"`
	Owners       []string  `json:"owners,omitempty"` // object ids
	Created      time.Time `json:"created"`
}

// Federated lets a workload sign in as an application with a token that another issuer made.
type Federated struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	Subject     string   `json:"subject"`
	Audiences   []string `json:"audiences"`
	Description string   `json:"description,omitempty"`
}

// AppRole is a role an application defines for those who call or use it.
type AppRole struct {
	ID          string   `json:"id"`
	Value       string   `json:"value,omitempty"` // what tokens carry; "" carries nothing
	DisplayName string   `json:"displayName"`
	Description string   `json:"description"`
	MemberTypes []string `json:"allowedMemberTypes"` // User, Application
	Disabled    bool     `json:"disabled,omitempty"`
}

// Scope is a permission an application lets others have in the name of a user (oauth2PermissionScopes).
type Scope struct {
	ID               string `json:"id"`
	Value            string `json:"value"`
	Type             string `json:"type"` // User or Admin: who may consent
	AdminDisplayName string `json:"adminConsentDisplayName,omitempty"`
	AdminDescription string `json:"adminConsentDescription,omitempty"`
	UserDisplayName  string `json:"userConsentDisplayName,omitempty"`
	UserDescription  string `json:"userConsentDescription,omitempty"`
	Disabled         bool   `json:"disabled,omitempty"`
}

// RequiredAccess is what an application says it needs of one API.
type RequiredAccess struct {
	ResourceAppID string         `json:"resourceAppId"`
	Access        []AccessNeeded `json:"resourceAccess"`
}

// AccessNeeded is one permission by id; Type is Scope or Role.
type AccessNeeded struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// PreAuthorized is a client whose users need not consent to the scopes named.
type PreAuthorized struct {
	AppID    string   `json:"appId"`
	ScopeIDs []string `json:"delegatedPermissionIds"`
}

// RoleAssignment gives a user, group or service principal an application's role. RoleID is all zeros for "assigned, without a role".
type RoleAssignment struct {
	ID          string    `json:"id"`
	PrincipalID string    `json:"principalId"`
	ResourceID  string    `json:"resourceId"` // the application's service principal
	RoleID      string    `json:"appRoleId"`
	Created     time.Time `json:"created"`
}

// Consent lets a client application have scopes of an API, for one user or (UserID "") for all of the tenant.
type Consent struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"clientId"`   // the client's service principal
	ResourceID string    `json:"resourceId"` // the API's service principal
	UserID     string    `json:"principalId,omitempty"`
	Scopes     []string  `json:"scopes"`
	Created    time.Time `json:"created"`
}

var (
	userCodec    = store.Codec[User]{Kind: 'u', Version: 1}
	groupCodec   = store.Codec[Group]{Kind: 'g', Version: 1}
	memberCodec  = store.Codec[ObjectKind]{Kind: 'm', Version: 1}
	roleCodec    = store.Codec[RoleAssignment]{Kind: 'R', Version: 1}
	consentCodec = store.Codec[Consent]{Kind: 'c', Version: 1}
)

// ObjectKind is the type of a directory object, as Graph writes it behind "#microsoft.graph.".
type ObjectKind string

// The kinds of objects.
const (
	KindUser        ObjectKind = "user"
	KindGroup       ObjectKind = "group"
	KindSP          ObjectKind = "servicePrincipal"
	KindApplication ObjectKind = "application"
)
