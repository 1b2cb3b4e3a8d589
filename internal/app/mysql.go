package app

import (
	"context"
	"encoding/pem"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql"
)

// databaseServers makes Azure Database for MySQL.
func (p *Platform) databaseServers() *mysql.Service {
	return mysql.New(mysql.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Resources: p.arm, Names: p.names, Hosts: p.hosts, Metrics: p.measured, Tokens: p.directory,
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}}, TLS: p.ca.TLS(p.serves), Data: p.cfg.Data,
		RootPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.ca.Root.Raw}),
	})
}

// advise tells what to check when a metric of a resource raises an alert.
func (p *Platform) advise(ctx context.Context, resourceID, metric string) string {
	return p.databases.Advise(ctx, resourceID, metric)
}
