// Package posture is Microsoft.Security beside alerts (host management.azure.com): what is protected and how (pricings, settings, autoProvisioningSettings, workspaceSettings,
// securityContacts, locations), how well resources are set up (assessments, subAssessments, assessmentMetadata, tasks, secureScores and their controls), and who is told when
// something happens (automations).
//
// # Judged from what is there
//
// Nothing is canned. Each read of assessments, tasks or scores judges the subscription's resources, role assignments and account keys as they are at that moment (package
// assess). What is kept, in the shard posture/<subscription>, is only since when a verdict stands. Custom assessments, which other tools put, are kept in the
// subscription's shard; they do not count in the score.
//
// # A fix that is applied
//
// POST {resource}/providers/Microsoft.Security/assessments/{name}/remediate is Bulkhead's own: Azure's portal makes such calls from the browser. It sends the calls that
// put a fault right through the front door, with the caller's own token: whoever may not change the resource may not change it this way either, locks hold, and
// each call is in the activity log. {"dryRun":true} tells the calls and makes none.
//
// # Automations
//
// An automation posts alerts, or assessments whose outcome changed, to the URL of its LogicApp action: any webhook. The URL is a secret (it holds a signature),
// sealed and never shown. Notify queues an event in the transaction that makes it; one outbox handler finds the automations that want it, another, of a shard
// per automation that only this package's worker drains, delivers: at least once, with a stable id, tried again with growing pauses for a day. A receiver that
// hangs holds up nothing but itself.
//
// Left out, each with an error that names it: regulatory compliance, just-in-time access, discovered solutions, topologies and the rest; Event Hub and workspace actions;
// notification by mail. docs/divergences/security.md tells more.
//
// # One exchange
//
//	POST /subscriptions/{id}/resourceGroups/rg1/providers/Microsoft.Web/sites/s1/providers/Microsoft.Security/assessments/1b351b29-41ca-6df5-946c-c190a56be5fe/remediate?api-version=2020-01-01
//
//	200 OK
//	{"id":"...","properties":{"status":{"code":"Healthy"},"steps":[{"method":"PATCH","path":"/subscriptions/...","status":200}]}}
package posture
