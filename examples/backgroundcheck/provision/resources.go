package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // a name-based GUID, RFC 9562 version 5
	"fmt"
	"net/http"
	"strings"
)

// Versions of the resource providers' APIs.
const (
	groupVersion   = "?api-version=2021-04-01"
	vaultVersion   = "?api-version=2022-07-01"
	webVersion     = "?api-version=2022-03-01"
	accountVersion = "?api-version=2021-10-15"
	roleVersion    = "?api-version=2022-04-01"
)

// accountContributor is the built-in role "DocumentDB Account Contributor": it may list the keys of an account.
const accountContributor = "5bd9cd88-fe45-4216-938b-f97437e15450"

type object = map[string]any

// ensureGroup makes a resource group and returns its id.
func (a *admin) ensureGroup(ctx context.Context, name, location string) (string, error) {
	id := "/subscriptions/" + a.SubscriptionID + "/resourceGroups/" + name
	return id, a.arm.call(ctx, http.MethodPut, id+groupVersion, object{"location": location}, nil)
}

// ensureVault makes a vault where the site may get secrets and do nothing else, and the administrator what provisioning needs.
func (a *admin) ensureVault(ctx context.Context, id, location, site string) (string, error) {
	self, err := a.arm.objectID(ctx)
	if err != nil {
		return "", err
	}
	policy := func(who string, secrets, certificates []string) object {
		return object{"tenantId": a.TenantID, "objectId": who, "permissions": object{"secrets": secrets, "certificates": certificates}}
	}
	var made struct {
		Properties struct {
			URI string `json:"vaultUri"`
		} `json:"properties"`
	}
	err = a.arm.call(ctx, http.MethodPut, id+vaultVersion, object{"location": location, "properties": object{
		"tenantId": a.TenantID, "sku": object{"family": "A", "name": "standard"},
		"accessPolicies": []object{
			policy(site, []string{"get"}, nil),
			policy(self, []string{"get", "list", "set"}, []string{"get", "list", "create"}),
		},
	}}, &made)
	return made.Properties.URI, err
}

// ensureSite makes a plan and a site with an identity of its own, and returns the site's host name and its identity's object id.
func (a *admin) ensureSite(ctx context.Context, id, plan, location string) (host, principal string, err error) {
	err = a.arm.call(ctx, http.MethodPut, plan+webVersion, object{
		"location": location, "kind": "linux", "sku": object{"name": "B1", "tier": "Basic"}, "properties": object{"reserved": true},
	}, nil)
	if err != nil {
		return "", "", err
	}
	var made struct {
		Identity   struct{ PrincipalID string }
		Properties struct{ DefaultHostName string }
	}
	err = a.arm.call(ctx, http.MethodPut, id+webVersion, object{
		"location": location, "kind": "app,linux", "identity": object{"type": "SystemAssigned"},
		"properties": object{"serverFarmId": plan, "httpsOnly": true, "siteConfig": object{"appCommandLine": "./frontend"}},
	}, &made)
	return made.Properties.DefaultHostName, made.Identity.PrincipalID, err
}

// ensureAccount makes a Cosmos DB account, unless it is there.
func (a *admin) ensureAccount(ctx context.Context, id, location string) error {
	if there, err := a.arm.exists(ctx, id+accountVersion); err != nil || there {
		return err
	}
	return a.arm.call(ctx, http.MethodPut, id+accountVersion, object{"location": location, "kind": "GlobalDocumentDB", "properties": object{
		"databaseAccountOfferType": "Standard", "locations": []object{{"locationName": location, "failoverPriority": 0}},
	}}, nil)
}

// ensureRole lets a principal, of whichever directory, do what the role says on the scope and below it.
func (a *admin) ensureRole(ctx context.Context, scope, role, principal string) error {
	name := nameGUID(strings.ToLower(scope + "|" + role + "|" + principal))
	return a.arm.call(ctx, http.MethodPut, scope+"/providers/Microsoft.Authorization/roleAssignments/"+name+roleVersion, object{"properties": object{
		"roleDefinitionId": "/subscriptions/" + a.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + role,
		"principalId":      principal, "principalType": "ServicePrincipal",
	}}, nil)
}

// nameGUID makes the same GUID of the same text, so that an assignment made twice is one.
func nameGUID(text string) string {
	h := sha1.Sum([]byte(text)) //nolint:gosec // see the import
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
