package cosmos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenant       = "11111111-1111-1111-1111-111111111111"
	subscription = "33333333-3333-3333-3333-333333333333"
	host         = "acct.documents.azure.com"
	start        = "2026-03-01T12:00:00Z"
)

// platform is the service on a real store, behind the real mux, with small stand-ins for the control plane and the tokens.
type platform struct {
	t       testing.TB
	fs      vfs.FS
	store   store.Store
	clock   *clock.Fake
	names   *names.Registry
	sealer  *seal.Sealer
	s       *Service
	mux     *wire.Mux
	arm     *resources
	audit   *audit.Log
	keys    *accountKeys
	process string // identity of the calling process
	drainer *outbox.Drainer
}

// resources stands in for the control plane.
type resources struct {
	mu   sync.Mutex
	byID map[string]*arm.Resource
}

func (a *resources) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[strings.ToLower(id)], tenant, nil
}

// tokens stands in for the verifier: a token is an audience, or "bad"; "aud#oid#group" is one of another principal, in a group.
type tokens struct{}

func (tokens) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	if raw == "bad" {
		return nil, &authn.VerifyError{Reason: authn.BadSignature, Detail: "found this"}
	}
	p := &authn.Principal{Kind: authn.ServicePrincipal, ObjectID: "oid", TenantID: tenant, Audience: raw}
	if parts := strings.Split(raw, "#"); len(parts) > 1 {
		p.Audience, p.ObjectID, p.Groups = parts[0], parts[1], parts[2:]
		if parts[1] == "stranger" {
			p.TenantID = "other"
		}
	}
	return p, nil
}

// later is a drainer that is made after those who need it.
type later struct{ d *outbox.Drainer }

func (l *later) Drain(ctx context.Context, shard string) error { return l.d.Drain(ctx, shard) }

func newPlatform(t testing.TB) *platform {
	t.Helper()
	return openPlatformAt(t, "db", vfs.NewMem())
}

func openPlatformAt(t testing.TB, dir string, fs vfs.FS) *platform {
	t.Helper()
	st, err := pebble.Open(dir, pebble.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	at, _ := time.Parse(time.RFC3339, start)
	p := &platform{t: t, fs: fs, store: st, sealer: sealer, clock: clock.NewFake(at), arm: &resources{byID: map[string]*arm.Resource{}}}
	p.names = names.New(st, p.clock)
	p.audit = audit.NewLog(st, p.clock, slog.New(slog.DiscardHandler))
	p.wire()
	return p
}

// wire makes the service and the mux.
func (p *platform) wire() {
	p.t.Helper()
	drain := &later{}
	p.s = New(Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Reader: p.arm, Names: p.names, Verifier: tokens{}, Audit: p.audit, Outbox: drain, Scripts: scripts.NewEngine(),
		Monotonic: func() time.Duration { return p.clock.Now().Sub(time.Unix(0, 0)) },
	})
	handlers := p.s.OutboxHandlers()
	maps.Copy(handlers, p.audit.OutboxHandlers())
	p.drainer = outbox.NewDrainer(p.store, nil, handlers)
	drain.d = p.drainer
	var err error
	p.mux, err = wire.NewMux([]wire.Service{p.s.Service()}, wire.Options{Clock: p.clock, Audit: p.audit})
	p.check(err)
}

// call makes a call of the account's type as the pipeline would.
func (p *platform) call(name string, body string) *arm.Call {
	p.t.Helper()
	id := arm.ID{Subscription: subscription, ResourceGroup: "rg", Namespace: "Microsoft.DocumentDB", Types: []string{"databaseAccounts"}, Names: []string{name}}
	c := &arm.Call{Request: &wire.Request{Time: p.clock.Now(), Host: wire.Host{Kind: wire.HostARM, Public: true}}, ID: id, Version: "2025-10-15"}
	if body != "" {
		o, err := arm.ParseObject([]byte(body))
		if err != nil {
			p.t.Fatal(err)
		}
		c.Body = o
	}
	if c.Old, _, _ = p.arm.Resource(context.Background(), id.String()); c.Old != nil {
		copied := *c.Old
		c.New = &copied
	} else {
		c.New = &arm.Resource{ID: id.String(), Name: name, Type: typeName, Location: "West US", GUID: ids.New()}
	}
	c.New.ETag = ids.New()
	return c
}

// put makes or changes an account as the pipeline would.
func (p *platform) put(name, body string) error {
	p.t.Helper()
	ctx, c := context.Background(), p.call(name, body)
	typ := p.s.Types()[0]
	if err := typ.Put(ctx, c); err != nil {
		return err
	}
	hn := typ.HostNames(c.New)[0]
	if err := p.names.Reserve(ctx, hn.Kind, hn.Name, c.New.ID, c.New.GUID); err != nil {
		return err
	}
	if _, err := p.store.Update(ctx, subscriptionShard(subscription), func(tx store.Tx) error { return typ.Commit(tx, c) }); err != nil {
		return err
	}
	p.arm.mu.Lock()
	p.arm.byID[strings.ToLower(c.New.ID)] = c.New
	p.arm.mu.Unlock()
	if err := typ.Applied(ctx, c); err != nil {
		return err
	}
	return p.names.Confirm(ctx, hn.Kind, hn.Name, c.New.GUID)
}

// remove deletes an account as the pipeline would.
func (p *platform) remove(name string) {
	p.t.Helper()
	ctx, c := context.Background(), p.call(name, "")
	c.New = nil
	typ := p.s.Types()[0]
	_, err := p.store.Update(ctx, subscriptionShard(subscription), func(tx store.Tx) error { return typ.CommitDelete(tx, c) })
	p.check(err)
	p.arm.mu.Lock()
	delete(p.arm.byID, strings.ToLower(c.ID.String()))
	p.arm.mu.Unlock()
	p.check(typ.Applied(ctx, c))
	p.check(p.names.Release(ctx, wire.HostCosmos, name, c.Old.GUID))
}

func (p *platform) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// withAccount makes the account acct.
func withAccount(t testing.TB) *platform {
	t.Helper()
	p := newPlatform(t)
	p.check(p.put("acct", `{"location":"West US","properties":{}}`))
	p.loadKeys()
	return p
}

func (p *platform) loadKeys() {
	p.t.Helper()
	r, _, _ := p.arm.Resource(context.Background(), p.call("acct", "").ID.String())
	var err error
	p.keys, _, err = p.s.loadKeys(context.Background(), subscriptionShard(subscription), r.GUID)
	p.check(err)
}

// withContainer makes the account acct with database db and container c, keyed by /pk.
func withContainer(t testing.TB) *platform {
	t.Helper()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	return p
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
	req    string
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v in %q", a.req, err, a.body)
	}
	return v
}

func (p *platform) want(a answer, status int) answer {
	p.t.Helper()
	if a.status != status {
		p.t.Fatalf("%s: status %d, want %d; %s", a.req, a.status, status, a.body)
	}
	if _, isErr := a.header["X-Ms-Request-Charge"]; status < 300 && (!isErr || a.header.Get("X-Ms-Request-Charge") == "0") {
		p.t.Errorf("%s: no request charge", a.req)
	}
	return a
}

// wantFault also checks the code and sub-status of an error answer.
func (p *platform) wantFault(a answer, status int, code string, sub string) answer {
	p.t.Helper()
	p.want(a, status)
	if got, _ := a.json(p.t)["code"].(string); got != code {
		p.t.Errorf("%s: code %q, want %q", a.req, got, code)
	}
	if got := a.header.Get("X-Ms-Substatus"); got != sub {
		p.t.Errorf("%s: sub-status %q, want %q", a.req, got, sub)
	}
	return a
}

// do sends a request signed with the primary key. Headers are name, value pairs.
func (p *platform) do(method, path, body string, headers ...string) answer {
	p.t.Helper()
	return p.send(p.keys.Keys[gateway.Primary], method, path, body, headers...)
}

func (p *platform) send(key, method, path, body string, headers ...string) answer {
	p.t.Helper()
	return p.serve(p.sign(key, p.request(method, path, body, headers...)))
}

func (p *platform) request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "https://"+host+path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.7:1234"
	r.Header.Set("x-ms-version", "2020-07-15")
	r.Header.Set("x-ms-date", p.clock.Now().Format(http.TimeFormat))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// sign signs as the SDKs do: by the decoded path.
func (p *platform) sign(key string, r *http.Request) *http.Request {
	p.t.Helper()
	k, err := masterkey.NewKey(key)
	p.check(err)
	segs := strings.FieldsFunc(r.URL.EscapedPath(), func(c rune) bool { return c == '/' })
	kind, link := "", ""
	switch {
	case len(segs) == 0:
	case len(segs) == 6 && segs[4] == "operations":
		kind, link = "partitionkey", strings.Join(segs[:4], "/")
	case len(segs)%2 == 1:
		kind, link = segs[len(segs)-1], strings.Join(segs[:len(segs)-1], "/")
	default:
		kind, link = segs[len(segs)-2], strings.Join(segs, "/")
	}
	link, err = url.PathUnescape(link)
	p.check(err)
	return p.signAs(k, r, kind, link)
}

func (p *platform) signAs(k *masterkey.Key, r *http.Request, kind, link string) *http.Request {
	text := masterkey.Request{Verb: r.Method, Type: kind, Link: link, XMSDate: r.Header.Get("x-ms-date"), Date: r.Header.Get("date")}.AppendText(nil)
	r.Header.Set("authorization", url.QueryEscape("type=master&ver=1.0&sig="+k.Sign(text)))
	return r
}

func (p *platform) serve(r *http.Request) answer {
	p.t.Helper()
	if p.process != "" {
		r = r.WithContext(wire.WithProcess(r.Context(), p.process))
	}
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	p.check(err)
	return answer{w.Code, w.Result().Header, string(b), fmt.Sprintf("%s %s", r.Method, r.URL.RequestURI())}
}

// item sends a request about documents of the logical partition pk, given as the header's text.
func (p *platform) item(method, path, pk, body string, headers ...string) answer {
	p.t.Helper()
	return p.do(method, "/dbs/db/colls/c/docs"+path, body, append([]string{"x-ms-documentdb-partitionkey", pk}, headers...)...)
}

// query runs a query over the container.
func (p *platform) query(text string, headers ...string) answer {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": text})
	p.check(err)
	return p.do("POST", "/dbs/db/colls/c/docs", string(body), append([]string{"x-ms-documentdb-isquery", "true", "content-type", "application/query+json"}, headers...)...)
}
