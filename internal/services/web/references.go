package web

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// referenceType is sites/{site}/config/configreferences/{noun}[/{name}]: how each Key Vault reference of a site is. It is a read-only view of what the host did.
func (s *Service) referenceType(noun string) arm.Type {
	readOnly := func(context.Context, *arm.Call) error {
		return notAllowed("The status of Key Vault references can only be read.")
	}
	return arm.Type{
		Name: "Microsoft.Web/sites/config/" + noun, Versions: versions, Untracked: true, OnCreate: http.StatusOK,
		Put: readOnly, Patch: readOnly, Delete: readOnly,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			all, err := s.referenceStatuses(ctx, c.ID, noun)
			if err != nil {
				return nil, err
			}
			for _, r := range all {
				if strings.EqualFold(r.Name, c.ID.Name()) {
					return r, nil
				}
			}
			return nil, nil
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			return s.referenceStatuses(ctx, c.ID, noun)
		},
	}
}

// referenceStatus is the properties of one entry.
type referenceStatus struct {
	Reference     string    `json:"reference"`
	Status        refStatus `json:"status"`
	VaultName     string    `json:"vaultName,omitempty"`
	SecretName    string    `json:"secretName,omitempty"`
	SecretVersion string    `json:"secretVersion,omitempty"`
	ActiveVersion string    `json:"activeVersion,omitempty"`
	IdentityType  any       `json:"identityType"`
	Details       string    `json:"details,omitempty"`
	Source        string    `json:"source"`
	Location      string    `json:"location"`
}

func (s *Service) referenceStatuses(ctx context.Context, id arm.ID, noun string) ([]*arm.Resource, error) {
	if !strings.EqualFold(id.Names[1], configReferences) {
		return nil, fault.New(fault.NotFound, "NotFound", "Ask for config/configreferences/%s.", noun)
	}
	site, err := s.siteOf(ctx, id)
	if err != nil || site == nil {
		return nil, err
	}
	d, err := s.load(ctx, site.ID)
	if err != nil || d == nil {
		return nil, err
	}
	values, location := d.settings, "ApplicationSetting"
	if noun == nounConnections {
		values, location = connectionValues(d.connections), "ConnectionString"
	}
	identityType := map[string]any{"type": "SystemAssigned"}
	if !ownIdentity(d.references) {
		identityType = map[string]any{"type": "UserAssigned", "userAssignedIdentities": map[string]any{d.references: map[string]any{}}}
	}
	done := s.host.resolutions(site.GUID, noun)
	out := []*arm.Resource{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !isReference(values[name]) {
			continue
		}
		r, ok := done[name]
		if !ok || r.text != values[name] {
			r = unresolved(values[name], s.deps.Hosts)
		}
		props, err := json.Marshal(referenceStatus{
			Reference: r.text, Status: r.status, VaultName: r.ref.Vault, SecretName: r.ref.Secret, SecretVersion: r.ref.Version,
			ActiveVersion: r.active, IdentityType: identityType, Details: r.details, Source: "KeyVault", Location: location,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, &arm.Resource{
			ID: site.ID + "/config/configreferences/" + noun + "/" + name, Name: name, Type: "Microsoft.Web/sites/config/" + noun, Properties: props,
			GUID: site.GUID, Created: site.Created, Changed: site.Changed,
		})
	}
	return out, nil
}
