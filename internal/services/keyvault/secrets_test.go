package keyvault

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

func TestSecret_RoundTrip(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	set := p.ok(200, alice, "PUT", "/secrets/Db-Password", `{"value":"s3cret <&> ü","contentType":"text/plain","tags":{"a":"b"},"attributes":{"exp":1900000000,"nbf":1}}`)
	id := set.str("id")
	if !strings.HasPrefix(id, "https://kv1.vault.azure.net/secrets/Db-Password/") || !validVersion(id[len(id)-32:]) {
		t.Fatalf("id %q", id)
	}
	version := id[len(id)-32:]
	for _, url := range []string{
		"/secrets/Db-Password/?api-version=7.4", "/secrets/db-password", "//secrets/DB-PASSWORD?api-version=7.0", "/SECRETS/Db-Password/" + version, "/secrets/Db-Password?api%2Dversion=2026-04-01",
		"/secrets/db-password/" + strings.ToUpper(version) + "/",
	} {
		got := p.ok(200, bob, "GET", url, "")
		if got.str("value") != "s3cret <&> ü" || got.str("id") != id || got.str("contentType") != "text/plain" || got.str("tags", "a") != "b" {
			t.Errorf("GET %s: %s", url, got.text)
		}
		attrs := got.body["attributes"].(map[string]any)
		if attrs["enabled"] != true || attrs["exp"] != 1.9e9 || attrs["nbf"] != 1.0 || attrs["created"] != attrs["updated"] || attrs["recoveryLevel"] != "Recoverable+Purgeable" || attrs["recoverableDays"] != 90.0 {
			t.Errorf("attributes %v", attrs)
		}
	}
	own := p.ok(200, bob, "GET", "https://kv1.vault.bulkhead.localhost:8443/secrets/db-password", "")
	if want := "https://kv1.vault.bulkhead.localhost:8443/secrets/Db-Password/" + version; own.str("id") != want {
		t.Errorf("own suffix: id %q, want %q", own.str("id"), want)
	}
	for name, want := range map[string]string{
		"X-Ms-Keyvault-Region": "westeurope", "X-Ms-Keyvault-Network-Info": "conn_type=Ipv4;addr=10.1.2.3;act_addr_fam=InterNetwork;", "Cache-Control": "no-cache",
	} {
		if got := own.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestSecret_Versions(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	first := p.ok(200, alice, "PUT", "/secrets/s", `{"value":"one","tags":{"n":"1"}}`).str("id")
	p.clock.Advance(time.Hour)
	second := p.ok(200, alice, "PUT", "/secrets/S", `{"value":"two"}`).str("id")
	path := func(id string) string { return strings.TrimPrefix(id, "https://kv1.vault.azure.net") }
	if got := p.ok(200, alice, "GET", path(first), ""); got.str("value") != "one" {
		t.Errorf("first: %s", got.text)
	}
	if got := p.ok(200, alice, "GET", "/secrets/s", ""); got.str("value") != "two" || got.body["tags"] != nil || got.str("id") != second {
		t.Errorf("newest: %s", got.text)
	}
	// A change of an old version leaves the newest alone, and the reverse.
	got := p.ok(200, alice, "PATCH", path(first), `{"attributes":{"enabled":false},"contentType":"x"}`)
	if got.body["value"] != nil || got.str("contentType") != "x" || got.str("tags", "n") != "1" {
		t.Errorf("patch: %s", got.text)
	}
	if a := p.as(alice, "GET", path(first), ""); a.status != 403 || a.errorCode() != "Forbidden/SecretDisabled" {
		t.Errorf("disabled: %d %s", a.status, a.text)
	}
	p.ok(200, alice, "GET", "/secrets/s", "")
	p.ok(200, alice, "PATCH", "/secrets/s/", `{"attributes":{"enabled":false}}`)
	if a := p.as(alice, "GET", "/secrets/s", ""); a.errorCode() != "Forbidden/SecretDisabled" {
		t.Errorf("newest disabled: %s", a.text)
	}
	if a := p.as(alice, "GET", path(second), ""); a.errorCode() != "Forbidden/SecretDisabled" {
		t.Errorf("second disabled: %s", a.text)
	}
	list := p.ok(200, alice, "GET", "/secrets/s/versions", "")
	if n := len(list.body["value"].([]any)); n != 2 || list.body["nextLink"] != nil || strings.Contains(list.text, "two") {
		t.Errorf("versions: %s", list.text)
	}
}

func TestSecret_ExpiredIsReadable(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/old", `{"value":"v","attributes":{"exp":1000}}`)
	p.ok(200, alice, "PUT", "/secrets/new", `{"value":"v","attributes":{"nbf":4000000000}}`)
	p.ok(200, bob, "GET", "/secrets/old", "")
	p.ok(200, bob, "GET", "/secrets/new", "")
}

func TestSecret_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	long := strings.Repeat("x", maxSecret+1)
	tags := make([]string, 16)
	for i := range tags {
		tags[i] = fmt.Sprintf(`"t%d":"v"`, i)
	}
	for _, c := range []struct {
		name, method, url, body string
		status                  int
		code                    string
	}{
		{"absent", "GET", "/secrets/nope", "", 404, "SecretNotFound"},
		{"absent version", "GET", "/secrets/s/00000000000000000000000000000000", "", 404, "SecretNotFound"},
		{"bad version", "GET", "/secrets/s/abc", "", 400, "BadParameter"},
		{"bad name", "GET", "/secrets/a_b", "", 400, "BadParameter"},
		{"slash in name", "GET", "/secrets/a%2Fb", "", 400, "BadParameter"},
		{"name too long", "GET", "/secrets/" + strings.Repeat("a", 128), "", 400, "BadParameter"},
		{"set bad name", "PUT", "/secrets/a.b", `{"value":"v"}`, 400, "BadParameter"},
		{"no body", "PUT", "/secrets/s", "", 400, "BadParameter"},
		{"not JSON", "PUT", "/secrets/s", "{", 400, "BadParameter"},
		{"trailing text", "PUT", "/secrets/s", `{"value":"v"} x`, 400, "BadParameter"},
		{"no value", "PUT", "/secrets/s", `{}`, 400, "BadParameter"},
		{"value is a number", "PUT", "/secrets/s", `{"value":1}`, 400, "BadParameter"},
		{"long value", "PUT", "/secrets/s", `{"value":"` + long + `"}`, 400, "BadParameter"},
		{"many tags", "PUT", "/secrets/s", `{"value":"v","tags":{` + strings.Join(tags, ",") + `}}`, 400, "BadParameter"},
		{"long type", "PUT", "/secrets/s", `{"value":"v","contentType":"` + strings.Repeat("x", 256) + `"}`, 400, "BadParameter"},
		{"exp before nbf", "PUT", "/secrets/s", `{"value":"v","attributes":{"nbf":5,"exp":5}}`, 400, "BadParameter"},
		{"too big", "PUT", "/secrets/s", strings.Repeat(" ", 1<<20) + `{"value":"v"}`, 413, "RequestEntityTooLarge"},
		{"patch absent", "PATCH", "/secrets/nope", `{}`, 404, "SecretNotFound"},
		{"patch absent version", "PATCH", "/secrets/s/00000000000000000000000000000000", `{}`, 404, "SecretNotFound"},
		{"delete absent", "DELETE", "/secrets/nope", "", 404, "SecretNotFound"},
		{"maxresults 0", "GET", "/secrets?maxresults=0", "", 400, "BadParameter"},
		{"maxresults 26", "GET", "/secrets?maxresults=26", "", 400, "BadParameter"},
		{"maxresults x", "GET", "/secrets?maxresults=x", "", 400, "BadParameter"},
		{"skiptoken", "GET", "/secrets?$skiptoken=abc", "", 400, "BadParameter"},
		{"skiptoken !", "GET", "/secrets?$skiptoken=!", "", 400, "BadParameter"},
		{"deleted absent", "GET", "/deletedsecrets/nope", "", 404, "SecretNotFound"},
		{"deleted live", "GET", "/deletedsecrets/s", "", 404, "SecretNotFound"},
		{"purge live", "DELETE", "/deletedsecrets/s", "", 404, "SecretNotFound"},
		{"recover live", "POST", "/deletedsecrets/s/recover", "", 404, "SecretNotFound"},
		{"api-version", "GET", "/secrets/s?api-version=", "", 400, "BadParameter"},
		{"bad api-version", "GET", "/secrets/s?api-version=x", "", 400, "BadParameter"},
		{"method", "POST", "/secrets/s", "", 405, ""},
		{"path", "GET", "/nothing", "", 404, ""},
	} {
		a := p.as(alice, c.method, c.url, c.body)
		if a.status != c.status || c.code != "" && a.errorCode() != c.code {
			t.Errorf("%s: got %d %s, want %d %s: %s", c.name, a.status, a.errorCode(), c.status, c.code, a.text)
		}
		if strings.Contains(a.text, "xxxxxxxxxxxx") {
			t.Errorf("%s: the answer repeats the value", c.name)
		}
	}
	if a := p.as(alice, "GET", "/secrets/nope", ""); !strings.HasPrefix(a.message(), "A secret with (name/id) nope was not found in this key vault. If you recently deleted") {
		t.Errorf("text: %s", a.message())
	}
	if a := p.do("GET", "https://unknown.vault.azure.net/secrets/s", "", ""); a.status != 404 || a.errorCode() != "VaultNotFound" {
		t.Errorf("unknown vault: %d %s", a.status, a.text)
	}
}

func TestSecret_Paging(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	for i := range 60 {
		p.ok(200, alice, "PUT", fmt.Sprintf("/secrets/s-%02d", i), `{"value":"v"}`)
	}
	for _, size := range []int{0, 7, 25} {
		url := "/secrets"
		if size > 0 {
			url += fmt.Sprintf("?maxresults=%d", size)
		}
		seen, pages := map[string]bool{}, 0
		for url != "" {
			a := p.ok(200, alice, "GET", url, "")
			for _, v := range a.body["value"].([]any) {
				id := v.(map[string]any)["id"].(string)
				if seen[id] || strings.Count(id, "/") != 4 {
					t.Errorf("id %s: twice, or with a version", id)
				}
				seen[id] = true
			}
			url, _ = a.body["nextLink"].(string)
			pages++
		}
		want := map[int]int{0: 3, 7: 9, 25: 3}[size]
		if len(seen) != 60 || pages != want {
			t.Errorf("page size %d: %d secrets on %d pages, want 60 on %d", size, len(seen), pages, want)
		}
	}
}

func TestSecret_SoftDelete(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"one"}`)
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"two"}`)
	d := p.ok(200, alice, "DELETE", "/secrets/S", "")
	if d.str("recoveryId") != "https://kv1.vault.azure.net/deletedsecrets/s" || d.body["deletedDate"].(float64)+90*86400 != d.body["scheduledPurgeDate"].(float64) || d.body["value"] != nil {
		t.Errorf("delete: %s", d.text)
	}
	for _, c := range []struct {
		method, url, body, code string
		status                  int
	}{
		{"GET", "/secrets/s", "", "SecretNotFound", 404},
		{"GET", d.str("id"), "", "SecretNotFound", 404},
		{"PUT", "/secrets/S", `{"value":"v"}`, "Conflict/ObjectIsDeletedButRecoverable", 409},
		{"DELETE", "/secrets/s", "", "SecretNotFound", 404},
	} {
		if a := p.as(alice, c.method, c.url, c.body); a.status != c.status || a.errorCode() != c.code {
			t.Errorf("%s %s while deleted: %d %s", c.method, c.url, a.status, a.text)
		}
	}
	if a := p.ok(200, alice, "GET", "/deletedsecrets", ""); len(a.body["value"].([]any)) != 1 || !strings.Contains(a.text, "recoveryId") {
		t.Errorf("list of deleted: %s", a.text)
	}
	if a := p.ok(200, alice, "GET", "/secrets/s/versions", ""); len(a.body["value"].([]any)) != 0 {
		t.Errorf("versions of deleted: %s", a.text)
	}
	p.ok(200, alice, "GET", "/deletedsecrets/s", "")
	p.ok(200, alice, "POST", "/deletedsecrets/s/recover", "")
	if a := p.ok(200, alice, "GET", "/secrets/s", ""); a.str("value") != "two" || a.body["recoveryId"] != nil {
		t.Errorf("recovered: %s", a.text)
	}
	if a := p.ok(200, alice, "GET", "/secrets/s/versions", ""); len(a.body["value"].([]any)) != 2 {
		t.Errorf("versions of recovered: %s", a.text)
	}

	p.ok(200, alice, "DELETE", "/secrets/s", "")
	p.ok(204, alice, "DELETE", "/deletedsecrets/s", "")
	if a := p.as(alice, "GET", "/deletedsecrets/s", ""); a.status != 404 {
		t.Errorf("purged: %s", a.text)
	}
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"three"}`)
	if a := p.ok(200, alice, "GET", "/secrets/s/versions", ""); len(a.body["value"].([]any)) != 1 {
		t.Errorf("a purged secret's versions came back: %s", a.text)
	}
}

func TestSecret_ScheduledPurge(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", func(v *properties) { v.SoftDeleteRetentionInDays = 7; v.EnablePurgeProtection = yes() })
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"one"}`)
	d := p.ok(200, alice, "DELETE", "/secrets/s", "")
	if level := d.body["attributes"].(map[string]any)["recoveryLevel"]; level != "CustomizedRecoverable" {
		t.Errorf("recovery level %v", level)
	}
	if a := p.as(alice, "DELETE", "/deletedsecrets/s", ""); a.status != 403 {
		t.Errorf("purge in spite of protection: %d %s", a.status, a.text)
	}
	sweep := func() {
		t.Helper()
		if err := p.s.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	p.clock.Advance(7*24*time.Hour - time.Second)
	sweep()
	p.ok(200, alice, "GET", "/deletedsecrets/s", "")
	p.ok(200, alice, "POST", "/deletedsecrets/s/recover", "")
	p.clock.Advance(time.Hour)
	sweep()
	p.ok(200, alice, "GET", "/secrets/s", "") // recovered in time
	p.ok(200, alice, "DELETE", "/secrets/s", "")
	p.clock.Advance(7 * 24 * time.Hour)
	sweep()
	if a := p.as(alice, "GET", "/deletedsecrets/s", ""); a.status != 404 {
		t.Errorf("not purged at its time: %d", a.status)
	}
	if err := p.box.Drain(context.Background(), shardOf(res.GUID)); err != nil {
		t.Fatal(err)
	}
	if rows := p.objectRows(shardOf(res.GUID)); len(rows) != 0 {
		t.Errorf("%d rows are left: %q", len(rows), rows)
	}
}

func TestSecret_VaultWithoutSoftDelete(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", func(v *properties) { v.EnableSoftDelete = no() })
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"one"}`)
	d := p.ok(200, alice, "DELETE", "/secrets/s", "")
	if d.body["recoveryId"] != nil || d.body["attributes"].(map[string]any)["recoveryLevel"] != "Purgeable" {
		t.Errorf("delete: %s", d.text)
	}
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"two"}`)
	if a := p.ok(200, alice, "GET", "/secrets/s/versions", ""); len(a.body["value"].([]any)) != 1 {
		t.Errorf("versions: %s", a.text)
	}
	for _, url := range []string{"/deletedsecrets", "/deletedsecrets/s"} {
		if a := p.as(alice, "GET", url, ""); a.status != 400 || a.errorCode() != "NotSupported" {
			t.Errorf("%s: %d %s", url, a.status, a.text)
		}
	}
}

func TestSecret_Backup(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.vault("kv2", nil)
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"one-value"}`)
	id := p.ok(200, alice, "PUT", "/secrets/s", `{"value":"two-value"}`).str("id")
	blob := p.ok(200, alice, "POST", "/secrets/s/backup", "").str("value")
	if raw, err := decodeBase64(blob); err != nil || bytes.Contains(raw, []byte("two-value")) {
		t.Fatalf("backup %q: %v", blob, err)
	}
	body := `{"value":"` + blob + `"}`
	if a := p.as(alice, "POST", "/secrets/restore", body); a.status != 409 {
		t.Errorf("restore over a live one: %d %s", a.status, a.text)
	}
	p.ok(200, alice, "POST", "https://kv2.vault.azure.net/secrets/restore", body)
	got := p.ok(200, alice, "GET", "https://kv2.vault.azure.net/secrets/s", "")
	if got.str("value") != "two-value" || got.str("id") != strings.Replace(id, "kv1.", "kv2.", 1) {
		t.Errorf("restored: %s", got.text)
	}
	if a := p.as(alice, "POST", "/secrets/restore", `{"value":"AAAA"}`); a.status != 400 {
		t.Errorf("damaged backup: %d %s", a.status, a.text)
	}
}

// rows are the keys and values of a shard.
func (p *platform) rows(shard string) []string {
	p.t.Helper()
	var out []string
	err := p.store.View(context.Background(), shard, func(sn store.Snapshot) error {
		out = nil
		return sn.Scan(store.Range{}, func(k, v []byte) bool {
			out = append(out, string(k)+string(v))
			return true
		})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// objectRows are the rows of objects: without what the shard says of itself, and without events, which outlive them.
func (p *platform) objectRows(shard string) []string {
	return slices.DeleteFunc(p.rows(shard), func(row string) bool { return strings.HasPrefix(row, "m|") || strings.HasPrefix(row, "e|") })
}

func TestSecret_Sealed(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/Name-To-Hide", `{"value":"value-to-hide","tags":{"tag-to-hide":"x"},"contentType":"type-to-hide"}`)
	p.ok(200, alice, "DELETE", "/secrets/name-to-hide", "")
	p.ok(200, alice, "PUT", "/secrets/other", `{"value":"value-to-hide"}`)
	if err := p.box.Drain(context.Background(), shardOf(res.GUID)); err != nil {
		t.Fatal(err)
	}
	rows := p.rows(shardOf(res.GUID))
	if n := len(p.objectRows(shardOf(res.GUID))); n != 5 { // deleted head, its version, its purge entry; head and version of the other
		t.Errorf("%d rows, want 5", n)
	}
	for _, row := range rows {
		if low := strings.ToLower(row); strings.Contains(low, "to-hide") {
			t.Errorf("in clear: %q", row)
		}
	}
}

func TestSecret_Audit(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	id := p.ok(200, alice, "PUT", "/secrets/s", `{"value":"value-to-hide"}`).str("id")
	p.ok(200, bob, "GET", strings.TrimPrefix(id, "https://kv1.vault.azure.net"), "")
	p.as(mallory, "GET", "/secrets/s", "")
	if err := p.box.Drain(context.Background(), shardOf(res.GUID)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.audit.recs {
		if strings.Contains(fmt.Sprintf("%+v", r), "value-to-hide") {
			t.Errorf("a record holds the value: %+v", r)
		}
		got = append(got, fmt.Sprint(r.Operation, " ", r.Status, " ", r.Resource, " ", r.AllowedBy))
	}
	want := []string{
		"SecretGet 200 " + id + " access policy of " + bob + ": secrets get",
		"SecretGet 403 https://kv1.vault.azure.net/secrets/s ",
		"SecretSet 200 https://kv1.vault.azure.net/secrets/s access policy of " + alice + ": secrets set",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
