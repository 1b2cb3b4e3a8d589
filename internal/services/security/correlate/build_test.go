package correlate

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// made describes an alert for tests.
type made struct {
	machine, session, account, from string
	after                           time.Duration // since began
	kind                            string        // of its type; "" is a Medium one in Execution
	severity                        detect.Severity
	intent                          string
	files, domains, prefixes        []string
	addrs                           []string
	parent                          *detect.Process
	pid                             uint32
	confidence                      float64 // 0 is 0.7
}

func (m made) alert(n int) *alerts.Alert {
	at := began.Add(m.after)
	kind := detect.Alert{Type: m.kind, Name: "Alert " + m.kind, Severity: m.severity, Intent: m.intent, Remedy: []string{"Look at " + m.kind}}
	if kind.Type == "" {
		kind = detect.Alert{Type: fmt.Sprintf("T%d", n%3), Name: "Something", Severity: detect.Medium, Intent: [...]string{"Execution", "Discovery", "Persistence"}[n%3]}
	}
	f := &detect.Finding{Alert: &kind, Rule: "r", Key: fmt.Sprint(n), Millis: at.UnixMilli(), Why: "it was seen", Confidence: cmp.Or(m.confidence, 0.7), Files: m.files, Domains: m.domains, Prefixes: m.prefixes, Account: m.account}
	if m.session != "" {
		f.Session = &detect.Session{ID: m.session, Login: true, Account: m.account, From: m.from, First: began.UnixMilli()}
		f.Process = &detect.Process{PID: max(m.pid, 100+uint32(n)), Millis: at.UnixMilli(), File: "/bin/sh", Dir: "/srv/u", Session: f.Session, Parent: m.parent}
	} else if m.from != "" {
		f.Addrs = append(f.Addrs, netip.MustParseAddr(m.from))
	}
	for _, a := range m.addrs {
		f.Addrs = append(f.Addrs, netip.MustParseAddr(a))
	}
	a := alerts.Of(alerts.Source{Machine: machineID(m.machine), Subscription: sub, Host: m.machine}, f)
	a.Name = alerts.NewName(at, fmt.Sprintf("%032d", n))
	a.Generated, a.Processed = at, at
	return a
}

func build(all ...made) (out []*alerts.Alert) {
	for i, m := range all {
		out = append(out, m.alert(i))
	}
	return out
}
