package security

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// sample is an alert that simulate makes.
type sample struct {
	kind, name string
	severity   alerts.Severity
	intent     string
	techniques []string
	resource   string
}

// pollsSimulation is the first api-version in which a simulation is a long operation.
const pollsSimulation = "2022-01-01"

// bundles are what can be simulated.
func bundles() map[string][]sample {
	return map[string][]sample{
		"virtualmachines": {
			{"VM_EICAR", "Microsoft Defender for Cloud test alert (not a threat)", alerts.High, "Unknown", nil, "Sample-VM"},
			{"VM_DigitalCurrencyMining", "Digital currency mining related behavior detected", alerts.High, "Execution", []string{"T1496"}, "Sample-VM"},
			{"VM_SuspectDownload", "Detected file download from a known malicious source", alerts.Medium, "CommandAndControl", []string{"T1105"}, "Sample-VM"},
			{"VM_LinuxReconnaissance", "Local host reconnaissance detected", alerts.Medium, "Discovery", []string{"T1082"}, "Sample-VM"},
		},
		"appservices":       {{"AppServices_PhishingContent", "Phishing content hosted on Azure Webapps", alerts.High, "Collection", nil, "Sample-App"}},
		"dns":               {{"AzureDNS_ThreatIntelSuspectDomain", "Communication with suspicious domain identified by threat intelligence", alerts.Medium, "CommandAndControl", nil, "Sample-VM"}},
		"keyvaults":         {{"KV_TORAccess", "Access from a TOR exit node to a key vault", alerts.Medium, "CredentialAccess", nil, "Sample-KV"}},
		"kubernetesservice": {{"K8S_ExposedDashboard", "Exposed Kubernetes dashboard detected", alerts.High, "InitialAccess", nil, "Sample-Cluster"}},
		"resourcemanager":   {{"ARM_OperationFromSuspiciousIP", "Azure Resource Manager operation from suspicious IP address", alerts.Medium, "Execution", nil, "Sample-Subscription"}},
		"sqlservers":        {{"SQL.DB_PotentialSqlInjection", "Potential SQL injection", alerts.High, "PreAttack", nil, "Sample-DB"}},
		"storageaccounts":   {{"Storage.Blob_TorAnomaly", "Access from a Tor exit node to a storage blob container", alerts.High, "InitialAccess", nil, "Sample-Storage"}},
		"cosmosdbs":         {{"CosmosDB_TorAnomaly", "Access from a Tor exit node", alerts.High, "InitialAccess", nil, "Sample-Cosmos"}},
	}
}

func badSimulation(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidSimulation", format, args...)
}

// simulate makes sample alerts, so that what hangs on alerts can be tried out. They say that they are none.
func (s *Service) simulate(ctx context.Context, c *arm.Call) (any, error) {
	location := c.Param("location")
	if !strings.EqualFold(location, alerts.Region) {
		return nil, fault.New(fault.NotFound, "LocationNotFound", "The location '%.100s' has no security data of this subscription: it is all in %s.", location, alerts.Region)
	}
	var p struct {
		Kind    string   `json:"kind"`
		Bundles []string `json:"bundles"`
	}
	if err := c.Body.Decode("properties", &p); err != nil {
		return nil, err
	}
	if !strings.EqualFold(p.Kind, "Bundles") {
		return nil, badSimulation("The kind %.60q can't be simulated: properties.kind must be Bundles.", p.Kind)
	}
	sim, err := s.samples(c.ID.Subscription, p.Bundles)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(sim)
	if err != nil {
		return nil, err
	}
	if err := c.Commit(ctx, func(tx store.Tx) error { return outbox.Put(tx, engine.SimulateKind, payload) }); err != nil {
		return nil, err
	}
	if c.Version < pollsSimulation { // until then clients know no 202
		return nil, nil
	}
	at := c.URL(wire.HostARM, "") + "/subscriptions/" + c.ID.Subscription + "/providers/" + namespace + "/locations/" + alerts.Region + "/operationResults/" + sim.ID + "?api-version=" + c.APIVersion
	return wire.Reply{Status: http.StatusAccepted, Header: http.Header{"Location": {at}, "Retry-After": {"1"}, "Retry-After-Ms": {"100"}}}, nil
}

func (s *Service) samples(subscription string, names []string) (*engine.Simulation, error) {
	if len(names) == 0 {
		return nil, badSimulation("properties.bundles names what to simulate; it is empty.")
	}
	sim := &engine.Simulation{Subscription: subscription, ID: ids.New()}
	now, known := s.deps.Clock.Now(), bundles()
	var asked []string
	for _, name := range names {
		b, ok := known[strings.ToLower(name)]
		if !ok {
			return nil, badSimulation("The bundle %.60q is not known.", name)
		}
		if slices.Contains(asked, strings.ToLower(name)) {
			continue
		}
		asked = append(asked, strings.ToLower(name))
		for _, x := range b {
			machine := "/subscriptions/" + subscription
			sim.Alerts = append(sim.Alerts, alerts.Alert{
				Name: alerts.NewName(now, ids.New()), Subscription: subscription, Machine: machine, Host: x.resource, Key: fmt.Sprintf("simulated|%s|%d", sim.ID, len(sim.Alerts)),
				Type: x.kind, DisplayName: "[SAMPLE ALERT] " + x.name, Severity: x.severity, Intent: x.intent, Techniques: x.techniques,
				Why:    "THIS IS A SAMPLE ALERT: nothing happened",
				Remedy: []string{"None is needed: the alert was made by a call of simulate."}, Status: alerts.Active, First: now, Last: now, Generated: now, Processed: now,
				Count: 1, Simulated: true, Entities: []alerts.Entity{{ID: "host:sample/" + x.resource, Kind: alerts.Host, Name: x.resource, Resource: machine}},
			})
		}
	}
	return sim, nil
}

// simulated answers a client that waits for a simulation.
func (s *Service) simulated(ctx context.Context, c *arm.Call) (any, error) {
	id := strings.ToLower(c.Param("operation"))
	if ids.IsGUID(id) {
		done, err := s.engine.Simulated(ctx, c.ID.Subscription, id)
		if err != nil || done {
			return nil, err
		}
	}
	return nil, fault.New(fault.NotFound, "OperationNotFound", "There is no operation '%.100s' in the subscription.", id)
}
