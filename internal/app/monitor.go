package app

import (
	"context"
	"net/http"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/monitor"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// monitor makes the store of metrics and the service in front of it.
func (p *Platform) monitor(ctx context.Context) (*monitor.Service, error) {
	var err error
	if p.measured, err = metrics.Open(ctx, metrics.Deps{Store: p.store, Clock: p.clock, Log: p.log}); err != nil {
		return nil, err
	}
	p.meter = &meter{store: p.measured, names: p.names, all: p.arm, log: p.log, had: map[counted]*figures{}}
	return monitor.New(monitor.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Outbox: drainer{p}, Metrics: p.measured, Definitions: metricTable(),
		Inventory: p.arm, Resources: p.arm, Access: p.arm, Verifier: verifier{p.tokens, p.directory}, SignedIn: p.arm.Authenticator(),
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}},
	}), nil
}

// metricsService is the background work of the store of metrics, and of what measures the platform's own resources.
func (p *Platform) metricsService() wire.Service {
	return wire.Service{Name: "metrics", Run: func(ctx context.Context) error {
		var wg sync.WaitGroup
		wg.Go(func() { p.meter.run(ctx) })
		defer wg.Wait()
		return p.measured.Run(ctx)
	}}
}

// finished is told of every request that was answered.
func (p *Platform) finished(e *wire.Event) {
	p.metrics.Request(e)
	p.meter.request(e)
}
