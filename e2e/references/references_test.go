// Package references deploys a plain process that knows nothing of Azure and finds secrets in its environment, by Key Vault references in its site's app settings.
package references

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// startup prints the settings named in SHOW, then that it is done, and goes on living.
const startup = `#!/bin/sh
for name in $SHOW; do
  eval "value=\$$name"
  printf '%s %s=%s\n' "$TURN" "$name" "$value"
done
printf '%s done\n' "$TURN"
exec sleep 3600
`

// fixture is a site beside a vault that its identity may read.
type fixture struct {
	p      *harness.Platform
	group  string
	site   harness.Site
	vault  string
	closed string // a vault whose policies don't name the site
	owner  harness.App
	turn   int
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{p: shared.Platform(t)}
	f.group = f.p.PutGroup(t)
	f.owner = f.p.CreateApp(t, "", harness.Name("owner-"))
	owners := harness.Policy{ObjectID: f.owner.Principal, Secrets: harness.All}
	f.site = f.p.PutSite(t, f.group, "", nil)
	f.vault = f.p.PutVault(t, f.group, "", owners, harness.Policy{ObjectID: f.site.Principal, Secrets: []string{"get"}})
	f.closed = f.p.PutVault(t, f.group, "", owners, harness.Policy{ObjectID: f.site.Principal, Secrets: []string{"list", "set"}})
	f.p.Deploy(t, f.site, map[string][]byte{"startup": []byte(startup)})
	return f
}

// vaultCall is a request to a vault as its owner; it returns the version the answer is about.
func (f *fixture) vaultCall(t *testing.T, method, vault, resource string, body any) string {
	t.Helper()
	w := f.p.SuffixWay(t)
	a := w.Do(t, method, w.Vault(vault)+resource+"?api-version=7.4", harness.Bearer(w.AppToken(t, f.owner, w.VaultAudience())), body)
	if a.Status != 200 {
		t.Fatalf("%s %s: %d %s", method, resource, a.Status, a.Body)
	}
	id, _ := a.JSON()["id"].(string)
	return path.Base(id)
}

func (f *fixture) set(t *testing.T, vault, name, value string) string {
	t.Helper()
	return f.vaultCall(t, "PUT", vault, "/secrets/"+name, map[string]any{"value": value})
}

// configure replaces the app settings and returns what the new process printed of them.
func (f *fixture) configure(t *testing.T, settings map[string]string) map[string]string {
	t.Helper()
	f.turn++
	turn := "turn" + strconv.Itoa(f.turn)
	all := maps.Clone(settings)
	all["SHOW"], all["TURN"] = strings.Join(slices.Sorted(maps.Keys(settings)), " "), turn
	f.p.PutSettings(t, f.site, all)
	w := f.p.SuffixWay(t)
	var a harness.Answer
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		a = w.Do(t, "GET", w.SCM(f.site.Name)+"/api/vfs/LogFiles/default_docker.log", harness.Bearer(f.p.AdminToken(t, harness.ARMResource)), nil)
		if a.Status == 200 && strings.Contains(string(a.Body), turn+" done") {
			return printed(string(a.Body), turn)
		}
	}
	t.Fatalf("the site did not print its settings of %s: %d %s", turn, a.Status, a.Body)
	return nil
}

// printed finds what the process printed in one turn. The log puts the time before each line.
func printed(log, turn string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(log) {
		if _, rest, ok := strings.Cut(line, turn+" "); ok {
			if name, value, ok := strings.Cut(strings.TrimRight(rest, "\r\n"), "="); ok {
				out[name] = value
			}
		}
	}
	return out
}

// status is what the configuration API says of a reference.
type status struct{ Status, Version, Active string }

func (f *fixture) status(t *testing.T, name string) status {
	t.Helper()
	out := f.p.ARM(t, "GET", f.site.ID+"/config/configreferences/appsettings/"+name+"?api-version=2022-03-01", nil)
	props, _ := out["properties"].(map[string]any)
	text := func(key string) string { s, _ := props[key].(string); return s }
	return status{text("status"), text("secretVersion"), text("activeVersion")}
}

func (f *fixture) uri(vault, rest string) string {
	return "@Microsoft.KeyVault(SecretUri=https://" + vault + ".vault.azure.net/secrets/" + rest + ")"
}

// check compares one setting with what the process saw of it and what the API says.
func (f *fixture) check(t *testing.T, saw map[string]string, name, want, state string) {
	t.Helper()
	if got, ok := saw[name]; !ok || got != want {
		t.Errorf("%s is %q to the process, want %q", name, got, want)
	}
	if got := f.status(t, name).Status; got != state {
		t.Errorf("the status of %s is %s, want %s", name, got, state)
	}
}

func TestResolved(t *testing.T) {
	f := newFixture(t)
	first := f.set(t, f.vault, "db-key", "first")
	settings := map[string]string{
		"PINNED":       f.uri(f.vault, "db-key/"+first),
		"NEWEST":       f.uri(f.vault, "db-key/"),
		"NEWEST_BARE":  f.uri(f.vault, "db-key"),
		"NAMED":        fmt.Sprintf("@Microsoft.KeyVault(VaultName=%s;SecretName=db-key)", f.vault),
		"NAMED_PINNED": fmt.Sprintf("@Microsoft.KeyVault(VaultName=%s;SecretName=db-key;SecretVersion=%s)", f.vault, first),
		"PLAIN":        "just text",
		"INSIDE":       "key=" + f.uri(f.vault, "db-key/"), // a reference is a whole value or none
	}
	saw := f.configure(t, settings)
	references := []string{"PINNED", "NEWEST", "NEWEST_BARE", "NAMED", "NAMED_PINNED"}
	for _, name := range references {
		f.check(t, saw, name, "first", "Resolved")
		if got := f.status(t, name).Active; got != first {
			t.Errorf("%s is of version %q, want %q", name, got, first)
		}
	}
	if saw["PLAIN"] != settings["PLAIN"] || saw["INSIDE"] != settings["INSIDE"] {
		t.Errorf("settings that are no references changed: %q", saw)
	}
	list := f.p.ARM(t, "GET", f.site.ID+"/config/configreferences/appsettings?api-version=2022-03-01", nil)
	if all, _ := list["value"].([]any); len(all) != len(references) {
		t.Errorf("the API lists %d references, want %d", len(all), len(references))
	}
	// The control plane goes on showing the reference, never the value.
	shown, _ := f.p.ARM(t, "POST", f.site.ID+"/config/appsettings/list?api-version=2022-03-01", nil)["properties"].(map[string]any)
	if shown["NEWEST"] != settings["NEWEST"] {
		t.Errorf("appsettings/list shows %v, want the reference", shown["NEWEST"])
	}

	second := f.set(t, f.vault, "db-key", "second")
	settings["CHANGE"] = "any"
	saw = f.configure(t, settings)
	for _, name := range []string{"PINNED", "NAMED_PINNED"} {
		f.check(t, saw, name, "first", "Resolved")
		if got := f.status(t, name).Active; got != first {
			t.Errorf("%s went to version %q, want %q", name, got, first)
		}
	}
	for _, name := range []string{"NEWEST", "NEWEST_BARE", "NAMED"} {
		f.check(t, saw, name, "second", "Resolved")
		if got := f.status(t, name).Active; got != second {
			t.Errorf("%s is of version %q, want %q", name, got, second)
		}
	}
}

// What can't be resolved stays as it is written, the process starts all the same, and the API says why. Mended, the next configuration change resolves it.
func TestKept(t *testing.T) {
	f := newFixture(t)
	f.set(t, f.vault, "good", "fine")
	f.set(t, f.vault, "off", "hidden")
	f.vaultCall(t, "PATCH", f.vault, "/secrets/off", map[string]any{"attributes": map[string]any{"enabled": false}})
	f.set(t, f.closed, "good", "hidden")
	const nowhere = "0123456789abcdef0123456789abcdef"
	cases := []struct{ name, value, status string }{
		{"NO_POLICY", f.uri(f.closed, "good/"), "AccessToKeyVaultDenied"},
		{"DISABLED", f.uri(f.vault, "off/"), "OtherReasons"},
		{"NO_VERSION", f.uri(f.vault, "good/"+nowhere), "SecretVersionNotFound"},
		{"NO_SECRET", f.uri(f.vault, "none/"), "SecretNotFound"},
		{"NO_SECRET_VERSION", f.uri(f.vault, "none/"+nowhere), "SecretNotFound"},
		{"NO_VAULT", f.uri(harness.Name("kv"), "good/"), "VaultNotFound"},
		{"OPEN_ENDED", strings.TrimSuffix(f.uri(f.vault, "good/"), ")"), "InvalidSyntax"},
		{"NOT_A_SECRET", "@Microsoft.KeyVault(SecretUri=https://" + f.vault + ".vault.azure.net/keys/good)", "InvalidSyntax"},
		{"NOT_A_VAULT", "@Microsoft.KeyVault(SecretUri=https://example.com/secrets/good)", "InvalidSyntax"},
		{"NO_NAME", fmt.Sprintf("@Microsoft.KeyVault(VaultName=%s)", f.vault), "InvalidSyntax"},
	}
	settings := map[string]string{"GOOD": f.uri(f.vault, "good/")}
	for _, c := range cases {
		settings[c.name] = c.value
	}
	saw := f.configure(t, settings)
	f.check(t, saw, "GOOD", "fine", "Resolved")
	for _, c := range cases {
		f.check(t, saw, c.name, c.value, c.status)
	}

	f.vaultCall(t, "PATCH", f.vault, "/secrets/off", map[string]any{"attributes": map[string]any{"enabled": true}})
	f.p.PutVault(t, f.group, f.closed, harness.Policy{ObjectID: f.site.Principal, Secrets: []string{"get"}})
	saw = f.configure(t, settings)
	f.check(t, saw, "DISABLED", "hidden", "Resolved")
	f.check(t, saw, "NO_POLICY", "hidden", "Resolved")
}

// Without an identity there is nothing to ask the vault as.
func TestNoIdentity(t *testing.T) {
	f := newFixture(t)
	f.set(t, f.vault, "good", "fine")
	settings := map[string]string{"GOOD": f.uri(f.vault, "good/")}
	f.check(t, f.configure(t, settings), "GOOD", "fine", "Resolved")
	f.p.ARM(t, "PATCH", f.site.ID+"?api-version=2022-03-01", map[string]any{"identity": map[string]any{"type": "None"}})
	f.check(t, f.configure(t, settings), "GOOD", settings["GOOD"], "MSINotEnabled")
}
