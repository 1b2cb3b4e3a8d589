package directory_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const (
	cliID    = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	password = "Correct-Horse-7"
)

// person makes a user ada@<tenant's domain>.
func (p *platform) person(tenant *directory.Tenant, name string, change ...func(*directory.User)) *directory.User {
	p.t.Helper()
	spec := directory.UserSpec{TenantID: tenant.ID, Password: password, User: directory.User{UPN: name + "@" + tenant.Domains[0], DisplayName: name}}
	for _, c := range change {
		c(&spec.User)
	}
	u, err := p.dir.CreateUser(p.t.Context(), spec)
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

// change changes an application.
func (p *platform) change(d daemon, fn func(*directory.Application)) {
	p.t.Helper()
	_, err := p.dir.ChangeApplication(p.t.Context(), d.TenantID, d.ObjectID, func(a *directory.Application) error { fn(a); return nil })
	if err != nil {
		p.t.Fatal(err)
	}
}

// browser keeps cookies and follows what pages say, without JavaScript.
type browser struct {
	p       *platform
	host    string
	cookies map[string]string
}

func (p *platform) browser() *browser {
	return &browser{p: p, host: publicLogin, cookies: map[string]string{}}
}

// pageAnswer is what a browser got.
type pageAnswer struct {
	status   int
	header   http.Header
	body     string
	location *url.URL // of a redirect
}

func (b *browser) do(method, path string, form url.Values) pageAnswer {
	b.p.t.Helper()
	r := httptest.NewRequest(method, "https://"+b.host+path, strings.NewReader(form.Encode()))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.p.mux.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			b.p.t.Errorf("cookie %s is not as safe as can be: %+v", c.Name, c)
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	a := pageAnswer{status: w.Code, header: w.Header(), body: w.Body.String()}
	if l := w.Header().Get("Location"); l != "" {
		u, err := url.Parse(l)
		if err != nil {
			b.p.t.Fatalf("location %q: %v", l, err)
		}
		a.location = u
	}
	return a
}

func (b *browser) get(path string, query url.Values) pageAnswer {
	b.p.t.Helper()
	return b.do("GET", path+"?"+query.Encode(), nil)
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	pageCSS    = regexp.MustCompile(`(?s)<style>(.*)</style>`)
	pageJS     = regexp.MustCompile(`(?s)<script>(.*)</script>`)
)

// submit posts the page's last form with further fields.
func (b *browser) submit(page pageAnswer, fields url.Values) pageAnswer {
	b.p.t.Helper()
	action, form := page.form(b.p.t)
	for name, v := range fields {
		form[name] = v
	}
	return b.do("POST", action, form)
}

func (a pageAnswer) form(t testing.TB) (action string, fields url.Values) {
	t.Helper()
	all := formAction.FindAllStringSubmatchIndex(a.body, -1)
	if all == nil {
		t.Fatalf("no form on the page: %d %s", a.status, a.body)
	}
	last := all[len(all)-1]
	fields = url.Values{}
	for _, m := range formHidden.FindAllStringSubmatch(a.body[last[0]:], -1) {
		fields.Set(unescape(m[1]), unescape(m[2]))
	}
	return unescape(a.body[last[2]:last[3]]), fields
}

func unescape(s string) string {
	return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">").Replace(s)
}

// signIn fills in the sign-in page.
func (b *browser) signIn(page pageAnswer, u *directory.User, pass string) pageAnswer {
	b.p.t.Helper()
	return b.submit(page, url.Values{"login": {u.UPN}, "passwd": {pass}})
}

// wantPage checks what holds for every page: the policy, and that it covers what is inline.
func wantPage(t *testing.T, name string, a pageAnswer, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		t.Fatalf("%s: got %d %s\nwant %d with %q", name, a.status, a.body, status, text)
	}
	policy := a.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: policy %q lacks %q", name, policy, part)
		}
	}
	for _, inline := range []*regexp.Regexp{pageCSS, pageJS} {
		if m := inline.FindStringSubmatch(a.body); m != nil {
			sum := sha256.Sum256([]byte(m[1]))
			if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, hash) {
				t.Errorf("%s: policy %q does not allow the page's own inline text (%s)", name, policy, hash)
			}
		}
	}
	if a.header.Get("X-Frame-Options") != "DENY" || !strings.Contains(a.header.Get("Cache-Control"), "no-store") || a.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s: headers %v", name, a.header)
	}
}

// wantRedirect checks where the browser is sent and returns the answer's parameters.
func wantRedirect(t *testing.T, name string, a pageAnswer, to string) url.Values {
	t.Helper()
	if a.location == nil || !strings.HasPrefix(a.location.String(), to) || a.status != 302 && a.status != 303 {
		t.Fatalf("%s: got %d to %v %s\nwant a redirect to %s", name, a.status, a.location, a.body, to)
	}
	if a.location.Fragment != "" {
		v, err := url.ParseQuery(a.location.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return a.location.Query()
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B

// cliRequest is an authorization request as the Azure CLI makes it.
func cliRequest(scope string) url.Values {
	return url.Values{
		"client_id": {cliID}, "response_type": {"code"}, "redirect_uri": {"http://localhost:41234"}, "scope": {scope}, "state": {"s1"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
}

// cliCode signs u in to the Azure CLI and returns the authorization code.
func (p *platform) cliCode(t *testing.T, u *directory.User, scope string) string {
	t.Helper()
	b := p.browser()
	page := b.get("/"+u.TenantID+"/oauth2/v2.0/authorize", cliRequest(scope))
	return wantRedirect(t, "sign-in", b.signIn(page, u, password), "http://localhost:41234?").Get("code")
}

func codeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "client_id": {cliID}, "code": {code}, "redirect_uri": {"http://localhost:41234"}, "code_verifier": {verifier}, "client_info": {"1"},
	}
}

func refreshForm(token, scope string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {cliID}, "refresh_token": {token}, "scope": {scope}}
}

const armScope = "https://management.core.windows.net//.default openid profile offline_access"
