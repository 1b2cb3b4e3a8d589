// Package detect finds compromised Linux machines by what they do.
//
// A Machine is fed with activity.Events of one machine, in about the order they happened, and reports Findings. It keeps what it needs to understand an event: which
// process started which, in which session, by whom, and what became of files (fetched, made executable, run, removed). Its memory is bounded, whatever is done to the
// machine.
//
// What is looked for is behaviour: the grammar of a command line, the number of different things asked in a short time, the same step repeated over many networks. Names
// of tools are weak evidence, since an attacker renames them: where names count, it is those of tools every machine has, which the attacker has to use as they are called.
// Wrappers (sh -c, busybox, env, nohup, sudo, eval, base64) are taken off first, and one-liners of Perl and Python are searched for the commands they run.
//
// One file holds one analytic: what it looks for, why, its thresholds (Params), and which alert of Azure Security Center it raises.
package detect
