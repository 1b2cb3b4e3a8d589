package keyvault

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// policiesBody is the form of vaults/accessPolicies, both ways.
type policiesBody struct {
	ID         string             `json:"id,omitempty"`
	Type       string             `json:"type,omitempty"`
	Location   string             `json:"location,omitempty"`
	Properties policiesProperties `json:"properties"`
}

type policiesProperties struct {
	AccessPolicies []accessPolicy `json:"accessPolicies"`
}

// policyAction is PUT vaults/{vault}/accessPolicies/{verb}: a change of the vault's policies alone.
func (s *Service) policyAction(verb string) arm.Action {
	return arm.Action{
		Verb: "accessPolicies/" + verb, Method: "PUT", Operation: "Microsoft.KeyVault/vaults/accessPolicies/write", Writes: true,
		Handler: func(ctx context.Context, c *arm.Call) (any, error) { return changePolicies(ctx, c, verb) },
	}
}

func changePolicies(ctx context.Context, c *arm.Call, verb string) (any, error) {
	var in *policiesProperties
	if err := c.Body.Decode("properties", &in); err != nil {
		return nil, err
	}
	if in == nil || in.AccessPolicies == nil {
		return nil, badRequest("BadRequest", "The parameter properties.accessPolicies is required.")
	}
	p, err := propertiesOf(c.Old)
	if err != nil {
		return nil, err
	}
	if err := settlePolicies(in.AccessPolicies, p.TenantID); err != nil {
		return nil, err
	}
	p.AccessPolicies = merge(p.AccessPolicies, in.AccessPolicies, verb)
	if err := settlePolicies(p.AccessPolicies, p.TenantID); err != nil {
		return nil, err
	}
	changed := *c.Old
	if changed.Properties, err = json.Marshal(p); err != nil {
		return nil, err
	}
	c.New = &changed
	if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	return policiesBody{
		ID: c.Old.ID + "/accessPolicies/", Type: "Microsoft.KeyVault/vaults/accessPolicies", Location: c.Old.Location,
		Properties: policiesProperties{p.AccessPolicies},
	}, nil
}

// merge applies a change to a list of policies. Add joins permissions to those a principal has, replace puts its policy in place of the old one,
// remove takes permissions away and, with them all, the policy.
func merge(have, change []accessPolicy, verb string) []accessPolicy {
	out := slices.Clone(have)
	for _, c := range change {
		at := slices.IndexFunc(out, func(a accessPolicy) bool {
			return strings.EqualFold(a.ObjectID, c.ObjectID) && strings.EqualFold(a.ApplicationID, c.ApplicationID)
		})
		switch {
		case verb == "remove":
			if at < 0 {
				continue
			}
			left := out[at]
			empty := true
			gone := c.areas()
			for area, perms := range left.areas() {
				*perms = slices.DeleteFunc(slices.Clone(*perms), func(p string) bool { return slices.Contains(*gone[area], p) })
				empty = empty && len(*perms) == 0
			}
			if empty {
				out = slices.Delete(out, at, at+1)
			} else {
				out[at] = left
			}
		case at < 0:
			out = append(out, c)
		case verb == "replace":
			out[at] = c
		default:
			joined := out[at]
			more := c.areas()
			for area, perms := range joined.areas() {
				*perms = append(slices.Clone(*perms), *more[area]...)
			}
			out[at] = joined
		}
	}
	return out
}
