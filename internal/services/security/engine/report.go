package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// ReportKind is the outbox rows of Report. Their payload is a Simulation's: alerts to enter, once.
const ReportKind = "security.report"

// Report keeps what others than the machine itself found out about it, such as a honeypot that it attacked. id names the report: one that was entered is not entered
// again. A machine that doesn't exist is a fault NotFound.
func (e *Engine) Report(ctx context.Context, machineID, id string, found []*detect.Finding) error {
	if len(found) == 0 {
		return nil
	}
	src, err := e.source(ctx, machineID)
	if err != nil {
		return err
	}
	r := Simulation{Subscription: src.subscription, ID: "report|" + src.guid + "|" + id}
	now := e.deps.Clock.Now()
	for _, f := range found {
		a := alerts.Of(alerts.Source{Machine: src.id, Subscription: src.subscription, Host: src.host}, f)
		a.Name = alerts.NewName(a.First, ids.New())
		a.Generated, a.Processed = now, now
		r.Alerts = append(r.Alerts, *a)
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return err
	}
	shard := machineShard(src.guid)
	lsn, err := e.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return outbox.PutOrdered(tx, ReportKind, src.guid, payload) })
	if err != nil {
		return err
	}
	return e.deps.Outbox.DrainThrough(context.WithoutCancel(ctx), shard, lsn)
}

// reported enters a report.
func (e *Engine) reported(ctx context.Context, payload []byte) error {
	var r Simulation
	if err := json.Unmarshal(payload, &r); err != nil {
		return err
	}
	if err := e.simulate(ctx, &r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
