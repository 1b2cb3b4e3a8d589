package grants

//lint:file-ignore SA1019 the credential for users with passwords is deprecated, and what is tested

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func armScope(w harness.Way) string {
	if w.Public {
		return "https://management.core.windows.net//.default"
	}
	return w.ARM() + "/.default"
}

func getToken(t *testing.T, cred azcore.TokenCredential, scope string) string {
	t.Helper()
	token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		t.Fatal(err)
	}
	return token.Token
}

func claims(t *testing.T, raw string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func passwordCredential(t *testing.T, w harness.Way, p *harness.Platform, u user, pass string) *azidentity.UsernamePasswordCredential {
	t.Helper()
	cred, err := azidentity.NewUsernamePasswordCredential(p.Run.TenantID, cliID, u.UPN, pass, &azidentity.UsernamePasswordCredentialOptions{
		ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// TestUsernamePasswordCredential: a user lists resource groups and reads a secret as far as roles and policies let them.
func TestUsernamePasswordCredential(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		u := newUser(t, p)
		cred := passwordCredential(t, w, p, u, password)
		group := p.PutGroup(t)
		vault := p.PutVault(t, group, "", harness.Policy{ObjectID: u.ID, Secrets: []string{"get", "set"}})
		groups, err := armresources.NewResourceGroupsClient(p.Run.SubscriptionID, cred, w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		name := group[strings.LastIndexByte(group, '/')+1:]
		if _, err := groups.Get(t.Context(), name, nil); err == nil || !strings.Contains(err.Error(), "AuthorizationFailed") {
			t.Fatalf("without a role: %v", err)
		}
		p.ARM(t, "PUT", group+"/providers/Microsoft.Authorization/roleAssignments/"+scopeID+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
			"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
			"principalId":      u.ID, "principalType": "User",
		}})
		if _, err := groups.Get(t.Context(), name, nil); err != nil {
			t.Fatalf("as Reader: %v", err)
		}
		secrets, err := azsecrets.NewClient(w.Vault(vault), cred, &azsecrets.ClientOptions{ClientOptions: w.ClientOptions()})
		if err != nil {
			t.Fatal(err)
		}
		value := "s3cret"
		if _, err := secrets.SetSecret(t.Context(), "s1", azsecrets.SetSecretParameters{Value: &value}, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := secrets.GetSecret(t.Context(), "s1", "", nil); err != nil || *got.Value != value {
			t.Fatalf("secret: %v", err)
		}
		_, err = passwordCredential(t, w, p, u, "wrong").GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{armScope(w)}})
		if err == nil || !strings.Contains(err.Error(), "AADSTS50126") {
			t.Errorf("wrong password: %v", err)
		}
		out := string(p.Output(t, "signins", "--limit", "200"))
		if !strings.Contains(out, u.UPN) || !strings.Contains(out, "AADSTS50126") || strings.Contains(out, password) {
			t.Errorf("sign-in log:\n%s", out)
		}
	})
}

// TestDeviceCodeCredential: the SDK waits while a person goes through the pages.
func TestDeviceCodeCredential(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		u, b := newUser(t, p), newBrowser(t, w)
		cred, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public, TenantID: p.Run.TenantID, ClientID: cliID,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				return approve(b, m.VerificationURL, m.UserCode, u)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := claims(t, getToken(t, cred, armScope(w)))
		if c["oid"] != u.ID || c["scp"] != "user_impersonation" || c["appid"] != cliID || c["idtyp"] != "user" {
			t.Errorf("claims %v", c)
		}
		// Another resource comes by the refresh token, without asking anyone.
		if c := claims(t, getToken(t, cred, w.VaultAudience()+"/.default")); c["oid"] != u.ID || c["aud"] != w.VaultAudience() {
			t.Errorf("claims %v", c)
		}
	})
}

// middleTier is an API that the Azure CLI may call in a user's name, with a credential and consent to use vaults.
func middleTier(t *testing.T, p *harness.Platform) (app harness.App, uri string) {
	t.Helper()
	uri = "api://" + harness.Name("middle")
	app = p.CreateApp(t, "", harness.Name("middle"), "--identifier-uri", uri)
	graph(t, p, "PATCH", "/applications/"+app.ObjectID, map[string]any{"api": map[string]any{
		"oauth2PermissionScopes": []any{map[string]any{
			"id": scopeID, "value": "call", "type": "User", "isEnabled": true, "adminConsentDisplayName": "call", "adminConsentDescription": "call",
		}},
		"preAuthorizedApplications": []any{map[string]any{"appId": cliID, "delegatedPermissionIds": []string{scopeID}}},
	}})
	return app, uri
}

func TestOnBehalfOfCredential(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		u := newUser(t, p)
		app, uri := middleTier(t, p)
		user := getToken(t, passwordCredential(t, w, p, u, password), uri+"/call")
		cred, err := azidentity.NewOnBehalfOfCredentialWithSecret(p.Run.TenantID, app.AppID, user, app.Secret.SecretText, &azidentity.OnBehalfOfCredentialOptions{
			ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public,
		})
		if err != nil {
			t.Fatal(err)
		}
		scope := w.VaultAudience() + "/.default"
		_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
		if err == nil || !strings.Contains(err.Error(), "AADSTS65001") {
			t.Fatalf("before consent: %v", err)
		}
		consent(t, p, app, vaultApp, "user_impersonation")
		// The SDK asks for openid, profile and offline_access of its own accord.
		consent(t, p, app, "00000003-0000-0000-c000-000000000000", "openid profile offline_access")
		c := claims(t, getToken(t, cred, scope))
		if c["oid"] != u.ID || c["appid"] != app.AppID || c["scp"] != "user_impersonation" || c["aud"] != w.VaultAudience() {
			t.Errorf("claims %v", c)
		}
	})
}

// consent lets the application have scopes of one of Azure's APIs for all users.
func consent(t *testing.T, p *harness.Platform, app harness.App, resourceAppID, scope string) {
	t.Helper()
	found, _ := graph(t, p, "GET", "/servicePrincipals?$filter="+url.QueryEscape("appId eq '"+resourceAppID+"'"), nil)["value"].([]any)
	if len(found) == 0 {
		found = append(found, graph(t, p, "POST", "/servicePrincipals", map[string]any{"appId": resourceAppID}))
	}
	graph(t, p, "POST", "/oauth2PermissionGrants", map[string]any{
		"clientId": app.Principal, "consentType": "AllPrincipals", "resourceId": found[0].(map[string]any)["id"], "scope": scope,
	})
}

// TestWorkloadIdentityCredential: a token this platform issued to one application is another one's credential.
func TestWorkloadIdentityCredential(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		workload, app := p.CreateApp(t, "", harness.Name("workload")), p.CreateApp(t, "", harness.Name("app"), "--secret=false")
		raw := w.AppToken(t, workload, "api://AzureADTokenExchange")
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(raw+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cred, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public, ClientID: app.AppID, TenantID: app.TenantID, TokenFilePath: file,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{armScope(w)}})
		if err == nil || !strings.Contains(err.Error(), "AADSTS70021") {
			t.Fatalf("without a federated credential: %v", err)
		}
		graph(t, p, "POST", "/applications/"+app.ObjectID+"/federatedIdentityCredentials", map[string]any{
			"name": "workload", "issuer": claims(t, raw)["iss"], "subject": workload.Principal, "audiences": []string{"api://AzureADTokenExchange"},
		})
		if c := claims(t, getToken(t, cred, armScope(w))); c["oid"] != app.Principal || c["appidacr"] != "2" {
			t.Errorf("claims %v", c)
		}
	})
}

// TestWorkloadIdentityCredential_Identity: the same for a user-assigned managed identity, whose federated credentials ARM keeps.
func TestWorkloadIdentityCredential_Identity(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		workload := p.CreateApp(t, "", harness.Name("workload"))
		raw := w.AppToken(t, workload, "api://AzureADTokenExchange")
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		id := p.PutIdentity(t, p.PutGroup(t))
		p.ARM(t, "PUT", id.ID+"/federatedIdentityCredentials/workload?api-version=2023-01-31", map[string]any{"properties": map[string]any{
			"issuer": claims(t, raw)["iss"], "subject": workload.Principal, "audiences": []string{"api://AzureADTokenExchange"},
		}})
		cred, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public, ClientID: id.ClientID, TenantID: p.Run.TenantID, TokenFilePath: file,
		})
		if err != nil {
			t.Fatal(err)
		}
		c := claims(t, getToken(t, cred, armScope(w)))
		if c["oid"] != id.PrincipalID || c["appid"] != id.ClientID || !strings.EqualFold(c["xms_mirid"].(string), id.ID) {
			t.Errorf("claims %v, identity %+v", c, id)
		}
	})
}

// TestAuthorizationCode: a web application's sign-in with consent, by forms alone; the code is good once and only with the verifier.
func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	const redirect, verifier, challenge = "https://app.contoso.com/signin", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		u, b := newUser(t, p), newBrowser(t, w)
		app := p.CreateApp(t, "", harness.Name("portal"))
		graph(t, p, "PATCH", "/applications/"+app.ObjectID, map[string]any{"web": map[string]any{"redirectUris": []string{redirect}}})
		base := w.Login() + "/" + p.Run.TenantID + "/oauth2/v2.0"
		q := url.Values{
			"client_id": {app.AppID}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {"openid offline_access User.Read"}, "state": {"st"}, "nonce": {"no"},
			"code_challenge": {challenge}, "code_challenge_method": {"S256"},
		}
		asked := b.signIn(b.open(base+"/authorize?"+q.Encode()), u)
		if !strings.Contains(asked.body, "User.Read") || !strings.Contains(asked.body, app.DisplayName) {
			t.Fatalf("consent page: %d %s", asked.status, asked.body)
		}
		back := b.submit(asked, map[string]string{"decision": "accept"})
		if back.to == nil || !strings.HasPrefix(back.to.String(), redirect+"?") || back.to.Query().Get("state") != "st" {
			t.Fatalf("%d to %v %s", back.status, back.to, back.body)
		}
		redeem := func(code, verifier string) map[string]any {
			resp, err := w.Client.PostForm(base+"/token", url.Values{
				"grant_type": {"authorization_code"}, "client_id": {app.AppID}, "client_secret": {app.Secret.SecretText}, "code": {code},
				"redirect_uri": {redirect}, "code_verifier": {verifier},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var out map[string]any
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		code := back.to.Query().Get("code")
		if got := redeem(code, strings.Repeat("x", 50)); got["error"] != "invalid_grant" || !strings.HasPrefix(got["error_description"].(string), "AADSTS501481") {
			t.Errorf("another verifier: %v", got)
		}
		tokens := redeem(code, verifier)
		id, _ := tokens["id_token"].(string)
		if id == "" || claims(t, id)["nonce"] != "no" || claims(t, id)["preferred_username"] != u.UPN {
			t.Fatalf("tokens %v", tokens)
		}
		if got := redeem(code, verifier); !strings.HasPrefix(got["error_description"].(string), "AADSTS54005") {
			t.Errorf("again: %v", got)
		}
		me := w.Do(t, http.MethodGet, w.Graph()+"/v1.0/me", harness.Bearer(tokens["access_token"].(string)), nil)
		if me.Status != 200 || me.JSON()["userPrincipalName"] != u.UPN {
			t.Errorf("/me: %d %s", me.Status, me.Body)
		}
		// No second consent, and no page for a browser that is signed in.
		if again := b.open(base + "/authorize?" + q.Encode()); again.to == nil || again.to.Query().Get("code") == "" {
			t.Errorf("again: %d %s", again.status, again.body)
		}
	})
}

// TestRotateAndRestart: tokens of a replaced signing key and refresh tokens outlive a rotation and a kill.
func TestRotateAndRestart(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Flags: []string{"--password-grant"}})
	w := p.SuffixWay(t)
	u := newUser(t, p)
	cred := passwordCredential(t, w, p, u, password)
	old := getToken(t, cred, armScope(w))
	subscriptions := func(token string) int {
		return w.Do(t, "GET", w.ARM()+"/subscriptions?api-version=2022-12-01", harness.Bearer(token), nil).Status
	}
	if got := subscriptions(old); got != 200 {
		t.Fatalf("before: %d", got)
	}
	p.Output(t, "keys", "rotate")
	fresh := getToken(t, passwordCredential(t, w, p, u, password), armScope(w))
	if strings.Split(old, ".")[0] == strings.Split(fresh, ".")[0] {
		t.Error("the new key does not sign")
	}
	p.Kill9(t)
	p.Restart(t)
	w = p.SuffixWay(t)
	for name, token := range map[string]string{"old": old, "new": fresh} {
		if got := subscriptions(token); got != 200 {
			t.Errorf("%s token after rotation and restart: %d", name, got)
		}
	}
	var keys struct{ Value []struct{ State string } }
	if err := json.Unmarshal(p.Output(t, "keys", "list"), &keys); err != nil || len(keys.Value) != 2 || keys.Value[0].State != "signing" || keys.Value[1].State != "verifying" {
		t.Errorf("keys %+v, %v", keys, err)
	}
}
