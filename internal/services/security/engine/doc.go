// Package engine turns what machines report into kept alerts, each observation exactly once.
//
// # A batch
//
// A machine's agent numbers its batches of events from 1. Take applies a batch to the machine's detect.Machine and commits, in ONE transaction of the shard
// machine/<guid of the machine>: the batch itself, its number, and outbox rows with the alerts it gave. A batch whose number was taken is acknowledged without effect;
// numbers that are missing are an alert of their own ("Audit records were lost"), and so is what the agent says it lost.
//
// The outbox rows of a machine are applied in turn to the shard security/<subscription>, where the number of the last applied row of each machine stands beside the
// alerts: a row that runs twice, because the process ended before it was deleted, has no effect the second time.
//
//	machine/<guid>           S|           state (number of the last batch)
//	                         B|<seq>      the batch as it came
//	security/<subscription>  A|<name>     an alert (package alerts)
//	                         K|<hash>     the name of the latest alert of a Key
//	                         M|<guid>     number of the last applied row of a machine
//	                         C|           how often incidents were looked for
//	                         R|<name>     a suppression rule
//	                         U|<name>     an incident that grew, and when that is to be told
//	                         T|<guid>     a simulation that was done
//	                         I| J| X| N| Y|   the index of alerts and their numbers (index.go)
//
// # Restart
//
// What a machine's detector remembers is not stored: the batches are, for as long as it would remember (detect.Params.Memory, at most MaxLogEvents events and MaxLogBytes
// bytes), and are applied again, in silence, when the first batch comes after a start. What they gave was committed with them. Replaying 500,000 events takes about
// two seconds of one core; a machine that starts fewer programs than that in 48 hours forgets nothing by a restart.
//
// At most Deps.Machines detectors are in memory; the one that was idle longest goes and comes back by replay.
//
// # Incidents
//
// What alerts do to incidents (package correlate) is written in the transaction that enters them. A subscription's Correlator stays in memory as long as this process alone enters
// alerts, which the number at C| tells; else it is made again of the newest 2,000 alerts.
//
// Of a new incident people are told at once, as of a new alert. Of one that was resolved and goes on they are told at once, too; of one that grew, a while later (UpdateAfter) and once, however
// much came meanwhile.
//
// # Suppression
//
// A rule of Microsoft.Security/alertsSuppressionRules that fits a new alert makes it Dismissed, with the rule's name; it is kept and counts on. That is also how benign
// patterns are allowed (Ansible, a backup, a scanner of one's own): besides Azure's fields a rule may ask for entities.process.ancestor.commandline, the programs
// above the one that acted.
package engine
