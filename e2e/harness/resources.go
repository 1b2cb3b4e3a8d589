package harness

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"testing"
)

// Name makes a name that no other resource has.
func Name(prefix string) string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails
	return prefix + hex.EncodeToString(b)
}

// PutGroup makes a resource group and returns its id.
func (p *Platform) PutGroup(t testing.TB) string {
	t.Helper()
	id := "/subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/" + Name("rg-")
	p.ARM(t, "PUT", id+"?api-version=2021-04-01", map[string]any{"location": "westeurope"})
	return id
}

// Policy is one access policy of a vault.
type Policy struct {
	ObjectID     string
	Secrets      []string
	Certificates []string
	Keys         []string
}

// All is every permission.
var All = []string{"all"}

// PutVault makes or changes a vault with access policies in the group and returns its name (a new one if name is "").
func (p *Platform) PutVault(t testing.TB, group, name string, policies ...Policy) string {
	t.Helper()
	if name == "" {
		name = Name("kv")
	}
	list := []any{}
	for _, a := range policies {
		list = append(list, map[string]any{
			"tenantId": p.Run.TenantID, "objectId": a.ObjectID, "permissions": map[string]any{"secrets": a.Secrets, "certificates": a.Certificates, "keys": a.Keys},
		})
	}
	p.ARM(t, "PUT", group+"/providers/Microsoft.KeyVault/vaults/"+name+"?api-version=2022-07-01", map[string]any{
		"location": "westeurope",
		"properties": map[string]any{
			"tenantId": p.Run.TenantID, "sku": map[string]any{"family": "A", "name": "standard"}, "accessPolicies": list,
		},
	})
	return name
}

// PutAccount makes a Cosmos DB account and returns its name.
func (p *Platform) PutAccount(t testing.TB, group string) string {
	t.Helper()
	name := Name("db")
	p.ARM(t, "PUT", group+"/providers/Microsoft.DocumentDB/databaseAccounts/"+name+"?api-version=2021-10-15", map[string]any{
		"location": "westeurope", "kind": "GlobalDocumentDB",
		"properties": map[string]any{"databaseAccountOfferType": "Standard", "locations": []any{map[string]any{"locationName": "westeurope", "failoverPriority": 0}}},
	})
	return name
}

// Key is a key of an account: "primaryMasterKey", "primaryReadonlyMasterKey" ...
func (p *Platform) Key(t testing.TB, group, account, which string) string {
	t.Helper()
	keys := p.ARM(t, "POST", group+"/providers/Microsoft.DocumentDB/databaseAccounts/"+account+"/listKeys?api-version=2021-10-15", nil)
	key, _ := keys[which].(string)
	if key == "" {
		t.Fatalf("listKeys has no %s: %v", which, keys)
	}
	return key
}

// Site is a site the harness made.
type Site struct {
	ID        string
	Name      string
	Principal string // object id of its system-assigned identity
}

const webVersion = "?api-version=2022-03-01"

// PutSite makes a plan and a site with a system-assigned identity and app settings; command may be "".
func (p *Platform) PutSite(t testing.TB, group, command string, settings map[string]string) Site {
	t.Helper()
	plan := group + "/providers/Microsoft.Web/serverfarms/" + Name("plan-")
	p.ARM(t, "PUT", plan+webVersion, map[string]any{
		"location": "westeurope", "kind": "linux", "sku": map[string]any{"name": "B1", "tier": "Basic"}, "properties": map[string]any{"reserved": true},
	})
	name := Name("site-")
	id := group + "/providers/Microsoft.Web/sites/" + name
	list := []any{}
	for k, v := range settings {
		list = append(list, map[string]any{"name": k, "value": v})
	}
	out := p.ARM(t, "PUT", id+webVersion, map[string]any{
		"location": "westeurope", "kind": "app,linux", "identity": map[string]any{"type": "SystemAssigned"},
		"properties": map[string]any{"serverFarmId": plan, "siteConfig": map[string]any{"appCommandLine": command, "appSettings": list}},
	})
	identity, _ := out["identity"].(map[string]any)
	principal, _ := identity["principalId"].(string)
	if principal == "" {
		t.Fatalf("the site has no identity: %v", out)
	}
	return Site{ID: id, Name: name, Principal: principal}
}

// PutSettings replaces the app settings of a site.
func (p *Platform) PutSettings(t testing.TB, s Site, settings map[string]string) {
	t.Helper()
	p.ARM(t, "PUT", s.ID+"/config/appsettings"+webVersion, map[string]any{"properties": settings})
}

// Deploy pushes files to a site as a zip, executable all, and returns when the site took them.
func (p *Platform) Deploy(t testing.TB, s Site, files map[string][]byte) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(fs.FileMode(0o755))
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w := p.SuffixWay(t)
	h := Bearer(p.AdminToken(t, ARMResource))
	h.Set("Content-Type", "application/zip")
	if a := w.Do(t, "POST", w.SCM(s.Name)+"/api/zipdeploy", h, b.Bytes()); a.Status != 200 {
		t.Fatalf("zipdeploy of %s: %d %s", s.Name, a.Status, a.Body)
	}
}

// Identity is a user-assigned identity.
type Identity struct{ ID, PrincipalID, ClientID string }

// PutIdentity makes a user-assigned identity in the group.
func (p *Platform) PutIdentity(t testing.TB, group string) Identity {
	t.Helper()
	id := group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + Name("uai-")
	out := p.ARM(t, "PUT", id+"?api-version=2023-01-31", map[string]any{"location": "westeurope"})
	props, _ := out["properties"].(map[string]any)
	principal, _ := props["principalId"].(string)
	client, _ := props["clientId"].(string)
	if principal == "" || client == "" {
		t.Fatalf("the identity has no ids: %v", out)
	}
	return Identity{ID: id, PrincipalID: principal, ClientID: client}
}
