// Package alerts is the half of Azure Monitor that watches: Microsoft.Insights/metricAlerts, alertrules (classic), activityLogAlerts and actionGroups, the alerts they raise as
// Microsoft.AlertsManagement shows them, and its actionRules, which change who is told (host management.azure.com). What is measured is another package's: internal/metrics.
//
// # From a measurement to a message
//
// Package alerting decides; this one keeps. Once a minute, a moment after the minute is over, each rule that is due is judged. What changed is committed in ONE
// transaction of the shard monitor/<subscription>: the state of the instance, the alert, its history, the outbox row of the notification, and the minute up to which the
// rules have been judged. Only then is anybody told. So a process that is killed at any moment loses no transition and makes none twice: it goes on at the
// minute after the last one that was committed, and what was committed and not sent yet is in the outbox. An alert's id is made of rule, instance and
// minute, a notification's of alert, condition and receiver: both are the same whoever works them out, and however often.
//
// Rules lie in eight slices by their id, which are judged one a fifth of a second after the other.
//
// An alert ends when its condition is over, when its rule or its resource is gone, or when the rule looks at something else. It is kept 30 days.
//
// # Receivers
//
// Webhooks with the common alert schema or the older one, secure webhooks (with a token for the receiver's application), functions, logic apps and e-mail. Others (SMS, voice,
// push, ITSM, runbooks, roles, event hubs) are kept and shown, and named as not implemented in the alert's history when they would be used. Addresses are sealed at rest.
//
// # One exchange
//
//	GET /subscriptions/{id}/providers/Microsoft.AlertsManagement/alerts?api-version=2019-05-05-preview&monitorCondition=Fired
//
//	200 OK
//	{"value":[{"id":"...","name":"...","type":"Microsoft.AlertsManagement/alerts","properties":{"essentials":{"severity":"Sev3","monitorCondition":"Fired",...}}}]}
//
// docs/divergences/alerts.md tells what differs from Azure.
package alerts
