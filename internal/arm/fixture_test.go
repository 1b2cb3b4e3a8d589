package arm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	version = "?api-version=2022-01-01"
	tenantA = "aaaaaaaa-0000-0000-0000-000000000001"
	tenantB = "bbbbbbbb-0000-0000-0000-000000000002"
	aud     = "https://management.azure.com/"
)

// people are the callers of the tests: their token is their name, their object id below.
var people = map[string]authn.Principal{
	"owner":    {Kind: authn.ServicePrincipal, TenantID: tenantA, ObjectID: "00000000-0000-0000-0000-0000000000a1", AppID: "app-owner", Audience: aud},
	"reader":   {Kind: authn.ServicePrincipal, TenantID: tenantA, ObjectID: "00000000-0000-0000-0000-0000000000a2", AppID: "app-reader", Audience: aud},
	"stranger": {Kind: authn.ServicePrincipal, TenantID: tenantA, ObjectID: "00000000-0000-0000-0000-0000000000a3", AppID: "app-stranger", Audience: aud},
	"foreign":  {Kind: authn.ServicePrincipal, TenantID: tenantB, ObjectID: "00000000-0000-0000-0000-0000000000b1", AppID: "app-foreign", Audience: aud},
	"vault":    {Kind: authn.ServicePrincipal, TenantID: tenantA, ObjectID: "00000000-0000-0000-0000-0000000000a1", AppID: "app-owner", Audience: "https://vault.azure.net"},
}

type fakeVerifier struct{}

func (fakeVerifier) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	p, ok := people[raw]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature, Detail: "unknown"}
	}
	return &p, nil
}

// fakeDirectory remembers the managed identities it was told of; while fail is set it refuses.
type fakeDirectory struct {
	mu   sync.Mutex
	fail error
	have map[string]ManagedIdentity
}

func (d *fakeDirectory) EnsureManagedIdentity(_ context.Context, id ManagedIdentity) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	d.have[id.PrincipalID] = id
	return nil
}

func (d *fakeDirectory) RemoveServicePrincipal(_ context.Context, _, objectID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.have, objectID)
	return d.fail
}

func (d *fakeDirectory) FindPrincipal(_ context.Context, objectID string) (string, authn.Kind, bool, error) {
	for _, p := range people {
		if p.ObjectID == objectID {
			return p.TenantID, p.Kind, true, nil
		}
	}
	return "", "", false, nil
}

// lateDrainer is the Drainer, which is made after the Pipeline.
type lateDrainer struct{ *outbox.Drainer }

// plane is a control plane with one tracked type, Test.Things/things, that has children, an identity, a host name and an action.
type plane struct {
	t         testing.TB
	p         *Pipeline
	mux       *wire.Mux
	st        *pebble.Engine
	clk       *clock.Fake
	dir       *fakeDirectory
	drain     *outbox.Drainer
	audit     *audit.Log
	sub       string
	onPut     func() // called inside Put, for races
	appliedMu sync.Mutex
	applied   []string
	refuseDel bool

	onMove       func(*Move) error
	onDelete     func(context.Context) error
	onDeletePart func() // called when a part's deletion is decided on
	failCommit   error
	failDelete   error
}

func newPlane(t testing.TB, more ...Type) *plane {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	f := &plane{t: t, st: st, clk: clock.NewFake(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)), dir: &fakeDirectory{have: map[string]ManagedIdentity{}}}
	f.start(st, more...)
	if f.sub, err = f.p.CreateSubscription(t.Context(), tenantA, "Sub", people["owner"].ObjectID); err != nil {
		t.Fatal(err)
	}
	f.ok("owner", "PUT", f.group("rg1"), `{"location":"westeurope"}`, 201)
	return f
}

// start makes the control plane over the store, as a start of the process does.
func (f *plane) start(st store.Store, more ...Type) {
	f.t.Helper()
	log := slog.New(slog.DiscardHandler)
	f.audit = audit.NewLog(st, f.clk, log)
	late := &lateDrainer{}
	f.p = New(Deps{
		Store: st, Clock: f.clk, Log: log, Names: names.New(st, f.clk), Outbox: late, Verifier: fakeVerifier{}, Audit: f.audit, Directory: f.dir,
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
		Administrator: func(_ context.Context, _, objectID string) (bool, error) {
			return objectID == people["owner"].ObjectID, nil
		},
	})
	if err := f.p.Register(append(f.types(), more...)...); err != nil {
		f.t.Fatal(err)
	}
	handlers := f.p.OutboxHandlers()
	for k, h := range f.audit.OutboxHandlers() {
		handlers[k] = h
	}
	f.drain = outbox.NewDrainer(st, log, handlers).WithClock(f.clk)
	late.Drainer = f.drain
	var err error
	if f.mux, err = wire.NewMux([]wire.Service{f.p.Service()}, wire.Options{Clock: f.clk, Audit: f.audit}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *plane) types() []Type {
	things := Type{
		Name: "Test.Things/things", Versions: []string{"2020-01-01", "2022-01-01"}, Identity: true, Move: f.moveThing,
		Put: func(_ context.Context, c *Call) error {
			if f.onPut != nil {
				f.onPut()
			}
			c.New.Properties = c.Body.Get("properties")
			return nil
		},
		HostNames: func(r *Resource) []HostName { return []HostName{{Kind: wire.HostVault, Name: r.Name}} },
		Commit: func(tx store.Tx, c *Call) error {
			if f.failCommit != nil {
				return f.failCommit
			}
			return tx.Put([]byte("s|test|"+c.New.GUID), []byte("row"))
		},
		CommitDelete: func(tx store.Tx, c *Call) error {
			if f.failDelete != nil {
				return f.failDelete
			}
			return tx.Delete([]byte("s|test|" + c.Old.GUID))
		},
		Delete: func(ctx context.Context, _ *Call) error {
			if f.onDelete != nil {
				if err := f.onDelete(ctx); err != nil {
					return err
				}
			}
			if f.refuseDel {
				return errors.New("not now")
			}
			return nil
		},
		Applied: func(_ context.Context, c *Call) error {
			f.appliedMu.Lock()
			defer f.appliedMu.Unlock()
			f.applied = append(f.applied, fmt.Sprintf("%s %v->%v", c.ID.Name(), c.Old != nil, c.New != nil))
			return nil
		},
		Actions: []Action{{Verb: "listKeys", Handler: func(context.Context, *Call) (any, error) { return map[string]string{"key": "k"}, nil }}},
	}
	parts := Type{
		Name: "Test.Things/things/parts", Versions: []string{"2020-01-01"}, Untracked: true,
		Put: func(_ context.Context, c *Call) error { c.New.Properties = c.Body.Get("properties"); return nil },
		Delete: func(context.Context, *Call) error {
			if f.onDeletePart != nil {
				f.onDeletePart()
			}
			return nil
		},
	}
	fixed := Type{
		Name: "Test.Things/fixed", Versions: []string{"2020-01-01"},
		Put: func(_ context.Context, c *Call) error { c.New.Properties = c.Body.Get("properties"); return nil },
	}
	return []Type{things, parts, fixed}
}

// moveThing takes a thing's row along; "follows" in its properties is the id of a thing that has to go along to another subscription, or else changes with it.
func (f *plane) moveThing(_ context.Context, m *Move) error {
	if f.onMove != nil {
		if err := f.onMove(m); err != nil {
			return err
		}
	}
	var p map[string]any
	if len(m.Old.Properties) > 0 {
		if err := json.Unmarshal(m.Old.Properties, &p); err != nil {
			return err
		}
	}
	if id, ok := p["follows"].(string); ok {
		if moved, along := m.NewID(id); along {
			p["follows"] = moved
			m.New.Properties = raw(p)
		} else if m.Crosses() {
			return m.Refuse("CannotMoveResourceDueToReference", "'%s' follows '%s'.", m.Old.ID, id)
		}
	}
	if id, ok := p["leads"].(string); ok {
		if _, along := m.NewID(id); !along {
			m.Follow(id, func(r *Resource) error { r.Properties = raw(map[string]any{"follows": m.New.ID}); return nil })
		}
	}
	key := []byte("s|test|" + m.Old.GUID)
	m.Row(key, []byte("row"), []byte("row"))
	return nil
}

func (f *plane) group(name string) string {
	return "/subscriptions/" + f.sub + "/resourceGroups/" + name
}

func (f *plane) thing(name string) string {
	return f.group("rg1") + "/providers/Test.Things/things/" + name
}

// answer is do with the headers of the answer.
func (f *plane) answer(who, method, path, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	if !strings.Contains(path, "?") {
		path += version
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+path, strings.NewReader(body))
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return w
}

// do sends a request as who ("" sends no token). A path without a query gets the tests' api-version.
func (f *plane) do(who, method, path, body string, header ...string) (int, map[string]any) {
	f.t.Helper()
	w := f.answer(who, method, path, body, header...)
	b, _ := io.ReadAll(w.Body)
	var out map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out); err != nil {
			f.t.Fatalf("%s %s: %d with a body that is not JSON: %s", method, path, w.Code, b)
		}
	}
	return w.Code, out
}

func (f *plane) ok(who, method, path, body string, want int, header ...string) map[string]any {
	f.t.Helper()
	status, out := f.do(who, method, path, body, header...)
	if status != want {
		f.t.Fatalf("%s %s %s = %d %v, want %d", who, method, path, status, out, want)
	}
	return out
}

func code(out map[string]any) string {
	e, _ := out["error"].(map[string]any)
	s, _ := e["code"].(string)
	return s
}

// assign gives who a built-in role at a scope, as owner.
func (f *plane) assign(scope, role, who string) (path string) {
	f.t.Helper()
	path = scope + "/providers/Microsoft.Authorization/roleAssignments/" + ids.New()
	f.ok("owner", "PUT", path, fmt.Sprintf(`{"properties":{"roleDefinitionId":"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/%s","principalId":%q}}`,
		role, people[who].ObjectID), 201)
	return path
}
