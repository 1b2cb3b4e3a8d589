package raw

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestARM_Tokens(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	nobody := p.CreateApp(t, "", harness.Name("nobody-"))
	stranger := p.CreateApp(t, p.CreateTenant(t, harness.Name("Other ")), harness.Name("app-"))
	for _, way := range p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			good := p.AdminToken(t, harness.ARMResource)
			url := way.ARM() + group + "?api-version=2021-04-01"
			unauthorized := func(name, token, code string) request {
				return request{name: name, method: "GET", url: url, header: bearer(token), status: 401, code: code, challenge: true}
			}
			requests := []request{
				{name: "good token", method: "GET", url: url, header: bearer(good), status: 200, says: `"Succeeded"`},
				unauthorized("no token", "", "AuthenticationFailed"),
				unauthorized("token for vaults", p.AdminToken(t, "https://vault.azure.net"), "InvalidAuthenticationTokenAudience"),
				{
					name: "application without a role", method: "GET", url: url, header: bearer(way.AppToken(t, nobody, harness.ARMResource)),
					status: 403, code: "AuthorizationFailed", says: "does not have authorization to perform action 'Microsoft.Resources/subscriptions/resourceGroups/read'",
				},
				{
					name: "application without a role, group that is not there", method: "GET", url: way.ARM() + group + "x?api-version=2021-04-01",
					header: bearer(way.AppToken(t, nobody, harness.ARMResource)), status: 403, code: "AuthorizationFailed",
				},
				{ // roles may name principals of any tenant, so it is the role that is missing
					name: "application of another tenant", method: "GET", url: url, header: bearer(way.AppToken(t, stranger, harness.ARMResource)),
					status: 403, code: "AuthorizationFailed",
				},
			}
			forged := forgeries(t, good)
			for _, name := range slices.Sorted(maps.Keys(forged)) {
				requests = append(requests, unauthorized(name, forged[name], "InvalidAuthenticationToken"))
			}
			run(t, way, odata, requests)
		})
	}
}

func TestARM_Requests(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	way := p.SuffixWay(t)
	token := bearer(p.AdminToken(t, harness.ARMResource))
	base, sub := way.ARM(), way.ARM()+"/subscriptions/"+p.Run.SubscriptionID
	name := harness.Name("rg-")
	put := func(name, url string, body any, status int, code string) request {
		return request{name: name, method: "PUT", url: url, header: token, body: body, status: status, code: code}
	}
	get := func(name, url string, status int, code string) request {
		return request{name: name, method: "GET", url: url, header: token, status: status, code: code}
	}
	fresh := sub + "/resourceGroups/" + name + "?api-version=2021-04-01"
	run(t, way, odata, []request{
		get("double slash", base+"/"+group+"?api-version=2021-04-01", 200, ""),
		get("final slash", base+group+"/?api-version=2021-04-01", 200, ""),
		get("upper case", base+strings.ToUpper(group)+"?api-version=2021-04-01", 200, ""),
		get("escaped query name", base+group+"?api%2Dversion=2021-04-01", 200, ""),
		get("query name in upper case", base+group+"?API-VERSION=2021-04-01", 200, ""),
		get("no api-version", base+group, 400, "MissingApiVersionParameter"),
		get("odd api-version", base+group+"?api-version=latest", 400, "InvalidApiVersionParameter"),
		// Whether it is there is nobody's business who has no role in it.
		get("no such subscription", base+"/subscriptions/11111111-2222-3333-4444-555555555555?api-version=2022-12-01", 403, "AuthorizationFailed"),
		get("no such group", base+group+"x?api-version=2021-04-01", 404, "ResourceGroupNotFound"),
		get("no such vault", base+group+"/providers/Microsoft.KeyVault/vaults/none?api-version=2022-07-01", 404, "ResourceNotFound"),
		put("no such provider", base+group+"/providers/Microsoft.Nothing/things/a?api-version=2022-07-01", "{}", 404, "InvalidResourceNamespace"),
		put("malformed JSON", fresh, `{"location":`, 400, "InvalidRequestContent"),
		put("list", fresh, `[]`, 400, "InvalidRequestContent"),
		put("no body", fresh, nil, 400, "InvalidRequestContent"),
		put("no location", fresh, `{}`, 400, "LocationRequired"),
		put("10 MB", fresh, `{"location":"`+strings.Repeat("a", 10<<20)+`"}`, 413, "RequestContentTooLarge"),
	})
	if a := way.Do(t, "GET", fresh, token, nil); a.Status != http.StatusNotFound {
		t.Errorf("a refused request left a group: %d %s", a.Status, a.Body)
	}
	// What the tools of the time send, and ARM takes.
	lenient := "{\n// a comment\nlocation: 'westeurope', \"Tags\": {'a': \"1\"} }"
	run(t, way, odata, []request{put("lenient JSON", fresh, lenient, 201, "")})
}
