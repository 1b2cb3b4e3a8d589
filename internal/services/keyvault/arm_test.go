package keyvault

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

func parse(t testing.TB, text string) *properties {
	t.Helper()
	p := new(properties)
	if err := json.Unmarshal([]byte(text), p); err != nil {
		t.Fatal(err)
	}
	return p
}

const minimal = `{"tenantId":"` + tenant + `","sku":{"family":"A","name":"Standard"},"accessPolicies":[]`

func TestProperties_Defaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, version, in, want string }{
		{"new", "2024-11-01", minimal + `}`, `"enableSoftDelete":true,"softDeleteRetentionInDays":90,`},
		{"new, explicit", "2024-11-01", minimal + `,"enableSoftDelete":false}`, `"enableSoftDelete":false,"enableRbac`},
		{"2018", "2018-02-14", minimal + `}`, `"enableSoftDelete":false,"enableRbac`},
		{"2018, explicit", "2016-10-01", minimal + `,"enableSoftDelete":true,"softDeleteRetentionInDays":7}`, `"enableSoftDelete":true,"softDeleteRetentionInDays":7,`},
		{"network rules", "2024-11-01", minimal + `,"networkAcls":{"ipRules":[{"value":"1.2.3.4"},{"value":"10.0.0.9/8"}]}}`,
			`"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow","ipRules":[{"value":"1.2.3.4/32"},{"value":"10.0.0.0/8"}],"virtualNetworkRules":[]}`},
		{"permissions", "2024-11-01", strings.Replace(minimal, "[]", `[{"tenantId":"`+tenant+`","objectId":"`+bob+`","permissions":{"secrets":["Get","get","LIST"]}}]`, 1) + `}`,
			`"permissions":{"secrets":["get","list"]}`},
		{"caller's own words", "2024-11-01", minimal + `,"vaultUri":"https://evil/","provisioningState":"x","createMode":"default"}`, `"publicNetworkAccess":"Enabled","provisioningState":"Succeeded"}`},
	} {
		p := parse(t, c.in)
		if err := p.settle(nil, c.version); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, _ := json.Marshal(p)
		if !strings.Contains(string(got), c.want) {
			t.Errorf("%s: got %s, want %s in it", c.name, got, c.want)
		}
	}
}

func TestProperties_Refusals(t *testing.T) {
	t.Parallel()
	policy := func(rest string) string { return strings.Replace(minimal, "[]", "["+rest+"]", 1) + "}" }
	mine := `{"tenantId":"` + tenant + `","objectId":"` + bob + `","permissions":{}}`
	protected := minimal + `,"enablePurgeProtection":true,"softDeleteRetentionInDays":30}`
	for _, c := range []struct{ name, old, in, text string }{
		{"tenant", "", strings.Replace(minimal, tenant, "x", 1) + "}", "tenantId"},
		{"family", "", strings.Replace(minimal, `"A"`, `"B"`, 1) + "}", "sku.family"},
		{"sku", "", strings.Replace(minimal, "Standard", "gold", 1) + "}", "sku.name"},
		{"no policies", "", strings.Replace(minimal, `,"accessPolicies":[]`, "", 1) + "}", "accessPolicies is required"},
		{"policy's tenant", "", policy(strings.Replace(mine, tenant, otherTenant, 1)), "is not the vault's tenant"},
		{"policy's object", "", policy(strings.Replace(mine, bob, "bob", 1)), "must be GUIDs"},
		{"twice", "", policy(mine + "," + mine), "more than once"},
		{"permission", "", policy(strings.Replace(mine, "{}", `{"secrets":["fly"]}`, 1)), "'fly' is no permission"},
		{"permission of another area", "", policy(strings.Replace(mine, "{}", `{"secrets":["sign"]}`, 1)), "'sign' is no permission"},
		{"retention low", "", minimal + `,"softDeleteRetentionInDays":6}`, "from 7 to 90"},
		{"retention high", "", minimal + `,"softDeleteRetentionInDays":91}`, "from 7 to 90"},
		{"retention changed", protected, minimal + `,"softDeleteRetentionInDays":31}`, "can't be modified"},
		{"soft delete off", protected, minimal + `,"enableSoftDelete":false}`, "irreversible"},
		{"purge protection off", protected, minimal + `,"enablePurgeProtection":false}`, "irreversible"},
		{"purge protection without soft delete", "", minimal + `,"enablePurgeProtection":true,"enableSoftDelete":false}`, "only when"},
		{"subnet", "", minimal + `,"networkAcls":{"virtualNetworkRules":[{"id":"/subscriptions/x"}]}}`, "/subscriptions/x"},
		{"address", "", minimal + `,"networkAcls":{"ipRules":[{"value":"host"}]}}`, "ipRules[0]"},
		{"IPv6", "", minimal + `,"networkAcls":{"ipRules":[{"value":"::1"}]}}`, "ipRules[0]"},
		{"default action", "", minimal + `,"networkAcls":{"defaultAction":"Perhaps"}}`, "defaultAction"},
		{"public access", "", minimal + `,"publicNetworkAccess":"Perhaps"}`, "publicNetworkAccess"},
	} {
		var old *properties
		if c.old != "" {
			old = parse(t, c.old)
			if err := old.settle(nil, "2024-11-01"); err != nil {
				t.Fatal(err)
			}
		}
		err := parse(t, c.in).settle(old, "2024-11-01")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want a 400 with %q", c.name, err, c.text)
		}
	}
	// What was set once stays when an update doesn't speak of it.
	old := parse(t, protected)
	if err := old.settle(nil, "2024-11-01"); err != nil {
		t.Fatal(err)
	}
	p := parse(t, minimal+"}")
	if err := p.settle(old, "2016-10-01"); err != nil || p.EnablePurgeProtection == nil || !*p.EnablePurgeProtection || p.SoftDeleteRetentionInDays != 30 || !p.softDelete() {
		t.Errorf("update: %v %+v", err, p)
	}
}

func TestVaultName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"kv1": true, "My-Vault-01": true, strings.Repeat("a", 24): true, "kv": false, strings.Repeat("a", 25): false, "1kv": false, "kv-": false, "k--v": false, "k_v": false, "kv.a": false, "": false, "kvü": false,
	} {
		if got := vaultName(name) == ""; got != ok {
			t.Errorf("%q: got %t, want %t", name, got, ok)
		}
	}
}

func TestMergePolicies(t *testing.T) {
	t.Parallel()
	of := func(oid, app string, secrets ...string) accessPolicy {
		return accessPolicy{ObjectID: oid, ApplicationID: app, Permissions: permissions{Secrets: secrets}}
	}
	have := []accessPolicy{of("a", "", "get", "list"), of("b", "", "get")}
	for _, c := range []struct {
		verb   string
		change accessPolicy
		want   []accessPolicy
	}{
		{"add", of("A", "", "set"), []accessPolicy{of("a", "", "get", "list", "set"), have[1]}},
		{"add", of("c", "", "set"), []accessPolicy{have[0], have[1], of("c", "", "set")}},
		{"add", of("a", "x", "set"), []accessPolicy{have[0], have[1], of("a", "x", "set")}},
		{"replace", of("a", "", "set"), []accessPolicy{of("a", "", "set"), have[1]}},
		{"remove", of("a", "", "list"), []accessPolicy{of("a", "", "get"), have[1]}},
		{"remove", of("b", "", "get", "list"), []accessPolicy{have[0]}},
		{"remove", of("c", "", "get"), have},
	} {
		got := merge(have, []accessPolicy{c.change}, c.verb)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s %v: (-want +got)\n%s", c.verb, c.change, d)
		}
	}
	if d := cmp.Diff([]accessPolicy{of("a", "", "get", "list"), of("b", "", "get")}, have); d != "" {
		t.Errorf("the policies it began with changed: %s", d)
	}
}
