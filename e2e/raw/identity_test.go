package raw

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const startup = `#!/bin/sh
echo "endpoint=$IDENTITY_ENDPOINT header=$IDENTITY_HEADER."
exec sleep 3600
`

// identityOf deploys a site that prints its way to the managed identity endpoint, and reads it from its log.
func identityOf(t *testing.T, p *harness.Platform, site harness.Site) (endpoint, secret string) {
	t.Helper()
	p.Deploy(t, site, map[string][]byte{"startup": []byte(startup)})
	way := p.SuffixWay(t)
	printed := regexp.MustCompile(`endpoint=(\S+) header=(\S+)\.`)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := way.Do(t, "GET", way.SCM(site.Name)+"/api/vfs/LogFiles/default_docker.log", harness.Bearer(p.AdminToken(t, harness.ARMResource)), nil)
		if m := printed.FindSubmatch(a.Body); m != nil {
			return string(m[1]), string(m[2])
		}
		if time.Now().After(deadline) {
			t.Fatalf("the site did not print its endpoint: %d %s", a.Status, a.Body)
		}
	}
}

func TestIdentityEndpoint(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	site := p.PutSite(t, group, "", nil)
	endpoint, secret := identityOf(t, p, site)
	way := p.SuffixWay(t)
	header := func(name, value string) http.Header { return http.Header{http.CanonicalHeaderKey(name): {value}} }
	url2019 := endpoint + "?api-version=2019-08-01&resource=https://vault.azure.net"
	url2017 := endpoint + "?api-version=2017-09-01&resource=https://vault.azure.net"
	get := func(name, url string, h http.Header, status int, says string) request {
		return request{name: name, method: "GET", url: url, header: h, status: status, says: says}
	}
	run(t, way, odata, []request{
		get("2019", url2019, header("X-Identity-Header", secret), 200, `"access_token"`),
		get("2017", url2017, header("Secret", secret), 200, `"access_token"`),
		get("path in another case, final slash", strings.Replace(url2019, "/msi/token?", "/MSI/token/?", 1), header("X-Identity-Header", secret), 200, `"access_token"`),
		get("no header", url2019, nil, 401, ""),
		get("wrong secret", url2019, header("X-Identity-Header", secret+"x"), 401, ""),
		get("wrong secret of 2017", url2017, header("Secret", "x"), 401, ""),
		get("2017's header to 2019", url2019, header("Secret", secret), 401, ""),
		get("2019's header to 2017", url2017, header("X-Identity-Header", secret), 401, ""),
		get("no resource", endpoint+"?api-version=2019-08-01", header("X-Identity-Header", secret), 400, ""),
		get("no version", endpoint+"?resource=https://vault.azure.net", header("X-Identity-Header", secret), 400, ""),
		get("unknown resource", endpoint+"?api-version=2019-08-01&resource=https://nobody.example", header("X-Identity-Header", secret), 400, ""),
		get("unknown identity", url2019+"&client_id=11111111-2222-3333-4444-555555555555", header("X-Identity-Header", secret), 400, ""),
		{name: "other method", method: "POST", url: url2019, header: header("X-Identity-Header", secret), status: 405},
	})
	t.Run("deleted site", func(t *testing.T) { deletedSite(t, p, way, site, url2019, secret) })
}

// deletedSite deletes the site: its identity's very next token is refused, and its service principal is gone.
func deletedSite(t *testing.T, p *harness.Platform, way harness.Way, site harness.Site, url, secret string) {
	graph := way.Graph() + "/v1.0/servicePrincipals/" + site.Principal
	token := bearer(p.AdminToken(t, "https://graph.microsoft.com"))
	if a := way.Do(t, "GET", graph, token, nil); a.Status != http.StatusOK {
		t.Fatalf("the service principal before: %d %s", a.Status, a.Body)
	}
	p.ARM(t, "DELETE", site.ID+"?api-version=2022-03-01", nil)
	a := way.Do(t, "GET", url, http.Header{"X-Identity-Header": {secret}}, nil)
	if a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest || strings.Contains(string(a.Body), "access_token") {
		t.Errorf("token after the site's deletion: %d %s", a.Status, a.Body)
	}
	if a := way.Do(t, "GET", graph, token, nil); a.Status != http.StatusNotFound {
		t.Errorf("the service principal after: %d %s", a.Status, a.Body)
	}
}
