package monitor

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenant   = "00000000-0000-0000-0000-00000000000f"
	ownerID  = "00000000-0000-0000-0000-0000000000a1"
	readerID = "00000000-0000-0000-0000-0000000000a2"
	senderID = "00000000-0000-0000-0000-0000000000a3"
)

// people are the directory of the tests: a token is "owner", "reader" or "sender", with "@monitoring" behind it where it is for Azure Monitor.
type people struct{}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	name, monitoring := strings.CutSuffix(raw, "@monitoring")
	id, ok := map[string]string{"owner": ownerID, "reader": readerID, "sender": senderID}[name]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	aud := "https://management.azure.com/"
	if monitoring {
		aud = "https://monitoring.azure.com/"
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: id, AppID: id, Audience: aud}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(_ context.Context, id string) (string, authn.Kind, bool, error) {
	return tenant, authn.ServicePrincipal, id == ownerID || id == readerID || id == senderID, nil
}

type lateOutbox struct{ *outbox.Drainer }

// rig is the service behind the real control plane, with a type of resources that has metrics.
type rig struct {
	*wire.Mux
	service *Service
	metrics *metrics.Store
	clock   *clock.Fake
	sub     string
}

var start = time.Date(2026, 3, 1, 10, 0, 30, 0, time.UTC)

const (
	serverType = "Microsoft.DBforMySQL/servers"
	serverPath = "$/providers/Microsoft.DBforMySQL/servers/db"
)

func newRig(t *testing.T) *rig {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	log := slog.New(slog.DiscardHandler)
	g := &rig{clock: clock.NewFake(start)}
	registry, trail, box := names.New(st, g.clock), audit.NewLog(st, g.clock, log), &lateOutbox{}
	plane := arm.New(arm.Deps{
		Store: st, Clock: g.clock, Log: log, Names: registry, Outbox: box, Verifier: people{}, Audit: trail, Directory: people{},
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	if g.metrics, err = metrics.Open(t.Context(), metrics.Deps{Store: st, Clock: g.clock}); err != nil {
		t.Fatal(err)
	}
	var table metrics.Table
	table.Define(serverType, metrics.Definition{
		Name: "cpu_percent", DisplayName: "CPU percent", Description: "CPU of the server", Unit: "Percent", Primary: metrics.Average,
		Aggregations: []metrics.Aggregation{metrics.Average, metrics.Minimum, metrics.Maximum},
	}, metrics.Definition{Name: "connections_failed", DisplayName: "Failed Connections", Unit: "Count", Primary: metrics.Total, Dimensions: []string{"Reason", "Host"}})
	g.service = New(Deps{
		Store: st, Clock: g.clock, Log: log, Metrics: g.metrics, Definitions: &table, Inventory: plane, Resources: plane, Access: plane, Verifier: people{},
		SignedIn: plane.Authenticator(),
	})
	put := func(_ context.Context, c *arm.Call) error { c.New.Properties = []byte(`{}`); return nil }
	if err := plane.Register(arm.Type{Name: serverType, Versions: []string{"2017-12-01"}, Put: put}); err != nil {
		t.Fatal(err)
	}
	handlers := plane.OutboxHandlers()
	maps.Copy(handlers, trail.OutboxHandlers())
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	if g.Mux, err = wire.NewMux([]wire.Service{plane.Service(), g.service.Service()}, wire.Options{Clock: g.clock}); err != nil {
		t.Fatal(err)
	}
	if g.sub, err = plane.CreateSubscription(t.Context(), tenant, "Sub", ownerID); err != nil {
		t.Fatal(err)
	}
	g.ok(t, "owner", "PUT", "$?api-version=2021-04-01", `{"location":"westeurope"}`)
	for _, n := range []string{"db", "db2"} {
		g.ok(t, "owner", "PUT", "$/providers/"+serverType+"/"+n+"?api-version=2017-12-01", `{"location":"West Europe"}`)
	}
	g.grant(t, readerID, "43d0d8ad-25c7-4714-9337-8ba259a9fe05")
	g.grant(t, senderID, "3913510d-42f4-4e42-8a64-420c390055eb")
	return g
}

// grant gives somebody a role in the group.
func (g *rig) grant(t *testing.T, who, role string) {
	t.Helper()
	g.ok(t, "owner", "PUT", "$/providers/Microsoft.Authorization/roleAssignments/"+who+"?api-version=2022-04-01",
		`{"properties":{"roleDefinitionId":"/subscriptions/`+g.sub+`/providers/Microsoft.Authorization/roleDefinitions/`+role+`","principalId":"`+who+`"}}`)
}

// server is the canonical id of one of the servers.
func (g *rig) server(name string) string {
	return "/subscriptions/" + g.sub + "/resourceGroups/rg/providers/" + serverType + "/" + name
}

// do sends a request as somebody. A path that begins with "$" is below the group.
func (g *rig) do(t *testing.T, as, method, path, body string, edit ...func(*http.Request)) (int, string) {
	t.Helper()
	host := "management.azure.com"
	if strings.HasSuffix(as, "@monitoring") {
		host = "westeurope.monitoring.azure.com"
	}
	return g.at(t, as, host, method, path, body, edit...)
}

// at is do at a host.
func (g *rig) at(t *testing.T, as, host, method, path, body string, edit ...func(*http.Request)) (int, string) {
	t.Helper()
	if strings.HasPrefix(path, "$") {
		path = "/subscriptions/" + g.sub + "/resourceGroups/rg" + path[1:]
	}
	r := httptest.NewRequest(method, "https://"+host+path, strings.NewReader(body))
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	out, _ := io.ReadAll(w.Body)
	return w.Code, string(out)
}

func (g *rig) ok(t *testing.T, as, method, path, body string, edit ...func(*http.Request)) string {
	t.Helper()
	status, out := g.do(t, as, method, path, body, edit...)
	if status/100 != 2 {
		t.Fatalf("%s %s = %d %s", method, path, status, out)
	}
	return out
}

// measured puts samples of the platform's own metrics into the store.
func (g *rig) measured(t *testing.T) {
	t.Helper()
	at := start.Truncate(time.Minute)
	of := func(server, name string, ago time.Duration, c metrics.Cell, dims ...metrics.Dimension) metrics.Sample {
		return metrics.Sample{Series: metrics.Series{Resource: g.server(server), Namespace: serverType, Name: name, Dimensions: dims}, Time: at.Add(-ago), Cell: c}
	}
	reason := func(v string) metrics.Dimension { return metrics.Dimension{Name: "Reason", Value: v} }
	refused, err := g.metrics.Add(t.Context(), []metrics.Sample{
		of("db", "cpu_percent", 3*time.Minute, metrics.Cell{Sum: 60, Min: 5, Max: 15, Count: 6}),
		of("db", "cpu_percent", time.Minute, metrics.Cell{Sum: 120, Min: 15, Max: 25, Count: 6}),
		of("db2", "cpu_percent", time.Minute, metrics.Cell{Sum: 600, Min: 99, Max: 100, Count: 6}),
		of("db", "connections_failed", 2*time.Minute, metrics.Of(3), reason("password")),
		of("db", "connections_failed", 2*time.Minute, metrics.Of(7), reason("limit")),
		of("db", "connections_failed", 2*time.Minute, metrics.Of(2), reason("TLS")),
	})
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
}
