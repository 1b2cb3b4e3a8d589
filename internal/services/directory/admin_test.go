package directory_test

import (
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	a := p.admin("POST", "/tenants", map[string]string{"displayName": "Contoso, Ltd."})
	tenantID, _ := a.body["tenantId"].(string)
	if a.status != 201 || tenantID == "" || a.body["defaultDomain"] != "contosoltd.onmicrosoft.com" {
		t.Fatalf("create tenant: %d %s", a.status, a.raw)
	}
	if a := p.admin("POST", "/tenants", map[string]string{"displayName": "Fabrikam", "domain": "Fabrikam.example"}); a.status != 201 || a.body["defaultDomain"] != "fabrikam.example" {
		t.Fatalf("create tenant with domain: %d %s", a.status, a.raw)
	}
	for name, body := range map[string]map[string]string{
		"taken domain": {"displayName": "x", "domain": "fabrikam.example"}, "no name": {"domain": "a.example"}, "odd domain": {"displayName": "x", "domain": "a b.example"},
		"reserved": {"displayName": "x", "domain": "common"}, "a label only": {"displayName": "x", "domain": "contoso"},
	} {
		if a := p.admin("POST", "/tenants", body); a.status != 400 && a.status != 409 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if list, _ := p.admin("GET", "/tenants", nil).body["value"].([]any); len(list) != 2 {
		t.Errorf("tenants: %v", list)
	}

	key := newKeyPair(t, start.Add(-time.Hour), start.Add(time.Hour))
	pemText := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.der}))
	a = p.admin("POST", "/apps", map[string]any{
		"tenant": "contosoltd.onmicrosoft.com", "displayName": "daemon", "identifierUris": []string{"api://daemon"}, "secret": true, "certificate": pemText, "administrator": true,
	})
	appID, _ := a.body["appId"].(string)
	secret, _ := a.body["secret"].(map[string]any)
	cert, _ := a.body["certificate"].(map[string]any)
	if a.status != 201 || a.body["tenantId"] != tenantID || a.body["servicePrincipalObjectId"] == "" || secret["secretText"] == nil || cert["thumbprint"] == nil {
		t.Fatalf("create app: %d %s", a.status, a.raw)
	}
	d := daemon{Application: &directory.Application{TenantID: tenantID, AppID: appID}, secret: secret["secretText"].(string)}
	if a := p.graph(p.token(d, graphScope), "GET", "/v1.0/applications", nil); a.status != 200 {
		t.Errorf("the administrator at Graph: %d %s", a.status, a.raw)
	}
	a = p.admin("POST", "/apps/"+appID+"/credentials", map[string]any{"secret": true})
	second, _ := a.body["secret"].(map[string]any)
	if a.status != 201 || second["secretText"] == nil {
		t.Fatalf("add secret: %d %s", a.status, a.raw)
	}
	if a := p.admin("DELETE", "/apps/"+appID+"/credentials/"+secret["keyId"].(string), nil); a.status != 204 {
		t.Fatalf("delete secret: %d %s", a.status, a.raw)
	}
	path := "/" + tenantID + "/oauth2/v2.0/token"
	wantAADSTS(t, "deleted secret", p.post(publicLogin, path, secretForm(d, vaultScope)), 401, 7000215, "invalid_client")
	d.secret = second["secretText"].(string)
	p.token(d, vaultScope)

	for name, tt := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"unknown tenant":       {"POST", "/apps", map[string]any{"tenant": "nobody", "displayName": "x"}, 404},
		"bad certificate":      {"POST", "/apps", map[string]any{"tenant": tenantID, "displayName": "never made", "certificate": "x"}, 400},
		"no credential asked":  {"POST", "/apps/" + appID + "/credentials", map[string]any{}, 400},
		"unknown app":          {"POST", "/apps/x/credentials", map[string]any{"secret": true}, 404},
		"unknown credential":   {"DELETE", "/apps/" + appID + "/credentials/x", nil, 404},
		"principal of nothing": {"POST", "/serviceprincipals", map[string]any{"tenant": tenantID, "appId": "x"}, 400},
		"no body":              {"POST", "/tenants", nil, 400},
	} {
		if a := p.admin(tt.method, tt.path, tt.body); a.status != tt.status {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.raw, tt.status)
		}
	}
	if strings.Contains(string(p.everything()), "never made") {
		t.Error("an application was made although its certificate was bad")
	}
	// None of this is reachable from outside.
	if a := p.send(p.mux, "GET", "https://"+publicLogin+"/tenants", "", ""); a.status != 404 {
		t.Errorf("admin route at the login host: %d", a.status)
	}
}

// TestConcurrentChanges: no change of an application is lost, and of many that want one name one gets it.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	app, _, err := p.dir.CreateApplication(t.Context(), directory.AppSpec{TenantID: contoso.ID, DisplayName: "busy", Principal: true})
	if err != nil {
		t.Fatal(err)
	}
	const n = 16
	var wg sync.WaitGroup
	won := make(chan string, n)
	for range n {
		wg.Go(func() {
			if _, _, err := p.dir.AddSecret(t.Context(), contoso.ID, app.ObjectID, directory.CredentialSpec{}); err != nil {
				t.Error(err)
			}
			named, _, err := p.dir.CreateApplication(t.Context(), directory.AppSpec{TenantID: contoso.ID, DisplayName: "named", IdentifierURIs: []string{"api://one"}, Principal: true})
			var f *fault.Error
			switch {
			case err == nil:
				won <- named.ObjectID
			case !errors.As(err, &f) || f.Kind != fault.Conflict:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	if len(won) != 1 {
		t.Errorf("%d applications have the URI", len(won))
	}
	got, err := p.dir.Application(t.Context(), contoso.ID, app.ObjectID)
	if err != nil || len(got.Secrets) != n {
		t.Errorf("%d secrets, %v; want %d", len(got.Secrets), err, n)
	}
}

// TestRenamedURI: a token can be had for the new name at once, and no longer for the old one.
func TestRenamedURI(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "api", IdentifierURIs: []string{"api://old"}})
	p.token(d, "api://old/.default")
	_, err := p.dir.ChangeApplication(t.Context(), d.TenantID, d.ObjectID, func(a *directory.Application) error {
		a.IdentifierURIs = []string{"api://new"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.token(d, "api://new/.default")
	wantAADSTS(t, "old name", p.post(publicLogin, "/"+d.TenantID+"/oauth2/v2.0/token", secretForm(d, "api://old/.default")), 400, 500011, "invalid_resource")
}
