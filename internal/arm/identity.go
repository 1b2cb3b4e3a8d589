package arm

import (
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

const typeUserIdentity = "Microsoft.ManagedIdentity/userAssignedIdentities"

// identity settles c.New.Identity. A body without a block leaves it as it is, type None removes it. A system identity that stays keeps its principal; one
// that is switched on gets new ids, which exist from here on, before anything is committed.
func (p *Pipeline) identity(c *Call) error {
	if !c.Body.Has("identity") {
		return nil
	}
	if !c.Type.Identity {
		return fault.New(fault.Invalid, "ManagedIdentityNotSupported", "The resource type '%s' does not support managed identities.", c.Type.Name)
	}
	block := c.Body.Object("identity")
	if block == nil {
		return invalidContent("the property 'identity' must be an object")
	}
	system, user, err := identityKinds(block.String("type"))
	if err != nil {
		return err
	}
	if user {
		return p.refuseUserAssigned(c, block)
	}
	old := c.New.Identity
	c.New.Identity = nil
	if !system {
		return nil
	}
	if old != nil && old.PrincipalID != "" {
		c.New.Identity = old
		return nil
	}
	c.New.Identity = &Identity{Type: systemAssigned, PrincipalID: ids.New(), ClientID: ids.New(), TenantID: c.TenantID}
	return nil
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

// refuseUserAssigned says that user-assigned identities are not there: their resource type isn't.
func (p *Pipeline) refuseUserAssigned(_ *Call, block Object) error {
	for id := range block.Object("userAssignedIdentities") {
		return fault.New(fault.Invalid, "FailedIdentityOperation", "The user-assigned identity '%s' was not found: the resource type %s is not implemented by this platform yet. "+
			"Use a system-assigned identity.", clip(id), typeUserIdentity)
	}
	return fault.New(fault.Invalid, "LinkedInvalidPropertyId", "An identity of type UserAssigned needs userAssignedIdentities; the resource type %s is not implemented by this platform yet.", typeUserIdentity)
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
	if is != "" && is != was {
		ensure = &ManagedIdentity{TenantID: tenantID, PrincipalID: is, ClientID: fresh.Identity.ClientID, Name: fresh.Name, ResourceID: fresh.ID}
	}
	if was != is {
		remove = was
	}
	return ensure, remove
}
