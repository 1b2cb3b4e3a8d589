package keyvault

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
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
		{
			"network rules", "2024-11-01", minimal + `,"networkAcls":{"ipRules":[{"value":"1.2.3.4"},{"value":"10.0.0.9/8"}]}}`,
			`"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow","ipRules":[{"value":"1.2.3.4/32"},{"value":"10.0.0.0/8"}],"virtualNetworkRules":[]}`,
		},
		{
			"permissions", "2024-11-01", strings.Replace(minimal, "[]", `[{"tenantId":"`+tenant+`","objectId":"`+bob+`","permissions":{"secrets":["Get","get","LIST"]}}]`, 1) + `}`,
			`"permissions":{"secrets":["get","list"]}`,
		},
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

// call is a request to the vault type as the pipeline would hand it on, for one vault.
func (p *platform) call(id, body string) *arm.Call {
	p.t.Helper()
	c := &arm.Call{
		Request: &wire.Request{Time: p.clock.Now(), Host: wire.Host{Public: true}}, ID: vaultID(id), Version: "2024-11-01",
		New: &arm.Resource{ID: vaultID(id).String(), Name: id, Location: "westeurope", GUID: ids.New()},
	}
	if body != "" {
		var err error
		if c.Body, err = arm.ParseObject([]byte(body)); err != nil {
			p.t.Fatal(err)
		}
	}
	return c
}

func vaultID(name string) arm.ID {
	return arm.ID{Subscription: subscription, ResourceGroup: "rg", Namespace: "Microsoft.KeyVault", Types: []string{"vaults"}, Names: []string{name}}
}

// deleteVault does what the pipeline does when the vault is deleted.
func (p *platform) deleteVault(res *arm.Resource) {
	p.t.Helper()
	ctx := context.Background()
	c := p.call(res.Name, "")
	c.Old, c.New = p.arm.byID[strings.ToLower(res.ID)], nil
	if _, err := p.store.Update(ctx, "sub/"+subscription, func(tx store.Tx) error { return p.s.commitDelete(tx, c) }); err != nil {
		p.t.Fatal(err)
	}
	delete(p.arm.byID, strings.ToLower(res.ID))
	for _, n := range hostNames(c.Old) {
		end := p.names.Release
		if n.Retain {
			end = p.names.MarkDeleted
		}
		if err := end(ctx, n.Kind, n.Name, res.GUID); err != nil {
			p.t.Fatal(err)
		}
	}
	for range 2 { // once more, as after a crash
		if err := p.s.applied(ctx, c); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestVault_PutAndRender(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("taken", nil)
	c := p.call("Kv1", `{location:'westeurope', Properties:{tenantId:'`+tenant+`', SKU:{family:'A',name:'standard'}, accessPolicies:[]}}`)
	if err := p.s.putVault(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	shown, err := renderVault(t.Context(), c, c.New)
	if err != nil || !strings.Contains(string(shown), `"vaultUri":"https://kv1.vault.azure.net/"`) || strings.Contains(string(c.New.Properties), "vaultUri") {
		t.Errorf("shown %s, stored %s: %v", shown, c.New.Properties, err)
	}
	good := `{"properties":` + minimal + `}}`
	for _, bad := range []struct{ name, body, code string }{
		{"taken", good, "VaultAlreadyExists"},
		{"TAKEN", good, "VaultAlreadyExists"},
		{"1kv", good, "VaultNameNotValid"},
		{"kv2", `{}`, "BadRequest"},
		{"kv2", `{"properties":5}`, "InvalidRequestContent"},
		{"kv2", `{"properties":{"createMode":"recover"}}`, "DeletedVaultNotFound"},
		{"kv2", `{"properties":{"createMode":"x"}}`, "BadRequest"},
	} {
		err := p.s.putVault(t.Context(), p.call(bad.name, bad.body))
		if f := fault.As(err); f == nil || f.Code != bad.code {
			t.Errorf("%s %s: got %v, want %s", bad.name, bad.body, err, bad.code)
		}
	}
}

func TestVault_CheckName(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("taken", nil)
	p.deleteVault(p.vault("gone", nil))
	for name, want := range map[string]string{"free": "", "Taken": "AlreadyExists", "gone": "AlreadyExists", "a_b": "AccountNameInvalid"} {
		got, err := p.s.checkNameAvailability(t.Context(), p.call("x", `{"name":"`+name+`","type":"Microsoft.KeyVault/vaults"}`))
		if a, _ := got.(nameAvailability); err != nil || a.Reason != want || a.Available != (want == "") {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestVault_DeleteRecoverPurge(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ctx := t.Context()
	res := p.vault("kv1", func(v *properties) { v.SoftDeleteRetentionInDays = 7 })
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"kept"}`)
	p.deleteVault(res)
	if a := p.as(alice, "GET", "/secrets/s", ""); a.status != 404 || a.errorCode() != "VaultNotFound" {
		t.Errorf("deleted vault: %d %s", a.status, a.text)
	}
	if err := p.s.putVault(ctx, p.call("kv1", `{"properties":`+minimal+`}}`)); fault.As(err) == nil || fault.As(err).Code != "ConflictError" {
		t.Errorf("a new vault of that name: %v", err)
	}
	list, err := p.s.listDeletedVaults(ctx, p.call("kv1", ""))
	if text, _ := json.Marshal(list); err != nil || !strings.Contains(string(text), `"vaultId":"`+res.ID+`","location":"westeurope","deletionDate":"2026-03-01T12:00:00Z","scheduledPurgeDate":"2026-03-08T12:00:00Z"`) {
		t.Errorf("deleted vaults: %s %v", text, err)
	}

	c := p.call("kv1", `{"properties":{"createMode":"Recover"}}`)
	if err := p.s.putVault(ctx, c); err != nil || c.New.GUID != res.GUID {
		t.Fatalf("recover: %v, immutable id %s, want %s", err, c.New.GUID, res.GUID)
	}
	if _, err := p.store.Update(ctx, "sub/"+subscription, func(tx store.Tx) error { return p.s.commitVault(tx, c) }); err != nil {
		t.Fatal(err)
	}
	props, err := propertiesOf(c.New)
	if err != nil {
		t.Fatal(err)
	}
	p.put(c.New, props)
	for _, step := range []func(context.Context, wire.HostKind, string, string) error{
		func(ctx context.Context, k wire.HostKind, n, g string) error {
			return p.names.Reserve(ctx, k, n, res.ID, g)
		}, p.names.Confirm,
	} {
		if err := step(ctx, wire.HostVault, "kv1", res.GUID); err != nil {
			t.Fatal(err)
		}
	}
	if a := p.ok(200, alice, "GET", "/secrets/s", ""); a.str("value") != "kept" {
		t.Errorf("after recovery: %s", a.text)
	}
	if _, err := p.store.Update(ctx, "sub/"+subscription, func(tx store.Tx) error { return p.s.commitVault(tx, c) }); !fault.Is(err, fault.NotFound) {
		t.Errorf("recovered twice: %v", err)
	}

	p.deleteVault(res)
	p.clock.Advance(7*24*time.Hour - time.Second)
	if err := p.s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if len(p.rows(shardOf(res.GUID))) == 0 {
		t.Error("purged too early")
	}
	p.clock.Advance(time.Second)
	if err := p.s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	e, err := p.names.Lookup(ctx, wire.HostVault, "kv1")
	if rows := p.rows(shardOf(res.GUID)); err != nil || e != nil || len(rows) != 0 || len(p.rows("sub/"+subscription)) != 0 {
		t.Errorf("after the purge: name %+v, %d rows: %v", e, len(rows), err)
	}
}

func TestVault_DeleteWithoutSoftDelete(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", func(v *properties) { v.EnableSoftDelete = no() })
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	p.deleteVault(res)
	if rows := p.rows(shardOf(res.GUID)); len(rows) != 0 || len(p.rows("sub/"+subscription)) != 0 {
		t.Errorf("%d rows are left", len(rows))
	}
	if e, err := p.names.Lookup(t.Context(), wire.HostVault, "kv1"); err != nil || e != nil {
		t.Errorf("the name is still taken: %+v %v", e, err)
	}
}
