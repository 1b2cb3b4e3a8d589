package directory

// Scopes of Azure's own APIs, with the ids that applications' requiredResourceAccess names.
// https://learn.microsoft.com/graph/permissions-reference
var (
	graphScopes = []Scope{
		{ID: "e1fe6dd8-ba31-4d61-89e7-88639da4683d", Value: "User.Read", Type: "User"},
		{ID: "b340eb25-3456-403f-be2f-af7a0d370277", Value: "User.ReadBasic.All", Type: "User"},
		{ID: "37f7f235-527c-4136-accd-4a02d197296e", Value: "openid", Type: "User"},
		{ID: "14dad69e-099b-42c9-810b-d002981feec1", Value: "profile", Type: "User"},
		{ID: "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", Value: "email", Type: "User"},
		{ID: "7427e0e9-2fba-42fe-b0c0-848c9e6a8182", Value: "offline_access", Type: "User"},
		{ID: "a154be20-db9c-4678-8ab7-66f6cc099a59", Value: "User.Read.All", Type: "Admin"},
		{ID: "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4", Value: "User.ReadWrite.All", Type: "Admin"},
		{ID: "5f8c59db-677d-491f-a6b8-5f174b11ec1d", Value: "Group.Read.All", Type: "Admin"},
		{ID: "4e46008b-f24c-477d-8fff-7bb4ec7aafe0", Value: "Group.ReadWrite.All", Type: "Admin"},
		{ID: "c79f8feb-a9db-4090-85f9-90d820caa0eb", Value: "Application.Read.All", Type: "Admin"},
		{ID: "bdfbf15f-ee85-4955-8675-146e8e5296b5", Value: "Application.ReadWrite.All", Type: "Admin"},
		{ID: "06da0dbc-49e2-44d2-8312-53f166ab848a", Value: "Directory.Read.All", Type: "Admin"},
		{ID: "c5366453-9fb0-48a5-a156-24f0c49a4b84", Value: "Directory.ReadWrite.All", Type: "Admin"},
		{ID: "0e263e50-5827-48a4-b97c-d940288653c7", Value: "Directory.AccessAsUser.All", Type: "Admin"},
	}
	impersonationIDs = map[string]string{
		"797f4846-ba00-4fd7-ba43-dac1f8f63013": "41094075-9dad-400e-a0bd-54e686782033",
		"cfa8b339-82a2-471a-a3c9-0fc0be7a4093": "f53da476-18e3-4152-8e01-aec403e6edc0",
	}
)

// defaultScope is what ".default" means to a client that is registered to need nothing particular.
func (f *firstParty) defaultScope() string {
	if f.appID == graphAppID {
		return "User.Read"
	}
	return "user_impersonation"
}

// scopes are those the API publishes.
func (a *audience) scopes() []Scope {
	switch {
	case a.app != nil:
		return a.app.Scopes
	case a.appID == graphAppID:
		return graphScopes
	}
	return []Scope{{ID: impersonationIDs[a.appID], Value: "user_impersonation", Type: "User"}}
}

// adminScope tells whether only an administrator may consent to the scope.
func (a *audience) adminScope(value string) bool {
	for _, k := range a.scopes() {
		if k.Value == value {
			return k.Type == "Admin"
		}
	}
	return true
}
