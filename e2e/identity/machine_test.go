package identity

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// machine runs the test's program under `bulkhead exec --identity`.
func machine(t *testing.T, p *harness.Platform, identity, vault string, args ...string) (value string, failure string) {
	t.Helper()
	program, err := harness.Program("./identity/machine")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"exec"}
	if identity != "" {
		words = append(words, "--identity", identity)
	}
	c := p.Command(append(append(words, "--", program), args...)...)
	c.Env = append(c.Env, "VAULT_URL=https://"+vault+".vault.azure.net")
	if identity != "" { // what the shell has to sign in with does not get in the way
		c.Env = append(c.Env, "AZURE_CLIENT_ID=11111111-2222-3333-4444-555555555555", "AZURE_CLIENT_SECRET=nobody's", "IDENTITY_ENDPOINT=http://127.0.0.1:1")
	}
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if (err == nil) != (stderr.Len() == 0) {
		t.Fatalf("%v: %v %s", args, err, stderr.String())
	}
	return string(out), stderr.String()
}

// azidentity finds the instance metadata service at its one address, through the proxy, which knows whose process it is.
func TestMachine(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	a, b := p.PutIdentity(t, group), p.PutIdentity(t, group)
	vaultA, vaultB := vaultOf(t, p, group, a), vaultOf(t, p, group, b)
	site := p.PutSite(t, group, "", nil)
	assign(t, p, site, map[string]any{"type": "UserAssigned", "userAssignedIdentities": map[string]any{a.ID: map[string]any{}, b.ID: map[string]any{}}})
	for _, c := range []struct {
		as, vault string
		args      []string
		want      string // value, or part of the error
	}{
		{a.ID, vaultA, nil, vaultA},
		{a.ID, vaultA, []string{"default"}, vaultA},
		{a.ID, vaultA, []string{"client", a.ClientID}, vaultA},
		{a.ID, vaultA, []string{"object", a.PrincipalID}, vaultA},
		{strings.ToLower(a.ID), vaultA, []string{"resource", strings.ToUpper(a.ID)}, vaultA},
		{a.ID, vaultB, nil, "Forbidden"},
		{a.ID, vaultB, []string{"client", b.ClientID}, "Identity not found"},
		{site.ID, vaultA, []string{"client", a.ClientID}, vaultA},
		{site.ID, vaultB, []string{"resource", b.ID}, vaultB},
		{site.ID, vaultB, nil, "Multiple user assigned identities exist"},
		{"", vaultA, nil, "Identity not found"},
		{"", vaultA, []string{"client", a.ClientID}, "Identity not found"},
	} {
		value, failure := machine(t, p, c.as, c.vault, c.args...)
		if value != c.want && (failure == "" || !strings.Contains(failure, c.want)) {
			t.Errorf("as %q %v: got %q %s, want %s", c.as, c.args, value, failure, c.want)
		}
	}
	// One user-assigned identity is taken unasked, and one that is deleted by nobody any more.
	assign(t, p, site, map[string]any{"userAssignedIdentities": map[string]any{b.ID: nil}})
	if value, failure := machine(t, p, site.ID, vaultA); value != vaultA {
		t.Errorf("the only identity: %q %s", value, failure)
	}
	p.ARM(t, "DELETE", a.ID+"?api-version=2023-01-31", nil)
	if value, failure := machine(t, p, site.ID, vaultA); value != "" || !strings.Contains(failure, "Identity not found") {
		t.Errorf("the deleted identity: %q %s", value, failure)
	}
	if _, err := p.Command("exec", "--identity", a.ID, "--", "true").CombinedOutput(); err == nil {
		t.Error("exec --identity with a deleted identity did not fail")
	}
}

// What the service answers by hand: its own shape of errors, and the resource's metadata.
func TestMachine_Raw(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	a := p.PutIdentity(t, group)
	const base = "http://169.254.169.254/metadata"
	curl := func(as string, more ...string) (int, map[string]any) {
		t.Helper()
		words := []string{"exec"}
		if as != "" {
			words = append(words, "--identity", as)
		}
		out := string(p.Output(t, append(append(words, "--", "curl", "-s", "-w", "\n%{http_code}"), more...)...))
		i := strings.LastIndex(out, "\n")
		var body map[string]any
		_ = json.Unmarshal([]byte(out[:i]), &body)
		status := 0
		for _, d := range out[i+1:] {
			status = status*10 + int(d-'0')
		}
		return status, body
	}
	const token = base + "/identity/oauth2/token"
	const query = "?api-version=2018-02-01&resource=https://vault.azure.net"
	for _, c := range []struct {
		name, as string
		args     []string
		status   int
		code     string
		says     string
	}{
		{"token", a.ID, []string{"-H", "Metadata: true", token + query}, 200, "", ""},
		{"final slash, later version", a.ID, []string{"-H", "Metadata: true", token + "/?api-version=2021-02-01&resource=https://vault.azure.net"}, 200, "", ""},
		{"no header", a.ID, []string{token + query}, 400, "bad_request_102", "Required metadata header not specified"},
		{"forwarded", a.ID, []string{"-H", "Metadata: true", "-H", "X-Forwarded-For: 1.2.3.4", token + query}, 400, "invalid_request", "X-Forwarded-For"},
		{"bare probe", a.ID, []string{token}, 400, "invalid_request", "api-version"},
		{"old version", a.ID, []string{"-H", "Metadata: true", token + "?api-version=2017-12-01&resource=x"}, 400, "invalid_request", "2018-02-01"},
		{"no resource", a.ID, []string{"-H", "Metadata: true", token + "?api-version=2018-02-01"}, 400, "invalid_request", "resource"},
		{"unknown resource", a.ID, []string{"-H", "Metadata: true", token + "?api-version=2018-02-01&resource=https://nobody.example"}, 400, "invalid_resource", "AADSTS500011"},
		{"two names", a.ID, []string{"-H", "Metadata: true", token + query + "&client_id=" + a.ClientID + "&msi_res_id=" + a.ID}, 400, "invalid_request", "together"},
		{"nobody", "", []string{"-H", "Metadata: true", token + query}, 400, "invalid_request", "Identity not found"},
		{"something newer", a.ID, []string{"-H", "Metadata: true", base + "/identity/getplatformmetadata?cred-api-version=2.0"}, 404, "invalid_request", "not served"},
		{"instance without header", a.ID, []string{base + "/instance?api-version=2021-02-01"}, 400, "Required metadata header not specified", ""},
	} {
		status, body := curl(c.as, c.args...)
		said, _ := body["error_description"].(string)
		code, _ := body["error"].(string)
		if status != c.status || code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%s: %d %v, want %d %s %s", c.name, status, body, c.status, c.code, c.says)
		}
		if c.status == 200 {
			for _, name := range []string{"access_token", "client_id", "expires_in", "expires_on", "ext_expires_in", "not_before", "resource", "token_type"} {
				if s, _ := body[name].(string); s == "" {
					t.Errorf("%s: %s is %v, want a string", c.name, name, body[name])
				}
			}
			if body["client_id"] != a.ClientID || body["resource"] != "https://vault.azure.net" {
				t.Errorf("%s: %v", c.name, body)
			}
		}
	}
	status, body := curl(a.ID, "-H", "Metadata: true", base+"/instance?api-version=2021-02-01")
	compute, _ := body["compute"].(map[string]any)
	if status != 200 || compute["resourceId"] != a.ID || compute["subscriptionId"] != p.Run.SubscriptionID || compute["location"] != "westeurope" {
		t.Errorf("instance: %d %v", status, body)
	}
	out := string(p.Output(t, "exec", "--identity", a.ID, "--", "curl", "-s", "-H", "Metadata: true", base+"/instance/compute/location?api-version=2021-02-01&format=text"))
	if out != "westeurope" {
		t.Errorf("location as text: %q", out)
	}
	// Without the proxy nobody says who asks.
	resp, err := http.Get("http://" + p.Run.Identity + "/metadata/identity/oauth2/token" + query) //nolint:noctx // a test's own
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("without the proxy: %d, want 400", resp.StatusCode)
	}
}
