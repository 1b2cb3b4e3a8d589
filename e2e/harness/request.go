package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Answer is an HTTP answer read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body into a map; nil if it is not one.
func (a Answer) JSON() map[string]any {
	var m map[string]any
	_ = json.Unmarshal(a.Body, &m)
	return m
}

// Do sends one request by this way: no redirect followed, nothing added. body may be nil, a string, []byte or anything JSON takes.
func (w Way) Do(t testing.TB, method, target string, header http.Header, body any) Answer {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	case []byte:
		in = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, in)
	if err != nil {
		t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	client := *w.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return Answer{resp.StatusCode, resp.Header, out}
}

// Bearer is a header with a token.
func Bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// Token gets a token for resource by client credentials, the plain way.
func (w Way) Token(t testing.TB, tenant, appID, secret, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {secret}, "scope": {resource + "/.default"}}
	a := w.Do(t, "POST", w.Login()+"/"+tenant+"/oauth2/v2.0/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	token, _ := a.JSON()["access_token"].(string)
	if a.Status != http.StatusOK || token == "" {
		t.Fatalf("token for %s: %d %s", resource, a.Status, a.Body)
	}
	return token
}

// AppToken gets a token of an application made by CreateApp.
func (w Way) AppToken(t testing.TB, a App, resource string) string {
	t.Helper()
	return w.Token(t, a.TenantID, a.AppID, a.Secret.SecretText, resource)
}

// tokenCache keeps the administrator's tokens by resource.
type tokenCache struct {
	mu sync.Mutex
	m  map[string]string
}

// AdminToken is the administrator's token for resource.
func (p *Platform) AdminToken(t testing.TB, resource string) string {
	t.Helper()
	p.tokens.mu.Lock()
	defer p.tokens.mu.Unlock()
	if token := p.tokens.m[resource]; token != "" {
		return token
	}
	env := p.Env(t, "")
	token := p.SuffixWay(t).Token(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"], resource)
	if p.tokens.m == nil {
		p.tokens.m = map[string]string{}
	}
	p.tokens.m[resource] = token
	return token
}

// ARMResource is the resource ARM's tokens are for.
const ARMResource = "https://management.azure.com"

// ARM calls Azure Resource Manager as the administrator and wants success. The path carries its api-version.
func (p *Platform) ARM(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	a := p.TryARM(t, method, path, body)
	if a.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	return a.JSON()
}

// TryARM is ARM for calls that may be refused.
func (p *Platform) TryARM(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	w := p.SuffixWay(t)
	return w.Do(t, method, w.ARM()+path, Bearer(p.AdminToken(t, ARMResource)), body)
}
