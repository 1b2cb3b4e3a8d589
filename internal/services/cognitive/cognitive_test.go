package cognitive

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p := newPlatform(t)
		return wiretest.Target{Handler: p.handler, Vars: map[string]string{
			"sub": p.sub, "key": p.account("known", "TextAnalytics", "S", `"customSubDomainName":"known"`), "faceKey": p.account("faces", "Face", "F0", ""),
		}}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var all []wire.Route
	for _, r := range p.service.Service().Routes {
		if !strings.HasPrefix(r.Pattern, "/face/") { // the fixture's own
			all = append(all, r)
		}
	}
	key := p.account("all", "TextAnalytics", "S", `"customSubDomainName":"all"`)
	wiretest.CheckRoutes(t, p.handler, all, wiretest.Check{
		Names: map[wire.HostKind]string{wire.HostCognitive: "all"}, Params: map[string]string{"version": "v3.1"}, Version: "2023-04-01",
		Sign: signer(key),
	})
	wiretest.CheckCovered(t, "testdata", all)
}

// TestKeys: what is a key, and where.
func TestKeys(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	key := p.account("texts", "TextAnalytics", "S", `"customSubDomainName":"my-texts"`)
	faces := p.account("faces", "Face", "S0", `"customSubDomainName":"my-faces"`)
	all := p.account("all", "CognitiveServices", "S0", "")
	elsewhere := p.account("other", "TextAnalytics", "S", "")
	const named = "my-texts.cognitiveservices.azure.com"
	const wrong = "Access denied due to invalid subscription key or wrong API endpoint."
	for _, c := range []struct {
		what   string
		f      from
		status int
		piece  string
	}{
		{"by name", from{host: named, key: key}, 200, "French"},
		{"by region", from{host: regionHost, key: key}, 200, "French"},
		{"own suffix", from{host: "my-texts.cognitiveservices.bulkhead.localhost:8443", key: key}, 200, "French"},
		{"own suffix, region", from{host: "westeurope.api.cognitive.bulkhead.localhost:8443", key: key}, 200, "French"},
		{"in the query", from{host: regionHost, path: languages + "?subscription-key=" + key}, 200, "French"},
		{"of all kinds", from{host: regionHost, key: all}, 200, "French"},
		{"none", from{host: regionHost}, 401, "Access denied due to missing subscription key."},
		{"another region", from{host: "eastus.api.cognitive.microsoft.com", key: key}, 401, wrong},
		{"another account's, by name", from{host: named, key: elsewhere}, 401, wrong},
		{"another kind", from{host: regionHost, key: faces}, 401, wrong},
		{"a key for faces at faces", from{host: "my-faces.cognitiveservices.azure.com", path: "/face/v1.0/detect", key: faces}, 200, "[]"},
		{"a key for texts at faces", from{host: regionHost, path: "/face/v1.0/detect", key: key}, 401, wrong},
		{"guessed, with the account's end", from{host: regionHost, key: strings.Repeat("A", randomLength) + key[randomLength:]}, 401, wrong},
		{"no key at all", from{host: regionHost, key: "0123456789abcdef"}, 401, wrong},
		{"of no account", from{host: regionHost, key: newKey(ids.New())}, 401, wrong},
		{"no account of that name", from{host: "nothing.cognitiveservices.azure.com", key: key}, 404, "would not resolve"},
		{"no operation", from{host: named, key: key, path: "/text/analytics/v9.9/languages"}, 404, "Resource not found"},
	} {
		expect(t, c.what, p.send(c.f), c.status, c.piece)
	}
}

// TestRegenerate: the old key is refused at once, the other one stays, and neither is in the store in clear.
func TestRegenerate(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	old := p.account("texts", "TextAnalytics", "S", "")
	second, _ := p.do("POST", accountsPath+"texts/listKeys", "2017-04-18", "")["key2"].(string)
	fresh, _ := p.do("POST", accountsPath+"texts/regenerateKey", "2017-04-18", `{"keyName":"key1"}`)["key1"].(string)
	if fresh == old || fresh == "" || p.key("texts") != fresh {
		t.Fatal("key1 was not replaced")
	}
	expect(t, "old key", p.send(from{host: regionHost, key: old}), 401, "")
	expect(t, "new key", p.send(from{host: regionHost, key: fresh}), 200, "")
	expect(t, "second key", p.send(from{host: regionHost, key: second}), 200, "")
	expect(t, "no such key", p.try("POST", accountsPath+"texts/regenerateKey", "2017-04-18", `{"keyName":"key3"}`), 400, "InvalidKeyName")
	for _, row := range p.rows("sub/" + p.sub) {
		for _, k := range []string{old, second, fresh} {
			if bytes.Contains(row, []byte(k)) || bytes.Contains(row, []byte(k[:randomLength])) {
				t.Errorf("a key is in the store in clear: %q", row)
			}
		}
	}
}

func TestLocator(t *testing.T) {
	t.Parallel()
	for _, guid := range []string{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", ids.New(), "00000000-0000-0000-0000-0000000000a1"} {
		k := newKey(guid)
		if len(k) != keyLength || ownerOf(k) != guid {
			t.Errorf("key of %s: %d characters, of %s", guid, len(k), ownerOf(k))
		}
	}
	for _, k := range []string{"", strings.Repeat("Z", keyLength), strings.Repeat("x", randomLength) + keyMark + strings.Repeat("Z", locatorLength), strings.Repeat("x", randomLength) + keyMark + "-" + strings.Repeat("1", locatorLength-1)} {
		if got := ownerOf(k); got != "" {
			t.Errorf("%q is of %s", k, got)
		}
	}
}

func FuzzOwnerOf(f *testing.F) {
	f.Add(newKey("00000000-0000-0000-0000-0000000000a1"))
	f.Add(strings.Repeat("Z", keyLength))
	f.Fuzz(func(t *testing.T, key string) {
		if guid := ownerOf(key); guid != "" && !ids.IsGUID(guid) {
			t.Fatalf("%q is of %q", key, guid)
		}
	})
}

// TestTokens: a token needs the custom subdomain, the audience, the tenant and the role.
func TestTokens(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.account("texts", "TextAnalytics", "S", `"customSubDomainName":"my-texts"`)
	const named = "my-texts.cognitiveservices.azure.com"
	expect(t, "without a role", p.send(from{host: named, token: "user"}), 401, "Principal does not have access to API/Operation.")
	p.do("PUT", accountsPath+"texts/providers/Microsoft.Authorization/roleAssignments/"+ids.New(), "2022-04-01",
		`{"properties":{"roleDefinitionId":"/subscriptions/`+p.sub+`/providers/Microsoft.Authorization/roleDefinitions/`+userRole+`","principalId":"`+userID+`","principalType":"ServicePrincipal"}}`)
	expect(t, "with the role", p.send(from{host: named, token: "user"}), 200, "French")
	expect(t, "somebody else", p.send(from{host: named, token: "nobody"}), 401, "PermissionDenied")
	expect(t, "another audience", p.send(from{host: named, token: "owner"}), 401, "audience is incorrect")
	expect(t, "another tenant", p.send(from{host: named, token: "stranger"}), 401, "does not match resource tenant")
	expect(t, "no token", p.send(from{host: named, token: "x"}), 401, "Access token is missing, invalid")
	expect(t, "at the region", p.send(from{host: regionHost, token: "user"}), 400, "custom subdomain for token authentication")
	key := p.key("texts")
	p.do("PATCH", accountsPath+"texts", "2023-05-01", `{"properties":{"disableLocalAuth":true}}`)
	expect(t, "key where keys are off", p.send(from{host: named, key: key}), 403, "Key based authentication is disabled for this resource.")
	expect(t, "listKeys where keys are off", p.try("POST", accountsPath+"texts/listKeys", "2023-05-01", ""), 400, "disableLocalAuth")
	expect(t, "token where keys are off", p.send(from{host: named, token: "user"}), 200, "French")
}

// TestNetworkRules: they hold at both endpoints.
func TestNetworkRules(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	key := p.account("texts", "TextAnalytics", "S", `"customSubDomainName":"my-texts","networkAcls":{"defaultAction":"Deny","ipRules":[{"value":"203.0.113.0/24"}]}`)
	for _, host := range []string{"my-texts.cognitiveservices.azure.com", regionHost} {
		expect(t, "inside "+host, p.send(from{host: host, key: key, client: "203.0.113.9"}), 200, "French")
		expect(t, "outside "+host, p.send(from{host: host, key: key, client: "198.51.100.9"}), 403, "Access denied due to Virtual Network/Firewall rules.")
	}
	p.do("PATCH", accountsPath+"texts", "2023-05-01", `{"properties":{"publicNetworkAccess":"Disabled"}}`)
	expect(t, "public access off", p.send(from{host: regionHost, key: key, client: "203.0.113.9"}), 403, "Public access is disabled")
	expect(t, "rules without a subdomain", p.try("PUT", accountsPath+"x1", "2023-05-01", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"},"properties":{"networkAcls":{"defaultAction":"Deny"}}}`), 400, "CustomDomainRequired")
	expect(t, "a rule that is none", p.try("PUT", accountsPath+"x1", "2023-05-01", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"},"properties":{"customSubDomainName":"x1","networkAcls":{"ipRules":[{"value":"here"}]}}}`), 400, "InvalidNetworkAcls")
}

// TestRateLimit: a SKU's bounds are for each feature by itself, and end by the clock.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	key := p.account("texts", "TextAnalytics", "S0", "")
	for i := range 100 {
		if w := p.send(from{host: regionHost, key: key}); w.Code != 200 {
			t.Fatalf("request %d: %d %s", i, w.Code, w.Body)
		}
	}
	w := p.send(from{host: regionHost, key: key})
	expect(t, "over a second's", w, 429, "have exceeded rate limit of your current TextAnalytics S0 pricing tier. Please retry after 1 seconds.")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	expect(t, "another feature", p.send(from{host: regionHost, key: key, path: "/text/analytics/v3.1/keyPhrases"}), 200, "")
	for range 2 {
		p.clock.Advance(time.Second)
		for range 100 {
			expect(t, "the next second", p.send(from{host: regionHost, key: key}), 200, "")
		}
	}
	p.clock.Advance(time.Second)
	w = p.send(from{host: regionHost, key: key})
	expect(t, "over a minute's", w, 429, "Please retry after 57 seconds.")
	p.clock.Advance(57 * time.Second)
	expect(t, "the next minute", p.send(from{host: regionHost, key: key}), 200, "")
}

// TestQuota: the free SKU's transactions of a month are counted before they are answered, survive a restart, and begin anew with the next month.
func TestQuota(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openPlatform(t, dir, "")
	key := p.account("texts", "TextAnalytics", "F0", "")
	long := strings.Repeat("Bonjour. ", 560) // 5,040 text elements: six transactions
	ten := make([]string, 10)
	for i := range ten {
		ten[i] = fmt.Sprintf(`{"id":"%d","text":"%s"}`, i, long)
	}
	body := `{"documents":[` + strings.Join(ten, ",") + `]}`
	for i := range 83 {
		p.clock.Advance(time.Second)
		if w := p.send(from{host: regionHost, key: key, body: body}); w.Code != 200 {
			t.Fatalf("request %d: %d %s", i, w.Code, w.Body)
		}
	}
	_ = p.store.Close()
	p = openPlatform(t, dir, p.sub)
	usage := p.usages("texts")
	if usage["TextAnalytics.Transactions"] != 4980 || usage["TextAnalytics.languages"] != 4980 {
		t.Errorf("usages after a restart: %v", usage)
	}
	expect(t, "the last", p.send(from{host: regionHost, key: key, body: body}), 200, "")
	w := p.send(from{host: regionHost, key: key})
	expect(t, "over the quota", w, 403, "Out of call volume quota for TextAnalytics F0 pricing tier. Please retry after 30 days.")
	p.clock.Advance(31 * 24 * time.Hour)
	expect(t, "the next month", p.send(from{host: regionHost, key: key}), 200, "")
	if usage := p.usages("texts"); usage["TextAnalytics.Transactions"] != 1 {
		t.Errorf("usages of the next month: %v", usage)
	}
}

// usages gives the account's usage by name.
func (p *platform) usages(name string) map[string]float64 {
	p.t.Helper()
	out := map[string]float64{}
	list, _ := p.do("GET", accountsPath+name+"/usages", "2023-05-01", "")["value"].([]any)
	for _, u := range list {
		m, _ := u.(map[string]any)
		n, _ := m["name"].(map[string]any)
		value, _ := n["value"].(string)
		out[value], _ = m["currentValue"].(float64)
	}
	return out
}

// TestUsage_Flush: what a paid SKU used is stored by the worker, once, whoever counts meanwhile.
func TestUsage_Flush(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openPlatform(t, dir, "")
	key := p.account("texts", "TextAnalytics", "S", "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.service.run(ctx) }()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				p.send(from{host: regionHost, key: key})
				p.service.usage.flush(ctx, p.service.deps.Log)
			}
		})
	}
	wg.Wait()
	cancel()
	<-done
	_ = p.store.Close()
	p = openPlatform(t, dir, p.sub)
	if usage := p.usages("texts"); usage["TextAnalytics.Transactions"] != 200 {
		t.Errorf("usages: %v", usage)
	}
}

const reportBody = `{"usageRequestBody":{"id":"","apiType":"%s","containerType":"language","containerVersion":"1","containerId":"%s","sequence":%d,"meter":{"name":"x","quantity":%d}}}`

// TestContainerReports: a report counts once, an account of another kind refuses it, and a used-up quota is told.
func TestContainerReports(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	key := p.account("texts", "TextAnalytics", "F0", "")
	faces := p.account("faces", "Face", "S0", "")
	one, other := ids.New(), ids.New()
	report := func(key, kind, id string, sequence, n int) from {
		return from{host: regionHost, key: key, path: usagePath, body: fmt.Sprintf(reportBody, kind, id, sequence, n)}
	}
	expect(t, "the first", p.send(report(key, "textanalytics", one, 1, 0)), 200, `{"status":"Valid"}`)
	expect(t, "ten", p.send(report(key, "textanalytics", one, 2, 10)), 200, "Valid")
	expect(t, "the same again", p.send(report(key, "textanalytics", one, 2, 10)), 200, "Valid")
	expect(t, "another container", p.send(report(key, "textanalytics", other, 1, 5)), 200, "Valid")
	if u := p.usages("texts"); u["TextAnalytics.Containers"] != 15 || u["TextAnalytics.Transactions"] != 15 {
		t.Errorf("usages: %v", u)
	}
	expect(t, "a key of another kind", p.send(report(faces, "textanalytics", one, 3, 1)), 403, "Mismatch")
	expect(t, "no key", p.send(report("", "textanalytics", one, 3, 1)), 401, "missing subscription key")
	expect(t, "a wrong key", p.send(report(newKey(ids.New()), "textanalytics", one, 3, 1)), 401, "invalid subscription key")
	expect(t, "no number", p.send(from{host: regionHost, key: key, path: usagePath, body: `{"usageRequestBody":{"containerId":"` + one + `","sequence":3,"meter":{"quantity":-1}}}`}), 400, "InvalidReport")
	expect(t, "no container", p.send(report(key, "textanalytics", "x", 3, 1)), 400, "InvalidReport")
	expect(t, "over the quota", p.send(report(key, "textanalytics", one, 3, 5000)), 403, "OutOfQuota")
	expect(t, "what was done was counted", p.send(from{host: regionHost, key: key}), 403, "Out of call volume quota")
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(reportBody, "textanalytics", "00000000-0000-0000-0000-0000000000a1", 1, 2)))
	f.Add([]byte(`{"usageRequestBody":{"sequence":1e99,"meter":{"quantity":1e308}}}`))
	s := &Service{}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &wire.Request{Body: body, State: &visit{account: &account{kind: "Face"}}}
		if _, err := s.reportUsage(t.Context(), r); err == nil {
			t.Fatalf("%q was counted for an account that takes no containers", body)
		}
	})
}

// TestAccounts: what an account can't be.
func TestAccounts_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.account("texts", "TextAnalytics", "S", `"customSubDomainName":"taken"`)
	for _, c := range []struct{ name, body, piece string }{
		{"x", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"}}`, "InvalidResourceName"},
		{"a1", `{"kind":"OpenAI","location":"westeurope","sku":{"name":"S0"}}`, "InvalidApiSetId"},
		{"a1", `{"location":"westeurope","sku":{"name":"S0"}}`, "InvalidApiSetId"},
		{"a1", `{"kind":"Face","location":"westeurope","sku":{"name":"S9"}}`, "InvalidSkuId"},
		{"a1", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"},"properties":{"customSubDomainName":"-x"}}`, "InvalidCustomDomainName"},
		{"a1", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"},"properties":{"customSubDomainName":"taken"}}`, "already in use"},
		{"a1", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"},"properties":{"encryption":{"keySource":"Microsoft.KeyVault"}}}`, "FeatureNotSupported"},
		{"a1", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"},"properties":{"restrictOutboundNetworkAccess":true}}`, "FeatureNotSupported"},
		{"texts", `{"kind":"Face","location":"westeurope","sku":{"name":"S0"}}`, "KindChangeNotAllowed"},
		{"texts", `{"kind":"TextAnalytics","location":"westeurope","sku":{"name":"S"},"properties":{"customSubDomainName":"other"}}`, "CustomDomainNameChangeNotAllowed"},
	} {
		w := p.try("PUT", accountsPath+c.name, "2023-05-01", c.body)
		if w.Code != 400 && w.Code != 409 || !strings.Contains(w.Body.String(), c.piece) {
			t.Errorf("%s %s: %d %s; want %q", c.name, c.body, w.Code, w.Body, c.piece)
		}
	}
}
