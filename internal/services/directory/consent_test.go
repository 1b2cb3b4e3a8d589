package directory_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// TestConsent: asked once, kept, taken back; never for more than the user may give.
func TestConsent(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	ada, bob := p.person(contoso, "ada"), p.person(contoso, "bob")
	root := p.person(contoso, "root", func(u *directory.User) { u.Administrator = true })
	web := p.webApp(fabrikam.ID) // of another tenant: contoso has never met it
	path := "/" + contoso.ID + "/oauth2/v2.0/authorize"
	const back = "https://app.contoso.com/signin?"
	in := func(u *directory.User, scope string) (*browser, pageAnswer) {
		b := p.browser()
		return b, b.signIn(b.get(path, webRequest(web, scope)), u, password)
	}

	b, page := in(ada, "openid User.Read")
	wantPage(t, "asked", page, 200, "<li>User.Read</li>")
	got := wantRedirect(t, "declined", b.submit(page, url.Values{"decision": {"decline"}}), back)
	if got.Get("error") != "access_denied" || !strings.HasPrefix(got.Get("error_description"), "AADSTS65004") || got.Get("state") != "a b&c" {
		t.Errorf("declined: %v", got)
	}
	silent := webRequest(web, "openid User.Read")
	silent.Set("prompt", "none")
	if got := wantRedirect(t, "silently", b.get(path, silent), back); got.Get("error") != "consent_required" || !strings.HasPrefix(got.Get("error_description"), "AADSTS65001") {
		t.Errorf("silently: %v", got)
	}
	if sp, err := p.dir.PrincipalByAppID(t.Context(), contoso.ID, web.AppID); err != nil || sp != nil {
		t.Errorf("a declined application has a service principal: %+v, %v", sp, err)
	}
	page = b.get(path, webRequest(web, "openid User.Read"))
	if wantRedirect(t, "accepted", b.submit(page, url.Values{"decision": {"accept"}, "all": {"1"}}), back).Get("code") == "" {
		t.Error("accepted: no code")
	}
	if wantRedirect(t, "silently, consented", b.get(path, silent), back).Get("code") == "" {
		t.Error("silently, consented: no code")
	}
	sp, err := p.dir.PrincipalByAppID(t.Context(), contoso.ID, web.AppID)
	if err != nil || sp == nil || sp.AppTenantID != fabrikam.ID {
		t.Fatalf("service principal %+v, %v", sp, err)
	}
	_, page = in(bob, "openid User.Read") // ada is nobody to consent for all
	wantPage(t, "another user", page, 200, "<li>User.Read</li>")

	_, page = in(bob, "openid Directory.Read.All")
	if got := wantRedirect(t, "an administrator's", page, back); !strings.HasPrefix(got.Get("error_description"), "AADSTS90094") {
		t.Errorf("an administrator's: %v", got)
	}
	b, page = in(root, "openid Directory.Read.All")
	wantPage(t, "administrator", page, 200, "on behalf of your organization")
	if wantRedirect(t, "for all", b.submit(page, url.Values{"decision": {"accept"}, "all": {"1"}}), back).Get("code") == "" {
		t.Error("for all: no code")
	}
	_, page = in(bob, "openid Directory.Read.All")
	if wantRedirect(t, "bob now", page, back).Get("code") == "" {
		t.Error("bob now: no code")
	}
	page = b.get(path, func() url.Values { q := webRequest(web, "openid"); q.Set("prompt", "consent"); return q }())
	wantPage(t, "prompt=consent", page, 200, "Permissions requested")

	// A client cut off by its tenant gets nobody's sign-in.
	if err := p.dir.DeleteApplication(t.Context(), fabrikam.ID, web.ObjectID); err != nil {
		t.Fatal(err)
	}
	wantPage(t, "deleted", b.get(path, webRequest(web, "openid")), 400, "AADSTS700016")
}

// TestSPA: a page redeems its code across origins, without a credential, and its refresh tokens end with the day whatever it does.
func TestSPA(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	web := p.webApp(ada.TenantID)
	b := p.browser()
	q := cliRequest("openid offline_access User.Read")
	q.Set("client_id", web.AppID)
	q.Set("redirect_uri", "https://spa.contoso.com/")
	page := b.signIn(b.get("/"+ada.TenantID+"/oauth2/v2.0/authorize", q), ada, password)
	code := wantRedirect(t, "consented", b.submit(page, url.Values{"decision": {"accept"}}), "https://spa.contoso.com/?").Get("code")
	form := codeForm(code)
	form.Set("client_id", web.AppID)
	form.Set("redirect_uri", "https://spa.contoso.com/")
	path := "/" + ada.TenantID + v2Token
	wantAADSTS(t, "no origin", p.post(publicLogin, path, form), 400, 9002327, "invalid_request")
	a := p.post(publicLogin, path, form, "Origin", "https://spa.contoso.com")
	if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %s, headers %v", a.status, a.raw, a.header)
	}
	wantAADSTS(t, "another client's code in a page", p.post(publicLogin, path, codeForm(p.cliCode(t, ada, armScope)), "Origin", "https://evil.example"), 400, 9002326, "invalid_request")
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {web.AppID}, "refresh_token": {a.body["refresh_token"].(string)}}
	p.clock.Advance(23 * time.Hour)
	a = p.post(publicLogin, path, refresh, "Origin", "https://spa.contoso.com")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	refresh.Set("refresh_token", a.body["refresh_token"].(string))
	p.clock.Advance(time.Hour)
	wantAADSTS(t, "a day later", p.post(publicLogin, path, refresh, "Origin", "https://spa.contoso.com"), 400, 700084, "invalid_grant")
}

// TestDefaultScope: ".default" of an API that nobody let the client have is no way around consent.
func TestDefaultScope(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(d *directory.Deps) { d.PasswordGrant = true })
	ada := p.person(p.tenant("Contoso"), "ada")
	api := p.app(directory.AppSpec{TenantID: ada.TenantID, DisplayName: "api", IdentifierURIs: []string{"api://orders"}})
	p.change(api, func(a *directory.Application) {
		a.Scopes = []directory.Scope{{ID: "11111111-1111-4111-8111-111111111111", Value: "read", Type: "User"}}
	})
	other := p.app(directory.AppSpec{TenantID: ada.TenantID, DisplayName: "other"})
	p.change(other, func(a *directory.Application) { a.PublicClient = true })
	try := func(client string) answer {
		return p.post(publicLogin, "/"+ada.TenantID+v2Token, url.Values{
			"grant_type": {"password"}, "client_id": {client}, "username": {ada.UPN}, "password": {password}, "scope": {"api://orders/.default"},
		})
	}
	wantAADSTS(t, "Azure CLI", try(cliID), 400, 65001, "invalid_grant")
	wantAADSTS(t, "a client that does not say it needs it", try(other.AppID), 400, 650057, "invalid_resource")
	p.change(other, func(a *directory.Application) {
		a.RequiredAccess = []directory.RequiredAccess{{ResourceAppID: api.AppID, Access: []directory.AccessNeeded{{ID: "11111111-1111-4111-8111-111111111111", Type: "Scope"}}}}
	})
	wantAADSTS(t, "one that does, without consent", try(other.AppID), 400, 65001, "invalid_grant")
	p.consent(other, ada.ObjectID, api.AppID, "read")
	a := try(other.AppID)
	if a.status != 200 || a.body["scope"] != "api://orders/read api://orders/.default" {
		t.Errorf("consented: %d %s", a.status, a.raw)
	}
}
