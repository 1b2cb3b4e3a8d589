package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/lean"
	"github.com/bulkheadhq/bulkhead/bench/machine"
	"github.com/bulkheadhq/bulkhead/bench/report"
)

// Names of the things the loads work on.
const (
	loginHost  = "login.microsoftonline.com"
	armHost    = "management.azure.com"
	vaultName  = "bench-vault"
	vaultHost  = vaultName + ".vault.azure.net"
	acctName   = "bench-account"
	acctHost   = acctName + ".documents.azure.com"
	container  = "/dbs/d/colls/c" // without an index
	indexed    = "/dbs/d/colls/i" // with the default policy
	readItems  = 1000             // that reads ask for in turn
	connReads  = 8
	connWrites = 8
)

// work is what was provisioned, and what a client needs to use it.
type work struct {
	vaultToken string
	key        []byte // the account's primary key
	created    atomic.Int64
	run        int64 // makes the ids of this run new
}

// once makes one request on a connection of its own.
func once(p *platform, host string, req []byte) (int, []byte, error) {
	c, err := dial(p.door, p.root, host)
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	return c.RoundTrip(req)
}

func (w *work) token(p *platform, resource string) (string, error) {
	status, body, err := once(p, loginHost, tokenRequest(p, resource))
	if err != nil {
		return "", err
	}
	var t struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &t); err != nil || status != 200 {
		return "", fmt.Errorf("token for %s: status %d, %v", resource, status, err)
	}
	return t.Token, nil
}

func tokenRequest(p *platform, resource string) []byte {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {p.env["AZURE_CLIENT_ID"]}, "client_secret": {p.env["AZURE_CLIENT_SECRET"]}, "resource": {resource},
	}.Encode()
	return lean.Request("POST", loginHost, "/"+p.env["AZURE_TENANT_ID"]+"/oauth2/token", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form))
}

// provision makes a vault with a secret and an account with a container of one item.
func provision(ctx context.Context, p *platform) (*work, error) {
	w := &work{run: time.Now().UnixNano()}
	arm, err := w.token(p, "https://management.azure.com/")
	if err != nil {
		return nil, err
	}
	group := "/subscriptions/" + p.env["AZURE_SUBSCRIPTION_ID"] + "/resourceGroups/bench"
	oid, err := claim(arm, "oid")
	if err != nil {
		return nil, err
	}
	account := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + acctName
	for _, step := range []struct{ path, version, body string }{
		{group, "2021-04-01", `{"location":"westeurope"}`},
		{group + "/providers/Microsoft.KeyVault/vaults/" + vaultName, "2022-07-01", fmt.Sprintf(
			`{"location":"westeurope","properties":{"tenantId":%q,"sku":{"family":"A","name":"standard"},"accessPolicies":[{"tenantId":%q,"objectId":%q,"permissions":{"secrets":["get","set"]}}]}}`,
			p.env["AZURE_TENANT_ID"], p.env["AZURE_TENANT_ID"], oid)},
		{account, "2021-10-15", `{"location":"westeurope","kind":"GlobalDocumentDB","properties":{"databaseAccountOfferType":"Standard","locations":[{"locationName":"westeurope"}]}}`},
	} {
		if err := w.do(p, "PUT", armHost, step.path+"?api-version="+step.version, bearer(arm), step.body); err != nil {
			return nil, err
		}
	}
	status, body, err := once(p, armHost, lean.Request("POST", armHost, account+"/listKeys?api-version=2021-10-15", bearer(arm), nil))
	var keys struct{ PrimaryMasterKey []byte }
	if err == nil {
		err = json.Unmarshal(body, &keys)
	}
	if err != nil || status != 200 {
		return nil, fmt.Errorf("listKeys: status %d, %v", status, err)
	}
	w.key = keys.PrimaryMasterKey
	if err := w.refresh(ctx, p); err != nil {
		return nil, err
	}
	if err := w.do(p, "PUT", vaultHost, "/secrets/s1?api-version=7.4", bearer(w.vaultToken), `{"value":"`+strings.Repeat("s", 64)+`"}`); err != nil {
		return nil, err
	}
	for _, step := range []struct{ kind, link, path, body string }{
		{"dbs", "", "/dbs", `{"id":"d"}`},
		{"colls", "dbs/d", "/dbs/d/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":{"indexingMode":"none","automatic":false}}`},
		{"colls", "dbs/d", "/dbs/d/colls", `{"id":"i","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`},
	} {
		if err := w.do(p, "POST", acctHost, step.path, w.signed("POST", step.kind, step.link), step.body); err != nil {
			return nil, err
		}
	}
	c, err := dial(p.door, p.root, acctHost)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	header := w.signedItem("POST", "dbs/d/colls/c")
	for i := range readItems {
		status, body, err := c.RoundTrip(lean.Request("POST", acctHost, container+"/docs", header, []byte(document(fmt.Sprint("read-", i)))))
		if err == nil && status != http.StatusCreated {
			err = fmt.Errorf("status %d: %.300s", status, body)
		}
		if err != nil {
			return nil, fmt.Errorf("create item %d: %w", i, err)
		}
	}
	return w, nil
}

// reads gives requests that read the items in turn.
func (w *work) reads() func(int) []byte {
	all := make([][]byte, readItems)
	for i := range all {
		path := fmt.Sprint(container, "/docs/read-", i)
		all[i] = lean.Request("GET", acctHost, path, w.signedItem("GET", path[1:]), nil)
	}
	var n atomic.Int64
	return func(int) []byte { return all[n.Add(1)%readItems] }
}

// refresh gets what a restart may have ended.
func (w *work) refresh(_ context.Context, p *platform) (err error) {
	w.vaultToken, err = w.token(p, "https://vault.azure.net")
	return err
}

func (w *work) do(p *platform, method, host, path string, header map[string]string, body string) error {
	status, answer, err := once(p, host, lean.Request(method, host, path, header, []byte(body)))
	if err == nil && status >= 300 {
		err = fmt.Errorf("status %d: %.300s", status, answer)
	}
	if err != nil {
		return fmt.Errorf("%s https://%s%s: %w", method, host, path, err)
	}
	return nil
}

// loads is about how many loads a round has: what a profile of a whole round is timed by.
const loads = 7

// round runs each load once.
func (w *work) round(ctx context.Context, p *platform, peer *signer, o options, r *report.Report) error {
	rate := func(name string, a aims, addr, root, host string, n, want int, next func(int) []byte) error {
		if !strings.Contains(name, o.only) {
			return nil
		}
		server := p.cmd
		if addr == peer.addr {
			server = peer.cmd
		}
		before := machine.SpentBy(server)
		v, err := load(ctx, addr, root, host, n, o.span, want, next)
		r.Most(name, "1/s", v.PerSecond, report.Aim{Least: a.perSecond})
		r.Least(name+", p99", "ms", v.P99.Seconds()*1000, report.Aim{Most: a.p99})
		if v.Done > 0 {
			r.Least(name+", CPU of the server", "us each", (machine.SpentBy(server)-before).Seconds()*1e6/float64(v.Done), report.Aim{Most: a.cpu})
		}
		return err
	}
	token := tokenRequest(p, "https://vault.azure.net")
	bare := lean.Request("POST", "localhost", "/", nil, []byte("x"))
	bareGet := lean.Request("GET", "localhost", "/item", nil, nil)
	secret := lean.Request("GET", vaultHost, "/secrets/s1?api-version=7.4", bearer(w.vaultToken), nil)
	fixed := func(b []byte) func(int) []byte { return func(int) []byte { return b } }
	for _, step := range []func() error{
		func() error {
			return rate("RS256 tokens (8 connections)", aims{}, p.door, p.root, loginHost, connReads, 200, fixed(token))
		},
		func() error {
			return rate("bare signing handler (8 connections)", aims{}, peer.addr, peer.root, "localhost", connReads, 200, fixed(bare))
		},
		func() error {
			return rate("bare HTTPS handler, 1 KB (8 connections)", aims{}, peer.addr, peer.root, "localhost", connReads, 200, fixed(bareGet))
		},
		func() error {
			return rate("secret reads (8 connections)", aims{perSecond: 10_000, p99: 10}, p.door, p.root, vaultHost, connReads, 200, fixed(secret))
		},
		func() error {
			return rate("item reads (8 connections)", aims{perSecond: 20_000, cpu: 40, p99: 10}, p.door, p.root, acctHost, connReads, 200, w.reads())
		},
		func() error {
			return rate("durable creates, indexed, one container of one range (8 connections)", aims{perSecond: 8_000, p99: 10}, p.door, p.root, acctHost, connWrites, 201,
				w.creates(indexed, w.signedItem("POST", strings.TrimPrefix(indexed, "/"))))
		},
		func() error {
			return rate("durable creates, not indexed, one container of one range (8 connections)", aims{p99: 10}, p.door, p.root, acctHost, connWrites, 201,
				w.creates(container, w.signedItem("POST", strings.TrimPrefix(container, "/"))))
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// aims are those of a load; zero fields ask nothing.
type aims struct{ perSecond, cpu, p99 float64 }

// creates gives requests that create items in a container.
func (w *work) creates(container string, header map[string]string) func(int) []byte {
	return func(int) []byte {
		id := fmt.Sprintf("i%d-%d", w.run, w.created.Add(1))
		return lean.Request("POST", acctHost, container+"/docs", header, []byte(document(id)))
	}
}

// document is an item of about 1 KB.
func document(id string) string {
	return `{"id":"` + id + `","pk":"p","name":"Bench","n":12345,"tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":"` +
		strings.Repeat("lorem ipsum ", 70) + `"}`
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
}

func (w *work) signedItem(method, link string) map[string]string {
	h := w.signed(method, "docs", link)
	h["x-ms-documentdb-partitionkey"] = `["p"]`
	h["Prefer"] = "return=minimal"
	if method == http.MethodGet {
		delete(h, "Prefer")
	}
	return h
}

// signed makes the headers of a request signed with the account key. They stay good for 15 minutes.
func (w *work) signed(method, kind, link string) map[string]string {
	date := time.Now().UTC().Format(http.TimeFormat)
	mac := hmac.New(sha256.New, w.key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n\n", strings.ToLower(method), kind, link, strings.ToLower(date))
	sig := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return map[string]string{
		"Authorization": url.QueryEscape("type=master&ver=1.0&sig=" + sig), "x-ms-date": date, "x-ms-version": "2020-07-15", "Content-Type": "application/json",
	}
}

// claim reads one claim of a token without checking it.
func claim(token, name string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("not a token")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var c map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&c); err != nil {
		return "", err
	}
	s, _ := c[name].(string)
	return s, nil
}
