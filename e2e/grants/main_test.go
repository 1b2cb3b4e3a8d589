// Package grants runs the ways in which users and workloads sign in, with the Azure SDK for Go and with a browser's plain forms, against the platform.
package grants

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared = harness.Shared{Options: harness.Options{Flags: []string{"--password-grant"}}}

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

const (
	cliID    = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	vaultApp = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"
	password = "Correct-Horse-7"
	scopeID  = "11111111-1111-4111-8111-111111111111"
)

// eachWay runs test by every way in.
func eachWay(t *testing.T, test func(t *testing.T, p *harness.Platform, w harness.Way)) {
	t.Helper()
	p := shared.Platform(t)
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) { test(t, p, w) })
	}
}

// user is a user of the platform's first tenant.
type user struct{ ID, UPN string }

func newUser(t *testing.T, p *harness.Platform) user {
	t.Helper()
	upn := harness.Name("ada") + "@" + tenantDomain(t, p)
	made := graph(t, p, "POST", "/users", map[string]any{
		"accountEnabled": true, "displayName": "Ada", "mailNickname": "ada", "userPrincipalName": upn,
		"passwordProfile": map[string]any{"password": password, "forceChangePasswordNextSignIn": false},
	})
	return user{ID: made["id"].(string), UPN: upn}
}

func tenantDomain(t *testing.T, p *harness.Platform) string {
	t.Helper()
	var page struct {
		Value []struct{ TenantID, DefaultDomain string }
	}
	if err := json.Unmarshal(p.Output(t, "tenant", "list"), &page); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range page.Value {
		if tenant.TenantID == p.Run.TenantID {
			return tenant.DefaultDomain
		}
	}
	t.Fatal("the platform's own tenant is not listed")
	return ""
}

// graph calls Microsoft Graph as the administrator.
func graph(t *testing.T, p *harness.Platform, method, path string, body any) map[string]any {
	t.Helper()
	w := p.SuffixWay(t)
	a := w.Do(t, method, w.Graph()+"/v1.0"+path, harness.Bearer(p.AdminToken(t, "https://graph.microsoft.com")), body)
	if a.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	if len(a.Body) == 0 {
		return nil
	}
	return a.JSON()
}

// page is what a browser shows.
type page struct {
	status int
	at     *url.URL
	body   string
	to     *url.URL // of a redirect, which is not followed
}

// browser keeps cookies, as one without JavaScript.
type browser struct {
	t      testing.TB
	client *http.Client
}

func newBrowser(t testing.TB, w harness.Way) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *w.Client
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, &c}
}

func (b *browser) do(req *http.Request, err error) page {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	out := page{status: resp.StatusCode, at: req.URL, body: string(body)}
	if l := resp.Header.Get("Location"); l != "" {
		if out.to, err = url.Parse(l); err != nil {
			b.t.Fatal(err)
		}
	}
	return out
}

func (b *browser) open(address string) page {
	b.t.Helper()
	return b.do(http.NewRequest("GET", address, nil))
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit posts the page's last form.
func (b *browser) submit(p page, fields map[string]string) page {
	b.t.Helper()
	forms := formAction.FindAllStringSubmatchIndex(p.body, -1)
	if forms == nil {
		b.t.Fatalf("no form at %s: %d %s", p.at.Path, p.status, p.body)
	}
	last := forms[len(forms)-1]
	action, err := p.at.Parse(html.UnescapeString(p.body[last[2]:last[3]]))
	if err != nil {
		b.t.Fatal(err)
	}
	values := url.Values{}
	for _, m := range formHidden.FindAllStringSubmatch(p.body[last[0]:], -1) {
		values.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for name, v := range fields {
		values.Set(name, v)
	}
	req, err := http.NewRequest("POST", action.String(), strings.NewReader(values.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(req, err)
}

func (b *browser) signIn(p page, u user) page {
	b.t.Helper()
	return b.submit(p, map[string]string{"login": u.UPN, "passwd": password})
}

// approve goes through a device code's pages; it answers an error instead of ending the test, since a client's callback calls it.
func approve(b *browser, address, code string, u user) error {
	p := b.submit(b.open(address), map[string]string{"user_code": code})
	p = b.submit(b.signIn(p, u), map[string]string{"decision": "accept"})
	if p.status != 200 || !strings.Contains(p.body, "You have signed in") {
		return fmt.Errorf("at %s: %d %s", p.at.Path, p.status, p.body)
	}
	return nil
}
