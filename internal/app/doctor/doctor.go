// Package doctor looks for what keeps a platform, or the clients of one, from working on this machine: clock, data folder, permissions, disk, ports,
// certificate authority, what a crash left, namespaces, variables of the shell. Each finding says what is wrong and how to mend it. It leaves nothing
// changed and does not open the store, so it works while the platform runs and while it doesn't.
package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
)

// Level is how bad a finding is.
type Level int

// The levels: as it should be, worth knowing, wrong.
const (
	OK Level = iota
	Note
	Wrong
)

// String is the word printed before a finding.
func (l Level) String() string { return [...]string{"ok", "note", "WRONG"}[l] }

// Finding is the result of one check.
type Finding struct {
	Check string // what was looked at, one word
	Level Level
	What  string // what is the case
	Mend  string // what to do about it; "" when OK
}

// Patient is what is examined. The functions stand for this machine; tests give others.
type Patient struct {
	Config  app.Config // data folder and addresses, as up would have them
	Environ []string

	Now    func() time.Time
	Free   func(dir string) (bytes, files uint64, err error) // left for this user on the disk of dir
	Synced func() (synced, known bool)                       // whether the clock follows a time server
	Probe  func() error                                      // whether exec --isolate works
}

// Examine makes every check. Their order is fixed.
func Examine(p Patient) []Finding {
	e := &examination{Patient: p}
	e.lookAround()
	e.clock()
	e.folder()
	e.permissions()
	e.disk()
	e.leftovers()
	e.ports()
	e.authority()
	e.namespaces()
	e.environment()
	return e.findings
}

// examination collects findings.
type examination struct {
	Patient
	findings []Finding

	exists  bool    // the data folder
	run     app.Run // zero when there is no run.json
	running bool    // the admin socket answers
}

func (e *examination) add(check string, l Level, what, mend string) {
	e.findings = append(e.findings, Finding{check, l, what, mend})
}

// fine adds an OK finding unless the check found something else already.
func (e *examination) fine(check, format string, args ...any) {
	for _, f := range e.findings {
		if f.Check == check {
			return
		}
	}
	e.add(check, OK, fmt.Sprintf(format, args...), "")
}

// Print writes the findings, one a line, what to do on the next, and counts those that are wrong.
func Print(findings []Finding) (text string, wrong int) {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-6s%-13s%s\n", f.Level, f.Check, f.What)
		if f.Mend != "" {
			fmt.Fprintf(&b, "%19s%s\n", "-> ", f.Mend)
		}
		if f.Level == Wrong {
			wrong++
		}
	}
	return b.String(), wrong
}
