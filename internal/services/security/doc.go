// Package security is Microsoft.Security: what was found on machines, kept as alerts and shown to people.
//
// The parts are packages of their own: detect, sigma (what is suspicious), alerts (the model), engine (batches of events become kept alerts), and this one, which serves
// them on the control plane. Hosts: management.azure.com.
//
//	Microsoft.Security/alerts, .../locations/{location}/alerts   2015-06-01-preview, 2019-01-01, 2020-01-01, 2021-01-01, 2021-11-01, 2022-01-01
//	Microsoft.Security/alertsSuppressionRules                    2019-01-01-preview
//
// Alerts stand at two paths, of the subscription and of the machine's group. Who may read them is decided by roles at the alert's id: a role in the group of a machine shows
// the alerts of its machines. Until 2019-01-01 an alert has another shape than from 2020-01-01 on; both are rendered from the same record (render.go, renderold.go).
//
// A change of state writes the activity log in the subscription's shard and, by an outbox row of the same transaction, the alert in security/<subscription>.
//
// # One exchange
//
//	POST /subscriptions/{id}/resourceGroups/rg1/providers/Microsoft.Security/locations/westeurope/alerts/2518770965529163669_{guid}/dismiss?api-version=2022-01-01
//
//	204 No Content
//
// docs/divergences/security.md tells what differs from Azure.
package security
