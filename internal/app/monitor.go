package app

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/monitor"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// monitor makes the store of metrics and the service in front of it.
func (p *Platform) monitor(ctx context.Context) (*monitor.Service, error) {
	var err error
	if p.measured, err = metrics.Open(ctx, metrics.Deps{Store: p.store, Clock: p.clock, Log: p.log}); err != nil {
		return nil, err
	}
	return monitor.New(monitor.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Outbox: drainer{p}, Metrics: p.measured, Definitions: metricTable(),
		Inventory: p.arm, Resources: p.arm, Access: p.arm, Verifier: verifier{p.tokens, p.directory}, SignedIn: p.arm.Authenticator(),
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}},
	}), nil
}

// metricTable has the metrics of all services' resource types.
func metricTable() *metrics.Table {
	var t metrics.Table
	t.Define("Microsoft.DBforMySQL/servers", mysql.Definitions()...)
	return &t
}

// metricsService is the background work of the store of metrics.
func (p *Platform) metricsService() wire.Service {
	return wire.Service{Name: "metrics", Run: p.measured.Run}
}
