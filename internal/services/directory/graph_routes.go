package directory

import (
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphRouter collects Graph's routes.
type graphRouter struct {
	s      *Service
	routes []wire.Route
}

// read, write and own add a route for those who may read the directory, those who administer it, and anyone about themselves.
func (g *graphRouter) read(method, pattern, operation string, h wire.Handler) {
	g.add(wire.Route{Method: method, Pattern: pattern, Operation: operation, Authorize: g.s.readers, Handler: h})
}

func (g *graphRouter) write(method, pattern, operation string, h wire.Handler) {
	g.add(wire.Route{Method: method, Pattern: pattern, Operation: operation, Authorize: g.s.administrators, Handler: h})
}

func (g *graphRouter) own(method, pattern, operation string, h wire.Handler) {
	g.add(wire.Route{Method: method, Pattern: pattern, Operation: operation, Authorize: g.s.members, Handler: h})
}

func (g *graphRouter) add(r wire.Route) {
	r.Host, r.Pattern, r.Operation = wire.HostGraph, "/v1.0"+r.Pattern, "Microsoft.Graph/"+r.Operation
	r.Auth = wire.Authenticator{Name: "graph token", Check: g.s.graphCaller}
	g.routes = append(g.routes, r)
}

func (s *Service) graphRoutes() []wire.Route {
	g := &graphRouter{s: s}
	g.applications()
	g.servicePrincipals()
	g.users()
	g.groups()
	g.objects()
	return g.routes
}

func (g *graphRouter) applications() {
	s := g.s
	g.read("GET", "/applications", "applications/list", s.graphListApps)
	g.write("POST", "/applications", "applications/create", wire.HandleBody(s.graphCreateApp))
	g.read("GET", "/applications/{id}", "applications/get", s.graphGetApp)
	g.write("PATCH", "/applications/{id}", "applications/update", wire.HandleBody(s.graphPatchApp))
	g.write("DELETE", "/applications/{id}", "applications/delete", s.graphDeleteApp)
	g.write("POST", "/applications/{id}/addPassword", "applications/addPassword", s.graphAddPassword)
	g.write("POST", "/applications/{id}/removePassword", "applications/removePassword", wire.HandleBody(s.graphRemovePassword))
	g.owners("/applications", "applications", KindApplication)
	const federated = "/applications/{id}/federatedIdentityCredentials"
	g.read("GET", federated, "applications/federatedIdentityCredentials/list", s.graphListFederated)
	g.write("POST", federated, "applications/federatedIdentityCredentials/create", wire.HandleBody(s.graphCreateFederated))
	g.read("GET", federated+"/{credential}", "applications/federatedIdentityCredentials/get", s.graphGetFederated)
	g.write("PATCH", federated+"/{credential}", "applications/federatedIdentityCredentials/update", wire.HandleBody(s.graphPatchFederated))
	g.write("DELETE", federated+"/{credential}", "applications/federatedIdentityCredentials/delete", s.graphDeleteFederated)
}

func (g *graphRouter) servicePrincipals() {
	s := g.s
	g.read("GET", "/servicePrincipals", "servicePrincipals/list", s.graphListSPs)
	g.write("POST", "/servicePrincipals", "servicePrincipals/create", wire.HandleBody(s.graphCreateSP))
	g.read("GET", "/servicePrincipals/{id}", "servicePrincipals/get", s.graphGetSP)
	g.write("PATCH", "/servicePrincipals/{id}", "servicePrincipals/update", wire.HandleBody(s.graphPatchSP))
	g.write("DELETE", "/servicePrincipals/{id}", "servicePrincipals/delete", s.graphDeleteSP)
	g.write("POST", "/servicePrincipals/{id}/addPassword", "servicePrincipals/addPassword", s.graphAddSPPassword)
	g.write("POST", "/servicePrincipals/{id}/removePassword", "servicePrincipals/removePassword", wire.HandleBody(s.graphRemoveSPPassword))
	g.owners("/servicePrincipals", "servicePrincipals", KindSP)
	g.memberships("/servicePrincipals/{id}", "servicePrincipals", KindSP)
	g.roles("/servicePrincipals", "servicePrincipals", KindSP)
	const assigned = "/servicePrincipals/{id}/appRoleAssignedTo"
	g.read("GET", assigned, "servicePrincipals/appRoleAssignedTo/list", s.graphListAssignedTo)
	g.write("POST", assigned, "servicePrincipals/appRoleAssignedTo/create", wire.HandleBody(s.graphAssignTo))
	g.write("DELETE", assigned+"/{assignment}", "servicePrincipals/appRoleAssignedTo/delete", s.graphUnassignFrom)
	g.read("GET", "/servicePrincipals/{id}/oauth2PermissionGrants", "servicePrincipals/oauth2PermissionGrants/list", s.graphListConsentsOf)
	g.read("GET", "/oauth2PermissionGrants", "oauth2PermissionGrants/list", s.graphListConsents)
	g.write("POST", "/oauth2PermissionGrants", "oauth2PermissionGrants/create", wire.HandleBody(s.graphCreateConsent))
	g.read("GET", "/oauth2PermissionGrants/{id}", "oauth2PermissionGrants/get", s.graphGetConsent)
	g.write("PATCH", "/oauth2PermissionGrants/{id}", "oauth2PermissionGrants/update", wire.HandleBody(s.graphPatchConsent))
	g.write("DELETE", "/oauth2PermissionGrants/{id}", "oauth2PermissionGrants/delete", s.graphDeleteConsent)
}

func (g *graphRouter) users() {
	s := g.s
	g.own("GET", "/me", "me/get", s.graphMe)
	g.own("POST", "/me/changePassword", "me/changePassword", wire.HandleBody(s.graphChangePassword))
	g.own("GET", "/me/ownedObjects", "me/ownedObjects/list", s.graphOwnedObjects)
	g.memberships("/me", "me", KindUser)
	g.read("GET", "/users", "users/list", s.graphListUsers)
	g.write("POST", "/users", "users/create", wire.HandleBody(s.graphCreateUser))
	g.read("GET", "/users/{id}", "users/get", s.graphGetUser)
	g.write("PATCH", "/users/{id}", "users/update", wire.HandleBody(s.graphPatchUser))
	g.write("DELETE", "/users/{id}", "users/delete", s.graphDeleteUser)
	g.read("GET", "/users/{id}/ownedObjects", "users/ownedObjects/list", s.graphOwnedObjects)
	g.memberships("/users/{id}", "users", KindUser)
	g.roles("/users", "users", KindUser)
}

func (g *graphRouter) groups() {
	s := g.s
	g.read("GET", "/groups", "groups/list", s.graphListGroups)
	g.write("POST", "/groups", "groups/create", wire.HandleBody(s.graphCreateGroup))
	g.read("GET", "/groups/{id}", "groups/get", s.graphGetGroup)
	g.write("PATCH", "/groups/{id}", "groups/update", wire.HandleBody(s.graphPatchGroup))
	g.write("DELETE", "/groups/{id}", "groups/delete", s.graphDeleteGroup)
	g.read("GET", "/groups/{id}/members", "groups/members/list", s.graphListMembers(false))
	g.read("GET", "/groups/{id}/transitiveMembers", "groups/transitiveMembers/list", s.graphListMembers(true))
	g.write("POST", "/groups/{id}/members/$ref", "groups/members/add", wire.HandleBody(s.graphAddMember))
	g.write("DELETE", "/groups/{id}/members/{member}/$ref", "groups/members/remove", s.graphRemoveMember)
	g.owners("/groups", "groups", KindGroup)
	g.memberships("/groups/{id}", "groups", KindGroup)
	g.roles("/groups", "groups", KindGroup)
}

func (g *graphRouter) objects() {
	s := g.s
	g.read("GET", "/directoryObjects/{id}", "directoryObjects/get", s.graphGetObject)
	g.read("POST", "/directoryObjects/getByIds", "directoryObjects/getByIds", wire.HandleBody(s.graphGetByIDs))
	g.memberships("/directoryObjects/{id}", "directoryObjects", "")
	const deleted = "/directory/deletedItems"
	for _, kind := range []ObjectKind{KindApplication, KindSP, KindUser, KindGroup} {
		g.read("GET", deleted+"/microsoft.graph."+string(kind), "directory/deletedItems/list", s.graphListDeleted(kind))
	}
	g.read("GET", deleted+"/{id}", "directory/deletedItems/get", s.graphGetDeleted)
	g.write("DELETE", deleted+"/{id}", "directory/deletedItems/delete", s.graphPurge)
	g.write("POST", deleted+"/{id}/restore", "directory/deletedItems/restore", s.graphRestore)
}

// owners adds the routes of an object's owners.
func (g *graphRouter) owners(pattern, operation string, kind ObjectKind) {
	s := g.s
	g.read("GET", pattern+"/{id}/owners", operation+"/owners/list", s.graphListOwners(kind))
	g.write("POST", pattern+"/{id}/owners/$ref", operation+"/owners/add", wire.HandleBody(s.graphAddOwner(kind)))
	g.write("DELETE", pattern+"/{id}/owners/{owner}/$ref", operation+"/owners/remove", s.graphRemoveOwner(kind))
}

// memberships adds the routes that say which groups an object is in.
func (g *graphRouter) memberships(pattern, operation string, kind ObjectKind) {
	s := g.s
	add := g.read
	if pattern == "/me" {
		add = g.own
	}
	if kind != "" {
		add("GET", pattern+"/memberOf", operation+"/memberOf/list", s.graphMemberOf(kind, false))
		add("GET", pattern+"/transitiveMemberOf", operation+"/transitiveMemberOf/list", s.graphMemberOf(kind, true))
	}
	for _, action := range []string{"getMemberGroups", "getMemberObjects"} {
		add("POST", pattern+"/"+action, operation+"/"+action, wire.HandleBody(s.graphMemberGroups(kind)))
	}
	for _, action := range []string{"checkMemberGroups", "checkMemberObjects"} {
		add("POST", pattern+"/"+action, operation+"/"+action, wire.HandleBody(s.graphCheckGroups(kind)))
	}
}

// roles adds the routes of the application roles that an object has.
func (g *graphRouter) roles(pattern, operation string, kind ObjectKind) {
	s := g.s
	pattern, operation = pattern+"/{id}/appRoleAssignments", operation+"/appRoleAssignments"
	g.read("GET", pattern, operation+"/list", s.graphListRoles(kind))
	g.write("POST", pattern, operation+"/create", wire.HandleBody(s.graphAssignRole(kind)))
	g.write("DELETE", pattern+"/{assignment}", operation+"/delete", s.graphUnassignRole(kind))
}
