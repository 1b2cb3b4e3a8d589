package identity

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// Plain HTTP reaches a site by its public name through the proxy and by its own name at the loopback listener; httpsOnly sends both to HTTPS.
func TestHTTPSOnly(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	site := deployed(t, p, p.PutGroup(t))
	public, own := p.ProxyWay(t), p.SuffixWay(t)
	_, port, err := net.SplitHostPort(p.Run.Identity)
	if err != nil {
		t.Fatal(err)
	}
	set := func(only bool) {
		p.ARM(t, "PATCH", site.ID+"?api-version=2022-03-01", map[string]any{"properties": map[string]any{"httpsOnly": only}})
	}
	for _, c := range []struct {
		way       harness.Way
		plain, to string
	}{
		{public, "http://" + site.Name + ".azurewebsites.net", public.Site(site.Name)},
		{own, "http://" + site.Name + ".sites." + p.Run.Suffix + ":" + port, own.Site(site.Name)},
	} {
		const path = "/secret/none?a=b%20c"
		set(false)
		if a := c.way.Do(t, "GET", c.plain+path, nil, nil); a.Status != 200 || !strings.Contains(string(a.Body), "Status") {
			t.Errorf("%s: %d %s, want the site's answer", c.plain, a.Status, a.Body)
		}
		set(true)
		began := time.Now()
		a := c.way.Do(t, "GET", c.plain+path, nil, nil)
		if a.Status != 301 || a.Header.Get("Location") != c.to+path {
			t.Errorf("%s: %d to %s, want 301 to %s", c.plain, a.Status, a.Header.Get("Location"), c.to+path)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the redirection took %s: it must not wait for the process", took)
		}
		if a := c.way.Do(t, "GET", c.to+path, nil, nil); a.Status != 200 {
			t.Errorf("%s: %d %s", c.to, a.Status, a.Body)
		}
	}
	// The loopback listener still is the machine's to everyone else, and deployment is not served by plain HTTP.
	if a := own.Do(t, "GET", "http://"+p.Run.Identity+"/msi/token", nil, nil); a.Status != 401 {
		t.Errorf("/msi/token: %d, want 401", a.Status)
	}
	if a := public.Do(t, "GET", "http://"+site.Name+".scm.azurewebsites.net/api/deployments", nil, nil); a.Status != 403 {
		t.Errorf("scm by plain HTTP: %d, want 403", a.Status)
	}
	out := p.ARM(t, "PATCH", site.ID+"?api-version=2022-03-01", map[string]any{"properties": map[string]any{"siteConfig": map[string]any{"linuxFxVersion": "NODE|20-lts"}}})
	for _, where := range []map[string]any{out, p.ARM(t, "GET", site.ID+"?api-version=2022-03-01", nil)} {
		props, _ := where["properties"].(map[string]any)
		config, _ := props["siteConfig"].(map[string]any)
		if config["linuxFxVersion"] != "NODE|20-lts" || props["httpsOnly"] != true {
			t.Errorf("the site shows linuxFxVersion %v, httpsOnly %v", config["linuxFxVersion"], props["httpsOnly"])
		}
	}
	config, _ := p.ARM(t, "GET", site.ID+"/config/web?api-version=2022-03-01", nil)["properties"].(map[string]any)
	if config["linuxFxVersion"] != "NODE|20-lts" {
		t.Errorf("config/web shows linuxFxVersion %v", config["linuxFxVersion"])
	}
}
