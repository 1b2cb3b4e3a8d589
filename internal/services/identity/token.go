package identity

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// The versions served.
const (
	v2019 = "2019-08-01"
	v2017 = "2017-09-01"
)

// answer is the body of a token response; every value is a string, as the documentation shows it.
type answer struct {
	AccessToken string `json:"access_token"`
	ClientID    string `json:"client_id,omitempty"`
	ExpiresOn   string `json:"expires_on"`
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
}

// authenticate finds the process by its secret and leaves the resource it runs as in r.Resource. The header's name goes with the version; when the version
// is none of ours either will do, so that the caller then hears about the version.
func (s *Service) authenticate(_ context.Context, r *wire.Request) error {
	names := []string{"X-Identity-Header", "Secret"}
	switch r.Query("api-version") {
	case v2019:
		names = names[:1]
	case v2017:
		names = names[1:]
	}
	for _, name := range names {
		if secret := r.HTTP.Header.Get(name); secret != "" {
			if id, ok := s.secrets.owner(secret); ok {
				r.Resource = id
				return nil
			}
			return fault.New(fault.Unauthenticated, "Unauthorized", "The header %s does not hold the secret of a running process.", name)
		}
	}
	return fault.New(fault.Unauthenticated, "Unauthorized", "The header %s is missing; its value is in IDENTITY_HEADER (MSI_SECRET for %s).", names[0], v2017)
}

// token answers with a token for the identity the process's resource has now.
func (s *Service) token(ctx context.Context, r *wire.Request) (any, error) {
	version := r.Query("api-version")
	if version != v2019 && version != v2017 {
		return nil, invalid("UnsupportedApiVersion", "The api-version %q is not supported. Use %s or %s.", version, v2019, v2017)
	}
	resource := r.Query("resource")
	if resource == "" {
		return nil, invalid("InvalidResource", "The query parameter resource is missing.")
	}
	res, tenant, err := s.deps.Resources.Resource(ctx, r.Resource)
	if err != nil {
		return nil, err
	}
	if !hasSystemIdentity(res) {
		return nil, invalid("IdentityNotFound", "No managed identity: %s does not exist or has no system-assigned identity.", r.Resource)
	}
	if err := selects(r, version, res); err != nil {
		return nil, err
	}
	id := res.Identity
	r.Principal = &authn.Principal{
		Kind: authn.ManagedIdentity, TenantID: tenant, ObjectID: id.PrincipalID, AppID: id.ClientID,
		Name: res.Name, Resource: res.ID, Audience: resource,
	}
	r.AllowedBy = "identity header of a process of " + res.Name
	tok, err := s.deps.Tokens.IssueManagedIdentity(ctx, tenant, id.PrincipalID, resource)
	if err != nil {
		return nil, refused(err)
	}
	a := answer{AccessToken: tok.Raw, ExpiresOn: strconv.FormatInt(tok.Expires.Unix(), 10), Resource: resource, TokenType: "Bearer"}
	if version == v2019 {
		a.ClientID = id.ClientID
	} else if s.deps.DateExpires {
		a.ExpiresOn = tok.Expires.UTC().Format("01/02/2006 15:04:05 -07:00")
	}
	return wire.Reply{Status: 200, Header: map[string][]string{"Cache-Control": {"no-store"}}, Body: a}, nil
}

func hasSystemIdentity(r *arm.Resource) bool {
	return r != nil && r.Identity != nil && r.Identity.PrincipalID != "" && strings.Contains(strings.ToLower(r.Identity.Type), "systemassigned")
}

// selects refuses a request that asks for another identity than the resource's own.
func selects(r *wire.Request, version string, res *arm.Resource) error {
	type selector struct{ name, own string }
	selectors := []selector{
		{"client_id", res.Identity.ClientID},
		{"object_id", res.Identity.PrincipalID},
		{"principal_id", res.Identity.PrincipalID},
		{"mi_res_id", res.ID},
	}
	if version == v2017 {
		selectors = []selector{{"clientid", res.Identity.ClientID}}
	}
	for _, sel := range selectors {
		v, ok := r.LookupQuery(sel.name)
		if ok && v != "" && !strings.EqualFold(v, sel.own) {
			return invalid("IdentityNotFound", "No managed identity found for the %s %q: it is not assigned to %s. User-assigned identities are not served yet.", sel.name, v, res.Name)
		}
	}
	return nil
}

// refused turns the directory's refusals (an unknown resource, a principal that was just removed) into this endpoint's one way to say so, 400 with
// the directory's text; troubles of the platform stay what they are.
func refused(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if s := f.Kind.Status(); s >= 400 && s < 500 && f.Kind != fault.TooMany {
		c := *f
		c.Kind = fault.Invalid
		return &c
	}
	return f
}

func invalid(code, format string, args ...any) error {
	return fault.New(fault.Invalid, code, format, args...)
}
