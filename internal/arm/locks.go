package arm

import (
	"context"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

var lockVersions = []string{"2015-01-01", "2015-05-01-preview", "2016-09-01", "2017-04-01", "2020-05-01"}

// lockType is the management lock.
func (p *Pipeline) lockType() Type {
	return Type{
		Name: typeLock, Scope: AtAnyScope, Untracked: true, Versions: lockVersions,
		Put: func(_ context.Context, c *Call) error {
			props := c.Body.Object("properties")
			l := lock{ID: c.ID.String(), Name: c.ID.Name(), Scope: c.scopeShown(), Notes: props.String("notes")}
			for _, level := range []string{canNotDelete, readOnly} {
				if strings.EqualFold(props.String("level"), level) {
					l.Level = level
				}
			}
			switch {
			case c.ID.Subscription == "":
				return fault.New(fault.Invalid, "InvalidLockScope", "A lock needs a subscription, a resource group or a resource as its scope.")
			case l.Level == "":
				return fault.New(fault.Invalid, "LockLevelInvalid", "The lock level '%s' is not one of CanNotDelete and ReadOnly.", clip(props.String("level")))
			case len(l.Notes) > 512:
				return fault.New(fault.Invalid, "LockNotesTooLong", "The notes of a lock have at most 512 characters.")
			}
			row, err := lockCodec.Encode(l)
			c.Prepared, c.New.Properties, c.New.ETag = row, l.resource().Properties, ""
			return err
		},
		Commit: func(tx store.Tx, c *Call) error {
			if err := tx.Put(scopedKey(tagLock, c.scopeOf(), c.ID.Name()), c.Prepared.([]byte)); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		CommitDelete: func(tx store.Tx, c *Call) error {
			if err := tx.Delete(scopedKey(tagLock, c.scopeOf(), c.ID.Name())); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		Get: func(_ context.Context, c *Call) (*Resource, error) {
			for i, l := range c.run.judged.own.locks {
				if strings.EqualFold(l.Name, c.ID.Name()) && c.run.judged.own.lockScopes[i] == c.scopeOf() {
					return l.resource(), nil
				}
			}
			return nil, nil
		},
		List: func(_ context.Context, c *Call) ([]*Resource, error) {
			var out []*Resource
			for i, l := range c.run.judged.own.locks {
				if at := c.run.judged.own.lockScopes[i]; rbac.Within(c.scopeOf(), at) || rbac.Within(at, c.scopeOf()) {
					out = append(out, l.resource())
				}
			}
			return out, nil
		},
	}
}

func (l *lock) resource() *Resource {
	props := map[string]any{"level": l.Level}
	if l.Notes != "" {
		props["notes"] = l.Notes
	}
	return &Resource{ID: l.ID, Name: l.Name, Type: typeLock, Properties: raw(props)}
}

// DenyAssignment takes permissions away at a scope, whatever roles say. The API only shows them; managed applications make them.
type DenyAssignment struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"` // GUID
	DisplayName string            `json:"displayName"`
	Description string            `json:"description,omitempty"`
	Scope       string            `json:"scope"` // canonical
	Permissions []rbac.Permission `json:"permissions"`
	Principals  []string          `json:"principals"` // object ids; rbac.Everyone for all
	Excluded    []string          `json:"excluded,omitempty"`
	OnlyHere    bool              `json:"onlyHere,omitempty"`
}

func (d *DenyAssignment) denial() rbac.Denial {
	return rbac.Denial{
		ID: d.ID, Scope: strings.ToLower(d.Scope), Permissions: d.Permissions, Principals: lowerAll(d.Principals), Excluded: lowerAll(d.Excluded), OnlyHere: d.OnlyHere,
	}
}

// about tells whether the deny assignment takes something from the principal.
func (d *DenyAssignment) about(principal string) bool {
	return slices.Contains(lowerAll(d.Principals), principal) ||
		slices.Contains(d.Principals, rbac.Everyone) && !slices.Contains(lowerAll(d.Excluded), principal)
}

func lowerAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

func (d *DenyAssignment) resource() *Resource {
	who := func(list []string) []map[string]string {
		out := make([]map[string]string, 0, len(list))
		for _, id := range list {
			kind := "ServicePrincipal"
			if id == rbac.Everyone {
				kind = "SystemDefined"
			}
			out = append(out, map[string]string{"id": id, "type": kind})
		}
		return out
	}
	return &Resource{ID: d.ID, Name: d.Name, Type: typeDenial, Properties: raw(map[string]any{
		"denyAssignmentName": d.DisplayName, "description": d.Description, "scope": d.Scope, "permissions": d.Permissions,
		"doNotApplyToChildScopes": d.OnlyHere, "principals": who(d.Principals), "excludePrincipals": who(d.Excluded), "isSystemProtected": true,
	})}
}

// denyAssignmentType shows deny assignments.
func (p *Pipeline) denyAssignmentType() Type {
	return Type{
		Name: typeDenial, Scope: AtAnyScope, Untracked: true, Versions: []string{"2018-07-01-preview", "2022-04-01"},
		Get: func(_ context.Context, c *Call) (*Resource, error) {
			for _, d := range c.run.judged.own.denials {
				if strings.EqualFold(d.Name, c.ID.Name()) && strings.EqualFold(d.Scope, c.scopeShown()) {
					return d.resource(), nil
				}
			}
			return nil, nil
		},
		List: func(_ context.Context, c *Call) ([]*Resource, error) {
			f, err := scopeFilter(c.Query("$filter"), "principalid", "denyassignmentname")
			if err != nil {
				return nil, err
			}
			var out []*Resource
			for _, d := range c.run.judged.own.denials {
				if c.run.listed(c, f, d.Scope) && (f.name == "" || strings.EqualFold(d.DisplayName, f.name)) && (f.principal == "" || d.about(f.principal)) {
					out = append(out, d.resource())
				}
			}
			return out, nil
		},
	}
}
