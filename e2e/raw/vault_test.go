package raw

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// vaultWorld is a vault with a secret x.
type vaultWorld struct {
	p              *harness.Platform
	vault          string
	writer, reader harness.App
}

func newVaultWorld(t *testing.T) vaultWorld {
	t.Helper()
	w := vaultWorld{p: shared.Platform(t)}
	w.writer, w.reader = w.p.CreateApp(t, "", harness.Name("w-")), w.p.CreateApp(t, "", harness.Name("r-"))
	w.vault = w.p.PutVault(t, w.p.PutGroup(t), "",
		harness.Policy{ObjectID: w.writer.Principal, Secrets: harness.All}, harness.Policy{ObjectID: w.reader.Principal, Secrets: []string{"get"}})
	way := w.p.SuffixWay(t)
	a := way.Do(t, "PUT", way.Vault(w.vault)+"/secrets/x?api-version=7.4", bearer(way.AppToken(t, w.writer, way.VaultAudience())), map[string]string{"value": "v"})
	if a.Status != http.StatusOK {
		t.Fatalf("set: %d %s", a.Status, a.Body)
	}
	return w
}

// A stranger hears nothing but where to sign in, whatever else is wrong.
func TestVault_Tokens(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t)
	for _, way := range w.p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			good := way.AppToken(t, w.reader, way.VaultAudience())
			url := way.Vault(w.vault) + "/secrets/x?api-version=7.4"
			other := w.p.CreateApp(t, w.p.CreateTenant(t, harness.Name("Other ")), harness.Name("app-"))
			nobody := w.p.CreateApp(t, "", harness.Name("n-"))
			unauthorized := func(name, token, says string) request {
				return request{name: name, method: "GET", url: url, header: bearer(token), status: 401, code: "Unauthorized", says: says, challenge: true}
			}
			requests := []request{
				{name: "good token", method: "GET", url: url, header: bearer(good), status: 200, says: `"value":"v"`},
				{name: "no policy", method: "GET", url: url, header: bearer(way.AppToken(t, nobody, way.VaultAudience())), status: 403, code: "Forbidden", says: "AccessDenied"},
				{
					name: "no policy, secret that is not there", method: "GET", url: way.Vault(w.vault) + "/secrets/none?api-version=7.4",
					header: bearer(way.AppToken(t, nobody, way.VaultAudience())), status: 403, code: "Forbidden", says: "AccessDenied",
				},
				unauthorized("no token", "", "AKV10000"),
				unauthorized("token for ARM", way.AppToken(t, w.reader, harness.ARMResource), "AKV10022"),
				unauthorized("token for Graph", way.AppToken(t, w.reader, "https://graph.microsoft.com"), "AKV10022"),
				unauthorized("token of another tenant", way.AppToken(t, other, way.VaultAudience()), "AKV10032"),
				{name: "basic", method: "GET", url: url, header: http.Header{"Authorization": {"Basic Og=="}}, status: 401, code: "Unauthorized", challenge: true},
				{
					name: "no token, no version, bad body", method: "PUT", url: way.Vault(w.vault) + "/secrets/x?api-version=7.4", body: "{",
					status: 401, code: "Unauthorized", challenge: true,
				},
				{name: "no token, secret that is not there", method: "GET", url: way.Vault(w.vault) + "/secrets/none?api-version=7.4", status: 401, code: "Unauthorized", challenge: true},
			}
			forged := forgeries(t, good)
			for _, name := range slices.Sorted(maps.Keys(forged)) {
				requests = append(requests, unauthorized(name, forged[name], ""))
			}
			run(t, way, odata, requests)

			a := way.Do(t, "GET", url, nil, nil)
			want := `Bearer authorization="` + way.Login() + "/" + w.p.Run.TenantID + `", resource="` + way.VaultAudience() + `"`
			if got := a.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("challenge: got %s, want %s", got, want)
			}
		})
	}
}

func TestVault_Requests(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t)
	way := w.p.SuffixWay(t)
	base := way.Vault(w.vault)
	reader, writer := bearer(way.AppToken(t, w.reader, way.VaultAudience())), bearer(way.AppToken(t, w.writer, way.VaultAudience()))
	big := `{"value":"` + strings.Repeat("a", 10<<20) + `"}`
	put := func(name, body string, status int, code string) request {
		return request{name: name, method: "PUT", url: base + "/secrets/y?api-version=7.4", header: writer, body: body, status: status, code: code}
	}
	run(t, way, odata, []request{
		{name: "double slash", method: "GET", url: base + "//secrets/x?api-version=7.0", header: reader, status: 200, says: `"value":"v"`},
		{name: "final slash", method: "GET", url: base + "/secrets/x/?api-version=7.4", header: reader, status: 200, says: `"value":"v"`},
		{name: "upper case", method: "GET", url: base + "/SECRETS/x?api-version=7.4", header: reader, status: 200, says: `"value":"v"`},
		{name: "name in upper case", method: "GET", url: base + "/secrets/X?api-version=7.4", header: reader, status: 200, says: `"value":"v"`},
		{name: "escaped query name", method: "GET", url: base + "/secrets/x?api%2Dversion=7.4", header: reader, status: 200, says: `"value":"v"`},
		{name: "escaped letter in the path", method: "GET", url: base + "/secret%73/x?api-version=7.4", header: reader, status: 200, says: `"value":"v"`},
		{name: "escaped slash in the name", method: "GET", url: base + "/secrets/x%2Fy?api-version=7.4", header: reader, status: 400, code: "BadParameter"},
		{name: "no api-version", method: "GET", url: base + "/secrets/x", header: reader, status: 400, code: "BadParameter"},
		{name: "odd api-version", method: "GET", url: base + "/secrets/x?api-version=seven", header: reader, status: 400, code: "BadParameter"},
		{name: "coming api-version", method: "GET", url: base + "/secrets/x?api-version=2031-01-01", header: reader, status: 200},
		{name: "no such path", method: "GET", url: base + "/nothing/x?api-version=7.4", header: reader, status: 404, code: "NotFound"},
		{name: "no such method", method: "POST", url: base + "/secrets/x?api-version=7.4", header: writer, body: "{}", status: 405, code: "MethodNotAllowed"},
		{name: "no such secret", method: "GET", url: base + "/secrets/none?api-version=7.4", header: reader, status: 404, code: "SecretNotFound"},
		{name: "write by the reader", method: "PUT", url: base + "/secrets/x?api-version=7.4", header: reader, body: `{"value":"w"}`, status: 403, code: "Forbidden", says: "AccessDenied"},
		put("malformed JSON", `{"value":`, 400, "BadParameter"),
		put("value of another type", `{"value":7}`, 400, "BadParameter"),
		put("no value", `{}`, 400, "BadParameter"),
		put("list", `[]`, 400, "BadParameter"),
		put("two values", `{"value":"a"}{"value":"b"}`, 400, "BadParameter"),
		put("10 MB", big, 413, "RequestEntityTooLarge"),
		put("more than a secret holds", `{"value":"`+strings.Repeat("a", 30<<10)+`"}`, 400, "BadParameter"),
		{name: "name with other letters", method: "PUT", url: base + "/secrets/a_b?api-version=7.4", header: writer, body: `{"value":"w"}`, status: 400, code: "BadParameter"},
	})
	a := way.Do(t, "GET", base+"/secrets/y?api-version=7.4", reader, nil)
	if a.Status != http.StatusNotFound {
		t.Errorf("a refused request left a secret: %d %s", a.Status, a.Body)
	}
}

// A vault that is not there is not told from a host that is not served at all by more than its error.
func TestVault_NoSuchVault(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	for _, way := range p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			a := way.Do(t, "GET", way.Vault(harness.Name("none"))+"/secrets/x?api-version=7.4", nil, nil)
			if a.Status < 400 || a.Status >= 500 || odata.code(a.JSON()) == "" {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
}
