// Package identity deploys a program that uses azidentity's managed identity, unchanged, as a site, and asks it for a secret.
package identity

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

const (
	secretName  = "greeting"
	secretValue = "hello from the vault"
)

// found is what the site answers.
type found struct {
	Value  string
	Status int
	Code   string
	Error  string
}

// ask sends the site a request through its public name.
func ask(t *testing.T, p *harness.Platform, site harness.Site) found {
	t.Helper()
	way := p.ProxyWay(t)
	a := way.Do(t, "GET", way.Site(site.Name)+"/secret/"+secretName, nil, nil)
	var f found
	if a.Status != 200 {
		t.Fatalf("the site answered %d %s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, &f); err != nil {
		t.Fatalf("the site answered %s: %v", a.Body, err)
	}
	return f
}

func TestManagedIdentity(t *testing.T) {
	program, err := harness.Program("./identity/site")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	p := shared.Platform(t)
	for _, c := range []struct {
		generation string
		vaultBy    harness.Way // how the site names the vault
	}{{"2019", p.ProxyWay(t)}, {"2019", p.SuffixWay(t)}, {"2017", p.ProxyWay(t)}, {"2017", p.SuffixWay(t)}} {
		t.Run(c.generation+"/"+c.vaultBy.Name, func(t *testing.T) {
			t.Parallel()
			group := p.PutGroup(t)
			owner := p.CreateApp(t, "", harness.Name("owner-"))
			owners := harness.Policy{ObjectID: owner.Principal, Secrets: harness.All}
			vault := p.PutVault(t, group, "", owners)
			way := p.SuffixWay(t)
			a := way.Do(t, "PUT", way.Vault(vault)+"/secrets/"+secretName+"?api-version=7.4",
				harness.Bearer(way.AppToken(t, owner, way.VaultAudience())), map[string]any{"value": secretValue})
			if a.Status != 200 {
				t.Fatalf("set the secret: %d %s", a.Status, a.Body)
			}
			settings := map[string]string{"GENERATION": c.generation, "VAULT_URL": c.vaultBy.Vault(vault)}
			if !c.vaultBy.Public { // the proxy finds own names too, once *.localhost is not excepted
				settings["NO_PROXY"], settings["no_proxy"] = "127.0.0.1", "127.0.0.1"
			}
			site := p.PutSite(t, group, "./site", settings)
			p.Deploy(t, site, map[string][]byte{"site": content})

			if f := ask(t, p, site); f.Status != 403 || f.Code != "Forbidden" || f.Value != "" {
				t.Errorf("without a policy the site found %+v, want 403 Forbidden", f)
			}
			p.PutVault(t, group, vault, owners, harness.Policy{ObjectID: site.Principal, Secrets: []string{"get"}})
			if f := ask(t, p, site); f.Value != secretValue {
				t.Errorf("with the policy the site found %+v, want %q", f, secretValue)
			}
			// The same process, the same token: the next request fails closed.
			p.PutVault(t, group, vault, owners)
			if f := ask(t, p, site); f.Status != 403 || f.Value != "" {
				t.Errorf("after the policy's removal the site found %+v, want 403", f)
			}
		})
	}
}

// A site whose identity was taken away gets no token: azidentity in its process says so.
func TestIdentityRemoved(t *testing.T) {
	program, err := harness.Program("./identity/site")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	p := shared.Platform(t)
	group := p.PutGroup(t)
	vault := p.PutVault(t, group, "")
	site := p.PutSite(t, group, "./site", map[string]string{"VAULT_URL": p.ProxyWay(t).Vault(vault)})
	p.Deploy(t, site, map[string][]byte{"site": content})
	p.PutVault(t, group, vault, harness.Policy{ObjectID: site.Principal, Secrets: []string{"get"}})
	if f := ask(t, p, site); f.Status != 404 || f.Code != "SecretNotFound" {
		t.Fatalf("before: %+v, want SecretNotFound", f)
	}
	p.ARM(t, "PATCH", site.ID+"?api-version=2022-03-01", map[string]any{"identity": map[string]any{"type": "None"}})
	began := time.Now()
	for {
		way := p.ProxyWay(t)
		a := way.Do(t, "GET", way.Site(site.Name)+"/secret/"+secretName, nil, nil)
		var f found
		_ = json.Unmarshal(a.Body, &f) // while the process is exchanged the front end answers, not the site
		if a.Status == 200 && f.Code != "SecretNotFound" {
			if f.Error == "" || f.Value != "" || f.Status == 404 {
				t.Fatalf("without an identity the site found %+v, want azidentity's error", f)
			}
			return
		}
		if a.Status != 200 && time.Since(began) > 30*time.Second { // no MSI_ENDPOINT: nothing to make a token with
			t.Fatalf("the site answered %d %s", a.Status, a.Body)
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("the site still uses its removed identity: %+v", f)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
