package app

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// TestMeter: requests become the metrics of the resource that owns the host's name, which all are defined; those to a name nobody owns become none.
func TestMeter(t *testing.T) {
	t.Parallel()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clk := clock.NewFake(time.Date(2026, 3, 1, 10, 0, 30, 0, time.UTC))
	kept, err := metrics.Open(t.Context(), metrics.Deps{Store: st, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{store: kept, names: names.New(st, clk), all: inOnePlace{}, log: slog.New(slog.DiscardHandler), had: map[counted]*figures{}}
	ids := map[wire.HostKind]string{}
	for kind, typ := range map[wire.HostKind]string{wire.HostVault: vaultType, wire.HostCosmos: accountType, wire.HostSite: siteType} {
		ids[kind] = "/subscriptions/s/resourceGroups/rg/providers/" + typ + "/mine"
		if err := m.names.Reserve(t.Context(), kind, "mine", ids[kind], "g"); err != nil {
			t.Fatal(err)
		}
		if err := m.names.Confirm(t.Context(), kind, "mine", "g"); err != nil {
			t.Fatal(err)
		}
	}
	charge := ""
	ask := func(kind wire.HostKind, host, operation, resource string, status int, took time.Duration) {
		r := &wire.Request{HTTP: httptest.NewRequest("GET", "/", nil), Host: wire.Host{Kind: kind, Name: host}, Route: &wire.Route{Operation: operation}, Resource: resource}
		if r.HTTP.ContentLength = 7; charge != "" {
			r.SetHeader("X-Ms-Request-Charge", charge)
		}
		m.request(&wire.Event{Time: clk.Now(), Duration: took, Status: status, Bytes: 100, Request: r})
	}
	for range 3 {
		ask(wire.HostVault, "mine", "SecretGet", "", 200, 4*time.Millisecond)
	}
	ask(wire.HostVault, "mine", "SecretGet", "", 403, 2*time.Millisecond)
	ask(wire.HostVault, "nobodys", "SecretGet", "", 404, time.Millisecond)
	charge = "2.83"
	ask(wire.HostCosmos, "mine", "QueryDocuments", ids[wire.HostCosmos]+"/dbs/d/colls/c", 200, time.Millisecond)
	charge = "10.5"
	ask(wire.HostCosmos, "mine", "QueryDocuments", ids[wire.HostCosmos]+"/dbs/d/colls/other", 200, time.Millisecond)
	charge = ""
	ask(wire.HostCosmos, "mine", "QueryDocuments", ids[wire.HostCosmos]+"/dbs/d/colls/other", 401, time.Millisecond)
	ask(wire.HostSite, "mine", "", "", 404, time.Second)
	ask(wire.HostSite, "mine", "", "", 101, time.Second)
	ask(wire.HostSite, "mine", "", "", 503, 2*time.Second)
	ask(wire.HostARM, "", "x", "", 200, time.Second)
	m.flush(t.Context())

	table := metricTable()
	sum := func(kind wire.HostKind, typ, name string, filter ...metrics.DimensionFilter) metrics.Cell {
		t.Helper()
		for _, d := range table.Of(typ) {
			if d.Name != name {
				continue
			}
			res, err := kept.Query(t.Context(), metrics.Query{Resource: ids[kind], Namespace: typ, Names: []string{name}, Filter: filter, From: clk.Now().Truncate(time.Minute), To: clk.Now(), Grain: time.Minute})
			if err != nil || len(res) != 1 || len(res[0].Lines) != 1 {
				t.Fatalf("%s: %v %v", name, res, err)
			}
			return res[0].Lines[0].Cells[0]
		}
		t.Fatalf("%s is not defined", name)
		return metrics.Cell{}
	}
	status := func(v string) metrics.DimensionFilter {
		return metrics.DimensionFilter{Name: "StatusCode", Values: []string{v}}
	}
	cosmos := func(dimension, value string) metrics.Cell {
		t.Helper()
		return sum(wire.HostCosmos, accountType, "TotalRequests", metrics.DimensionFilter{Name: dimension, Values: []string{value}})
	}
	for _, c := range []struct {
		name string
		got  metrics.Cell
		want metrics.Cell
	}{
		{"hits", sum(wire.HostVault, vaultType, "ServiceApiHit", metrics.DimensionFilter{Name: "ActivityType", Values: []string{"secret"}}), metrics.Cell{Sum: 4, Min: 1, Max: 1, Count: 4}},
		{"refusals", sum(wire.HostVault, vaultType, "ServiceApiResult", status("403")), metrics.Cell{Sum: 1, Min: 1, Max: 1, Count: 1}},
		{"availability", sum(wire.HostVault, vaultType, "Availability"), metrics.Cell{Sum: 400, Min: 100, Max: 100, Count: 4}},
		{"latency", sum(wire.HostVault, vaultType, "ServiceApiLatency"), metrics.Cell{Sum: 14, Min: 2, Max: 4, Count: 4}},
		{"cosmos", sum(wire.HostCosmos, accountType, "TotalRequests", metrics.DimensionFilter{Name: "CollectionName", Values: []string{"c"}}), metrics.Cell{Sum: 1, Min: 1, Max: 1, Count: 1}},
		{"of a region", cosmos("Region", "West Europe"), metrics.Cell{Sum: 3, Min: 1, Max: 1, Count: 3}},
		{"of an operation type", cosmos("OperationType", "Query"), metrics.Cell{Sum: 3, Min: 1, Max: 1, Count: 3}},
		{"of a database", cosmos("DatabaseName", "d"), metrics.Cell{Sum: 3, Min: 1, Max: 1, Count: 3}},
		{"that were refused", cosmos("Status", "ClientOtherError"), metrics.Cell{Sum: 1, Min: 1, Max: 1, Count: 1}},
		{"that succeeded", cosmos("Status", "Success"), metrics.Cell{Sum: 2, Min: 1, Max: 1, Count: 2}},
		{"by status code", cosmos("StatusCode", "401"), metrics.Cell{Sum: 1, Min: 1, Max: 1, Count: 1}},
		{"request units of a container", sum(wire.HostCosmos, accountType, "TotalRequestUnits", metrics.DimensionFilter{Name: "CollectionName", Values: []string{"c"}}), metrics.Of(2.83)},
		{"request units", sum(wire.HostCosmos, accountType, "TotalRequestUnits"), metrics.Cell{Sum: 13.33, Min: 2.83, Max: 10.5, Count: 2}},
		{"404", sum(wire.HostSite, siteType, "Http404"), metrics.Of(1)},
		{"upgraded", sum(wire.HostSite, siteType, "Http101"), metrics.Of(1)},
		{"received", sum(wire.HostSite, siteType, "BytesReceived"), metrics.Cell{Sum: 21, Min: 7, Max: 7, Count: 3}},
		{"site", sum(wire.HostSite, siteType, "Http5xx"), metrics.Cell{Sum: 1, Min: 1, Max: 1, Count: 1}},
		{"seconds", sum(wire.HostSite, siteType, "HttpResponseTime"), metrics.Cell{Sum: 4, Min: 1, Max: 2, Count: 3}},
		{"bytes", sum(wire.HostSite, siteType, "BytesSent"), metrics.Cell{Sum: 300, Min: 100, Max: 100, Count: 3}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	for _, kind := range []wire.HostKind{wire.HostVault, wire.HostCosmos, wire.HostSite} {
		for _, sel := range kept.Select(metrics.Selector{Resource: ids[kind]}) {
			sum(kind, sel.Namespace, sel.Name) // all that is measured is defined
		}
	}
}

// inOnePlace has every resource in West Europe.
type inOnePlace struct{}

func (inOnePlace) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	return &arm.Resource{ID: id, Location: "West Europe"}, "", nil
}
