package keyvault

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
)

func TestAuth_Challenge(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	const public = `Bearer authorization="https://login.microsoftonline.com/` + tenant + `", resource="https://vault.azure.net"`
	const own = `Bearer authorization="https://login.bulkhead.localhost:8443/` + tenant + `", resource="https://vault.bulkhead.localhost:8443"`
	ownHost := "https://kv1.vault.bulkhead.localhost:8443"
	with := func(tid, aud string) string { return alice + "|" + tid + "|" + aud + "|" + someApp }
	for _, c := range []struct {
		name, method, url, token, text, challenge string
	}{
		{"none", "GET", "/secrets/s", "", "AKV10000: Request is missing a Bearer or PoP token.", public},
		{"none, empty PUT", "PUT", "/secrets/s", "", "AKV10000", public},
		{"none, bad name", "GET", "/secrets/a_b", "", "AKV10000", public},
		{"none, own name", "GET", ownHost + "/secrets/s", "", "AKV10000", own},
		{
			"other audience", "GET", "/secrets/s", with(tenant, "https://management.core.windows.net/"),
			"AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.core.windows.net/.", public,
		},
		{"other audience, own name", "GET", ownHost + "/secrets/s", with(tenant, "x"), "AKV10022: Invalid audience. Expected https://vault.bulkhead.localhost:8443, found: x.", own},
		{"empty audience", "GET", "/secrets/s", with(tenant, ""), "AKV10022", public},
		{"other tenant", "GET", "/secrets/s", with(otherTenant, resource), "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/" + tenant + "/", public},
		{"expired", "GET", "/secrets/s", "bad:" + string(authn.Expired), "IDX10223", public},
		{"not yet", "GET", "/secrets/s", "bad:" + string(authn.NotYetValid), "IDX10222", public},
		{"tampered", "GET", "/secrets/s", "bad:" + string(authn.BadSignature), "IDX10511", public},
		{"malformed", "GET", "/secrets/s", "bad:" + string(authn.Malformed), "IDX12741", public},
		{"issuer", "GET", "/secrets/s", "bad:" + string(authn.BadIssuer), "found found this.", public},
	} {
		a := p.do(c.method, c.url, c.token, "")
		if a.status != 401 || a.errorCode() != "Unauthorized" || !strings.Contains(a.message(), c.text) {
			t.Errorf("%s: got %d %s, want %q", c.name, a.status, a.text, c.text)
		}
		if got := a.header.Get("WWW-Authenticate"); got != c.challenge {
			t.Errorf("%s: challenge\n%s, want\n%s", c.name, got, c.challenge)
		}
		if a.header.Get("X-Ms-Keyvault-Region") != "westeurope" {
			t.Errorf("%s: headers %v", c.name, a.header)
		}
	}
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	for _, aud := range []string{
		resource, resource + "/", application, "https://vault.bulkhead.localhost:8443", "https://vault.bulkhead.localhost:8443/",
	} {
		for _, host := range []string{"", ownHost} {
			if a := p.do("GET", host+"/secrets/s", with(tenant, aud), ""); a.status != 200 {
				t.Errorf("audience %s at %q: %d %s", aud, host, a.status, a.text)
			}
		}
	}
}

// operations are one of each permission.
var operations = []struct{ method, url, body, permission, action string }{
	{"PUT", "/secrets/s", `{"value":"v"}`, "secrets set", "secrets/setSecret/action"},
	{"PATCH", "/secrets/s", `{"tags":{}}`, "secrets set", "secrets/update/action"},
	{"GET", "/secrets/s", "", "secrets get", "secrets/getSecret/action"},
	{"GET", "/secrets", "", "secrets list", "secrets/readMetadata/action"},
	{"GET", "/secrets/s/versions", "", "secrets list", "secrets/readMetadata/action"},
	{"POST", "/secrets/s/backup", "", "secrets backup", "secrets/backup/action"},
	{"POST", "/secrets/restore", `{"value":"AA"}`, "secrets restore", "secrets/restore/action"},
	{"DELETE", "/secrets/s", "", "secrets delete", "secrets/delete"},
	{"GET", "/deletedsecrets", "", "secrets list", "secrets/readMetadata/action"},
	{"GET", "/deletedsecrets/s", "", "secrets get", "secrets/readMetadata/action"},
	{"POST", "/deletedsecrets/s/recover", "", "secrets recover", "secrets/recover/action"},
	{"DELETE", "/deletedsecrets/s", "", "secrets purge", "secrets/purge/action"},
	{"POST", "/certificates/c/create", `{}`, "certificates create", "certificates/create/action"},
	{"POST", "/certificates/c/import", `{"value":"AA"}`, "certificates import", "certificates/import/action"},
	{"GET", "/certificates/c", "", "certificates get", "certificates/read"},
	{"GET", "/certificates", "", "certificates list", "certificates/read"},
	{"GET", "/certificates/c/policy", "", "certificates get", "certificates/read"},
	{"PATCH", "/certificates/c/policy", "{}", "certificates update", "certificates/update/action"},
	{"GET", "/certificates/c/pending", "", "certificates get", "certificates/read"},
	{"DELETE", "/certificates/c", "", "certificates delete", "certificates/delete"},
	{"DELETE", "/deletedcertificates/c", "", "certificates purge", "certificates/purge/action"},
	{"GET", "/keys/k", "", "keys get", "keys/read"},
	{"POST", "/keys/k/00000000000000000000000000000000/sign", "{}", "keys sign", "keys/sign/action"},
	{"POST", "/keys/k/00000000000000000000000000000000/wrapkey", "{}", "keys wrapkey", "keys/wrap/action"},
	{"POST", "/keys/k/create", "{}", "keys create", "keys/create/action"},
	{"PUT", "/keys/k", "{}", "keys import", "keys/import/action"},
	{"PATCH", "/keys/k", "{}", "keys update", "keys/update/action"},
	{"GET", "/keys", "", "keys list", "keys/read"},
	{"GET", "/keys/k/versions", "", "keys list", "keys/read"},
	{"POST", "/keys/k/rotate", "", "keys rotate", "keys/rotate/action"},
	{"GET", "/keys/k/rotationpolicy", "", "keys getrotationpolicy", "keyrotationpolicies/read"},
	{"PUT", "/keys/k/rotationpolicy", "{}", "keys setrotationpolicy", "keyrotationpolicies/write"},
	{"POST", "/keys/k/backup", "", "keys backup", "keys/backup/action"},
	{"POST", "/keys/restore", `{"value":"AA"}`, "keys restore", "keys/restore/action"},
	{"POST", "/keys/k/encrypt", "{}", "keys encrypt", "keys/encrypt/action"},
	{"POST", "/keys/k/decrypt", "{}", "keys decrypt", "keys/decrypt/action"},
	{"POST", "/keys/k/sign", "{}", "keys sign", "keys/sign/action"},
	{"POST", "/keys/k/verify", "{}", "keys verify", "keys/verify/action"},
	{"POST", "/keys/k/unwrapkey", "{}", "keys unwrapkey", "keys/unwrap/action"},
	{"POST", "/keys/k/release", "{}", "keys release", "keys/release/action"},
	{"POST", "/rng", `{"count":1}`, "keys get", "keys/read"},
	{"DELETE", "/keys/k", "", "keys delete", "keys/delete"},
	{"GET", "/deletedkeys", "", "keys list", "keys/read"},
	{"POST", "/deletedkeys/k/recover", "", "keys recover", "keys/recover/action"},
	{"DELETE", "/deletedkeys/k", "", "keys purge", "keys/purge/action"},
	{"PATCH", "/certificates/c/pending", "{}", "certificates update", "certificates/update/action"},
	{"DELETE", "/certificates/c/pending", "", "certificates delete", "certificates/delete"},
	{"POST", "/certificates/c/pending/merge", "{}", "certificates create", "certificates/create/action"},
	{"POST", "/certificates/c/backup", "", "certificates backup", "certificates/backup/action"},
	{"POST", "/certificates/restore", `{"value":"AA"}`, "certificates restore", "certificates/restore/action"},
	{"PUT", "/certificates/contacts", "{}", "certificates managecontacts", "certificatecontacts/write"},
	{"GET", "/certificates/issuers", "", "certificates listissuers", "certificatecas/read"},
	{"GET", "/certificates/issuers/i", "", "certificates getissuers", "certificatecas/read"},
	{"PUT", "/certificates/issuers/i", "{}", "certificates setissuers", "certificatecas/write"},
	{"DELETE", "/certificates/issuers/i", "", "certificates deleteissuers", "certificatecas/delete"},
}

func TestAccess_Policies(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	const oid = "abababab-0000-0000-0000-000000000001"
	res := p.vault("kv1", nil)
	props, err := propertiesOf(p.arm.byID[strings.ToLower(res.ID)])
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range operations {
		area, perm, _ := strings.Cut(op.permission, " ")
		// Every permission but this one is refused; this one alone lets the caller through to the handler.
		var but, only accessPolicy
		for a, list := range permitted() {
			for _, x := range list {
				dst := but.areas()[a]
				if a == area && x == perm {
					dst = only.areas()[a]
				}
				if x != "all" {
					*dst = append(*dst, x)
				}
			}
		}
		but.ObjectID, only.ObjectID = oid, strings.ToUpper(oid)
		props.AccessPolicies = []accessPolicy{but}
		p.put(res, props)
		a := p.as(oid, op.method, op.url, op.body)
		want := "The user, group or application 'appid=" + someApp + ";oid=" + oid + ";iss=https://sts.windows.net/" + tenant + "/' does not have " + op.permission +
			" permission on key vault 'kv1;location=westeurope'."
		if a.status != 403 || a.errorCode() != "Forbidden/AccessDenied" || !strings.HasPrefix(a.message(), want) {
			t.Errorf("%s %s with all but %s: %d %s", op.method, op.url, op.permission, a.status, a.text)
		}
		props.AccessPolicies = []accessPolicy{only}
		p.put(res, props)
		if a := p.as(oid, op.method, op.url, op.body); a.status == 401 || a.status == 403 || a.status >= 500 && a.errorCode() != "NotImplemented" {
			t.Errorf("%s %s with only %s: %d %s", op.method, op.url, op.permission, a.status, a.text)
		}
	}
}

func TestAccess_Callers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	other := strings.ReplaceAll(someApp, "e", "f")
	by := func(oid, app string) string { return oid + "|" + tenant + "|" + resource + "|" + app }
	for _, c := range []struct {
		name, token, method string
		status              int
	}{
		{"get by policy", by(bob, someApp), "GET", 200},
		{"get by policy, any application", by(bob, other), "GET", 200},
		{"delete without policy", by(bob, someApp), "DELETE", 403},
		{"compound policy, its application", by(carol, someApp), "GET", 200},
		{"compound policy, another application", by(carol, other), "GET", 403},
		{"compound policy, no application", by(carol, ""), "GET", 403},
		{"no policy", by(mallory, someApp), "GET", 403},
		{"application id as object id", by(someApp, someApp), "GET", 403},
		{"no object id", by("", someApp), "GET", 403},
	} {
		if a := p.do(c.method, "/secrets/s", c.token, ""); a.status != c.status {
			t.Errorf("%s: got %d, want %d: %s", c.name, a.status, c.status, a.text)
		}
	}
}

func TestAccess_AllIsNotPurge(t *testing.T) {
	t.Parallel()
	v := &vault{grants: map[string][]grant{alice: {{allowed: map[string]bool{"secrets all": true}}}}}
	who := &authn.Principal{ObjectID: alice}
	for perm, want := range map[string]bool{"secrets get": true, "secrets delete": true, "secrets purge": false, "keys get": false} {
		if _, got := v.granted(who, perm); got != want {
			t.Errorf("%s: got %t, want %t", perm, got, want)
		}
	}
	group := &authn.Principal{ObjectID: bob, Groups: []string{mallory, strings.ToUpper(alice)}}
	if by, ok := v.granted(group, "secrets get"); !ok || !strings.EqualFold(by, alice) {
		t.Errorf("by group: %q %t", by, ok)
	}
}

func TestAccess_RBAC(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", func(v *properties) { v.EnableRbacAuthorization = true })
	for _, op := range operations {
		// alice's access policy must not count.
		a := p.as(alice, op.method, op.url, op.body)
		if a.status != 403 || a.errorCode() != "Forbidden/ForbiddenByRbac" || !strings.Contains(a.message(), "Action: 'Microsoft.KeyVault/vaults/"+op.action+"'") {
			t.Errorf("%s %s without assignment: %d %s", op.method, op.url, a.status, a.text)
		}
		p.arm.granted[alice+"|Microsoft.KeyVault/vaults/"+op.action+"|"+res.ID] = true
		if a := p.as(alice, op.method, op.url, op.body); a.status == 401 || a.status == 403 {
			t.Errorf("%s %s with assignment: %d %s", op.method, op.url, a.status, a.text)
		}
		p.arm.granted = map[string]bool{}
	}
	// An assignment at one secret lets to that secret alone.
	p.arm.granted[alice+"|Microsoft.KeyVault/vaults/secrets/setSecret/action|"+res.ID] = true
	p.arm.granted[bob+"|Microsoft.KeyVault/vaults/secrets/getSecret/action|"+res.ID+"/secrets/one"] = true
	p.ok(200, alice, "PUT", "/secrets/one", `{"value":"v"}`)
	p.ok(200, alice, "PUT", "/secrets/two", `{"value":"v"}`)
	p.ok(200, bob, "GET", "/secrets/one", "")
	if a := p.as(bob, "GET", "/secrets/two", ""); a.status != 403 {
		t.Errorf("the other secret: %d", a.status)
	}
	if a := p.as(bob, "GET", "/secrets/x%2Fsecrets%2Fone", ""); a.status != 403 {
		t.Errorf("a name that imitates a scope: %d %s", a.status, a.text)
	}
}

func TestAccess_Revocation(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	p.ok(200, bob, "GET", "/secrets/s", "")
	props, err := propertiesOf(p.arm.byID[strings.ToLower(res.ID)])
	if err != nil {
		t.Fatal(err)
	}
	props.AccessPolicies = props.AccessPolicies[:1]
	p.put(res, props)
	if a := p.as(bob, "GET", "/secrets/s", ""); a.status != 403 {
		t.Errorf("after the policy was removed: %d", a.status)
	}
}

// A vault that is switched to roles, or back, is judged by them at the next call.
func TestAccess_SwitchOfMode(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	p.ok(200, alice, "POST", "/keys/k/create", `{"kty":"EC"}`)
	p.arm.granted[mallory+"|Microsoft.KeyVault/vaults/keys/read|"+res.ID] = true
	props, err := propertiesOf(p.arm.byID[strings.ToLower(res.ID)])
	if err != nil {
		t.Fatal(err)
	}
	for _, rbac := range []bool{true, false, true} {
		props.EnableRbacAuthorization = rbac
		p.put(res, props)
		byPolicy, byRole := p.as(alice, "GET", "/keys/k", ""), p.as(mallory, "GET", "/keys/k", "")
		if (byPolicy.status == 200) == rbac || (byRole.status == 200) != rbac {
			t.Errorf("roles %v: by policy %d, by role %d", rbac, byPolicy.status, byRole.status)
		}
	}
}

func TestAccess_Firewall(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", func(v *properties) {
		v.NetworkACLs = &networkACLs{DefaultAction: "deny", IPRules: []ipRule{{"10.1.2.0/24"}}}
	})
	p.vault("closed", func(v *properties) {
		v.NetworkACLs = &networkACLs{DefaultAction: "Deny", IPRules: []ipRule{{"10.1.2.4"}}}
	})
	p.vault("dark", func(v *properties) { v.PublicNetworkAccess = "disabled" })
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	a := p.as(alice, "GET", "https://closed.vault.azure.net/secrets/s", "")
	if a.status != 403 || a.errorCode() != "Forbidden/ForbiddenByFirewall" || !strings.Contains(a.message(), "Client address: 10.1.2.3\r\n") {
		t.Errorf("firewall: %d %s", a.status, a.text)
	}
	if a := p.as(alice, "GET", "https://dark.vault.azure.net/secrets/s", ""); a.errorCode() != "Forbidden/ForbiddenByConnection" {
		t.Errorf("no public access: %d %s", a.status, a.text)
	}
}

func TestVault_GoneOrUnconfirmed(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	ctx := t.Context()
	if err := p.names.MarkDeleted(ctx, "vault", "kv1", res.GUID); err != nil {
		t.Fatal(err)
	}
	if a := p.as(alice, "GET", "/secrets/s", ""); a.status != 404 || a.errorCode() != "VaultNotFound" {
		t.Errorf("deleted vault: %d %s", a.status, a.text)
	}
	if err := p.names.Confirm(ctx, "vault", "kv1", res.GUID); err != nil {
		t.Fatal(err)
	}
	res.GUID = "another"
	props, _ := propertiesOf(p.arm.byID[strings.ToLower(res.ID)])
	p.put(res, props)
	if a := p.as(alice, "GET", "/secrets/s", ""); a.status != 404 {
		t.Errorf("a vault of that id but another making: %d %s", a.status, a.text)
	}
}
