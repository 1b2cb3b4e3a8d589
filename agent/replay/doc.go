// Package replay writes what the Linux audit system and sshd would have written, had a machine done something. Nothing is run.
//
// A Log collects lines of audit.log and of auth.log with times and serials that go on; Intrusion writes one known intrusion, step by step, as it was told or in disguise; Benign what an ordinary machine does.
// Tests of detection and examples/intrusion use it.
package replay
