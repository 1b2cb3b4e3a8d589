package app

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
)

// sample is what a small installation holds, made and read through the public APIs alone: a tenant's application, a vault with a secret, an account with
// documents, a site with settings, role assignments.
type sample struct {
	TenantID, SubscriptionID string
	AppID, AppSecret         string // the administrator's
	Principal                string // object id of an application that has a role
	ReaderID, ReaderSecret   string // its credentials
	Vault, Account, Site     string
	Secret                   string
	Documents                int
	AccountKey               string
}

// caller sends requests to a platform that does not listen.
type caller struct {
	t    testing.TB
	http *http.Client
}

func callerOf(t testing.TB, p *Platform) caller {
	return caller{t, &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}}}
}

func (c caller) try(method, target string, header http.Header, body string) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var out map[string]any
	_ = json.Unmarshal(b, &out)
	if out == nil {
		out = map[string]any{"text": string(b)}
	}
	return resp.StatusCode, out
}

func (c caller) do(method, target string, header http.Header, body string) map[string]any {
	c.t.Helper()
	status, out := c.try(method, target, header, body)
	if status >= 300 {
		c.t.Fatalf("%s %s: %d %v", method, target, status, out)
	}
	return out
}

func (c caller) token(s sample, appID, secret, resource string) http.Header {
	c.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {secret}, "scope": {resource + "/.default"}}
	out := c.do("POST", "https://login.microsoftonline.com/"+s.TenantID+"/oauth2/v2.0/token",
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	return http.Header{"Authorization": {"Bearer " + fmt.Sprint(out["access_token"])}}
}

func (c caller) admin(s sample, resource string) http.Header {
	return c.token(s, s.AppID, s.AppSecret, resource)
}

const armHost, armAudience, vaultAudience = "https://management.azure.com", "https://management.azure.com", "https://vault.azure.net"

// cosmos signs and sends a request to the account.
func (c caller) cosmos(s sample, method, path, kind, link, partition, body string) (int, map[string]any) {
	c.t.Helper()
	k, err := masterkey.NewKey(s.AccountKey)
	if err != nil {
		c.t.Fatal(err)
	}
	h := http.Header{}
	h.Set("X-Ms-Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("X-Ms-Version", "2018-12-31")
	if partition != "" {
		h.Set("X-Ms-Documentdb-Partitionkey", `["`+partition+`"]`)
	}
	text := masterkey.Request{Verb: method, Type: kind, Link: link, XMSDate: h.Get("X-Ms-Date")}.AppendText(nil)
	h.Set("Authorization", url.QueryEscape("type=master&ver=1.0&sig="+k.Sign(text)))
	return c.try(method, "https://"+s.Account+".documents.azure.com"+path, h, body)
}

const (
	sampleGroup    = "/resourceGroups/rg1"
	sampleSettings = `{"properties":{"GREETING":"hello","PASSWORD":"sample-setting-value"}}`
	readerRole     = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
)

func (s sample) group() string { return armHost + "/subscriptions/" + s.SubscriptionID + sampleGroup }

func (s sample) vault() string {
	return s.group() + "/providers/Microsoft.KeyVault/vaults/" + s.Vault + "?api-version=2022-07-01"
}
func (s sample) site() string { return s.group() + "/providers/Microsoft.Web/sites/" + s.Site }

// makeSample fills a new installation.
func makeSample(t testing.TB, p *Platform) sample {
	t.Helper()
	c := callerOf(t, p)
	var env reach.Environment
	adminGet(t, p, "/environment", &env)
	s := sample{
		TenantID: env.TenantID, SubscriptionID: env.SubscriptionID, AppID: env.ClientID, AppSecret: env.ClientSecret,
		Vault: "samplevault", Account: "sampleaccount", Site: "samplesite", Secret: "sample-secret-value", Documents: 5,
	}
	var app struct {
		AppID     string `json:"appId"`
		Principal string `json:"servicePrincipalObjectId"`
		Secret    struct {
			SecretText string `json:"secretText"`
		}
	}
	adminPost(t, p, "/apps", map[string]any{"tenant": s.TenantID, "displayName": "reader", "secret": true}, &app)
	s.ReaderID, s.ReaderSecret, s.Principal = app.AppID, app.Secret.SecretText, app.Principal
	arm := c.admin(s, armAudience)
	c.do("PUT", s.group()+"?api-version=2021-04-01", arm, `{"location":"westeurope"}`)
	c.do("PUT", s.vault(), arm, `{"location":"westeurope","properties":{"tenantId":"`+s.TenantID+`","sku":{"family":"A","name":"standard"},
		"accessPolicies":[{"tenantId":"`+s.TenantID+`","objectId":"`+s.Principal+`","permissions":{"secrets":["get","set","list"]}}]}}`)
	c.do("PUT", s.group()+"/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000001?api-version=2022-04-01", arm,
		`{"properties":{"roleDefinitionId":"/providers/Microsoft.Authorization/roleDefinitions/`+readerRole+`","principalId":"`+s.Principal+`"}}`)
	reader := c.token(s, s.ReaderID, s.ReaderSecret, vaultAudience)
	c.do("PUT", "https://"+s.Vault+".vault.azure.net/secrets/s1?api-version=7.4", reader, `{"value":"`+s.Secret+`"}`)

	account := s.group() + "/providers/Microsoft.DocumentDB/databaseAccounts/" + s.Account
	c.do("PUT", account+"?api-version=2021-10-15", arm, `{"location":"westeurope","kind":"GlobalDocumentDB",
		"properties":{"databaseAccountOfferType":"Standard","locations":[{"locationName":"westeurope","failoverPriority":0}]}}`)
	s.AccountKey = fmt.Sprint(c.do("POST", account+"/listKeys?api-version=2021-10-15", arm, "")["primaryMasterKey"])
	want := func(status int, out map[string]any) {
		t.Helper()
		if status >= 300 {
			t.Fatalf("%d %v", status, out)
		}
	}
	want(c.cosmos(s, "POST", "/dbs", "dbs", "", "", `{"id":"db"}`))
	want(c.cosmos(s, "POST", "/dbs/db/colls", "colls", "dbs/db", "", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`))
	for n := range s.Documents {
		want(c.cosmos(s, "POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", "a", fmt.Sprintf(`{"id":"d%d","pk":"a","n":%d}`, n, n)))
	}

	c.do("PUT", s.group()+"/providers/Microsoft.Web/serverfarms/plan?api-version=2022-03-01", arm,
		`{"location":"westeurope","kind":"linux","sku":{"name":"B1","tier":"Basic"},"properties":{"reserved":true}}`)
	c.do("PUT", s.site()+"?api-version=2022-03-01", arm, `{"location":"westeurope","kind":"app,linux","identity":{"type":"SystemAssigned"},
		"properties":{"serverFarmId":"`+strings.TrimPrefix(s.group(), armHost)+`/providers/Microsoft.Web/serverfarms/plan"}}`)
	c.do("PUT", s.site()+"/config/appsettings?api-version=2022-03-01", arm, sampleSettings)
	return s
}

// checkSample reads everything back.
func checkSample(t testing.TB, p *Platform, s sample) {
	t.Helper()
	c := callerOf(t, p)
	reader := c.token(s, s.ReaderID, s.ReaderSecret, vaultAudience)
	if got := c.do("GET", "https://"+s.Vault+".vault.azure.net/secrets/s1?api-version=7.4", reader, "")["value"]; got != s.Secret {
		t.Errorf("secret: got %v, want %s", got, s.Secret)
	}
	arm := c.token(s, s.ReaderID, s.ReaderSecret, armAudience) // has the role Reader on the group
	if got := c.do("GET", s.vault(), arm, "")["name"]; got != s.Vault {
		t.Errorf("vault as reader: got %v", got)
	}
	if status, _ := c.try("POST", s.site()+"/config/appsettings/list?api-version=2022-03-01", arm, ""); status != http.StatusForbidden {
		t.Errorf("settings as reader: %d, want 403", status)
	}
	settings := c.do("POST", s.site()+"/config/appsettings/list?api-version=2022-03-01", c.admin(s, armAudience), "")
	if got := fmt.Sprint(settings["properties"]); got != "map[GREETING:hello PASSWORD:sample-setting-value]" {
		t.Errorf("settings: got %s", got)
	}
	for n := range s.Documents {
		id := fmt.Sprintf("d%d", n)
		status, doc := c.cosmos(s, "GET", "/dbs/db/colls/c/docs/"+id, "docs", "dbs/db/colls/c/docs/"+id, "a", "")
		if status != 200 || doc["n"] != float64(n) {
			t.Errorf("document %s: %d %v", id, status, doc)
		}
	}
}

func openStepsOf(t testing.TB, dir string, steps []upgradeStep) (*Platform, error) {
	t.Helper()
	cfg := Defaults()
	cfg.Data = dir
	return openSteps(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{Proxy: "127.0.0.1:1"}, steps)
}
