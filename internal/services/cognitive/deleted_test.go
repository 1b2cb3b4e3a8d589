package cognitive

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	deletedPath   = "/providers/Microsoft.CognitiveServices/deletedAccounts"
	deletedTexts  = "/providers/Microsoft.CognitiveServices/locations/westeurope/resourceGroups/rg1/deletedAccounts/texts"
	textsAccount  = `{"kind":"TextAnalytics","location":"westeurope","sku":{"name":"F0"},"properties":{"customSubDomainName":"mine"}}`
	restoredTexts = `{"location":"westeurope","properties":{"restore":true}}`
	mineHost      = "mine.cognitiveservices.azure.com"
)

// deletedNames lists what can be recovered.
func (p *platform) deletedNames() string {
	p.t.Helper()
	var out []string
	list, _ := p.do("GET", deletedPath, "2023-05-01", "")["value"].([]any)
	for _, one := range list {
		out = append(out, one.(map[string]any)["name"].(string))
	}
	return strings.Join(out, " ")
}

// TestDeleted_Restored: a deleted account answers nobody; restored, it is what it was, with keys, names and usage.
func TestDeleted_Restored(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.do("PUT", accountsPath+"texts", "2023-05-01", strings.Replace(textsAccount, `{"kind"`, `{"tags":{"a":"b"},"kind"`, 1))
	key := p.key("texts")
	expect(t, "there", p.send(from{host: mineHost, key: key}), 200, "")
	p.do("DELETE", accountsPath+"texts", "2023-05-01", "")
	expect(t, "gone, at the region", p.send(from{host: regionHost, key: key}), 401, "")
	expect(t, "gone, by name", p.send(from{host: mineHost, key: key}), 404, "")
	if got := p.deletedNames(); got != "texts" {
		t.Errorf("deleted accounts: %q", got)
	}
	shown := p.do("GET", deletedTexts, "2023-05-01", "")
	props, _ := shown["properties"].(map[string]any)
	if shown["kind"] != "TextAnalytics" || props["deletionDate"] != "2026-01-02T03:04:05Z" || props["scheduledPurgeDate"] != "2026-01-04T03:04:05Z" {
		t.Errorf("a deleted account shows %v", shown)
	}
	expect(t, "made anew", p.try("PUT", accountsPath+"texts", "2023-05-01", textsAccount), 409, "FlagMustBeSetForRestore")
	expect(t, "its name for another", p.try("PUT", accountsPath+"other", "2023-05-01", textsAccount), 409, "can be recovered")
	expect(t, "restored elsewhere", p.try("PUT", accountsPath+"texts", "2023-05-01", strings.Replace(restoredTexts, "westeurope", "westus", 1)), 400, "InvalidResourceLocation")
	expect(t, "what was never there", p.try("PUT", accountsPath+"nothing", "2023-05-01", restoredTexts), 404, "ResourceNotFound")
	back := p.do("PUT", accountsPath+"texts", "2023-05-01", restoredTexts)
	if tags, _ := back["tags"].(map[string]any); back["kind"] != "TextAnalytics" || tags["a"] != "b" {
		t.Errorf("restored: %v", back)
	}
	if got := p.deletedNames(); got != "" {
		t.Errorf("deleted accounts: %q", got)
	}
	expect(t, "the key it had", p.send(from{host: mineHost, key: key}), 200, "")
	if u := p.usages("texts"); u["TextAnalytics.Transactions"] != 2 {
		t.Errorf("usages: %v", u)
	}
	expect(t, "shown as deleted", p.try("GET", deletedTexts, "2023-05-01", ""), 404, "ResourceNotFound")
}

// TestDeleted_Purged: a purged account is gone with keys, names, usage and what the APIs keep.
func TestDeleted_Purged(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var forgotten []string
	p.service.deps.APIs = append(p.service.deps.APIs, api.API{Name: "keeper", Forget: func(_ context.Context, account string) error {
		forgotten = append(forgotten, account)
		return nil
	}})
	p.do("PUT", accountsPath+"texts", "2023-05-01", textsAccount)
	key := p.key("texts")
	expect(t, "there", p.send(from{host: mineHost, key: key}), 200, "")
	guid := ownerOf(key)
	p.do("DELETE", accountsPath+"texts", "2023-05-01", "")
	expect(t, "purged elsewhere", p.try("DELETE", strings.Replace(deletedTexts, "westeurope", "westus", 1), "2023-05-01", ""), 404, "ResourceNotFound")
	if len(forgotten) != 0 || len(p.rows(shardOf(guid))) == 0 {
		t.Errorf("before it is purged: forgotten %v, %d rows", forgotten, len(p.rows(shardOf(guid))))
	}
	p.do("DELETE", deletedTexts, "2023-05-01", "")
	expect(t, "purged again", p.try("DELETE", deletedTexts, "2023-05-01", ""), 404, "ResourceNotFound")
	expect(t, "restored", p.try("PUT", accountsPath+"texts", "2023-05-01", restoredTexts), 404, "ResourceNotFound")
	if len(forgotten) != 1 || forgotten[0] != guid {
		t.Errorf("forgotten: %v, want %s", forgotten, guid)
	}
	if rows := p.rows(shardOf(guid)); len(rows) != 0 {
		t.Errorf("%d rows of the account are left", len(rows))
	}
	for _, row := range p.rows(subscriptionShard(p.sub)) {
		if strings.HasPrefix(string(row), "s|cognitive|") {
			t.Errorf("left in the subscription: %.60q", row)
		}
	}
	p.do("PUT", accountsPath+"texts", "2023-05-01", textsAccount)
	fresh := p.key("texts")
	expect(t, "the old key at the new account", p.send(from{host: mineHost, key: key}), 401, "")
	expect(t, "the new key", p.send(from{host: mineHost, key: fresh}), 200, "")
	if u := p.usages("texts"); u["TextAnalytics.Transactions"] != 1 {
		t.Errorf("usages of the new account: %v", u)
	}
}

// TestDeleted_Sweep: after 48 hours an account is purged by itself, and not before.
func TestDeleted_Sweep(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.do("PUT", accountsPath+"texts", "2023-05-01", textsAccount)
	p.do("DELETE", accountsPath+"texts", "2023-05-01", "")
	for _, c := range []struct {
		after time.Duration
		left  string
	}{{0, "texts"}, {retained - time.Second, "texts"}, {time.Second, ""}} {
		p.clock.Advance(c.after)
		if err := p.service.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.deletedNames(); got != c.left {
			t.Errorf("%s later: %q, want %q", c.after, got, c.left)
		}
	}
	p.do("PUT", accountsPath+"texts", "2023-05-01", textsAccount)
}

// TestDeleted_Group: accounts that go with their group can be restored into one of its name.
func TestDeleted_Group(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.do("PUT", accountsPath+"texts", "2023-05-01", textsAccount)
	key := p.key("texts")
	p.do("DELETE", "/resourceGroups/rg1", "2021-04-01", "")
	expect(t, "without the group", p.try("PUT", accountsPath+"texts", "2023-05-01", restoredTexts), 404, "ResourceGroupNotFound")
	p.do("PUT", "/resourceGroups/rg1", "2021-04-01", `{"location":"westeurope"}`)
	p.do("PUT", accountsPath+"texts", "2023-05-01", restoredTexts)
	expect(t, "the key it had", p.send(from{host: mineHost, key: key}), 200, "")
}

// TestDeleted_Changed: of two who take a deleted account, one finds it gone.
func TestDeleted_Changed(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.do("PUT", accountsPath+"texts", "2023-05-01", textsAccount)
	p.do("DELETE", accountsPath+"texts", "2023-05-01", "")
	d, err := p.service.deletedNamed(t.Context(), subscriptionShard(p.sub), "RG1", "TEXTS")
	if err != nil || d == nil {
		t.Fatalf("not found in another case: %v, %v", d, err)
	}
	for i, want := range []bool{true, false} {
		_, err := p.store.Update(t.Context(), subscriptionShard(p.sub), func(tx store.Tx) error { return d.take(tx) })
		if (err == nil) != want || err != nil && !errors.Is(err, noDeletedAccount("texts")) && !strings.Contains(err.Error(), "no deleted account") {
			t.Errorf("take %d: %v", i+1, err)
		}
	}
}
