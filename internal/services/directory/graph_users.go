package directory

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphUser is a user as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/user
type graphUser struct {
	Type         string   `json:"@odata.type,omitempty"`
	Phones       []string `json:"businessPhones"`
	DisplayName  string   `json:"displayName"`
	GivenName    *string  `json:"givenName"`
	JobTitle     *string  `json:"jobTitle"`
	Mail         *string  `json:"mail"`
	Mobile       *string  `json:"mobilePhone"`
	Office       *string  `json:"officeLocation"`
	Language     *string  `json:"preferredLanguage"`
	Surname      *string  `json:"surname"`
	UPN          string   `json:"userPrincipalName"`
	ID           string   `json:"id"`
	Enabled      bool     `json:"accountEnabled"`
	MailNickname string   `json:"mailNickname"`
	Department   *string  `json:"department"`
	Country      *string  `json:"usageLocation"`
	ImmutableID  *string  `json:"onPremisesImmutableId"`
	UserType     string   `json:"userType"`
	Created      string   `json:"createdDateTime"`
	Changed      string   `json:"lastPasswordChangeDateTime"`
	Deleted      *string  `json:"deletedDateTime"`
}

// defaults are what Graph shows of a user without $select.
func (graphUser) defaults() string {
	return "businessPhones,displayName,givenName,jobTitle,mail,mobilePhone,officeLocation,preferredLanguage,surname,userPrincipalName,id"
}

func viewUser(u *User) graphUser {
	return graphUser{
		Phones: []string{}, DisplayName: u.DisplayName, GivenName: nullable(u.GivenName), JobTitle: nullable(u.JobTitle), Mail: nullable(u.Mail),
		Mobile: nullable(u.Mobile), Office: nullable(u.Office), Language: nullable(u.Language), Surname: nullable(u.Surname), UPN: u.UPN, ID: u.ObjectID,
		Enabled: !u.Disabled, MailNickname: u.MailNickname, Department: nullable(u.Department), Country: nullable(u.Country),
		ImmutableID: nullable(u.ImmutableID), UserType: "Member", Created: graphTime(u.Created), Changed: graphTime(u.Password.Changed),
	}
}

// values implements filterable.
func (u *User) values(property string) (values []string, collection, ok bool) {
	one := func(v string) ([]string, bool, bool) { return []string{v}, false, true }
	switch property {
	case "id":
		return one(u.ObjectID)
	case "userprincipalname":
		return one(u.UPN)
	case "displayname":
		return one(u.DisplayName)
	case "mailnickname":
		return one(u.MailNickname)
	case "mail":
		return one(u.Mail)
	case "givenname":
		return one(u.GivenName)
	case "surname":
		return one(u.Surname)
	case "jobtitle":
		return one(u.JobTitle)
	case "department":
		return one(u.Department)
	case "onpremisesimmutableid":
		return one(u.ImmutableID)
	case "usertype":
		return one("Member")
	case "accountenabled":
		return one(boolText(!u.Disabled))
	}
	return nil, false, false
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// graphUser finds the user that the path names.
func (s *Service) graphUser(ctx context.Context, r *wire.Request) (*User, error) {
	byAppID, name, err := pathKey(r)
	if err != nil {
		return nil, err
	}
	var u *User
	if !byAppID {
		if u, err = s.FindUser(ctx, r.Principal.TenantID, name); err != nil {
			return nil, err
		}
	}
	if u == nil {
		return nil, notFound("user", name)
	}
	r.Resource = "user " + u.ObjectID
	return u, nil
}

func (s *Service) graphListUsers(ctx context.Context, r *wire.Request) (any, error) {
	return graphList(ctx, s, r, keyUser, userCodec, "users", func(u *User) (any, filterable) { return viewUser(u), u })
}

func (s *Service) graphGetUser(ctx context.Context, r *wire.Request) (any, error) {
	u, err := s.graphUser(ctx, r)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "users", viewUser(u))
}

func (s *Service) graphMe(_ context.Context, r *wire.Request) (any, error) {
	u, err := graphUserOf(r)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "users", viewUser(u))
}

type graphUserBody struct {
	DisplayName  optional[string]           `json:"displayName"`
	UPN          optional[string]           `json:"userPrincipalName"`
	MailNickname optional[string]           `json:"mailNickname"`
	Mail         optional[string]           `json:"mail"`
	GivenName    optional[string]           `json:"givenName"`
	Surname      optional[string]           `json:"surname"`
	JobTitle     optional[string]           `json:"jobTitle"`
	Department   optional[string]           `json:"department"`
	Office       optional[string]           `json:"officeLocation"`
	Mobile       optional[string]           `json:"mobilePhone"`
	Language     optional[string]           `json:"preferredLanguage"`
	Country      optional[string]           `json:"usageLocation"`
	ImmutableID  optional[string]           `json:"onPremisesImmutableId"`
	UserType     optional[string]           `json:"userType"`
	Enabled      *bool                      `json:"accountEnabled"`
	Password     *graphPasswordProfile      `json:"passwordProfile"`
	Identities   optional[[]map[string]any] `json:"identities"`
}

type graphPasswordProfile struct {
	Password    string `json:"password"`
	ForceChange *bool  `json:"forceChangePasswordNextSignIn"`
	ForceMFA    *bool  `json:"forceChangePasswordNextSignInWithMfa"`
}

// apply puts a body's properties into u, all but the password.
func (in *graphUserBody) apply(u *User) error {
	if in.Identities.Set {
		return badRequest("identities", "Property 'identities' is not supported.")
	}
	if in.UserType.Set && !strings.EqualFold(in.UserType.Value, "Member") {
		return badRequest("userType", "Guests are not supported: property 'userType' can only be 'Member'.")
	}
	in.DisplayName.into(&u.DisplayName)
	in.UPN.into(&u.UPN)
	in.MailNickname.into(&u.MailNickname)
	in.Mail.into(&u.Mail)
	in.GivenName.into(&u.GivenName)
	in.Surname.into(&u.Surname)
	in.JobTitle.into(&u.JobTitle)
	in.Department.into(&u.Department)
	in.Office.into(&u.Office)
	in.Mobile.into(&u.Mobile)
	in.Language.into(&u.Language)
	in.Country.into(&u.Country)
	in.ImmutableID.into(&u.ImmutableID)
	if in.Enabled != nil {
		u.Disabled = !*in.Enabled
	}
	if in.Password != nil {
		if in.Password.ForceMFA != nil && *in.Password.ForceMFA {
			return badRequest("passwordProfile", "Property 'forceChangePasswordNextSignInWithMfa' is not supported.")
		}
		if in.Password.ForceChange != nil {
			u.ForceChange = *in.Password.ForceChange
		}
	}
	return nil
}

func (s *Service) graphCreateUser(ctx context.Context, r *wire.Request, in *graphUserBody) (any, error) {
	if in.Password == nil || in.Password.Password == "" {
		return nil, badRequest("passwordProfile", "A password must be specified to create a new user.")
	}
	if in.Enabled == nil {
		return nil, badRequest("accountEnabled", "A value is required for property 'accountEnabled' of resource 'User'.")
	}
	var u User
	if in.Password.ForceChange == nil {
		u.ForceChange = true // as Graph has it
	}
	if err := in.apply(&u); err != nil {
		return nil, err
	}
	made, err := s.CreateUser(ctx, UserSpec{TenantID: r.Principal.TenantID, User: u, Password: in.Password.Password})
	if err != nil {
		return nil, err
	}
	r.Resource = "user " + made.ObjectID
	out, err := entityAnswer(r, "users", viewUser(made))
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) graphPatchUser(ctx context.Context, r *wire.Request, in *graphUserBody) (any, error) {
	u, err := s.graphUser(ctx, r)
	if err != nil {
		return nil, err
	}
	var password *Password
	if in.Password != nil && in.Password.Password != "" {
		if err := checkPasswordRules(in.Password.Password, u.UPN); err != nil {
			return nil, err
		}
		p, err := s.newPassword(ctx, u.TenantID, u.ObjectID, in.Password.Password)
		if err != nil {
			return nil, err
		}
		password = &p
	}
	_, err = s.ChangeUser(ctx, u.TenantID, u.ObjectID, func(u *User) error {
		if password != nil {
			u.Password, u.ForceChange = *password, in.Password.ForceChange == nil || *in.Password.ForceChange
		}
		return in.apply(u)
	})
	return nil, err
}

func (s *Service) graphDeleteUser(ctx context.Context, r *wire.Request) (any, error) {
	u, err := s.graphUser(ctx, r)
	if err != nil {
		return nil, err
	}
	return nil, s.softDelete(ctx, u.TenantID, KindUser, u.ObjectID)
}

type changePasswordBody struct {
	Current string `json:"currentPassword"`
	New     string `json:"newPassword"`
}

func (s *Service) graphChangePassword(ctx context.Context, r *wire.Request, in *changePasswordBody) (any, error) {
	u, err := graphUserOf(r)
	if err != nil {
		return nil, err
	}
	return nil, s.ChangePassword(ctx, u, in.Current, in.New)
}
