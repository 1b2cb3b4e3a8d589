package directory_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// TestAuthorize_NoRedirect: what is told on a page, because nobody vouches for the address yet.
func TestAuthorize_NoRedirect(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	web := p.webApp(contoso.ID)
	single := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "single"})
	for _, tt := range []struct {
		name, tenant string
		change       func(url.Values)
		code         string
	}{
		{"no client", contoso.ID, func(v url.Values) { v.Del("client_id") }, "AADSTS900144"},
		{"unknown client", contoso.ID, func(v url.Values) { v.Set("client_id", contoso.ID) }, "AADSTS700016"},
		{"unknown tenant", "nobody.example", nil, "AADSTS90002"},
		{"single-tenant client at common", "common", func(v url.Values) { v.Set("client_id", single.AppID) }, "AADSTS50194"},
		{"single-tenant client of another tenant", fabrikam.ID, func(v url.Values) { v.Set("client_id", single.AppID) }, "AADSTS700016"},
		{"no redirect URI registered", contoso.ID, func(v url.Values) { v.Set("client_id", single.AppID); v.Del("redirect_uri") }, "AADSTS500113"},
		{"which redirect URI", contoso.ID, func(v url.Values) { v.Del("redirect_uri") }, "AADSTS900144"},
		{"another path", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://app.contoso.com/signin/x") }, "AADSTS50011"},
		{"another case", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://app.contoso.com/Signin") }, "AADSTS50011"},
		{"another port", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://app.contoso.com:444/signin") }, "AADSTS50011"},
		{"a host in front", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://app.contoso.com.evil.example/signin") }, "AADSTS50011"},
		{"user info", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://app.contoso.com@evil.example/signin") }, "AADSTS50011"},
		{"a query", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://app.contoso.com/signin?a=b") }, "AADSTS50011"},
		{"loopback by another name", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "http://localhost:9/cb") }, "AADSTS50011"},
		{"loopback over https", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "https://127.0.0.1:9/cb") }, "AADSTS50011"},
		{"loopback with another path", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "http://127.0.0.1:9/cc") }, "AADSTS50011"},
		{"loopback with a user", contoso.ID, func(v url.Values) { v.Set("redirect_uri", "http://127.0.0.1:9@evil.example/cb") }, "AADSTS50011"},
		{"given twice", contoso.ID, func(v url.Values) { v.Add("redirect_uri", "https://evil.example/") }, "AADSTS9002313"},
	} {
		q := webRequest(web, "openid")
		if tt.change != nil {
			tt.change(q)
		}
		a := p.browser().get("/"+tt.tenant+"/oauth2/v2.0/authorize", q)
		wantPage(t, tt.name, a, 400, tt.code)
		if a.location != nil {
			t.Errorf("%s: sent to %s", tt.name, a.location)
		}
	}
	for _, ok := range []string{"http://127.0.0.1:53211/cb", "http://127.0.0.1/cb", "contoso://auth", "https://spa.contoso.com/"} {
		q := webRequest(web, "openid")
		q.Set("redirect_uri", ok)
		q.Set("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
		q.Set("code_challenge_method", "S256")
		wantPage(t, ok, p.browser().get("/"+contoso.ID+"/oauth2/v2.0/authorize", q), 200, "Sign in")
	}
}

// TestAuthorize_Redirected: what the client is told by its redirect URI, with its state.
func TestAuthorize_Redirected(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	web := p.webApp(contoso.ID)
	for _, tt := range []struct{ name, parameter, value, errorCode, number string }{
		{"no response type", "response_type", "", "invalid_request", "900144"},
		{"implicit grant", "response_type", "token", "unsupported_response_type", "700051"},
		{"unknown type", "response_type", "code magic", "unsupported_response_type", "700053"},
		{"unknown mode", "response_mode", "carrier_pigeon", "unsupported_response_mode", "70007"},
		{"plain PKCE", "code_challenge_method", "plain", "invalid_request", "501491"},
		{"no method", "code_challenge", strings.Repeat("a", 43), "invalid_request", "501491"},
		{"no scope", "scope", "", "invalid_request", "900144"},
		{"bad scope", "scope", "https://vault.azure.net/", "invalid_scope", "70011"},
		{"two resources", "scope", "https://vault.azure.net/.default User.Read", "invalid_request", "28000"},
		{"resource at version 2", "resource", "https://vault.azure.net", "invalid_request", "901002"},
		{"unknown prompt", "prompt", "maybe", "invalid_request", "90023"},
		{"silent, nobody there", "prompt", "none", "login_required", "50058"},
		{"max_age", "max_age", "-5", "invalid_request", "9002313"},
	} {
		q := webRequest(web, "openid")
		q.Set(tt.parameter, tt.value)
		a := p.browser().get("/"+contoso.ID+"/oauth2/v2.0/authorize", q)
		got := wantRedirect(t, tt.name, a, "https://app.contoso.com/signin")
		if got.Get("error") != tt.errorCode || !strings.HasPrefix(got.Get("error_description"), "AADSTS"+tt.number+": ") || got.Get("state") != "a b&c" || got.Get("code") != "" {
			t.Errorf("%s: got %v, want %s with AADSTS%s", tt.name, got, tt.errorCode, tt.number)
		}
	}
	q := webRequest(web, "openid")
	q.Set("redirect_uri", "https://spa.contoso.com/")
	if got := wantRedirect(t, "page without PKCE", p.browser().get("/common/oauth2/v2.0/authorize", q), "https://spa.contoso.com/"); !strings.HasPrefix(got.Get("error_description"), "AADSTS9002325") {
		t.Errorf("page without PKCE: %v", got)
	}
}

// TestSignIn_ResponseModes: the same answer in each of the three ways, and an id_token with it.
func TestSignIn_ResponseModes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada", func(u *directory.User) { u.Mail = "ada@contoso.com" })
	web := p.webApp(ada.TenantID)
	b := p.browser()
	q := webRequest(web, "openid email")
	q.Set("response_type", "code id_token")
	q.Set("response_mode", "form_post")
	page := b.signIn(b.get("/"+ada.TenantID+"/oauth2/v2.0/authorize", q), ada, password)
	wantPage(t, "consent", page, 200, "openid")
	page = b.submit(page, url.Values{"decision": {"accept"}})
	wantPage(t, "form_post", page, 200, "Continue")
	if !strings.Contains(page.header.Get("Content-Security-Policy"), "form-action 'self' https://app.contoso.com;") {
		t.Errorf("policy %q", page.header.Get("Content-Security-Policy"))
	}
	action, fields := page.form(t)
	if action != "https://app.contoso.com/signin" || fields.Get("state") != "a b&c" || fields.Get("code") == "" {
		t.Fatalf("form to %s with %v", action, fields)
	}
	claims := p.verifiedClaims(fields.Get("id_token"), "https://"+publicLogin+"/common/discovery/v2.0/keys")
	if claims["nonce"] != "n1" || claims["aud"] != web.AppID || claims["email"] != "ada@contoso.com" || claims["oid"] != ada.ObjectID {
		t.Errorf("id_token %v", claims)
	}
	q.Del("response_mode")
	a := b.get("/"+ada.TenantID+"/oauth2/v2.0/authorize", q)
	if got := wantRedirect(t, "fragment", a, "https://app.contoso.com/signin#"); got.Get("code") == "" || got.Get("id_token") == "" {
		t.Errorf("fragment: %v", got)
	}
	q.Set("response_mode", "query")
	if got := wantRedirect(t, "query with id_token", b.get("/"+ada.TenantID+"/oauth2/v2.0/authorize", q), "https://app.contoso.com/signin"); !strings.HasPrefix(got.Get("error_description"), "AADSTS70007") {
		t.Errorf("query with id_token: %v", got)
	}
	p.change(web, func(a *directory.Application) { a.ImplicitID = false })
	q.Del("response_mode")
	if got := wantRedirect(t, "not enabled", b.get("/"+ada.TenantID+"/oauth2/v2.0/authorize", q), "https://app.contoso.com/signin"); !strings.HasPrefix(got.Get("error_description"), "AADSTS700054") {
		t.Errorf("not enabled: %v", got)
	}
}

// TestSignIn_Forgery: a form that no page of this browser gave is refused, however good its content.
func TestSignIn_Forgery(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	path := "/" + ada.TenantID + "/oauth2/v2.0/authorize"
	attacker, victim := p.browser(), p.browser()
	page := attacker.get(path, cliRequest(armScope))
	victim.get(path, cliRequest(armScope)) // has a canary of its own
	credentials := url.Values{"login": {ada.UPN}, "passwd": {password}}
	wantPage(t, "another browser's form", victim.submit(page, credentials), 400, "AADSTS165000")
	wantPage(t, "no cookie", p.browser().submit(page, credentials), 400, "AADSTS165000")
	action, fields := page.form(t)
	fields.Set("login", ada.UPN)
	fields.Set("passwd", password)
	_, otherFields := attacker.get(path, cliRequest("https://vault.azure.net/.default")).form(t)
	fields.Set("ctx", otherFields.Get("ctx"))
	wantPage(t, "another page's request", attacker.do("POST", action, fields), 400, "AADSTS165000")
	if _, ok := attacker.cookies["__Host-ESTSAUTH"]; ok {
		t.Error("a forged form began a session")
	}
	wantPage(t, "the page itself", attacker.do("GET", strings.TrimSuffix(path, "/authorize")+"/authorize?"+cliRequest(armScope).Encode(), nil), 200, "Sign in")
	p.clock.Advance(time.Hour + time.Second)
	wantPage(t, "a page left open", attacker.submit(page, credentials), 400, "AADSTS165000")
}

// TestSignIn_Passwords: what the page says to wrong names and passwords, and when it stops listening.
func TestSignIn_Passwords(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	ada := p.person(contoso, "ada")
	off := p.person(contoso, "off", func(u *directory.User) { u.Disabled = true })
	b := p.browser()
	page := b.get("/"+contoso.ID+"/oauth2/v2.0/authorize", cliRequest(armScope))
	wantPage(t, "wrong password", b.signIn(page, ada, "wrong"), 401, "AADSTS50126")
	wantPage(t, "nobody", b.submit(page, url.Values{"login": {"nobody@" + contoso.Domains[0]}, "passwd": {"x"}}), 401, "AADSTS50034")
	wantPage(t, "disabled, wrong password", b.signIn(page, off, "wrong"), 401, "AADSTS50126")
	wantPage(t, "disabled", b.signIn(page, off, password), 401, "AADSTS50057")
	wantPage(t, "no password", b.signIn(page, ada, ""), 401, "AADSTS50126")
	for range 8 {
		b.signIn(page, ada, "wrong")
	}
	wantPage(t, "tenth wrong one", b.signIn(page, ada, "wrong"), 401, "AADSTS50126")
	wantPage(t, "locked, right password", b.signIn(page, ada, password), 401, "AADSTS50053")
	again := p.browser() // another browser, elsewhere: the account is locked, not the browser
	wantPage(t, "locked for all", again.signIn(again.get("/"+contoso.ID+"/oauth2/v2.0/authorize", cliRequest(armScope)), ada, password), 401, "AADSTS50053")
	p.clock.Advance(time.Minute)
	wantRedirect(t, "after a minute", b.signIn(page, ada, password), "http://localhost:41234?")
	if n := strings.Count(b.cookies["__Host-ESTSAUTH"], ""); n < 90 {
		t.Errorf("session cookie of %d characters", n)
	}

	var codes []int
	records, err := p.dir.SignIns(t.Context(), contoso.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		codes = append(codes, r.Code)
	}
	if len(codes) != 17 || codes[0] != 0 || codes[1] != 50053 || codes[3] != 50126 {
		t.Errorf("sign-in log has %v", codes)
	}
	if r := records[0]; r.UserID != ada.ObjectID || r.AppID != cliID || r.Grant != "page" || r.Client != "192.0.2.1" || r.Resource != "Windows Azure Service Management API" {
		t.Errorf("newest record %+v", r)
	}
}

// TestSignIn_ChangePassword: a password that has to be changed lets nobody in until it is.
func TestSignIn_ChangePassword(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada", func(u *directory.User) { u.ForceChange = true })
	b := p.browser()
	page := b.signIn(b.get("/"+ada.TenantID+"/oauth2/v2.0/authorize", cliRequest(armScope)), ada, password)
	wantPage(t, "has to change", page, 401, `name="newpasswd"`)
	fill := func(passwd, fresh, confirm string) pageAnswer {
		return b.submit(page, url.Values{"login": {ada.UPN}, "passwd": {passwd}, "newpasswd": {fresh}, "confirm": {confirm}})
	}
	wantPage(t, "wrong present one", fill("wrong", "New-Horse-77", "New-Horse-77"), 401, "AADSTS50126")
	wantPage(t, "not the same twice", fill(password, "New-Horse-77", "New-Horse-78"), 401, "do not match")
	wantPage(t, "too simple", fill(password, "aaaaaaaa", "aaaaaaaa"), 401, "complexity")
	wantPage(t, "the old one", fill(password, password, password), 401, "must differ")
	p.clock.Advance(time.Second)
	code := wantRedirect(t, "changed", fill(password, "New-Horse-77", "New-Horse-77"), "http://localhost:41234?").Get("code")
	if a := p.post(publicLogin, "/"+ada.TenantID+v2Token, codeForm(code)); a.status != 200 {
		t.Errorf("code after the change: %d %s", a.status, a.raw)
	}
}

// TestSignIn_Prompts: when a signed-in browser is asked again.
func TestSignIn_Prompts(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	ada := p.person(contoso, "ada")
	b := p.browser()
	path := "/" + contoso.ID + "/oauth2/v2.0/authorize"
	with := func(name, value string) url.Values {
		q := cliRequest(armScope)
		q.Set(name, value)
		return q
	}
	b.signIn(b.get(path, cliRequest(armScope)), ada, password)
	p.clock.Advance(time.Minute)

	page := b.get(path, with("prompt", "login"))
	wantPage(t, "prompt=login", page, 200, `name="passwd"`)
	p.clock.Advance(time.Second)
	wantRedirect(t, "prompt=login, signed in", b.signIn(page, ada, password), "http://localhost:41234?code=")

	p.clock.Advance(time.Second)
	page = b.get(path, with("prompt", "select_account"))
	wantPage(t, "prompt=select_account", page, 200, "Continue as "+ada.UPN)
	action, fields := page.form(t)
	fields.Set("account", "continue")
	wantRedirect(t, "picked", b.do("POST", action, fields), "http://localhost:41234?code=")

	wantPage(t, "hint at another", b.get(path, with("login_hint", "bob@"+contoso.Domains[0])), 200, `value="bob@`+contoso.Domains[0])
	wantRedirect(t, "hint at the same", b.get(path, with("login_hint", strings.ToUpper(ada.UPN))), "http://localhost:41234?code=")
	wantPage(t, "another tenant", b.get("/"+fabrikam.ID+"/oauth2/v2.0/authorize", cliRequest(armScope)), 200, "Fabrikam")
	p.clock.Advance(time.Hour)
	wantPage(t, "max_age", b.get(path, with("max_age", "60")), 200, `name="passwd"`)
	wantRedirect(t, "max_age not reached", b.get(path, with("max_age", "7200")), "http://localhost:41234?code=")

	// What ends a session: its day, a new password, signing out.
	if err := p.dir.SetPassword(t.Context(), ada, "Another-Horse-8", false); err != nil {
		t.Fatal(err)
	}
	wantPage(t, "password changed", b.get(path, cliRequest(armScope)), 200, `name="passwd"`)
	b.submit(b.get(path, cliRequest(armScope)), url.Values{"login": {ada.UPN}, "passwd": {"Another-Horse-8"}})
	kept := b.cookies["__Host-ESTSAUTH"]
	wantPage(t, "sign out", b.get("/common/oauth2/v2.0/logout", nil), 200, "signed out")
	b.cookies["__Host-ESTSAUTH"] = kept // a copy of the cookie is worth nothing either
	wantPage(t, "signed out", b.get(path, cliRequest(armScope)), 200, `name="passwd"`)
	b.submit(b.get(path, cliRequest(armScope)), url.Values{"login": {ada.UPN}, "passwd": {"Another-Horse-8"}})
	p.clock.Advance(24 * time.Hour)
	wantPage(t, "a day later", b.get(path, cliRequest(armScope)), 200, `name="passwd"`)
}

// TestSignOut_Redirect: only to an address of the client.
func TestSignOut_Redirect(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	web := p.webApp(contoso.ID)
	out := func(to string) pageAnswer {
		return p.browser().get("/"+contoso.ID+"/oauth2/v2.0/logout", url.Values{"client_id": {web.AppID}, "post_logout_redirect_uri": {to}, "state": {"x"}})
	}
	if got := wantRedirect(t, "registered", out("https://app.contoso.com/signin"), "https://app.contoso.com/signin?"); got.Get("state") != "x" {
		t.Errorf("state %v", got)
	}
	wantPage(t, "foreign", out("https://evil.example/"), 200, "signed out")
}

func FuzzRedirect(f *testing.F) {
	p := newPlatform(f)
	contoso := p.tenant("Contoso")
	web := p.webApp(contoso.ID)
	for _, s := range []string{"https://app.contoso.com/signin", "http://127.0.0.1:1/cb", "contoso://auth", "javascript:alert(1)", "//evil.example", "http://[::1/cb"} {
		f.Add(s, "openid", "s")
	}
	f.Fuzz(func(t *testing.T, redirect, scope, state string) {
		q := webRequest(web, scope)
		q.Set("redirect_uri", redirect)
		q.Set("state", state)
		a := p.on(t).browser().get("/"+contoso.ID+"/oauth2/v2.0/authorize", q)
		if a.location != nil {
			if to := a.location.String(); !strings.HasPrefix(to, "https://app.contoso.com/signin") && !strings.HasPrefix(to, "https://spa.contoso.com/") &&
				!strings.HasPrefix(to, "http://127.0.0.1") && !strings.HasPrefix(to, "contoso:") {
				t.Errorf("%q: sent to %s", redirect, to)
			}
		}
		if a.status != 200 && a.status != 302 && a.status != 400 {
			t.Errorf("%q %q: %d %s", redirect, scope, a.status, a.body)
		}
	})
}
