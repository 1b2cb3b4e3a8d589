// Package rules joins rules in the Sigma format to what machines do: it makes of an activity.Event the events that rules are written for (process starts, files, connections, audit
// records, lines of logs), asks package sigma which rules match, and tells it as findings, beside those of package detect.
//
//	set, problems := rules.Compile(rules.Shipped(), os.DirFS("/etc/bulkhead/rules"))
//	x := rules.NewMatcher() // one for each goroutine
//	x.Apply(set, &state, machine, event, report) // after machine.Apply(event); state is of the machine, its zero value ready
//
// # What fields are
//
// Image is the file of the running program, of a script that of its interpreter; where a program was started by another name (a link, an applet of busybox), rules are asked with that
// too. CommandLine is the arguments with blanks between. ParentImage and ParentCommandLine are of the process tree, not there if the parent started before the machine was watched. User
// is a name where auditd wrote it (log_format=ENRICHED), where the account is the one that signed in, and for root. Commands that were hidden in base64 are asked about as if they had been
// started. Audit records are asked about one by one, each with its own fields, as auditd wrote them but decoded. Keywords are looked for in the whole record or line.
//
// Rules with level critical and high are High. A rule's text, its id, its author and its techniques are told with what it finds.
//
// # Where rules come from
//
// Shipped are Bulkhead's own, few: they look at what no analytic does. Users name folders. A Folder reads them, and reads them anew when they change; a document that can't be used is named,
// with the reason, and left out.
package rules
