package detect

import (
	"fmt"
	"net/netip"
	"path"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// fanKey is one program that connects, and the port it connects to.
type fanKey struct {
	pid  uint32
	port uint16
}

// fan is where it connected to within a minute.
type fan struct {
	from int64
	seen map[netip.Addr]bool
	nets map[netip.Prefix]bool
	told bool
}

// connect: one program connects to the same port of very many addresses within a minute. What it is called, and how it was started, doesn't matter.
func (m *Machine) connect(e *activity.Event) {
	at := e.Remote.Addr
	if !at.IsValid() || at.Port() == 0 || at.Addr().IsLoopback() || at.Port() == 53 || at.Port() == 443 || at.Port() == 80 {
		return
	}
	p, known := m.processes.Get(e.Process.PID)
	if known && shellName(base(string(e.Process.Image))) {
		m.shellConnected(e, p)
	}
	root := e.Process.PID
	if known && p.Parent != nil && p.Parent.Image == p.Image { // threads and workers count as one
		root = p.Parent.PID
	}
	k := fanKey{root, at.Port()}
	f, ok := m.fanOut.Get(k)
	if !ok || e.Millis-f.from > 60_000 {
		f = &fan{from: e.Millis, seen: map[netip.Addr]bool{}, nets: map[netip.Prefix]bool{}, told: ok && f.told}
		m.fanOut.Add(k, f)
	}
	if len(f.seen) >= m.params.ScanAddresses {
		return
	}
	f.seen[at.Addr().Unmap()] = true
	f.nets[network(at.Addr().Unmap())] = true
	if len(f.seen) < m.params.ScanAddresses || f.told {
		return
	}
	f.told = true
	find := &Finding{
		Alert: &portScan, Rule: "fan-out", Key: fmt.Sprintf("fan-out|%s|%d", e.Process.Image, at.Port()), Millis: e.Millis, Confidence: 0.85,
		Why:   fmt.Sprintf("%s connected to port %d of %d addresses in %d networks within a minute", path.Base(string(e.Process.Image)), at.Port(), len(f.seen), len(f.nets)),
		Files: []string{string(e.Process.Image)},
	}
	for n := range f.nets {
		find.Prefixes = append(find.Prefixes, n.String())
	}
	find.Prefixes = sorted(find.Prefixes)
	if known {
		find.Process, find.Session = p, p.Session
		find.Commands = []Evidence{{Millis: e.Millis, PID: p.PID, Line: p.Line}}
		find.Key += "|" + p.Session.ID
	}
	m.report(find)
}

// deleted: files are removed by a call rather than a command that names them.
func (m *Machine) deleted(e *activity.Event) {
	p, ok := m.processes.Get(e.Process.PID)
	if !ok || !e.Success {
		return
	}
	s := &step{m: m, event: e, process: p, session: p.Session, rule: "cleanup"}
	for i := range e.Files {
		m.gone(s, string(e.Files[i].Name), false)
	}
}
