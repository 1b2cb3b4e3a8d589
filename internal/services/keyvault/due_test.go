package keyvault

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// sweep runs the background work at the present time.
func (p *platform) sweep() {
	p.t.Helper()
	if err := p.s.Sweep(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// events are the vault's events, a line each, sorted: those of one instant have no order.
func (p *platform) events(name string) []string {
	p.t.Helper()
	list, err := p.s.Events(p.t.Context(), name, time.Unix(0, 0))
	if err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprint(e.Time.Format("2006-01-02"), " ", e.Type, " ", e.Subject))
	}
	slices.Sort(out)
	return out
}

func wantLines(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const dayLong = 24 * time.Hour

func TestEvents_Secret(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	exp := p.clock.Now().Add(60 * dayLong).Unix()
	id := p.ok(200, alice, "PUT", "/secrets/s", fmt.Sprintf(`{"value":"value-to-hide","attributes":{"exp":%d}}`, exp)).str("id")
	p.ok(200, alice, "PUT", "/secrets/forever", `{"value":"v"}`)
	made := []string{"2026-03-01 Microsoft.KeyVault.SecretNewVersionCreated forever", "2026-03-01 Microsoft.KeyVault.SecretNewVersionCreated s"}
	p.sweep()
	p.clock.Advance(29 * dayLong)
	p.sweep()
	wantLines(t, "before", p.events("kv1"), made...)
	p.clock.Advance(dayLong)
	p.sweep()
	p.sweep()
	near := append(made, "2026-03-31 Microsoft.KeyVault.SecretNearExpiry s")
	wantLines(t, "near expiry, once", p.events("kv1"), near...)
	// Put off: told again when it is near again.
	exp += 60 * 24 * 3600
	p.ok(200, alice, "PATCH", path(id), fmt.Sprintf(`{"attributes":{"exp":%d}}`, exp))
	p.clock.Advance(30 * dayLong)
	p.sweep()
	wantLines(t, "put off", p.events("kv1"), near...)
	p.clock.Advance(200 * dayLong) // both at once; what is older than 90 days is gone
	p.sweep()
	wantLines(t, "expired", p.events("kv1"), "2026-11-16 Microsoft.KeyVault.SecretExpired s", "2026-11-16 Microsoft.KeyVault.SecretNearExpiry s")
	list, err := p.s.Events(t.Context(), "kv1", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(e Event) bool { return e.Type == "Microsoft.KeyVault.SecretExpired" })
	if e := list[max(at, 0)]; at < 0 || e.Topic != res.ID || e.Data.ID != id || e.Data.VaultName != "kv1" || e.Data.ObjectType != "Secret" || *e.Data.Expires != exp || e.Data.NotBefore != nil {
		t.Errorf("event: %+v", e)
	}
	if got, err := p.s.Events(t.Context(), "kv1", p.clock.Now().Add(time.Second)); err != nil || len(got) != 0 {
		t.Errorf("events after now: %v %v", got, err)
	}
	for _, row := range p.rows(shardOf(res.GUID)) {
		if strings.HasPrefix(row, "t|") {
			t.Errorf("a timer is left: %q", row)
		}
	}
}

func TestEvents_WaitForARecovery(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/s", fmt.Sprintf(`{"value":"v","attributes":{"exp":%d}}`, p.clock.Now().Add(10*dayLong).Unix()))
	p.ok(200, alice, "DELETE", "/secrets/s", "")
	p.clock.Advance(20 * dayLong)
	p.sweep()
	made := "2026-03-01 Microsoft.KeyVault.SecretNewVersionCreated s"
	wantLines(t, "deleted", p.events("kv1"), made)
	p.ok(200, alice, "POST", "/deletedsecrets/s/recover", "")
	p.sweep()
	if got := p.events("kv1"); len(got) != 3 {
		t.Errorf("recovered: %q", got)
	}
}

func TestRotationPolicy(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := p.vault("kv1", nil)
	first := p.ok(200, alice, "POST", "/keys/k/create", `{"kty":"RSA","key_ops":["sign"],"tags":{"a":"b"}}`)
	if a := p.ok(200, alice, "GET", "/keys/k/rotationpolicy", ""); !strings.Contains(a.text, `"timeBeforeExpiry":"P30D"`) || a.str("id") != "https://kv1.vault.azure.net/keys/k/rotationpolicy" {
		t.Errorf("default: %s", a.text)
	}
	set := p.ok(200, alice, "PUT", "/keys/k/rotationpolicy", `{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P90D"},"action":{"type":"Rotate"}},`+
		`{"trigger":{"timeBeforeExpiry":"P10D"},"action":{"type":"notify"}}],"attributes":{"expiryTime":"P100D"}}`)
	if a := p.ok(200, alice, "GET", "/keys/k/rotationpolicy", ""); a.text != set.text || !strings.Contains(a.text, `"type":"Notify"`) {
		t.Errorf("set: %s\nread: %s", set.text, a.text)
	}
	p.sweep()
	p.clock.Advance(90*dayLong - time.Second)
	p.sweep()
	if got := p.ok(200, alice, "GET", "/keys/k", ""); got.str("key", "kid") != first.str("key", "kid") {
		t.Error("rotated too early")
	}
	p.clock.Advance(time.Second)
	p.sweep()
	p.sweep()
	second := p.ok(200, alice, "GET", "/keys/k", "")
	exp, _ := second.body["attributes"].(map[string]any)["exp"].(float64)
	if second.str("key", "n") == first.str("key", "n") || int64(exp) != p.clock.Now().Add(100*dayLong).Unix() || second.str("tags", "a") != "b" ||
		fmt.Sprint(second.body["key"].(map[string]any)["key_ops"]) != "[sign]" {
		t.Errorf("rotated: %s", second.text)
	}
	p.clock.Advance(90 * dayLong) // 10 days before expiry: rotated again, and the first version of all told near its expiry
	p.sweep()
	if n := len(p.ok(200, alice, "GET", "/keys/k/versions", "").body["value"].([]any)); n != 3 {
		t.Errorf("%d versions, want 3", n)
	}
	by := p.ok(200, alice, "POST", "/keys/k/rotate", "")
	if n := len(p.ok(200, alice, "GET", "/keys/k/versions", "").body["value"].([]any)); n != 4 || by.str("key", "n") == second.str("key", "n") {
		t.Errorf("%d versions, want 4", n)
	}
	if err := p.box.Drain(t.Context(), shardOf(r.GUID)); err != nil {
		t.Fatal(err)
	}
	rotated := 0
	for _, rec := range p.audit.recs {
		if rec.Operation == "KeyRotate" && rec.AllowedBy == "rotation policy" && rec.Name == "key vault kv1" && strings.HasPrefix(rec.Resource, "https://kv1.vault.azure.net/keys/k/") {
			rotated++
		}
	}
	if rotated != 2 {
		t.Errorf("%d rotations by the vault itself in the audit trail, want 2", rotated)
	}
}

func TestRotationPolicy_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "POST", "/keys/k/create", `{"kty":"EC"}`)
	action := func(trigger, kind string) string {
		return `{"trigger":{` + trigger + `},"action":{"type":"` + kind + `"}}`
	}
	for _, body := range []string{
		`{"attributes":{"expiryTime":"P27D"}}`, `{"attributes":{"expiryTime":"PT1H"}}`, `{"attributes":{"expiryTime":"soon"}}`,
		`{"lifetimeActions":[` + action(`"timeAfterCreate":"P6D"`, "Rotate") + `]}`,
		`{"lifetimeActions":[` + action(`"timeAfterCreate":"P30D"`, "Notify") + `]}`,
		`{"lifetimeActions":[` + action(`"timeAfterCreate":"P30D"`, "Explode") + `]}`,
		`{"lifetimeActions":[` + action(``, "Rotate") + `]}`,
		`{"lifetimeActions":[` + action(`"timeAfterCreate":"P30D","timeBeforeExpiry":"P30D"`, "Rotate") + `]}`,
		`{"lifetimeActions":[` + action(`"timeBeforeExpiry":"P30D"`, "Rotate") + `]}`,
		`{"lifetimeActions":[` + action(`"timeAfterCreate":"P30D"`, "Rotate") + `,` + action(`"timeAfterCreate":"P31D"`, "Rotate") + `]}`,
		`{"lifetimeActions":[` + action(`"timeAfterCreate":"P100D"`, "Rotate") + `],"attributes":{"expiryTime":"P100D"}}`,
	} {
		if a := p.as(alice, "PUT", "/keys/k/rotationpolicy", body); a.status != 400 || a.errorCode() != "BadParameter" {
			t.Errorf("%s: %d %s", body, a.status, a.text)
		}
	}
	if a := p.as(alice, "PUT", "/keys/nope/rotationpolicy", `{}`); a.status != 404 {
		t.Errorf("absent key: %d", a.status)
	}
}

func TestPeriod(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]period{"P90D": {days: 90}, "p2y": {years: 2}, "P1Y6M2W1D": {1, 6, 15}} {
		if got, ok := parsePeriod(text); !ok || got != want {
			t.Errorf("%s: %v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "P", "90D", "PD", "P1", "P1D1Y", "P1D1D", "PT1H", "P-1D", "P1.5D", "P999999D"} {
		if got, ok := parsePeriod(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAutoRenew(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/certificates/contacts", `{"contacts":[{"email":"ops@contoso.com"}]}`)
	p.ok(202, alice, "POST", "/certificates/c/create", `{"policy":{"issuer":{"name":"Self"},"key_props":{"kty":"EC"},"x509_props":{"subject":"CN=c","validity_months":12},`+
		`"lifetime_actions":[{"trigger":{"days_before_expiry":40},"action":{"action_type":"AutoRenew"}}]},"tags":{"a":"b"}}`)
	p.ok(202, alice, "POST", "/certificates/mail/create", policyJSON(`{"kty":"EC"}`, typePEM, "")) // by default: EmailContacts at 80 %
	first := p.ok(200, alice, "GET", "/certificates/c", "")
	p.sweep()
	p.clock.Advance(320 * dayLong) // of 365
	p.sweep()
	if got := p.ok(200, alice, "GET", "/certificates/c", ""); got.str("x5t") != first.str("x5t") {
		t.Error("renewed too early")
	}
	p.clock.Advance(6 * dayLong)
	p.sweep()
	p.sweep()
	second := p.ok(200, alice, "GET", "/certificates/c", "")
	if second.str("x5t") == first.str("x5t") || second.str("tags", "a") != "b" {
		t.Errorf("not renewed: %s", second.text)
	}
	if n := len(p.ok(200, alice, "GET", "/certificates/c/versions", "").body["value"].([]any)); n != 2 {
		t.Errorf("%d versions", n)
	}
	if op := p.ok(200, alice, "GET", "/certificates/c/pending", ""); op.str("status") != "completed" {
		t.Errorf("operation: %s", op.text)
	}
	p.ok(200, alice, "GET", path(second.str("sid")), "")
	list, err := p.s.Events(t.Context(), "kv1", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	contacts := 0
	for _, e := range list {
		if e.Type == "Bulkhead.KeyVault.CertificateContactsNotified" && e.Subject == "mail" {
			contacts++
			wantLines(t, "contacts", e.Data.Contacts, "ops@contoso.com")
		}
	}
	if contacts != 1 {
		t.Errorf("%d notices to the contacts: %+v", contacts, list)
	}
}

// A shard that an earlier version wrote has neither timers nor its vault's name in it.
func TestTimers_OfAnOlderShard(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/s", fmt.Sprintf(`{"value":"v","attributes":{"exp":%d}}`, p.clock.Now().Add(10*dayLong).Unix()))
	_, err := p.store.Update(t.Context(), shardOf(r.GUID), func(tx store.Tx) error {
		for _, tag := range []string{"m|", "t|", "e|"} {
			span := store.Prefix([]byte(tag))
			if err := tx.DeleteRange(span.Start, span.End); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.sweep()
	wantLines(t, "events", p.events("kv1"), "2026-03-01 Microsoft.KeyVault.SecretNearExpiry s")
}
