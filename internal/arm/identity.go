package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// Values of an identity block's type.
const (
	systemAssigned = "SystemAssigned"
	userAssigned   = "UserAssigned"
	noIdentity     = "None"
)

// identity settles c.New.Identity: which identities the resource has after the call. A body without a block leaves them as they are; a block in a PUT is the whole
// truth, in a PATCH it changes what it names (see identityBlock). A system identity that stays keeps its principal; one that is switched on gets new ids, which exist from
// here on, before anything is committed.
func (p *Pipeline) identity(ctx context.Context, c *Call) error {
	if !c.Body.Has("identity") {
		return nil
	}
	if !c.Type.Identity {
		return fault.New(fault.Invalid, "ManagedIdentityNotSupported", "The resource type '%s' does not support managed identities.", c.Type.Name)
	}
	old := c.New.Identity
	b, err := parseIdentityBlock(c.Body.Object("identity"), old, c.run.e.method == http.MethodPatch)
	if err != nil {
		return err
	}
	users, err := p.assigned(ctx, c, b)
	if err != nil {
		return err
	}
	switch {
	case b.user && len(users) == 0 && b.typeSent:
		return fault.New(fault.Invalid, "MissingIdentityIds", "The identity ids must not be null or empty for '%s' identity type.", userAssigned)
	case !b.user && len(b.add) > 0:
		return fault.New(fault.Invalid, "InvalidIdentityType", "The identity type '%s' does not go with userAssignedIdentities.", identityType(b.system, false))
	}
	b.user = len(users) > 0
	c.New.Identity = nil
	if !b.system && !b.user {
		return nil
	}
	n := &Identity{Type: identityType(b.system, b.user), UserAssigned: users}
	switch {
	case !b.system:
	case old != nil && old.PrincipalID != "":
		n.PrincipalID, n.ClientID, n.TenantID = old.PrincipalID, old.ClientID, old.TenantID
	default:
		n.PrincipalID, n.ClientID, n.TenantID = ids.New(), ids.New(), c.TenantID
	}
	c.New.Identity = n
	return nil
}

// identityBlock is what a body's identity block asks for.
type identityBlock struct {
	system, user bool
	typeSent     bool
	keep         map[string]UserAssigned // assigned before, and to stay unless the block says otherwise; by resource id
	add, remove  []string                // resource ids as sent
}

// parseIdentityBlock reads a block. In a PATCH, what it does not name stays: the type, and the identities that are not set to null.
func parseIdentityBlock(block Object, old *Identity, patch bool) (identityBlock, error) {
	var b identityBlock
	if block == nil {
		return b, invalidContent("the property 'identity' must be an object")
	}
	if old == nil {
		old = &Identity{}
	}
	var err error
	b.typeSent = block.Has("type") || !patch
	if b.typeSent {
		b.system, b.user, err = identityKinds(block.String("type"))
	} else {
		b.system, b.user = old.PrincipalID != "", true
	}
	if err != nil {
		return b, err
	}
	if patch && b.user {
		b.keep = old.UserAssigned
	}
	if !block.Has("userAssignedIdentities") {
		return b, nil
	}
	var named Object
	if err := block.Decode("userAssignedIdentities", &named); err != nil {
		return b, invalidContent("the property 'identity.userAssignedIdentities' must be an object")
	}
	for id, value := range named {
		switch {
		case string(value) == "null":
			b.remove = append(b.remove, id)
		case len(value) > 0 && value[0] == '{':
			b.add = append(b.add, id)
		default:
			return b, invalidContent("the value of '%s' in identity.userAssignedIdentities must be an object or null", clip(id))
		}
	}
	return b, nil
}

func identityKinds(text string) (system, user bool, err error) {
	for _, part := range strings.Split(text, ",") {
		switch part = strings.TrimSpace(part); {
		case strings.EqualFold(part, systemAssigned):
			system = true
		case strings.EqualFold(part, userAssigned):
			user = true
		case strings.EqualFold(part, noIdentity) && !strings.Contains(text, ","):
		default:
			return false, false, fault.New(fault.Invalid, "InvalidIdentityType", "The identity type '%s' is not one of SystemAssigned, UserAssigned, 'SystemAssigned, UserAssigned' and None.", clip(text))
		}
	}
	return system, user, nil
}

// identityType is how answers spell the type.
func identityType(system, user bool) string {
	switch {
	case system && user:
		return systemAssigned + ", " + userAssigned
	case system:
		return systemAssigned
	case user:
		return userAssigned
	}
	return noIdentity
}

// takeIdentity takes the identity block out of the members of a PATCH: it is merged by what it means, not by its text, in which RFC 7396 would drop the nulls. A null
// block removes all identities.
func takeIdentity(patch map[string]json.RawMessage) (block json.RawMessage) {
	for k, v := range patch {
		if !strings.EqualFold(k, "identity") {
			continue
		}
		delete(patch, k)
		if block = v; string(v) == "null" {
			block = json.RawMessage(`{"type":"` + noIdentity + `"}`)
		}
	}
	return block
}

// shownIdentity is an identity block on the wire.
type shownIdentity struct {
	Type         string                  `json:"type"`
	PrincipalID  string                  `json:"principalId,omitempty"`
	TenantID     string                  `json:"tenantId,omitempty"`
	UserAssigned map[string]UserAssigned `json:"userAssignedIdentities,omitempty"`
}

// shown is the block as answers show it, nil for none.
func (i *Identity) shown() *shownIdentity {
	if i == nil {
		return nil
	}
	return &shownIdentity{i.Type, i.PrincipalID, i.TenantID, i.UserAssigned}
}

// identityChange tells which principal has to be made and which removed when a resource changes from old to fresh (either may be nil).
func identityChange(tenantID string, old, fresh *Resource) (ensure *ManagedIdentity, remove string) {
	was, is := "", ""
	if old != nil && old.Identity != nil {
		was = old.Identity.PrincipalID
	}
	if fresh != nil && fresh.Identity != nil {
		is = fresh.Identity.PrincipalID
	}
	if is != "" && (is != was || old.ID != fresh.ID) { // a moved resource keeps its principal, whose tokens name the resource
		ensure = &ManagedIdentity{TenantID: tenantID, PrincipalID: is, ClientID: fresh.Identity.ClientID, Name: fresh.Name, ResourceID: fresh.ID}
	}
	if was != is {
		remove = was
	}
	return ensure, remove
}
