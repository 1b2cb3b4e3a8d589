package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/crypto/argon2"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Cost of a password by argon2id, as OWASP's password storage guidance has it. Stored with each password, so that it may be raised.
const (
	passwordTime    = 2
	passwordMemory  = 19 << 10 // KiB
	passwordThreads = 1
	passwordSize    = 32
)

// passwordSlots is how many passwords are worked on at a time: each takes 19 MiB and a core.
const passwordSlots = 4

// Password lengths that are accepted, in bytes.
const (
	passwordMin = 8
	passwordMax = 256
)

// newPassword prepares what recognises text, outside of any transaction.
func (s *Service) newPassword(ctx context.Context, tenantID, objectID, text string) (Password, error) {
	p := Password{Salt: make([]byte, 16), Time: passwordTime, Memory: passwordMemory, Threads: passwordThreads, Changed: s.Clock.Now()}
	_, _ = rand.Read(p.Salt) // never fails
	var err error
	p.MAC, err = s.passwordMAC(ctx, tenantID, objectID, &p, text)
	return p, err
}

// passwordMAC names tenant and user, so that a password moved to another's row opens nothing.
func (s *Service) passwordMAC(ctx context.Context, tenantID, objectID string, p *Password, text string) ([]byte, error) {
	select {
	case s.passwords <- struct{}{}:
		defer func() { <-s.passwords }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn to check a password: %w", ctx.Err())
	}
	sum := argon2.IDKey([]byte(text), p.Salt, p.Time, p.Memory, p.Threads, passwordSize)
	return s.Sealer.MAC(tenantShard(tenantID), "password", objectID, string(sum)), nil
}

// CheckPassword tells whether the password is the user's. It takes the same time for a wrong password and for a nil user (no such user), and says nothing
// about whether the user may sign in: see SignIn. An error means that it could not be told.
func (s *Service) CheckPassword(ctx context.Context, user *User, password string) (bool, error) {
	known := user != nil && len(user.Password.MAC) > 0 && len(password) <= passwordMax
	p := Password{Salt: make([]byte, 16), Time: passwordTime, Memory: passwordMemory, Threads: passwordThreads}
	var tenantID, objectID string
	if known {
		p, tenantID, objectID = user.Password, user.TenantID, user.ObjectID
	} else {
		password = ""
	}
	mac, err := s.passwordMAC(ctx, tenantID, objectID, &p, password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(mac, p.MAC) == 1 && known, nil
}

// SignIn finds a user by name and checks the password. Refusals are errors of the token service: AADSTS50034 no such user, 50126 wrong password, 50057
// disabled, 50055 the password has to be changed first. Only who knows the password learns of the latter two.
func (s *Service) SignIn(ctx context.Context, tenant *Tenant, upn, password string) (*User, error) {
	user, err := s.FindUser(ctx, tenant.ID, upn)
	if err != nil {
		return nil, err
	}
	ok, err := s.CheckPassword(ctx, user, password)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, oauth(fault.Invalid, 50034, "invalid_grant",
			"The user account %s does not exist in the %s directory. To sign into this application, the account must be added to the directory.",
			clip(upn), tenant.DisplayName)
	case !ok:
		return nil, oauth(fault.Invalid, 50126, "invalid_grant", "Error validating credentials due to invalid username or password.")
	case user.Disabled:
		return nil, oauth(fault.Invalid, 50057, "invalid_grant", "The user account is disabled.")
	case user.ForceChange:
		return nil, oauth(fault.Invalid, 50055, "invalid_grant", "The password is expired.")
	}
	return user, nil
}

// checkPasswordRules demands what Entra ID demands of a password: 8 to 256 characters of three of the kinds lower case, upper case, digit, other.
func checkPasswordRules(text, upn string) error {
	kinds := map[int]bool{}
	for _, c := range text {
		switch {
		case unicode.IsLower(c):
			kinds[0] = true
		case unicode.IsUpper(c):
			kinds[1] = true
		case unicode.IsDigit(c):
			kinds[2] = true
		default:
			kinds[3] = true
		}
	}
	name, _, _ := strings.Cut(strings.ToLower(upn), "@")
	if len(text) < passwordMin || len(text) > passwordMax || len(kinds) < 3 || name != "" && strings.Contains(strings.ToLower(text), name) {
		return badRequest("passwordProfile", "The specified password does not comply with password complexity requirements. Please provide a different password: "+
			"8 to 256 characters of at least three of lower case, upper case, digits and symbols, without the user's name in it.")
	}
	return nil
}

// passwordText draws a password of 20 characters that follows the rules.
func passwordText() string {
	const kinds = "abcdefghijkmnpqrstuvwxyz" + "ABCDEFGHJKLMNPQRSTUVWXYZ" + "23456789" + "!#%+-=@_" // 64, without those that are misread
	for {
		b := make([]byte, 20)
		_, _ = rand.Read(b) // never fails
		for i := range b {
			b[i] = kinds[b[i]%64]
		}
		if checkPasswordRules(string(b), "") == nil {
			return string(b)
		}
	}
}
