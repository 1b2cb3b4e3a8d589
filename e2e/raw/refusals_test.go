// Package raw sends by hand what no SDK would, and checks status, code and shape of each refusal.
package raw

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

const apiVersion = "?api-version=7.4"

// tampered changes one character in the middle of a token's part: 0 header, 1 claims, 2 signature.
func tampered(token string, part int) string {
	parts := strings.Split(token, ".")
	b := []byte(parts[part])
	i := len(b) / 2
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	parts[part] = string(b)
	return strings.Join(parts, ".")
}

// code finds an error's code in the shape of the plane: {"error":{"code"}} or Cosmos DB's {"code"}.
func code(a harness.Answer) string {
	body := a.JSON()
	if e, ok := body["error"].(map[string]any); ok {
		body = e
	}
	s, _ := body["code"].(string)
	return s
}

func TestVaultRefusals(t *testing.T) {
	p := shared.Platform(t)
	w := p.SuffixWay(t)
	owner := p.CreateApp(t, "", harness.Name("owner-"))
	none := p.CreateApp(t, "", harness.Name("none-"))
	foreign := p.CreateApp(t, p.CreateTenant(t, harness.Name("tenant-")), harness.Name("foreign-"))
	group := p.PutGroup(t)
	vault := p.PutVault(t, group, "", harness.Policy{ObjectID: owner.Principal, Secrets: harness.All})
	base := w.Vault(vault)
	good := w.AppToken(t, owner, w.VaultAudience())
	if a := w.Do(t, "PUT", base+"/secrets/x"+apiVersion, harness.Bearer(good), `{"value":"v"}`); a.Status != 200 {
		t.Fatalf("set: %d %s", a.Status, a.Body)
	}
	forARM := w.AppToken(t, owner, harness.ARMResource)
	for _, tt := range []struct {
		name, method, path, token, body string
		status                          int
		code, text                      string
	}{
		{"double slash", "GET", "//secrets/x" + apiVersion, good, "", 200, "", `"value":"v"`},
		{"trailing slash", "GET", "/secrets/x/" + apiVersion, good, "", 200, "", `"value":"v"`},
		{"other case", "GET", "/SECRETS/x" + apiVersion, good, "", 200, "", `"value":"v"`},
		{"encoded query name", "GET", "/secrets/x?api%2Dversion=7.4", good, "", 200, "", `"value":"v"`},
		{"no api-version", "GET", "/secrets/x", good, "", 400, "BadParameter", ""},
		{"no token", "GET", "/secrets/x" + apiVersion, "", "", 401, "Unauthorized", "AKV10000"},
		{"no token, bad body", "PUT", "/secrets/x" + apiVersion, "", "{{{", 401, "Unauthorized", "AKV10000"},
		{"wrong audience", "GET", "/secrets/x" + apiVersion, forARM, "", 401, "Unauthorized", "AKV10022"},
		{"another tenant's", "GET", "/secrets/x" + apiVersion, w.AppToken(t, foreign, w.VaultAudience()), "", 401, "Unauthorized", "AKV10032"},
		{"tampered claims", "GET", "/secrets/x" + apiVersion, tampered(good, 1), "", 401, "Unauthorized", ""},
		{"tampered signature", "GET", "/secrets/x" + apiVersion, tampered(good, 2), "", 401, "Unauthorized", ""},
		{"unsigned", "GET", "/secrets/x" + apiVersion, good[:strings.LastIndex(good, ".")+1], "", 401, "Unauthorized", ""},
		{"not a token", "GET", "/secrets/x" + apiVersion, "nonsense", "", 401, "Unauthorized", ""},
		{"no policy", "GET", "/secrets/x" + apiVersion, w.AppToken(t, none, w.VaultAudience()), "", 403, "Forbidden", "AccessDenied"},
		{"no policy, absent secret", "GET", "/secrets/absent" + apiVersion, w.AppToken(t, none, w.VaultAudience()), "", 403, "Forbidden", "AccessDenied"},
		{"absent secret", "GET", "/secrets/absent" + apiVersion, good, "", 404, "SecretNotFound", ""},
		{"malformed body", "PUT", "/secrets/x" + apiVersion, good, `{"value":`, 400, "BadParameter", ""},
		{"10 MB body", "PUT", "/secrets/x" + apiVersion, good, `{"value":"` + strings.Repeat("x", 10<<20) + `"}`, 413, "", ""},
		{"bad name", "GET", "/secrets/a_b" + apiVersion, good, "", 400, "BadParameter", ""},
		{"no such operation", "GET", "/nothing" + apiVersion, good, "", 404, "", ""},
		{"wrong method", "POST", "/secrets/x" + apiVersion, good, "{}", 405, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header http.Header
			if tt.token != "" {
				header = harness.Bearer(tt.token)
			}
			var body any
			if tt.body != "" {
				body = tt.body
			}
			a := w.Do(t, tt.method, base+tt.path, header, body)
			if a.Status != tt.status || tt.code != "" && code(a) != tt.code || !strings.Contains(string(a.Body), tt.text) {
				t.Errorf("got %d %s %.300s, want %d %s with %q", a.Status, code(a), a.Body, tt.status, tt.code, tt.text)
			}
			if a.Status == 401 && !strings.Contains(a.Header.Get("WWW-Authenticate"), `authorization="`) {
				t.Errorf("401 without a challenge: %q", a.Header.Get("WWW-Authenticate"))
			}
			if a.Status >= 400 && (code(a) == "" || strings.Contains(string(a.Body), good)) {
				t.Errorf("error without a code, or with a token in it: %.300s", a.Body)
			}
		})
	}
}

func TestARMRefusals(t *testing.T) {
	p := shared.Platform(t)
	w := p.SuffixWay(t)
	group := p.PutGroup(t)
	good := p.AdminToken(t, harness.ARMResource)
	stranger := w.AppToken(t, p.CreateApp(t, p.CreateTenant(t, harness.Name("tenant-")), harness.Name("stranger-")), harness.ARMResource)
	const v = "?api-version=2021-04-01"
	for _, tt := range []struct {
		name, method, path, token, body string
		status                          int
		code                            string
	}{
		{"no token", "GET", group + v, "", "", 401, "AuthenticationFailed"},
		{"tampered", "GET", group + v, tampered(good, 2), "", 401, "InvalidAuthenticationToken"},
		{"wrong audience", "GET", group + v, w.AppToken(t, p.CreateApp(t, "", harness.Name("a-")), w.VaultAudience()), "", 401, "InvalidAuthenticationTokenAudience"},
		{"stranger", "GET", group + v, stranger, "", 403, "AuthorizationFailed"},
		{"stranger, nowhere", "GET", "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/x" + v, stranger, "", 403, "AuthorizationFailed"},
		{"other case and slashes", "GET", strings.ToUpper(group) + "//" + v, good, "", 200, ""},
		{"encoded query name", "GET", group + "?api%2Dversion=2021-04-01", good, "", 200, ""},
		{"no version", "GET", group, good, "", 400, "MissingApiVersionParameter"},
		{"malformed version", "GET", group + "?api-version=soon", good, "", 400, "InvalidApiVersionParameter"},
		{"malformed body", "PUT", group + v, good, `{"location":`, 400, "InvalidRequestContent"},
		{"10 MB body", "PUT", group + v, good, `{"location":"` + strings.Repeat("x", 10<<20) + `"}`, 413, ""},
		{"unknown type", "GET", group + "/providers/No.Such/things/x" + v, good, "", 404, "InvalidResourceNamespace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header http.Header
			if tt.token != "" {
				header = harness.Bearer(tt.token)
			}
			var body any
			if tt.body != "" {
				body = tt.body
			}
			a := w.Do(t, tt.method, w.ARM()+tt.path, header, body)
			if a.Status != tt.status || tt.code != "" && code(a) != tt.code {
				t.Errorf("got %d %s %.300s, want %d %s", a.Status, code(a), a.Body, tt.status, tt.code)
			}
		})
	}
}

// signed makes Cosmos DB's headers of a request signed with a key.
func signed(t *testing.T, method, kind, link, key string, at time.Time) http.Header {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	date := at.UTC().Format(http.TimeFormat)
	mac := hmac.New(sha256.New, raw)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n\n", strings.ToLower(method), kind, link, strings.ToLower(date))
	sig := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return http.Header{
		"Authorization": {url.QueryEscape("type=master&ver=1.0&sig=" + sig)}, "X-Ms-Date": {date}, "X-Ms-Version": {"2020-07-15"},
	}
}

func TestCosmosRefusals(t *testing.T) {
	p := shared.Platform(t)
	w := p.SuffixWay(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	primary, readOnly := p.Key(t, group, account, "primaryMasterKey"), p.Key(t, group, account, "primaryReadonlyMasterKey")
	other := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 64)))
	now := time.Now()
	base := w.Account(account)
	for _, tt := range []struct {
		name, method, path, body string
		header                   http.Header
		status                   int
		code                     string
	}{
		{"no signature", "GET", "/dbs", "", nil, 401, "Unauthorized"},
		{"garbage", "GET", "/dbs", "", http.Header{"Authorization": {"type%3Dmaster"}, "X-Ms-Date": {now.UTC().Format(http.TimeFormat)}}, 401, "Unauthorized"},
		{"another key", "GET", "/dbs", "", signed(t, "GET", "dbs", "", other, now), 401, "Unauthorized"},
		{"signed for another verb", "POST", "/dbs", `{"id":"d"}`, signed(t, "GET", "dbs", "", primary, now), 401, "Unauthorized"},
		{"an hour old", "GET", "/dbs", "", signed(t, "GET", "dbs", "", primary, now.Add(-time.Hour)), 403, "Forbidden"},
		{"read-only key reads", "GET", "/dbs", "", signed(t, "GET", "dbs", "", readOnly, now), 200, ""},
		{"read-only key writes", "POST", "/dbs", `{"id":"d"}`, signed(t, "POST", "dbs", "", readOnly, now), 403, "Forbidden"},
		{"malformed body", "POST", "/dbs", `{"id":`, signed(t, "POST", "dbs", "", primary, now), 400, "BadRequest"},
		{"absent", "GET", "/dbs/none", "", signed(t, "GET", "dbs", "dbs/none", primary, now), 404, "NotFound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var body any
			if tt.body != "" {
				body = tt.body
			}
			a := w.Do(t, tt.method, strings.TrimSuffix(base, "/")+tt.path, tt.header, body)
			if a.Status != tt.status || tt.code != "" && code(a) != tt.code {
				t.Errorf("got %d %s %.300s, want %d %s", a.Status, code(a), a.Body, tt.status, tt.code)
			}
			if strings.Contains(string(a.Body), primary) || strings.Contains(string(a.Body), readOnly) {
				t.Error("the answer holds a key")
			}
		})
	}
}

func TestIdentityEndpointRefusals(t *testing.T) {
	p := shared.Platform(t)
	base := "http://" + p.Run.Identity + "/msi/token?resource=https%3A%2F%2Fvault.azure.net"
	w := harness.Way{Client: http.DefaultClient}
	for _, tt := range []struct {
		name, query string
		header      http.Header
		status      int
	}{
		{"no header", "&api-version=2019-08-01", nil, 401},
		{"wrong header", "&api-version=2019-08-01", http.Header{"X-Identity-Header": {"0000"}}, 401},
		{"wrong header of 2017", "&api-version=2017-09-01", http.Header{"Secret": {"0000"}}, 401},
	} {
		if a := w.Do(t, "GET", base+tt.query, tt.header, nil); a.Status != tt.status || strings.Contains(string(a.Body), "access_token") {
			t.Errorf("%s: %d %s, want %d", tt.name, a.Status, a.Body, tt.status)
		}
	}
}

func TestTokenEndpointRefusals(t *testing.T) {
	p := shared.Platform(t)
	w := p.SuffixWay(t)
	app := p.CreateApp(t, "", harness.Name("app-"))
	token := func(tenant string, form url.Values) harness.Answer {
		return w.Do(t, "POST", w.Login()+"/"+tenant+"/oauth2/v2.0/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	}
	good := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {app.Secret.SecretText}, "scope": {harness.ARMResource + "/.default"},
	}
	with := func(name, value string) url.Values {
		v := url.Values{}
		for k, x := range good {
			v[k] = x
		}
		v.Set(name, value)
		return v
	}
	for _, tt := range []struct {
		name, tenant string
		form         url.Values
		status       int
		aadsts       string
	}{
		{"good", app.TenantID, good, 200, ""},
		{"wrong secret", app.TenantID, with("client_secret", "nonsense"), 401, "AADSTS7000215"},
		{"unknown application", app.TenantID, with("client_id", "11111111-2222-3333-4444-555555555555"), 400, "AADSTS700016"},
		{"unknown tenant", "11111111-2222-3333-4444-555555555555", good, 400, "AADSTS90002"},
		{"unknown resource", app.TenantID, with("scope", "https://no.such.resource/.default"), 400, "AADSTS500011"},
		{"unknown grant", app.TenantID, with("grant_type", "magic"), 400, "AADSTS70003"},
	} {
		a := token(tt.tenant, tt.form)
		description, _ := a.JSON()["error_description"].(string)
		if a.Status != tt.status || !strings.HasPrefix(description, tt.aadsts) {
			t.Errorf("%s: %d %.200s, want %d %s", tt.name, a.Status, description, tt.status, tt.aadsts)
		}
		if strings.Contains(string(a.Body), app.Secret.SecretText) {
			t.Errorf("%s: the answer holds the secret", tt.name)
		}
	}
}
