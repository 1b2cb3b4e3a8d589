package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// UserSpec is what a new user is made from.
type UserSpec struct {
	TenantID string // GUID or domain
	User     User   // UPN and DisplayName at least; ids, password and times are set by CreateUser
	Password string
}

// CreateUser makes a user.
func (s *Service) CreateUser(ctx context.Context, spec UserSpec) (*User, error) {
	tenant, err := s.Tenants.Find(ctx, spec.TenantID)
	if err != nil {
		return nil, err
	}
	if tenant == nil {
		return nil, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %.100q.", spec.TenantID)
	}
	u := spec.User
	u.TenantID, u.ObjectID, u.Created = tenant.ID, ids.New(), s.Clock.Now()
	if err := u.validate(tenant); err != nil {
		return nil, err
	}
	if err := checkPasswordRules(spec.Password, u.UPN); err != nil {
		return nil, err
	}
	if u.Password, err = s.newPassword(ctx, u.TenantID, u.ObjectID, spec.Password); err != nil {
		return nil, err
	}
	if err := s.commit(ctx, tenant.ID, change{putUser: &u}); err != nil {
		return nil, err
	}
	return &u, nil
}

// validate checks what callers may choose.
func (u *User) validate(tenant *Tenant) error {
	if u.DisplayName == "" || len(u.DisplayName) > 256 {
		return badRequest("displayName", "Property 'displayName' must have 1 to 256 characters.")
	}
	local, domain, ok := strings.Cut(u.UPN, "@")
	if !ok || local == "" || len(local) > 64 || len(u.UPN) > 113 || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.IndexFunc(local, badInName) >= 0 {
		return badRequest("userPrincipalName", fmt.Sprintf("Property userPrincipalName is invalid: %s is not of the form name@domain.", clip(u.UPN)))
	}
	if !slices.Contains(tenant.Domains, strings.ToLower(domain)) {
		return badRequest("userPrincipalName", "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your "+
			"organization: "+strings.Join(tenant.Domains, ", ")+".")
	}
	if u.MailNickname == "" {
		u.MailNickname = local
	}
	for name, value := range map[string]string{
		"mailNickname": u.MailNickname, "mail": u.Mail, "givenName": u.GivenName, "surname": u.Surname, "jobTitle": u.JobTitle, "department": u.Department,
		"officeLocation": u.Office, "mobilePhone": u.Mobile, "preferredLanguage": u.Language, "usageLocation": u.Country, "onPremisesImmutableId": u.ImmutableID,
	} {
		if len(value) > 256 || strings.IndexFunc(value, unicode.IsControl) >= 0 {
			return badRequest(name, fmt.Sprintf("Property '%s' must have at most 256 printable characters.", name))
		}
	}
	return nil
}

func badInName(c rune) bool {
	return c > unicode.MaxASCII || c <= ' ' || strings.ContainsRune(`"\/[]:;|=,+*?<>@%#`+"`(){}&$", c)
}

// FindUser returns the user by user principal name (in any case) or object id, nil if the tenant has none. It is shared: read only.
func (s *Service) FindUser(ctx context.Context, tenantID, upnOrObjectID string) (*User, error) {
	key := keyUPN + strings.ToLower(upnOrObjectID)
	if ids.IsGUID(upnOrObjectID) {
		key = keyUser + strings.ToLower(upnOrObjectID)
	}
	r, err := s.at(ctx, tenantID, key)
	return r.user, err
}

// ChangeUser loads a user, lets fn change it, checks and stores it. fn may run again, on a later state.
func (s *Service) ChangeUser(ctx context.Context, tenantID, objectID string, fn func(*User) error) (*User, error) {
	tenant, err := s.Tenants.Find(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if tenant == nil {
		return nil, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %.100q.", tenantID)
	}
	var changed User
	err = retry(ctx, func() error {
		have, expect, err := readOne(ctx, s, tenant.ID, userCodec, keyUser, objectID)
		if err != nil {
			return err
		}
		if have == nil {
			return notFound("user", objectID)
		}
		changed = *have
		if err := fn(&changed); err != nil {
			return err
		}
		if err := changed.validate(tenant); err != nil {
			return err
		}
		return s.commit(ctx, tenant.ID, change{oldUser: have, putUser: &changed, expect: expect})
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// SetPassword gives a user a new password. force demands that the user changes it at the next sign-in.
func (s *Service) SetPassword(ctx context.Context, user *User, text string, force bool) error {
	if err := checkPasswordRules(text, user.UPN); err != nil {
		return err
	}
	p, err := s.newPassword(ctx, user.TenantID, user.ObjectID, text)
	if err != nil {
		return err
	}
	_, err = s.ChangeUser(ctx, user.TenantID, user.ObjectID, func(u *User) error {
		u.Password, u.ForceChange = p, force
		return nil
	})
	return err
}

// ChangePassword is SetPassword by the user, who has to know the present one.
func (s *Service) ChangePassword(ctx context.Context, user *User, current, text string) error {
	ok, err := s.CheckPassword(ctx, user, current)
	if err != nil {
		return err
	}
	if !ok {
		return badRequest("currentPassword", "The specified current password is incorrect. Please provide the correct current password.")
	}
	if current == text {
		return badRequest("newPassword", "The new password must differ from the current one.")
	}
	return s.SetPassword(ctx, user, text, false)
}
