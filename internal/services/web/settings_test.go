package web

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

func TestSettings_SealedAtRest(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	const marker = "clear-text-marker-5F0B"
	p.site("web1", `{"appSettings":[{"name":"FIRST","value":"`+marker+`1"}],"connectionStrings":[{"name":"db","connectionString":"`+marker+`2"}]}`)
	if d := cmp.Diff(map[string]any{"FIRST": marker + "1"}, p.list("sites/web1/config/appsettings")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"db": map[string]any{"value": marker + "2", "type": "Custom"}}, p.list("sites/web1/config/connectionstrings")); d != "" {
		t.Error(d)
	}
	answer := p.put("sites/web1/config/appsettings", `{"properties":{"SECOND":"`+marker+`3","NONE":null}}`)
	if d := cmp.Diff(map[string]any{"SECOND": marker + "3"}, answer); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"SECOND": marker + "3"}, p.list("sites/web1/config/appsettings")); d != "" {
		t.Errorf("the map is replaced whole: %s", d)
	}
	if props, err := p.get("sites/web1"); err != nil || strings.Contains(toText(props), marker) {
		t.Errorf("GET of the site: %v %v", props, err)
	}
	for _, name := range []string{"appsettings", "connectionstrings", "metadata", "publishingcredentials"} {
		if props, err := p.get("sites/web1/config/" + name); !fault.Is(err, fault.MethodNotAllowed) {
			t.Errorf("GET config/%s: %v %v", name, props, err)
		}
	}
	rows := 0
	err := p.store.View(t.Context(), "sub/"+subscription, func(sn store.Snapshot) error {
		return sn.Scan(store.Range{}, func(k, v []byte) bool {
			rows++
			if bytes.Contains(v, []byte(marker)) || bytes.Contains(k, []byte(marker)) {
				t.Errorf("row %s is in clear", k)
			}
			return true
		})
	})
	if err != nil || rows < 4 {
		t.Errorf("%d rows, %v", rows, err)
	}
	_ = filepath.WalkDir(p.dir, func(path string, e os.DirEntry, _ error) error {
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(marker)) {
			t.Errorf("%s has a setting in clear", path)
		}
		return nil
	})
}

func toText(v any) string {
	b := new(strings.Builder)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				b.WriteString(k + "=")
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		case string:
			b.WriteString(v + ";")
		}
	}
	walk(v)
	return b.String()
}

func TestSettings_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	site := func(properties string) string {
		return `{"location":"westeurope","properties":{"serverFarmId":"` + planID + `"` + properties + `}}`
	}
	for _, c := range []struct {
		path, body string
		kind       fault.Kind
		says       string
	}{
		{"sites/web1/config/appsettings", `{"properties":{"A=B":"x"}}`, fault.Invalid, "A=B"},
		{"sites/web1/config/appsettings", `{"properties":{"":"x"}}`, fault.Invalid, "empty"},
		{"sites/web1/config/appsettings", `{"properties":{"A":{"secret":"hush"}}}`, fault.Invalid, "strings"},
		{"sites/web1/config/appsettings", `{"properties":{"A":"1","a":"2"}}`, fault.Invalid, "twice"},
		{"sites/web1/config/appsettings", `{"properties":{"A":"` + strings.Repeat("x", maxRow) + `"}}`, fault.Invalid, "too big"},
		{"sites/web1/config/connectionstrings", `{"properties":{"db":{"value":"x","type":"Oracle"}}}`, fault.Invalid, "Oracle"},
		{"sites/web1/config/authsettings", `{"properties":{"enabled":true}}`, fault.NotImplemented, "authentication"},
		{"sites/web1/config/authsettingsV2", `{"properties":{}}`, fault.NotImplemented, "authentication"},
		{"sites/web1/config/nonsense", `{"properties":{}}`, fault.NotFound, "nonsense"},
		{"sites/web1/config/publishingcredentials", `{"properties":{}}`, fault.MethodNotAllowed, "publishingcredentials"},
		{"sites/web1/config/web", `{"properties":{"cors":{"allowedOrigins":["https://a.example"]}}}`, fault.NotImplemented, "CORS"},
		{"sites/web1/config/web", `{"properties":{"linuxFxVersion":"DOCKER|nginx"}}`, fault.NotImplemented, "container"},
		{"sites/web1/config/web", `{"properties":{"ipSecurityRestrictions":[{"ipAddress":"nowhere"}]}}`, fault.Invalid, "nowhere"},
		{"sites/web1/config/web", `{"properties":{"ipSecurityRestrictions":[{"ipAddress":"AzureCloud","tag":"ServiceTag"}]}}`, fault.NotImplemented, "tag"},
		{"sites/web1/config/web", `{"properties":{"appCommandLine":5}}`, fault.Invalid, "appCommandLine"},
		{"sites/web1/slots/staging", `{"location":"westeurope"}`, fault.NotImplemented, "slots"},
		{"sites/w", site(""), fault.Invalid, "site name"},
		{"sites/web2", `{"location":"westeurope","properties":{}}`, fault.Invalid, "serverFarmId"},
		{"sites/web2", `{"location":"westeurope","properties":{"serverFarmId":"none"}}`, fault.NotFound, "none"},
		{"sites/web2", site(`,"clientCertEnabled":true`), fault.NotImplemented, "certificates"},
		{"sites/web2", site(`,"publicNetworkAccess":"Disabled"`), fault.NotImplemented, "publicNetworkAccess"},
		{"sites/web2", site(`,"keyVaultReferenceIdentity":"` + planID + `"`), fault.Invalid, "keyVaultReferenceIdentity"},
		{"sites/web2", site(`,"keyVaultReferenceIdentity":"uai-1"`), fault.Invalid, "keyVaultReferenceIdentity"},
		{"sites/web2", strings.Replace(site(""), "{", `{"kind":"functionapp",`, 1), fault.NotImplemented, "Function"},
	} {
		_, err := p.tryPut(c.path, c.body)
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("PUT %s %.80s: %v", c.path, c.body, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("the error repeats a value: %v", err)
		}
	}
}

func TestWebConfig(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{"appCommandLine":"./app","alwaysOn":true}`)
	props, err := p.get("sites/web1/config/web")
	if err != nil {
		t.Fatal(err)
	}
	allowAll := []any{map[string]any{
		"ipAddress": "Any", "action": "Allow", "priority": float64(lastPriority), "name": "Allow all", "description": "Allow all access",
	}}
	for name, want := range map[string]any{"appCommandLine": "./app", "appSettings": nil, "ftpsState": "Disabled", "ipSecurityRestrictions": allowAll, "scmIpSecurityRestrictions": allowAll} {
		if d := cmp.Diff(want, props[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	// What a client read it sends back, with one member changed, in another case.
	props = p.put("sites/web1/config/web", `{"properties":{"APPCOMMANDLINE":"./other","ipSecurityRestrictions":[{"ipAddress":"Any","action":"Allow","priority":2147483647}]}}`)
	if props["appCommandLine"] != "./other" || props["alwaysOn"] != true {
		t.Errorf("merged: %v", props)
	}
	if props := p.put("sites/web1/config/web", `{"properties":{"appCommandLine":null}}`); props["appCommandLine"] != "" {
		t.Errorf("unset: %v", props["appCommandLine"])
	}
	if d := cmp.Diff(map[string]any{"appSettingNames": []any{"A"}, "connectionStringNames": nil, "azureStorageConfigNames": nil},
		p.put("sites/web1/config/slotConfigNames", `{"properties":{"appSettingNames":["A"]}}`)); d != "" {
		t.Error(d)
	}
}

func TestWebConfig_ChangedMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	c, ty := p.call("sites/web1/config/web")
	c.New = configResource(p.resources[strings.ToLower(groupID+"/providers/Microsoft.Web/sites/web1")], nounConfig)
	c.Body = map[string]jsonRaw{"properties": jsonRaw(`{"alwaysOn":false}`)}
	if err := ty.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	p.put("sites/web1/config/web", `{"properties":{"appCommandLine":"./app"}}`)
	_, err := p.store.Update(t.Context(), "sub/"+subscription, func(tx store.Tx) error { return ty.Commit(tx, c) })
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestSite_Rendered(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("Web1", `{}`)
	props, err := p.get("sites/Web1")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"state": "Running", "enabled": true, "defaultHostName": "web1.azurewebsites.net", "hostNames": []any{"web1.azurewebsites.net"},
		"enabledHostNames": []any{"web1.azurewebsites.net", "web1.scm.azurewebsites.net"}, "serverFarmId": planID, "resourceGroup": "rg1",
		"hostNameSslStates": []any{
			map[string]any{"name": "web1.azurewebsites.net", "sslState": "Disabled", "hostType": "Standard"},
			map[string]any{"name": "web1.scm.azurewebsites.net", "sslState": "Disabled", "hostType": "Repository"},
		},
	} {
		if d := cmp.Diff(want, props[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if cfg, _ := props["siteConfig"].(map[string]any); cfg["appSettings"] != nil {
		t.Errorf("siteConfig: %v", cfg)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	props := p.put("serverfarms/plan2", `{"location":"westeurope","sku":{"name":"P1v3"},"properties":{"reserved":true}}`)
	if props["status"] != "Ready" || props["reserved"] != true {
		t.Errorf("got %v", props)
	}
	plan := p.resources[strings.ToLower(groupID+"/providers/Microsoft.Web/serverfarms/plan2")]
	if got := string(plan.SKU); got != `{"name":"P1v3","tier":"PremiumV3","size":"P1v3","family":"Pv3","capacity":1}` || plan.Kind != "linux" {
		t.Errorf("sku %s, kind %s", got, plan.Kind)
	}
	if _, err := p.tryPut("serverfarms/plan3", `{"location":"x","sku":{"name":"../x"}}`); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.site("web1", `{}`)
	for name, want := range map[string]string{"web1": "AlreadyExists", "WEB1": "AlreadyExists", "web2": "", "-x": "Invalid", "a.b": "Invalid"} {
		c, _ := p.call("sites/x")
		c.Body = map[string]jsonRaw{"name": jsonRaw(`"` + name + `"`), "type": jsonRaw(`"Site"`)}
		v, err := p.web.checkName(context.Background(), c)
		if got, ok := v.(nameAvailability); !ok || err != nil || got.Reason != want || got.NameAvailable != (want == "") {
			t.Errorf("%s: %+v %v", name, v, err)
		}
	}
}

func TestAccessRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rules, address, want string }{
		{`[]`, "203.0.113.1", "allow"},
		{`[{"ipAddress":"203.0.113.0/24"}]`, "203.0.113.1", "allow"},
		{`[{"ipAddress":"203.0.113.0/24"}]`, "203.0.114.1", "deny"},
		{`[{"ipAddress":"203.0.113.0/24"}]`, "::ffff:203.0.113.1", "allow"},
		{`[{"ipAddress":"203.0.113.1"}]`, "203.0.113.1", "allow"},
		{`[{"ipAddress":"203.0.113.1,198.51.100.0/24"}]`, "198.51.100.9", "allow"},
		{`[{"ipAddress":"203.0.113.1","action":"Deny"},{"ipAddress":"Any","action":"Allow"}]`, "203.0.113.1", "deny"},
		{`[{"ipAddress":"203.0.113.1","action":"Deny"},{"ipAddress":"Any","action":"Allow"}]`, "203.0.113.2", "allow"},
		{`[{"ipAddress":"203.0.113.1","action":"Deny","priority":200},{"ipAddress":"203.0.113.0/24","action":"Allow","priority":100}]`, "203.0.113.1", "allow"},
		{`[{"ipAddress":"203.0.113.1","action":"Deny","priority":"200"},{"ipAddress":"203.0.113.0/24","action":"Allow","priority":"100"}]`, "203.0.113.1", "allow"},
		{`[{"ipAddress":"2001:db8::/32"}]`, "2001:db8::1", "allow"},
		{`[{"ipAddress":"2001:db8::/32"}]`, "203.0.113.1", "deny"},
	} {
		cfg := webConfig{Values: map[string]jsonRaw{"ipSecurityRestrictions": jsonRaw(c.rules)}}
		a, err := cfg.restrictions(false)
		ok, failed := a.allows(t.Context(), address(c.address), nil)
		if got := map[bool]string{true: "allow", false: "deny"}[ok]; err != nil || failed != nil || got != c.want {
			t.Errorf("%s %s: %s %v %v, want %s", c.rules, c.address, got, err, failed, c.want)
		}
	}
}

func TestReferences_StatusAndEnvironment(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault.set("db", "s3cret")
	p.vault.set("pinned/v1", "first")
	p.vault.set("pinned", "second")
	p.vault.set("off", "!disabled")
	p.site("web1", `{"connectionStrings":[{"name":"main","connectionString":"@Microsoft.KeyVault(VaultName=kv1;SecretName=db)"}]}`)
	refs := map[string]struct {
		text   string
		status refStatus
		value  string // "" keeps the text
	}{
		"DB":      {"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/)", refResolved, "s3cret"},
		"PINNED":  {"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/pinned/v1)", refResolved, "first"},
		"SYNTAX":  {"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db", refSyntax, ""},
		"NONE":    {"@Microsoft.KeyVault(VaultName=kv1;SecretName=none)", refSecretNotFound, ""},
		"VERSION": {"@Microsoft.KeyVault(VaultName=kv1;SecretName=pinned;SecretVersion=v7)", refVersionNotFound, ""},
		"VAULT":   {"@Microsoft.KeyVault(VaultName=kv2;SecretName=db)", refVaultNotFound, ""},
		"OFF":     {"@Microsoft.KeyVault(VaultName=kv1;SecretName=off)", refOther, ""},
	}
	body := `{"properties":{"PLAIN":"x"`
	for name, r := range refs {
		body += `,"` + name + `":"` + r.text + `"`
	}
	p.put("sites/web1/config/appsettings", body+`}}`)
	p.deploy("web1", program(t))
	env := p.env("web1")
	statuses := p.statuses("web1", nounSettings)
	if len(statuses) != len(refs) {
		t.Errorf("%d statuses, want %d", len(statuses), len(refs))
	}
	for name, r := range refs {
		want := r.value
		if want == "" {
			want = r.text
		}
		if env[name] != want || env["APPSETTING_"+name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
		s := statuses[name]
		if s["status"] != string(r.status) || s["reference"] != r.text || s["location"] != "ApplicationSetting" {
			t.Errorf("%s: %v, want %s", name, s, r.status)
		}
		if strings.Contains(toText(s), "s3cret") {
			t.Errorf("%s: the status shows the value", name)
		}
	}
	if statuses["DB"]["activeVersion"] != "v9" || statuses["DB"]["vaultName"] != "kv1" || statuses["PINNED"]["secretVersion"] != "v1" {
		t.Errorf("got %v", statuses)
	}
	if env["CUSTOMCONNSTR_main"] != "s3cret" || p.statuses("web1", nounConnections)["main"]["status"] != "Resolved" {
		t.Errorf("connection string: %q", env["CUSTOMCONNSTR_main"])
	}
	if d := cmp.Diff(refs["DB"].text, p.list("sites/web1/config/appsettings")["DB"]); d != "" {
		t.Errorf("the list shows the reference: %s", d)
	}
	if one, err := p.get("sites/web1/config/configreferences/appsettings/db"); err != nil || one["status"] != "Resolved" {
		t.Errorf("one by name: %v %v", one, err)
	}

	// No permission: any change of the configuration fetches anew, so the text comes back.
	p.vault.mu.Lock()
	clear(p.vault.allowed)
	p.vault.mu.Unlock()
	p.put("sites/web1/config/appsettings", `{"properties":{"DB":"`+refs["DB"].text+`"}}`)
	within(t, "denied", func() bool { return p.env("web1")["DB"] == refs["DB"].text })
	if s := p.statuses("web1", nounSettings)["DB"]; s["status"] != string(refDenied) {
		t.Errorf("got %v", s)
	}
	// No identity.
	p.put("sites/web1", `{"location":"westeurope","identity":{"type":"None"},"properties":{"serverFarmId":"`+planID+`"}}`)
	within(t, "no identity", func() bool { return p.statuses("web1", nounSettings)["DB"]["status"] == string(refNoIdentity) })
}

func (p *platform) statuses(site, noun string) map[string]map[string]any {
	p.t.Helper()
	c, ty := p.call("sites/" + site + "/config/configreferences/" + noun)
	all, err := ty.List(p.t.Context(), c)
	if err != nil {
		p.t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, r := range all {
		if out[r.Name], err = p.render(c, ty, r); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

func TestReferences_RefreshedDaily(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault.set("db", "one")
	p.vault.set("pinned/v1", "p1")
	p.site("web1", `{"appSettings":[{"name":"DB","value":"@Microsoft.KeyVault(VaultName=kv1;SecretName=db)"},{"name":"PIN","value":"@Microsoft.KeyVault(VaultName=kv1;SecretName=pinned;SecretVersion=v1)"}]}`)
	p.deploy("web1", program(t))
	if got := p.env("web1")["DB"]; got != "one" {
		t.Fatalf("DB=%q", got)
	}
	p.vault.set("db", "two")
	p.vault.set("pinned/v1", "never")
	asked := func() int {
		p.vault.mu.Lock()
		defer p.vault.mu.Unlock()
		return p.vault.asked
	}
	before := asked()
	p.clock.Advance(23 * time.Hour)
	p.web.host.refreshDue()
	time.Sleep(50 * time.Millisecond)
	if asked() != before || p.env("web1")["DB"] != "one" {
		t.Error("read again before a day had passed")
	}
	p.clock.Advance(time.Hour)
	p.web.host.refreshDue()
	within(t, "the new value", func() bool { return p.env("web1")["DB"] == "two" })
	if env := p.env("web1"); env["PIN"] != "p1" {
		t.Errorf("pinned: %q", env["PIN"])
	}
	if n := asked() - before; n != 1 {
		t.Errorf("%d reads, want 1: pinned ones stay", n)
	}

	// A refresh that fails keeps the last good value and the running process.
	pid := p.do("GET", "https://web1.azurewebsites.net/pid", nil).Body.String()
	p.vault.mu.Lock()
	p.vault.broken = true
	p.vault.mu.Unlock()
	p.clock.Advance(24 * time.Hour)
	p.web.host.refreshDue()
	within(t, "the failure is told", func() bool { return p.statuses("web1", nounSettings)["DB"]["status"] == string(refOther) })
	if got := p.do("GET", "https://web1.azurewebsites.net/pid", nil).Body.String(); got != pid || p.env("web1")["DB"] != "two" {
		t.Errorf("pid %s then %s, DB=%q", pid, got, p.env("web1")["DB"])
	}
}
