package clients

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/chromedp/chromedp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/bulkheadhq/bulkhead/e2e/harness/browser"
)

// TestCosmosCORS: a page in a real browser reads an item by the account's key where the account's policy names its origin, and by no other page. The request has headers
// of its own, so that the browser asks first.
func TestCosmosCORS(t *testing.T) {
	p := platform(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	key := p.Key(t, group, account, "primaryReadonlyMasterKey")
	way := p.SuffixWay(t)
	c := harness.PutContainer(t, way.Cosmos(t, account, p.Key(t, group, account, "primaryMasterKey"), way.ClientOptions()))
	if _, err := c.CreateItem(t.Context(), azcosmos.NewPartitionKeyString("p"), []byte(`{"id":"1","pk":"p","name":"Ada"}`), nil); err != nil {
		t.Fatal(err)
	}
	host := account + ".documents.azure.com"
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/" {
			fmt.Fprint(w, reader(t, key, host, r.URL.Query().Get("method")))
		}
	}))
	defer page.Close()
	_, port, _ := strings.Cut(page.Listener.Addr().String(), ":")
	policy := func(cors ...any) {
		t.Helper()
		p.ARM(t, "PATCH", group+"/providers/Microsoft.DocumentDB/databaseAccounts/"+account+"?api-version=2024-05-15", map[string]any{"properties": map[string]any{"cors": cors}})
	}
	// A preflight's answer is kept by the browser, so that each question has a browser of its own.
	ask := func(method string) string {
		t.Helper()
		ctx := browser.Start(t, p, host)
		if err := chromedp.Do(ctx, chromedp.Navigate("http://127.0.0.1:"+port+"/?method="+method), chromedp.WaitReady("#done")); err != nil {
			t.Fatal(err)
		}
		text, err := chromedp.Run(ctx, chromedp.Text("#done"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if got := ask("GET"); !strings.HasPrefix(got, "TypeError") {
		t.Errorf("without a policy: %s, want an error", got)
	}
	policy(map[string]any{"allowedOrigins": "http://127.0.0.1:" + port, "allowedMethods": "GET,HEAD"})
	if got := ask("GET"); got != "200 Ada 1" {
		t.Errorf("with a policy: %s, want 200 Ada 1", got)
	}
	if got := ask("DELETE"); !strings.HasPrefix(got, "TypeError") {
		t.Errorf("a method that the policy does not name: %s, want an error", got)
	}
	policy(map[string]any{"allowedOrigins": "https://other.example"})
	if got := ask("GET"); !strings.HasPrefix(got, "TypeError") {
		t.Errorf("with a policy for another page: %s, want an error", got)
	}
}

// reader is a page that sends a signed request for the item, and shows what it gets: status, the item's name and the request charge, which is in a header.
func reader(t *testing.T, key, host, method string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Error(err)
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	mac := hmac.New(sha256.New, raw)
	fmt.Fprintf(mac, "%s\ndocs\ndbs/d/colls/c/docs/1\n%s\n\n", strings.ToLower(method), strings.ToLower(date))
	request, err := json.Marshal(map[string]any{"method": method, "headers": map[string]string{
		"authorization": url.QueryEscape("type=master&ver=1.0&sig=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))),
		"x-ms-date":     date, "x-ms-version": "2020-07-15", "x-ms-documentdb-partitionkey": `["p"]`,
	}})
	if err != nil {
		t.Error(err)
	}
	return `<!doctype html><body><script>
fetch("https://` + host + `/dbs/d/colls/c/docs/1", ` + string(request) + `)
  .then(async (r) => r.status + " " + (await r.json()).name + " " + r.headers.get("x-ms-request-charge"))
  .catch(String)
  .then((text) => { const e = document.createElement("pre"); e.id = "done"; e.textContent = text; document.body.append(e); });
</script></body>`
}
