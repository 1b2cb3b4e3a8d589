package directory_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const v2Token = "/oauth2/v2.0/token"

// TestCode_CLI: what the Azure CLI does, from the sign-in page to a refreshed token for another resource.
func TestCode_CLI(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	ada := p.person(contoso, "ada", func(u *directory.User) { u.GivenName, u.Surname = "Ada", "Lovelace" })
	group, err := p.dir.CreateGroup(t.Context(), contoso.ID, directory.Group{DisplayName: "engineers", MailNickname: "engineers"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.dir.AddMember(t.Context(), contoso.ID, group.ObjectID, ada.ObjectID); err != nil {
		t.Fatal(err)
	}
	b := p.browser()
	page := b.get("/organizations/oauth2/v2.0/authorize", cliRequest(armScope))
	wantPage(t, "sign-in", page, 200, "Microsoft Azure CLI")
	out := b.signIn(page, ada, password)
	if out.status != 303 {
		t.Errorf("after the password was posted: %d, want 303, with which a browser drops the form", out.status)
	}
	back := wantRedirect(t, "signed in", out, "http://localhost:41234?")
	if back.Get("state") != "s1" || back.Get("code") == "" || back.Get("error") != "" {
		t.Fatalf("back with %v", back)
	}

	a := p.post(publicLogin, "/organizations"+v2Token, codeForm(back.Get("code")))
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if a.body["scope"] != "openid profile https://management.core.windows.net//user_impersonation https://management.core.windows.net//.default" {
		t.Errorf("scope %q", a.body["scope"])
	}
	info, err := base64.RawURLEncoding.DecodeString(a.body["client_info"].(string))
	if err != nil || string(info) != `{"uid":"`+ada.ObjectID+`","utid":"`+contoso.ID+`"}` {
		t.Errorf("client_info %s, %v", info, err)
	}
	claims := p.verifiedClaims(a.body["access_token"].(string), "https://"+publicLogin+"/common/discovery/v2.0/keys")
	for _, opaque := range []string{"uti", "aio", "rh", "sub"} {
		delete(claims, opaque)
	}
	want := map[string]any{
		"aud": "https://management.core.windows.net/", "iss": "https://sts.windows.net/" + contoso.ID + "/", "ver": "1.0", "tid": contoso.ID, "oid": ada.ObjectID,
		"appid": cliID, "appidacr": "0", "idtyp": "user", "name": "ada", "upn": ada.UPN, "unique_name": ada.UPN, "given_name": "Ada", "family_name": "Lovelace",
		"scp": "user_impersonation", "acr": "1", "amr": []any{"pwd"}, "groups": []any{group.ObjectID}, "ipaddr": "192.0.2.1",
		"iat": float64(start.Unix() - 300), "nbf": float64(start.Unix() - 300), "exp": float64(start.Unix() + 3600),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("access token: -want +got\n%s", diff)
	}
	principal, err := p.tokens.Verify(t.Context(), a.body["access_token"].(string))
	if err != nil || principal.Kind != authn.User || principal.ObjectID != ada.ObjectID || principal.UserName != ada.UPN || len(principal.Groups) != 1 {
		t.Errorf("verified as %+v, %v", principal, err)
	}
	id := p.verifiedClaims(a.body["id_token"].(string), "https://"+publicLogin+"/common/discovery/v2.0/keys")
	for _, opaque := range []string{"uti", "aio", "rh", "sub"} {
		delete(id, opaque)
	}
	want = map[string]any{
		"aud": cliID, "iss": "https://login.microsoftonline.com/" + contoso.ID + "/v2.0", "ver": "2.0", "tid": contoso.ID, "oid": ada.ObjectID,
		"name": "ada", "preferred_username": ada.UPN, "auth_time": float64(start.Unix()),
		"iat": float64(start.Unix() - 300), "nbf": float64(start.Unix() - 300), "exp": float64(start.Unix() + 3600),
	}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Errorf("id_token: -want +got\n%s", diff)
	}

	refresh := a.body["refresh_token"].(string)
	a = p.post(publicLogin, "/"+contoso.ID+v2Token, refreshForm(refresh, "https://vault.azure.net/.default offline_access"))
	if a.status != 200 || a.body["id_token"] != nil || a.body["refresh_token"] == nil {
		t.Fatalf("refresh for a vault: %d %s", a.status, a.raw)
	}
	if c := p.verifiedClaims(a.body["access_token"].(string), "https://"+publicLogin+"/common/discovery/keys"); c["aud"] != "https://vault.azure.net" || c["scp"] != "user_impersonation" {
		t.Errorf("claims for a vault: %v", c)
	}
	// No page again: the browser is signed in. Nor for a silent request.
	silent := cliRequest(armScope)
	silent.Set("prompt", "none")
	for name, q := range map[string]url.Values{"again": cliRequest(armScope), "silently": silent} {
		if wantRedirect(t, name, b.get("/"+contoso.ID+"/oauth2/v2.0/authorize", q), "http://localhost:41234?").Get("code") == "" {
			t.Errorf("%s: no code", name)
		}
	}
}

// TestCode_Refusals: each way a code is not redeemed, and its number.
func TestCode_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	ada := p.person(contoso, "ada")
	set := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	for _, tt := range []struct {
		name   string
		change func(url.Values)
		path   string
		code   int
		oauth  string
	}{
		{"no code", set("code", ""), "", 900144, "invalid_request"},
		{"a made-up code", set("code", "1."+strings.Repeat("A", 96)), "", 9002313, "invalid_grant"},
		{"nonsense", set("code", "\x00%%"), "", 9002313, "invalid_grant"},
		{"another verifier", set("code_verifier", strings.Repeat("a", 43)), "", 501481, "invalid_grant"},
		{"no verifier", func(v url.Values) { v.Del("code_verifier") }, "", 50148, "invalid_grant"},
		{"another redirect URI", set("redirect_uri", "http://localhost:1"), "", 500112, "invalid_grant"},
		{"another client", set("client_id", "1950a258-227b-4e31-a9cf-717495945fc2"), "", 70000, "invalid_grant"},
		{"a secret of a public client", set("client_secret", "x"), "", 700025, "invalid_client"},
		{"another tenant", nil, "/" + fabrikam.ID, 700005, "invalid_grant"},
		{"two resources", set("scope", "https://vault.azure.net/.default https://graph.microsoft.com/.default"), "", 28000, "invalid_request"},
		{"a scope that is not there", set("scope", "https://graph.microsoft.com/Nothing"), "", 0, ""},
	} {
		code := p.cliCode(t, ada, armScope)
		form := codeForm(code)
		if tt.change != nil {
			tt.change(form)
		}
		path := tt.path
		if path == "" {
			path = "/" + contoso.ID
		}
		a := p.post(publicLogin, path+v2Token, form)
		if tt.code == 0 {
			continue
		}
		status := 400
		if tt.code == 700025 {
			status = 401
		}
		wantAADSTS(t, tt.name, a, status, tt.code, tt.oauth)
		// A failed try has not used the code up.
		if a := p.post(publicLogin, "/"+contoso.ID+v2Token, codeForm(code)); a.status != 200 {
			t.Errorf("%s: afterwards the right request got %d %s", tt.name, a.status, a.raw)
		}
	}
	code := p.cliCode(t, ada, armScope)
	p.clock.Advance(10 * time.Minute)
	wantAADSTS(t, "expired", p.post(publicLogin, "/"+contoso.ID+v2Token, codeForm(code)), 400, 70008, "invalid_grant")
}

// TestCode_Twice: a code used twice takes back what its first use began.
func TestCode_Twice(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	code := p.cliCode(t, ada, armScope)
	path := "/" + ada.TenantID + v2Token
	first := p.post(publicLogin, path, codeForm(code))
	refresh, _ := first.body["refresh_token"].(string)
	if a := p.post(publicLogin, path, refreshForm(refresh, armScope)); a.status != 200 {
		t.Fatalf("refresh: %d %s", a.status, a.raw)
	}
	wantAADSTS(t, "again", p.post(publicLogin, path, codeForm(code)), 400, 54005, "invalid_grant")
	wantAADSTS(t, "refresh token of a stolen code", p.post(publicLogin, path, refreshForm(refresh, armScope)), 400, 70000, "invalid_grant")
}

// TestCode_AtOnce: of many redemptions at once exactly one succeeds.
func TestCode_AtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	code := p.cliCode(t, ada, armScope)
	results := make(chan int, 8)
	for range cap(results) {
		go func() { results <- p.post(publicLogin, "/"+ada.TenantID+v2Token, codeForm(code)).status }()
	}
	ok := 0
	for range cap(results) {
		if <-results == 200 {
			ok++
		}
	}
	if ok != 1 {
		t.Errorf("%d of 8 redemptions at once succeeded, want 1", ok)
	}
}

// TestRefresh_Revoked: what ends a refresh token.
func TestRefresh_Revoked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(p *platform, u *directory.User, web daemon) error
		code int
	}{
		"disabled": {func(p *platform, u *directory.User, _ daemon) error {
			_, err := p.dir.ChangeUser(p.t.Context(), u.TenantID, u.ObjectID, func(u *directory.User) error { u.Disabled = true; return nil })
			return err
		}, 50057},
		"password changed": {func(p *platform, u *directory.User, _ daemon) error {
			return p.dir.SetPassword(p.t.Context(), u, "Another-Horse-8", false)
		}, 50173},
		"client deleted": {func(p *platform, _ *directory.User, web daemon) error {
			return p.dir.DeleteApplication(p.t.Context(), web.TenantID, web.ObjectID)
		}, 700016},
		"90 days": {func(p *platform, _ *directory.User, _ daemon) error { p.clock.Advance(90 * 24 * time.Hour); return nil }, 700082},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			ada := p.person(p.tenant("Contoso"), "ada")
			web := p.webApp(ada.TenantID)
			refresh := p.webSignIn(t, web, ada)["refresh_token"].(string)
			form := url.Values{"grant_type": {"refresh_token"}, "client_id": {web.AppID}, "client_secret": {web.secret}, "refresh_token": {refresh}}
			if a := p.post(publicLogin, "/common"+v2Token, form); a.status != 200 {
				t.Fatalf("before: %d %s", a.status, a.raw)
			}
			p.clock.Advance(time.Second)
			if err := tt.end(p, ada, web); err != nil {
				t.Fatal(err)
			}
			a := p.post(publicLogin, "/"+ada.TenantID+v2Token, form)
			codes, _ := a.body["error_codes"].([]any)
			if a.status < 400 || len(codes) != 1 || codes[0] != float64(tt.code) {
				t.Errorf("got %d %s, want AADSTS%d", a.status, a.raw, tt.code)
			}
		})
	}
}

// TestRefresh_LivesOn: used now and then, a family outlives its first token by far; unused, its row ends.
func TestRefresh_LivesOn(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	first := p.post(publicLogin, "/"+ada.TenantID+v2Token, codeForm(p.cliCode(t, ada, armScope))).body["refresh_token"].(string)
	token := first
	for range 4 {
		p.clock.Advance(60 * 24 * time.Hour)
		a := p.post(publicLogin, "/"+ada.TenantID+v2Token, refreshForm(token, armScope))
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		token = a.body["refresh_token"].(string)
	}
	wantAADSTS(t, "the first token", p.post(publicLogin, "/"+ada.TenantID+v2Token, refreshForm(first, armScope)), 400, 700082, "invalid_grant")
	again := openPlatform(t, p.store, p.clock)
	if a := again.post(publicLogin, "/"+ada.TenantID+v2Token, refreshForm(token, armScope)); a.status != 200 {
		t.Errorf("after a restart: %d %s", a.status, a.raw)
	}
	p.clock.Advance(92 * 24 * time.Hour)
	for range 4 { // each sweeps some
		p.cliCode(t, ada, armScope)
	}
	if n := strings.Count(string(p.everything()), "G|f|"); n != 0 {
		t.Errorf("%d keys of ended families are still there", n)
	}
}

// TestArtifacts_NotStored: the store holds none of the credentials handed out.
func TestArtifacts_NotStored(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	code := p.cliCode(t, ada, armScope)
	refresh := p.post(publicLogin, "/"+ada.TenantID+v2Token, codeForm(code)).body["refresh_token"].(string)
	all := string(p.everything())
	for name, secret := range map[string]string{"code": code, "refresh token": refresh, "password": password} {
		tail := secret[max(0, len(secret)-40):]
		for _, form := range []string{secret, tail, base64.StdEncoding.EncodeToString([]byte(tail))} {
			if strings.Contains(all, form) {
				t.Errorf("the store holds a %s", name)
			}
		}
	}
}

// webApp is a confidential web application with one redirect URI.
func (p *platform) webApp(tenantID string) daemon {
	p.t.Helper()
	web := p.app(directory.AppSpec{TenantID: tenantID, DisplayName: "Portal", SignInAudience: "AzureADMultipleOrgs"})
	p.change(web, func(a *directory.Application) {
		a.WebRedirectURIs, a.ImplicitID = []string{"https://app.contoso.com/signin"}, true
		a.SPARedirectURIs, a.PublicRedirectURIs = []string{"https://spa.contoso.com/"}, []string{"http://127.0.0.1/cb", "contoso://auth"}
	})
	return web
}

func webRequest(web daemon, scope string) url.Values {
	return url.Values{"client_id": {web.AppID}, "response_type": {"code"}, "redirect_uri": {"https://app.contoso.com/signin"}, "scope": {scope}, "state": {"a b&c"}, "nonce": {"n1"}}
}

// webSignIn goes through sign-in and consent and redeems the code.
func (p *platform) webSignIn(t *testing.T, web daemon, u *directory.User) map[string]any {
	t.Helper()
	b := p.browser()
	page := b.signIn(b.get("/"+u.TenantID+"/oauth2/v2.0/authorize", webRequest(web, "openid offline_access User.Read")), u, password)
	wantPage(t, "consent", page, 200, "Portal")
	back := wantRedirect(t, "consented", b.submit(page, url.Values{"decision": {"accept"}}), "https://app.contoso.com/signin?")
	a := p.post(publicLogin, "/"+u.TenantID+v2Token, url.Values{
		"grant_type": {"authorization_code"}, "client_id": {web.AppID}, "client_secret": {web.secret}, "code": {back.Get("code")}, "redirect_uri": {"https://app.contoso.com/signin"},
	})
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	return a.body
}

func FuzzArtifact(f *testing.F) {
	p := newPlatform(f)
	u := p.person(p.tenant("Contoso"), "ada")
	f.Add("1." + strings.Repeat("A", 96))
	f.Add("1.")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		q := p.on(t)
		for _, form := range []url.Values{codeForm(text), refreshForm(text, armScope), {
			"grant_type": {"device_code"}, "client_id": {cliID}, "device_code": {text},
		}} {
			if a := q.post(publicLogin, "/"+u.TenantID+v2Token, form); a.status != 400 {
				t.Errorf("%q: %d %s", text, a.status, a.raw)
			}
		}
	})
}
