package identity

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// vaultOf makes a vault that one identity may read, with a secret whose value is the vault's name.
func vaultOf(t *testing.T, p *harness.Platform, group string, reader harness.Identity) string {
	t.Helper()
	owner := p.CreateApp(t, "", harness.Name("owner-"))
	vault := p.PutVault(t, group, "", harness.Policy{ObjectID: owner.Principal, Secrets: harness.All}, harness.Policy{ObjectID: reader.PrincipalID, Secrets: []string{"get"}})
	way := p.SuffixWay(t)
	a := way.Do(t, "PUT", way.Vault(vault)+"/secrets/"+secretName+"?api-version=7.4", harness.Bearer(way.AppToken(t, owner, way.VaultAudience())), map[string]any{"value": vault})
	if a.Status != 200 {
		t.Fatalf("set the secret: %d %s", a.Status, a.Body)
	}
	return vault
}

// assign changes a site's identity block.
func assign(t *testing.T, p *harness.Platform, site harness.Site, identity map[string]any) {
	t.Helper()
	p.ARM(t, "PATCH", site.ID+"?api-version=2022-03-01", map[string]any{"identity": identity})
}

// deployed makes a site that runs the test's program.
func deployed(t *testing.T, p *harness.Platform, group string) harness.Site {
	t.Helper()
	site := p.PutSite(t, group, "./site", map[string]string{"VAULT_URL": "https://any.vault.azure.net"})
	p.Deploy(t, site, map[string][]byte{"site": program(t)})
	return site
}

// program is the test's program.
func program(t *testing.T) []byte {
	t.Helper()
	path, err := harness.Program("./identity/site")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// asks makes the site read a vault as the identity named so.
func asks(t *testing.T, way harness.Way, site harness.Site, vault, by, id string) found {
	t.Helper()
	q := url.Values{"vault": {"https://" + vault + ".vault.azure.net"}, "by": {by}, "id": {id}}
	a := way.Do(t, "GET", way.Site(site.Name)+"/secret/"+secretName+"?"+q.Encode(), nil, nil)
	var f found
	if a.Status != 200 || json.Unmarshal(a.Body, &f) != nil {
		t.Fatalf("the site answered %d %s", a.Status, a.Body)
	}
	return f
}

// forms are the ways azidentity names an identity.
func forms(i harness.Identity) map[string]string {
	return map[string]string{"client": i.ClientID, "object": i.PrincipalID, "resource": strings.ToUpper(i.ID)}
}

func TestUserAssigned_TwoSitesTwoIdentities(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	way := p.ProxyWay(t)
	group, elsewhere := p.PutGroup(t), p.PutGroup(t)
	identities := []harness.Identity{p.PutIdentity(t, group), p.PutIdentity(t, elsewhere)}
	vaults := []string{vaultOf(t, p, group, identities[0]), vaultOf(t, p, group, identities[1])}
	sites := []harness.Site{deployed(t, p, group), deployed(t, p, group)}
	both := map[string]any{identities[0].ID: map[string]any{}, identities[1].ID: map[string]any{}}
	assign(t, p, sites[0], map[string]any{"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": both})
	assign(t, p, sites[1], map[string]any{"type": "UserAssigned", "userAssignedIdentities": both})

	for s, site := range sites {
		for i, identity := range identities {
			for by, id := range forms(identity) {
				for v, vault := range vaults {
					f := asks(t, way, site, vault, by, id)
					if i == v && f.Value != vault || i != v && (f.Status != 403 || f.Value != "") {
						t.Errorf("site %d, identity %d by %s, vault %d: %+v", s, i, by, v, f)
					}
				}
			}
		}
	}
	// The one that has a system-assigned identity gets a token for it unasked; the other has to say which one it means.
	if f := asks(t, way, sites[0], vaults[0], "", ""); f.Status != 403 {
		t.Errorf("as the system-assigned identity: %+v, want the vault's 403", f)
	}
	if f := asks(t, way, sites[1], vaults[0], "", ""); !strings.Contains(f.Error, "Unable to load the proper Managed Identity") {
		t.Errorf("naming none of two: %+v", f)
	}

	// Each of these is seen by the very next request, and by nobody it does not concern. A token that the process still holds is as worthless as a new one.
	refusedNow := func(what string, site harness.Site, vault, by, id string) {
		t.Helper()
		if f := asks(t, way, site, vault, by, id); f.Value != "" || f.Status != 401 && !strings.Contains(f.Error, "No MSI found for specified ClientId/ResourceId") {
			t.Errorf("%s: %+v, want no token, or none that is taken", what, f)
		}
	}
	assign(t, p, sites[1], map[string]any{"userAssignedIdentities": map[string]any{strings.ToLower(identities[1].ID): nil}})
	refusedNow("the assignment removed", sites[1], vaults[1], "client", identities[1].ClientID)
	if f := asks(t, way, sites[0], vaults[1], "client", identities[1].ClientID); f.Value != vaults[1] {
		t.Errorf("the other site after that: %+v", f)
	}
	p.ARM(t, "DELETE", identities[0].ID+"?api-version=2023-01-31", nil)
	for _, site := range sites {
		for by, id := range forms(identities[0]) {
			refusedNow("the identity deleted", site, vaults[0], by, id)
		}
	}
	// One made anew under the old name is another identity, and is not assigned.
	p.ARM(t, "PUT", identities[0].ID+"?api-version=2023-01-31", map[string]any{"location": "westeurope"})
	refusedNow("the identity made anew", sites[0], vaults[0], "resource", identities[0].ID)
	if f := asks(t, way, sites[0], vaults[1], "object", identities[1].PrincipalID); f.Value != vaults[1] {
		t.Errorf("the other identity after all that: %+v", f)
	}
	p.ARM(t, "DELETE", sites[0].ID+"?api-version=2022-03-01", nil)
	if a := way.Do(t, "GET", way.Site(sites[0].Name)+"/secret/"+secretName, nil, nil); a.Status != 404 {
		t.Errorf("the deleted site answered %d %s", a.Status, a.Body)
	}
	graph := way.Do(t, "GET", way.Graph()+"/v1.0/servicePrincipals/"+identities[0].PrincipalID, harness.Bearer(p.AdminToken(t, "https://graph.microsoft.com")), nil)
	if graph.Status != 404 {
		t.Errorf("the deleted identity's service principal: %d %s", graph.Status, graph.Body)
	}
}

// A site's Key Vault references are read as the user-assigned identity it names.
func TestUserAssigned_References(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	identity := p.PutIdentity(t, group)
	vault := vaultOf(t, p, group, identity)
	site := p.PutSite(t, group, "", map[string]string{"GREETING": "@Microsoft.KeyVault(VaultName=" + vault + ";SecretName=" + secretName + ")"})
	p.Deploy(t, site, map[string][]byte{"startup": []byte("#!/bin/sh\necho \"greeting=$GREETING.\"\nexec sleep 3600\n")})
	status := func() string {
		out := p.ARM(t, "GET", site.ID+"/config/configreferences/appsettings/GREETING?api-version=2022-03-01", nil)
		props, _ := out["properties"].(map[string]any)
		text, _ := props["status"].(string)
		return text
	}
	reaches := func(what, want string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			got := status()
			if got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the reference is %s, want %s", what, got, want)
			}
		}
	}
	reaches("as the system-assigned identity", "AccessToKeyVaultDenied")
	set := func(body map[string]any) { p.ARM(t, "PATCH", site.ID+"?api-version=2022-03-01", body) }
	set(map[string]any{"properties": map[string]any{"keyVaultReferenceIdentity": identity.ID}})
	reaches("as one that is not assigned", "MSINotEnabled")
	set(map[string]any{"identity": map[string]any{"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": map[string]any{identity.ID: map[string]any{}}}})
	reaches("as the user-assigned identity", "Resolved")
	way := p.SuffixWay(t)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := way.Do(t, "GET", way.SCM(site.Name)+"/api/vfs/LogFiles/default_docker.log", harness.Bearer(p.AdminToken(t, harness.ARMResource)), nil)
		if strings.Contains(string(a.Body), "greeting="+vault+".") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the process did not see the secret: %s", a.Body)
		}
	}
	p.ARM(t, "DELETE", identity.ID+"?api-version=2023-01-31", nil)
	p.ARM(t, "POST", site.ID+"/restart?api-version=2022-03-01", nil)
	reaches("after the identity's deletion", "MSINotEnabled")
}
