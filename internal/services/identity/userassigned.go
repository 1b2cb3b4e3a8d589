package identity

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// versions are the api-versions of Microsoft.ManagedIdentity; any later one is answered like the last.
var versions = []string{
	"2015-08-31-preview", "2018-11-30", "2021-09-30-preview", "2022-01-31-preview", "2023-01-31", "2023-07-31-preview", "2024-11-30", "2025-01-31-preview",
}

// federatedVersions are those of the credentials of other issuers, which came later.
var federatedVersions = versions[3:]

// Directory keeps the service principals of identities; arm.Directory is a superset. Both calls are idempotent.
type Directory interface {
	EnsureManagedIdentity(ctx context.Context, id arm.ManagedIdentity) error
	RemoveServicePrincipal(ctx context.Context, tenantID, objectID string) error
}

// Types are the resource types of Microsoft.ManagedIdentity.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.userAssignedType(), s.federatedType(), s.systemType()}
}

// properties are those of a user-assigned identity, stored as they are shown. The ids are chosen when it is created and never change.
type properties struct {
	IsolationScope string `json:"isolationScope,omitempty"`
	TenantID       string `json:"tenantId"`
	PrincipalID    string `json:"principalId"`
	ClientID       string `json:"clientId"`
}

// userAssignedType is Microsoft.ManagedIdentity/userAssignedIdentities: an identity that lives on its own and is assigned to any number of resources. Its service principal
// is made and removed by way of the outbox; resources that still name a deleted one keep the name and get no more tokens.
func (s *Service) userAssignedType() arm.Type {
	return arm.Type{
		Name: arm.TypeUserIdentity, Versions: versions, Put: putUserAssigned,
		Applied: func(ctx context.Context, c *arm.Call) error {
			if c.New == nil {
				old, _ := arm.UserIdentityOf(c.Old)
				return s.deps.Directory.RemoveServicePrincipal(ctx, c.TenantID, old.PrincipalID)
			}
			p, _ := arm.UserIdentityOf(c.New)
			return s.deps.Directory.EnsureManagedIdentity(ctx, arm.ManagedIdentity{
				TenantID: c.TenantID, PrincipalID: p.PrincipalID, ClientID: p.ClientID, Name: c.New.Name, ResourceID: c.New.ID,
			})
		},
	}
}

func putUserAssigned(_ context.Context, c *arm.Call) error {
	if !validName(c.New.Name, 128) {
		return invalidName(c.New.Name, 128)
	}
	p := properties{TenantID: c.TenantID, PrincipalID: ids.New(), ClientID: ids.New()}
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &p); err != nil {
			return err
		}
	}
	sent := c.Body.Object("properties")
	switch scope := sent.String("isolationScope"); {
	case scope == "":
	case strings.EqualFold(scope, "None"):
		p.IsolationScope = "None"
	case strings.EqualFold(scope, "Regional"):
		return fault.New(fault.NotImplemented, "NotImplemented", "Identities of the isolation scope Regional are not implemented by this platform.")
	default:
		return fault.New(fault.Invalid, "BadRequest", "The isolation scope %.60q is not one of None and Regional.", scope)
	}
	var err error
	c.New.Properties, err = json.Marshal(p)
	return err
}

// validName tells whether a name is 3 to longest letters, digits, hyphens and underscores and begins with a letter or digit.
func validName(name string, longest int) bool {
	for i, r := range name {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !plain && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return len(name) >= 3 && len(name) <= longest
}

func invalidName(name string, longest int) error {
	return fault.New(fault.Invalid, "InvalidResourceName", "The resource name %.200q is invalid: 3 to %d letters, digits, hyphens and underscores, of which the first is a letter or digit.", name, longest)
}

// systemType is {resource}/providers/Microsoft.ManagedIdentity/identities/default: the system-assigned identity of a resource, as a view.
func (s *Service) systemType() arm.Type {
	readOnly := func(context.Context, *arm.Call) error {
		return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "A system-assigned identity is changed by the identity block of its resource.")
	}
	return arm.Type{
		Name: "Microsoft.ManagedIdentity/identities", Versions: versions, Scope: arm.AtAnyScope, Untracked: true,
		Put: readOnly, Patch: readOnly, Delete: readOnly,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			owner, _, err := s.deps.Resources.Resource(ctx, c.ID.Scope)
			if err != nil || owner == nil || owner.Identity == nil || owner.Identity.PrincipalID == "" || !strings.EqualFold(c.ID.Name(), "default") {
				return nil, err
			}
			id := owner.Identity
			props, err := json.Marshal(properties{TenantID: id.TenantID, PrincipalID: id.PrincipalID, ClientID: id.ClientID})
			return &arm.Resource{
				ID: owner.ID + "/providers/Microsoft.ManagedIdentity/identities/default", Name: "default", Type: "Microsoft.ManagedIdentity/identities",
				Location: owner.Location, Tags: owner.Tags, Properties: props, GUID: owner.GUID, Created: owner.Created, Changed: owner.Changed,
			}, err
		},
		List: func(context.Context, *arm.Call) ([]*arm.Resource, error) { return nil, nil },
	}
}
