package portal

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/bulkheadhq/bulkhead/e2e/harness/browser"
)

// A server's page has its gauges, limits, logs to download, firewall, failed connections by reason, and the recommended rules as they are.
func TestDatabase(t *testing.T) {
	if _, err := exec.LookPath("mariadbd"); err != nil {
		if _, err := exec.LookPath("/usr/sbin/mariadbd"); err != nil {
			t.Skip("mariadbd is not installed (Debian's package mariadb-server-core)")
		}
	}
	p := shared.Platform(t)
	group, name := p.PutGroup(t), harness.Name("db")
	server := group + "/providers/Microsoft.DBforMySQL/servers/" + name
	const version, metrics = "?api-version=2017-12-01", "/providers/Microsoft.Insights/metrics?api-version=2018-01-01&aggregation=Total,Average&metricnames="
	p.ARM(t, "PUT", server+version, map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "GP_Gen5_2"}, "properties": map[string]any{"administratorLogin": "ada", "administratorLoginPassword": "Passw0rd!x", "storageProfile": map[string]any{"storageMB": 5120}},
	})
	p.ARM(t, "PUT", server+"/firewallRules/office"+version, map[string]any{"properties": map[string]any{"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}})
	var props map[string]any
	until(t, "the server is ready", func() bool {
		props, _ = p.ARM(t, "GET", server+version, nil)["properties"].(map[string]any)
		return props["userVisibleState"] == "Ready"
	})
	for range 3 {
		wrongPassword(t, p, props)
	}
	p.Output(t, "mysql", "recommend", server, "--action-group", "none") // of one that isn't there: nobody is told
	p.ARM(t, "PATCH", group+"/providers/Microsoft.Insights/metricAlerts/"+name+"-storage?api-version=2018-03-01", map[string]any{"properties": map[string]any{"enabled": false}})
	p.ARM(t, "DELETE", group+"/providers/Microsoft.Insights/metricAlerts/"+name+"-io?api-version=2018-03-01", nil)
	span := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339) + "/" + time.Now().UTC().Add(time.Hour).Format(time.RFC3339)
	until(t, "the server is measured", func() bool {
		a := p.TryARM(t, "GET", server+metrics+"connections_failed&interval=FULL&timespan="+span+"&$filter=Reason%20eq%20%27password%27", nil)
		b := p.TryARM(t, "GET", server+metrics+"storage_percent,cpu_percent&interval=FULL&timespan="+span, nil)
		return strings.Contains(string(a.Body), `"total":3`) && strings.Count(string(b.Body), `"average"`) == 2
	})

	b := newTab(t, browser.Start(t, p, portal, login), "")
	administrator(t, p, b)
	b.do("the servers", chromedp.Navigate("https://"+portal+"/databases"), chromedp.WaitVisible(`table.servers`))
	b.shoot("servers")
	b.do("the server", chromedp.Navigate("https://"+portal+"/database?id="+url.QueryEscape(server)), chromedp.WaitVisible(`.gauges`))
	if gauges := value[string](b, `[...document.querySelectorAll(".gauges svg")].map(e => e.getAttribute("aria-label")).join("; ")`); !strings.Contains(gauges, "of 300; CPU: ") || !strings.Contains(gauges, "of 5 GB") || strings.Contains(gauges, "Storage: no data") {
		t.Errorf("the gauges say %s", gauges)
	}
	if text := value[string](b, `document.querySelector("table.reasons").innerText`); !strings.Contains(text, "password\t3") {
		t.Errorf("failed connections: %s", text)
	}
	text := value[string](b, `document.querySelector("table.recommended").innerText`)
	for rule, state := range map[string]string{"active-connections": "on", "storage": "off", "io": "missing"} {
		if !strings.Contains(text, name+"-"+rule) || !strings.HasSuffix(line(text, name+"-"+rule+"\t"), state) {
			t.Errorf("the recommended rule %s isn't %s: %s", rule, state, text)
		}
	}
	if text := value[string](b, `document.querySelector("main").innerText`); !strings.Contains(text, "300 connections at the most") || !strings.Contains(text, "takes writes") || !strings.Contains(text, "office\t127.0.0.1\t127.0.0.1") {
		t.Errorf("the page says %s", text)
	}
	b.shoot("server")
	log, err := url.Parse(value[string](b, `document.querySelector("table.logs a").href`))
	if err != nil {
		t.Fatal(err)
	}
	if a := p.Ways(t)[0].Do(t, http.MethodGet, log.String(), nil, nil); a.Status != http.StatusOK {
		t.Errorf("the log at %s: %d %s", log, a.Status, a.Body)
	}
	b.do("make the missing rule", chromedp.Click(`form.make button`), chromedp.WaitNotPresent(`form.make`))
	if text := value[string](b, `document.querySelector("table.recommended").innerText`); !strings.HasSuffix(line(text, name+"-io\t"), "on") || !strings.HasSuffix(line(text, name+"-storage\t"), "off") {
		t.Errorf("after the missing rule was made the rules are %s", text)
	}
	b.do("the failed connections", chromedp.Click(`p.pages a[href*="connections_failed"]`), chromedp.WaitVisible(`svg.chart`))
	if text := value[string](b, `document.querySelector("details.numbers thead").textContent`); !strings.Contains(text, "password") {
		t.Errorf("the chart by reason has the lines %s", text)
	}
}

// line is the line of a text that begins with a prefix.
func line(text, prefix string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, prefix) {
			return strings.TrimRight(l, "\n")
		}
	}
	return ""
}

// until waits for a condition, for three minutes at most.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within three minutes", what)
		}
	}
}

func wrongPassword(t *testing.T, p *harness.Platform, props map[string]any) {
	t.Helper()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(p.Run.Root)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("root: %v", err)
	}
	own, _ := props["bulkhead"].(map[string]any)
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.Logger = "ada", "wrong", "tcp", fmt.Sprint(own["endpoint"]), &driver.NopLogger{}
	cfg.TLS = &tls.Config{RootCAs: roots, ServerName: fmt.Sprint(props["fullyQualifiedDomainName"])}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if err := db.PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "1045") {
		t.Fatalf("a wrong password: %v", err)
	}
}
