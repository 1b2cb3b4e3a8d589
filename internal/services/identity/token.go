package identity

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

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

// token answers with a token for the identity the request names, or for the system-assigned one: App Service never picks a user-assigned identity by itself.
func (s *Service) token(ctx context.Context, r *wire.Request) (any, error) {
	version := r.Query("api-version")
	if version != v2019 && version != v2017 {
		return nil, invalid("UnsupportedApiVersion", "The api-version %q is not supported. Use %s or %s.", version, v2019, v2017)
	}
	resource := r.Query("resource")
	if resource == "" {
		return nil, invalid("InvalidResource", "The query parameter resource is missing.")
	}
	parameters := []string{"client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id"}
	if version == v2017 {
		parameters = []string{"clientid"}
	}
	sel, err := selectorOf(r, parameters...)
	if err != nil {
		return nil, err
	}
	h, err := s.holder(ctx, r.Resource)
	if err != nil {
		return nil, err
	}
	c, err := s.chooseForSite(ctx, h, sel)
	if err != nil {
		return nil, err
	}
	tok, err := s.issue(ctx, r, h, c, resource, "identity header")
	if err != nil {
		return nil, err
	}
	a := answer{AccessToken: tok.Raw, ExpiresOn: strconv.FormatInt(tok.Expires.Unix(), 10), Resource: resource, TokenType: "Bearer"}
	if version == v2019 {
		a.ClientID = c.ClientID
	} else if s.deps.DateExpires {
		a.ExpiresOn = tok.Expires.UTC().Format("01/02/2006 15:04:05 -07:00")
	}
	return noStore(a), nil
}

// chooseForSite picks the identity by App Service's rules.
func (s *Service) chooseForSite(ctx context.Context, h holder, sel selector) (chosen, error) {
	if sel.parameter == "" {
		u, ok := h.system()
		if !ok {
			return chosen{}, invalid("IdentityNotFound", "Unable to load the proper Managed Identity: %s has no system-assigned identity, and the request names no user-assigned one "+
				"(client_id, object_id or mi_res_id).", h.name())
		}
		return chosen{u, h.resource.Name, h.resource.ID}, nil
	}
	c, ok, err := s.find(ctx, h, sel)
	if err == nil && !ok {
		err = invalid("IdentityNotFound", "No MSI found for specified ClientId/ResourceId: the identity with the %s %.200q is not assigned to %s or does not exist any more.", sel.parameter, sel.value, h.name())
	}
	return c, err
}

// noStore is a 200 that nothing on the way may keep.
func noStore(body any) wire.Reply {
	return wire.Reply{Status: http.StatusOK, Header: http.Header{"Cache-Control": {"no-store"}}, Body: body}
}

// refused turns the directory's refusals (an unknown resource, a principal that was just removed) into these endpoints' one way to say so, 400 with
// the directory's code and text; troubles of the platform stay what they are, and clients try them again.
func refused(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if s := f.Kind.Status(); s >= 400 && s < 500 && f.Kind != fault.TooMany {
		c := *f
		c.Kind = fault.Invalid
		if strings.HasPrefix(c.Code, "AADSTS") {
			c.Message = c.Code + ": " + c.Message
		}
		return &c
	}
	return f
}

func invalid(code, format string, args ...any) error {
	return fault.New(fault.Invalid, code, format, args...)
}
