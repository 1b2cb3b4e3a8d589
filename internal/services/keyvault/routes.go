package keyvault

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// handler is an operation on the vault the earlier stages found.
type handler func(ctx context.Context, r *wire.Request, v *vault) (any, error)

// bodyLimit leaves room for the longest secret (25 KiB) with every character escaped, and for a PFX with a long chain.
const bodyLimit = 1 << 20

// route is one operation of the data plane: the same stages for all.
func (s *Service) route(method, pattern, operation string, need right, h handler) wire.Route {
	return wire.Route{
		Host: wire.HostVault, Method: method, Pattern: pattern, Operation: operation, Versions: wire.Versions{Required: true}, BodyLimit: bodyLimit,
		Network:   s.network,
		Auth:      wire.Authenticator{Name: "key vault bearer", Check: s.authenticate},
		Authorize: s.authorize(need),
		Handler: func(ctx context.Context, r *wire.Request) (any, error) {
			v := r.State.(*vault)
			body, err := h(ctx, r, v)
			if err != nil {
				return nil, s.headed(r, v, err)
			}
			if reply, ok := body.(wire.Reply); ok {
				reply.Header = s.headers(r, v)
				return reply, nil
			}
			return wire.Reply{Status: http.StatusOK, Header: s.headers(r, v), Body: body}, nil
		},
	}
}

// refused is a route of an operation Bulkhead lacks: it asks for the same right, then names what is missing.
func (s *Service) refused(method, pattern, operation string, need right) wire.Route {
	return s.route(method, pattern, operation, need, func(context.Context, *wire.Request, *vault) (any, error) {
		return nil, notImplemented("The Key Vault operation " + operation)
	})
}

func (s *Service) routes() []wire.Route {
	var all []wire.Route
	all = append(all, s.secretRoutes()...)
	all = append(all, s.certificateRoutes()...)
	all = append(all, s.keyRoutes()...)
	return append(all, s.adminRoutes()...)
}

// deletedRoutes are those soft delete gives each kind; render gives an object's wire form.
func (s *Service) deletedRoutes(k *kind, render func(r *wire.Request, v *vault, rec *record) (any, error)) []wire.Route {
	path, name := "/"+k.deleted, k.title
	return []wire.Route{
		s.route("GET", path, name+"ListDeleted", right{k, "list", listAction(k)}, s.list(k, tagDeleted)),
		s.route("GET", path+"/{name}", name+"GetDeleted", right{k, "get", listAction(k)}, func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
			rec, err := s.deletedObject(ctx, v, k, r.Param("name"))
			if err != nil {
				return nil, err
			}
			return render(r, v, rec)
		}),
		s.route("DELETE", path+"/{name}", name+"Purge", right{k, "purge", k.plural + "/purge/action"}, func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
			if err := s.purge(ctx, r, v, k, r.Param("name")); err != nil {
				return nil, err
			}
			return wire.Reply{Status: http.StatusNoContent}, nil
		}),
		s.route("POST", path+"/{name}/recover", name+"Recover", right{k, "recover", k.plural + "/recover/action"}, func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
			rec, err := s.recover(ctx, r, v, k, r.Param("name"))
			if err != nil {
				return nil, err
			}
			return render(r, v, rec)
		}),
	}
}

// listAction is the data action that shows a kind's metadata.
func listAction(k *kind) string {
	if k == secrets {
		return "secrets/readMetadata/action"
	}
	return k.plural + "/read"
}

// attributes is the wire form of what all kinds have.
type attributes struct {
	Enabled         *bool  `json:"enabled,omitempty"`
	NotBefore       *int64 `json:"nbf,omitempty"`
	Expires         *int64 `json:"exp,omitempty"`
	Created         int64  `json:"created,omitempty"`
	Updated         int64  `json:"updated,omitempty"`
	RecoveryLevel   string `json:"recoveryLevel,omitempty"`
	RecoverableDays int    `json:"recoverableDays,omitempty"`
}

func (rec *record) attributes(v *vault) *attributes {
	return &attributes{
		Enabled: &rec.Enabled, NotBefore: rec.NotBefore, Expires: rec.Expires, Created: rec.Created, Updated: rec.Updated,
		RecoveryLevel: v.level, RecoverableDays: v.recoverableDays(),
	}
}

// Bounds of tags and content types, as documented for Key Vault.
const (
	maxTags        = 15
	maxTagText     = 256
	maxContentType = 255
)

// change applies what a caller may set; nil leaves as it is.
func (rec *record) change(a *attributes, tags *map[string]string, contentType *string) error {
	if a != nil {
		if a.Enabled != nil {
			rec.Enabled = *a.Enabled
		}
		if a.NotBefore != nil {
			rec.NotBefore = a.NotBefore
		}
		if a.Expires != nil {
			if rec.Expires == nil || *rec.Expires != *a.Expires {
				rec.Told = 0
			}
			rec.Expires = a.Expires
		}
	}
	if rec.NotBefore != nil && rec.Expires != nil && *rec.Expires <= *rec.NotBefore {
		return badParameter("Property attributes.exp has invalid value: the expiry time %d is not after the not-before time %d.", *rec.Expires, *rec.NotBefore)
	}
	if tags != nil {
		if len(*tags) > maxTags {
			return badParameter("Property tags has invalid value: %d tags, more than %d.", len(*tags), maxTags)
		}
		for name, value := range *tags {
			if len(name) > maxTagText || len(value) > maxTagText {
				return badParameter("Property tags has invalid value: the tag %s is longer than %d characters.", clip(name), maxTagText)
			}
		}
		rec.Tags = *tags
	}
	if contentType != nil {
		if len(*contentType) > maxContentType {
			return badParameter("Property contentType has invalid value: it is longer than %d characters.", maxContentType)
		}
		rec.ContentType = *contentType
	}
	return nil
}

// baseURL is the vault's address by the way the client came in.
func baseURL(r *wire.Request, v *vault) string { return r.URL(wire.HostVault, v.name) }

func (k *kind) id(base, name, version string) string {
	id := base + "/" + k.plural + "/" + name
	if version != "" {
		id += "/" + version
	}
	return id
}

func (k *kind) recoveryID(base, name string) string { return base + "/" + k.deleted + "/" + name }

func (k *kind) disabled() *fault.Error {
	return forbidden(k.title+"Disabled", "Operation get is not allowed on a disabled %s.", k.noun)
}
