package raw

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	app := p.CreateApp(t, "", harness.Name("app-"))
	other := p.CreateTenant(t, harness.Name("Other "))
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, way := range p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			token := func(name, tenant string, change map[string]string, status int, code, says string) request {
				values := url.Values{
					"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {app.Secret.SecretText}, "scope": {"https://vault.azure.net/.default"},
				}
				for k, v := range change {
					if values.Set(k, v); v == "" {
						values.Del(k)
					}
				}
				return request{
					name: name, method: "POST", url: way.Login() + "/" + tenant + "/oauth2/v2.0/token", header: form, body: values.Encode(),
					status: status, code: code, says: says, hides: app.Secret.SecretText,
				}
			}
			run(t, way, oauth, []request{
				token("good", app.TenantID, nil, 200, "", `"access_token"`),
				token("wrong secret", app.TenantID, map[string]string{"client_secret": "x"}, 401, "invalid_client", "AADSTS7000215"),
				token("no secret", app.TenantID, map[string]string{"client_secret": ""}, 401, "invalid_client", "AADSTS7000218"),
				token("unknown application", app.TenantID, map[string]string{"client_id": "11111111-2222-3333-4444-555555555555"}, 400, "unauthorized_client", "AADSTS700016"),
				token("application of another tenant", other, nil, 400, "unauthorized_client", "AADSTS700016"),
				token("unknown tenant", "11111111-2222-3333-4444-555555555555", nil, 400, "invalid_request", "AADSTS90002"),
				token("unknown resource", app.TenantID, map[string]string{"scope": "https://nobody.example/.default"}, 400, "invalid_resource", "AADSTS500011"),
				token("unknown grant", app.TenantID, map[string]string{"grant_type": "magic"}, 400, "unsupported_grant_type", "AADSTS70003"),
				token("no grant", app.TenantID, map[string]string{"grant_type": ""}, 400, "invalid_request", "AADSTS900144"),
				token("no scope", app.TenantID, map[string]string{"scope": ""}, 400, "invalid_request", "AADSTS900144"),
				token("assertion that is none", app.TenantID, map[string]string{
					"client_secret": "", "client_assertion": "a.b.c", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
				}, 401, "invalid_client", "AADSTS"),
			})
			a := way.Do(t, "POST", way.Login()+"/"+app.TenantID+"/oauth2/v2.0/token", form, "grant_type="+strings.Repeat("a", 10<<20))
			if a.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("10 MB: got %d %s", a.Status, a.Body)
			}
			if strings.Contains(string(a.Body), strings.Repeat("a", 100)) {
				t.Error("10 MB: the answer repeats the request")
			}
		})
	}
}
