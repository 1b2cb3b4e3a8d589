package directory_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestDiscovery_Configuration(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	id := p.tenant("Contoso").ID
	for _, tt := range []struct{ url, issuer, token, keys string }{
		{"https://" + publicLogin + "/" + id + "/v2.0/.well-known/openid-configuration?", "https://login.microsoftonline.com/" + id + "/v2.0", "https://" + publicLogin + "/" + id + "/oauth2/v2.0/token", "https://" + publicLogin + "/" + id + "/discovery/v2.0/keys"},
		{"https://login.windows.net/contoso.onmicrosoft.com/.well-known/openid-configuration", "https://sts.windows.net/" + id + "/", "https://" + publicLogin + "/" + id + "/oauth2/token", "https://" + publicLogin + "/" + id + "/discovery/keys"},
		{"https://" + publicLogin + "/common/v2.0/.well-known/openid-configuration", "https://login.microsoftonline.com/{tenantid}/v2.0", "https://" + publicLogin + "/common/oauth2/v2.0/token", "https://" + publicLogin + "/common/discovery/v2.0/keys"},
		{"https://" + ownLogin + "/" + id + "/v2.0/.well-known/openid-configuration", "https://" + ownLogin + "/" + id + "/v2.0", "https://" + ownLogin + "/" + id + "/oauth2/v2.0/token", "https://" + ownLogin + "/" + id + "/discovery/v2.0/keys"},
		{"https://" + ownLogin + "/adfs/.well-known/openid-configuration", "https://" + ownLogin + "/{tenantid}/", "https://" + ownLogin + "/adfs/oauth2/v2.0/token", "https://" + ownLogin + "/adfs/discovery/keys"},
	} {
		a := p.get(tt.url)
		if a.status != 200 || a.body["issuer"] != tt.issuer || a.body["token_endpoint"] != tt.token || a.body["jwks_uri"] != tt.keys {
			t.Errorf("%s: %d %s", tt.url, a.status, a.raw)
			continue
		}
		if s, _ := a.body["authorization_endpoint"].(string); !strings.HasPrefix(s, strings.TrimSuffix(tt.token, "token")) {
			t.Errorf("%s: authorization_endpoint %q", tt.url, s)
		}
		keys, _ := p.get(tt.keys).body["keys"].([]any)
		if len(keys) != 1 {
			t.Fatalf("%s: %v", tt.keys, keys)
		}
		iss, _ := keys[0].(map[string]any)["issuer"].(string)
		if newer := strings.Contains(tt.keys, "/v2.0/"); newer && iss != tt.issuer || !newer && iss != "" {
			t.Errorf("%s: issuer of the key %q", tt.keys, iss)
		}
	}
	for _, path := range []string{"/v2.0/.well-known/openid-configuration", "/.well-known/openid-configuration", "/discovery/keys", "/discovery/v2.0/keys"} {
		wantAADSTS(t, path, p.get("https://"+publicLogin+"/99999999-0000-4000-8000-000000000000"+path), 400, 90002, "invalid_request")
	}
}

func TestDiscovery_Instance(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	id := p.tenant("Contoso").ID
	ask := func(host, version, endpoint string) answer {
		return p.get("https://" + host + "/common/discovery/instance?api-version=" + version + "&authorization_endpoint=" + url.QueryEscape(endpoint))
	}
	for _, tt := range []struct{ version, endpoint, want string }{
		{"1.1", "https://login.microsoftonline.com/" + id + "/oauth2/v2.0/authorize", "https://login.microsoftonline.com/" + id + "/v2.0/.well-known/openid-configuration"},
		{"1.0", "https://login.windows.net/contoso.onmicrosoft.com/oauth2/authorize", "https://login.microsoftonline.com/" + id + "/.well-known/openid-configuration"},
		{"1.1", "https://login.microsoftonline.com/common/oauth2/v2.0/authorize", "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"},
		// The client dropped the port; the answer has it.
		{"1.1", "https://login.bulkhead.localhost/" + id + "/oauth2/v2.0/authorize", "https://" + ownLogin + "/" + id + "/v2.0/.well-known/openid-configuration"},
	} {
		for _, host := range []string{publicLogin, ownLogin} {
			a := ask(host, tt.version, tt.endpoint)
			metadata, _ := a.body["metadata"].([]any)
			if a.status != 200 || a.body["tenant_discovery_endpoint"] != tt.want || a.body["api-version"] != tt.version || len(metadata) != 2 {
				t.Errorf("%s at %s: %d %s", tt.endpoint, host, a.status, a.raw)
				continue
			}
			if a := p.get(tt.want); a.status != 200 {
				t.Errorf("%s leads to %d", tt.endpoint, a.status)
			}
		}
	}
	for _, endpoint := range []string{"", "x", "http://login.microsoftonline.com/" + id, "https://login.evil.example/" + id + "/oauth2/authorize", "https://management.azure.com/" + id, "https://login.microsoftonline.com/", "https://login.microsoftonline.com/%zz"} {
		wantAADSTS(t, endpoint, ask(publicLogin, "1.1", endpoint), 400, 50049, "invalid_instance")
	}
	wantAADSTS(t, "unknown tenant", ask(publicLogin, "1.1", "https://login.microsoftonline.com/nobody.onmicrosoft.com/x"), 400, 90002, "invalid_request")
}
