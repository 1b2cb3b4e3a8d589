package rbac

import "testing"

func TestBuiltInRoles(t *testing.T) {
	const (
		listKeys = "Microsoft.DocumentDB/databaseAccounts/listKeys/action"
		roKeys   = "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action"
		assign   = "Microsoft.Authorization/roleAssignments/write"
		getData  = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
		setData  = "Microsoft.KeyVault/vaults/secrets/setSecret/action"
	)
	roles := map[string]*Role{}
	built := BuiltIn()
	for _, r := range built.All() {
		if roles[r.Name] != nil {
			t.Errorf("two roles are named %s", r.Name)
		}
		roles[r.Name] = r
		if built.ByID(r.ID) != r {
			t.Errorf("ByID(%s) is not %s", r.ID, r.Name)
		}
	}
	for _, tt := range []struct {
		role, action string
		data, want   bool
	}{
		{"Owner", assign, false, true},
		{"Owner", getData, true, false}, // Owner has no data actions
		{"Contributor", listKeys, false, true},
		{"Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", false, true}, // by userAssignedIdentities/*/assign/action
		{"Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentities/read", false, true},
		{"Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentities/write", false, false},
		{"Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentitiesX/read", false, false},
		{"Key Vault Reader", "Microsoft.KeyVault/vaults/read", false, true},
		{"Key Vault Reader", "Microsoft.KeyVault/read", false, false},
		{"Contributor", assign, false, false},
		{"Contributor", "Microsoft.Authorization/roleAssignments/read", false, true},
		{"Reader", listKeys, false, false},
		{"Reader", "Microsoft.DocumentDB/databaseAccounts/read", false, true},
		{"User Access Administrator", assign, false, true},
		{"User Access Administrator", listKeys, false, false},
		{"DocumentDB Account Contributor", "microsoft.documentdb/DATABASEACCOUNTS/listkeys/Action", false, true},
		{"DocumentDB Account Contributor", "Microsoft.KeyVault/vaults/read", false, false},
		{"Cosmos DB Account Reader Role", roKeys, false, true},
		{"Cosmos DB Account Reader Role", listKeys, false, false},
		{"Cosmos DB Operator", listKeys, false, false},
		{"Cosmos DB Operator", "Microsoft.DocumentDB/databaseAccounts/write", false, true},
		{"Key Vault Secrets User", getData, true, true},
		{"Key Vault Secrets User", setData, true, false},
		{"Key Vault Secrets User", "Microsoft.KeyVault/vaults/read", false, false},
		{"Key Vault Secrets Officer", setData, true, true},
		{"Key Vault Administrator", getData, true, true},
		{"Key Vault Reader", getData, true, false},
	} {
		r := roles[tt.role]
		if r == nil {
			t.Errorf("no role %q", tt.role)
			continue
		}
		set := NewSet([]Assignment{{ID: "a", Scope: "/", PrincipalID: "p", Role: r}}, nil)
		if got := Decide([]string{"p"}, tt.action, tt.data, nil, Place{Set: set, Scope: "/subscriptions/s"}).Allowed(); got != tt.want {
			t.Errorf("%s allows %s (data %v) = %v, want %v", tt.role, tt.action, tt.data, got, tt.want)
		}
	}
}

func TestDecide_DenialBeatsGrant(t *testing.T) {
	const rg = "/subscriptions/s/resourcegroups/managed"
	owner := BuiltIn().ByID(OwnerID)
	set := NewSet(
		[]Assignment{{ID: "1", Scope: "/subscriptions/s", PrincipalID: "customer", Role: owner}, {ID: "2", Scope: rg, PrincipalID: "publisher", Role: owner}},
		[]Denial{{
			ID: "d1", Scope: rg, Principals: []string{Everyone}, Excluded: []string{"publisher"},
			Permissions: []Permission{{Actions: []string{"*"}, NotActions: []string{"*/read"}}},
		}})
	for _, tt := range []struct {
		name            string
		callers         []string
		action, target  string
		allowed, denied bool
	}{
		{"customer writes", []string{"customer"}, "a/b/write", rg + "/providers/a/b/c", false, true},
		{"customer reads", []string{"customer"}, "a/b/read", rg + "/providers/a/b/c", true, false},
		{"publisher writes", []string{"publisher"}, "a/b/write", rg, true, false},
		{"excluded by a group", []string{"customer", "publisher"}, "a/b/write", rg, true, false},
		{"group of alike name", []string{"customer"}, "a/b/write", rg + "2", true, false},
		{"above the denial", []string{"customer"}, "a/b/write", "/subscriptions/s", true, false},
		{"publisher outside its group", []string{"publisher"}, "a/b/read", "/subscriptions/s", false, false},
		{"stranger", []string{"stranger"}, "a/b/read", rg, false, false},
	} {
		d := Decide(tt.callers, tt.action, false, nil, Place{Set: set, Scope: tt.target})
		if d.Allowed() != tt.allowed || (d.Denial != nil) != tt.denied {
			t.Errorf("%s: allowed %v denied %v, want %v %v", tt.name, d.Allowed(), d.Denial != nil, tt.allowed, tt.denied)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		scope, above string
		want         bool
	}{
		{"/subscriptions/s/resourcegroups/rg", "/subscriptions/s/resourcegroups/rg", true},
		{"/subscriptions/s/resourcegroups/rg/providers/x/y/z", "/subscriptions/s/resourcegroups/rg", true},
		{"/subscriptions/s/resourcegroups/rg2", "/subscriptions/s/resourcegroups/rg", false},
		{"/subscriptions/s", "/subscriptions/s/resourcegroups/rg", false},
		{"/subscriptions/s", "/", true},
	} {
		if got := Within(tt.scope, tt.above); got != tt.want {
			t.Errorf("Within(%s, %s) = %v, want %v", tt.scope, tt.above, got, tt.want)
		}
	}
}
