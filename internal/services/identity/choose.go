package identity

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// holder is what a process runs as: a resource with its identities. A process may also run as a user-assigned identity itself, which then is its only one.
type holder struct {
	resource *arm.Resource // read only; nil if there is none
	tenant   string
}

// holder loads the resource a process runs as, as of the last commit.
func (s *Service) holder(ctx context.Context, resourceID string) (holder, error) {
	r, tenant, err := s.deps.Resources.Resource(ctx, resourceID)
	if err != nil {
		return holder{}, err
	}
	if u, ok := arm.UserIdentityOf(r); ok {
		own := *r
		own.Identity = &arm.Identity{UserAssigned: map[string]arm.UserAssigned{r.ID: u}}
		r = &own
	}
	return holder{r, tenant}, nil
}

// system gives the ids of the system-assigned identity.
func (h holder) system() (arm.UserAssigned, bool) {
	if h.resource == nil || h.resource.Identity == nil {
		return arm.UserAssigned{}, false
	}
	id := h.resource.Identity
	return arm.UserAssigned{PrincipalID: id.PrincipalID, ClientID: id.ClientID}, id.PrincipalID != "" && strings.Contains(strings.ToLower(id.Type), "systemassigned")
}

// users are the user-assigned identities, dangling ones included.
func (h holder) users() map[string]arm.UserAssigned {
	if h.resource == nil || h.resource.Identity == nil {
		return nil
	}
	return h.resource.Identity.UserAssigned
}

// name is the resource's, for messages.
func (h holder) name() string {
	if h.resource == nil {
		return "a resource that does not exist"
	}
	return h.resource.Name
}

// selector is how a request names the identity it wants; a zero one names none.
type selector struct{ parameter, value string }

// is tells whether an identity with those ids, of the resource id, is the one.
func (sel selector) is(u arm.UserAssigned, resourceID string) bool {
	switch sel.parameter {
	case "client_id", "clientid":
		return strings.EqualFold(sel.value, u.ClientID)
	case "object_id", "principal_id":
		return strings.EqualFold(sel.value, u.PrincipalID)
	}
	return strings.EqualFold(sel.value, resourceID)
}

// selectorOf reads the one parameter of those that is set. Two are an error: they might mean two identities.
func selectorOf(r *wire.Request, parameters ...string) (selector, error) {
	var sel selector
	for _, name := range parameters {
		v := r.Query(name)
		if v == "" {
			continue
		}
		if sel.parameter != "" {
			return sel, fault.New(fault.Invalid, "InvalidRequest", "The parameters %s and %s can't be used together: name the identity once.", sel.parameter, name)
		}
		sel = selector{name, v}
	}
	return sel, nil
}

// chosen is the identity a token is asked for.
type chosen struct {
	arm.UserAssigned
	name       string
	resourceID string // of the resource, or of the user-assigned identity
}

// find looks for the identity that sel names among the holder's. ok is false if it is not there or, being a user-assigned one, was deleted.
func (s *Service) find(ctx context.Context, h holder, sel selector) (c chosen, ok bool, err error) {
	if u, has := h.system(); has && sel.is(u, h.resource.ID) {
		return chosen{u, h.resource.Name, h.resource.ID}, true, nil
	}
	for id, u := range h.users() {
		if sel.is(u, id) {
			return s.user(ctx, h, id)
		}
	}
	return chosen{}, false, nil
}

// user is find for the user-assigned identity with that id.
func (s *Service) user(ctx context.Context, h holder, id string) (c chosen, ok bool, err error) {
	r, u, ok, err := arm.UserIdentity(ctx, s.deps.Resources, h.resource, id)
	if err != nil || !ok {
		return chosen{}, false, err
	}
	return chosen{u, r.Name, r.ID}, true, nil
}

// issue gets the token and says in the request's record for whom and why.
func (s *Service) issue(ctx context.Context, r *wire.Request, h holder, c chosen, resource, why string) (authn.Token, error) {
	r.Principal = &authn.Principal{
		Kind: authn.ManagedIdentity, TenantID: h.tenant, ObjectID: c.PrincipalID, AppID: c.ClientID,
		Name: c.name, Resource: c.resourceID, Audience: resource,
	}
	r.AllowedBy = why + " of a process of " + h.resource.Name
	tok, err := s.deps.Tokens.IssueManagedIdentity(ctx, h.tenant, c.PrincipalID, resource)
	if err != nil {
		return tok, refused(err)
	}
	return tok, nil
}
