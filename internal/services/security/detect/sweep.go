package detect

import "strings"

// How long programs are remembered that most likely ended long ago, in milliseconds. Nobody tells when a program ends.
const (
	sweepEvery = hour
	toolAge    = hour
	scriptAge  = 6 * hour
)

// sweep forgets programs of the system's that started none themselves, or none that is remembered, and most likely have ended: so that a machine on which little happens takes
// little memory. Daemons, shells of people, interpreters with a terminal, and everything that isn't the system's are remembered for as long as there is room.
func (m *Machine) sweep(now int64) {
	m.swept = now
	m.processes.prune(func(_ uint32, p *Process) bool { return p.over(now) })
	m.names = map[string]string{}
	for i := range m.processes.slots {
		p := m.processes.slots[i].value
		p.parent, p.Session.swept = false, now
		for _, name := range [...]*string{&p.Image, &p.File, &p.Dir} {
			if was, ok := m.names[*name]; ok {
				*name = was
			} else if len(m.names) < maxNames {
				m.names[*name] = *name
			}
		}
	}
	for i := range m.processes.slots { // whose children were all forgotten is no parent any more
		if p := m.processes.slots[i].value; p.Parent != nil {
			p.Parent.parent = true
		}
	}
	m.sessions.prune(func(_ string, s *Session) bool { return s.over(now) })
}

// over reports whether nothing is left of a session that isn't a sign-in, and it did nothing that is remembered.
func (s *Session) over(now int64) bool {
	return !s.Login && s.swept != now && now-s.Last >= scriptAge && s.fetched == 0 && s.sprayed == nil && s.removed.files == nil && s.asked.kept == nil &&
		s.stopped.names == nil && s.entered.names == nil && s.locked.names == nil && s.encrypted.n == 0 && s.decoded.names == nil && s.agents.names == nil
}

// over reports whether a program most likely ended, and matters to nothing that may come.
func (p *Process) over(now int64) bool {
	age := now - p.Millis
	if age < toolAge || p.parent || p.piped != nil && now-max(p.piped.fetched, p.piped.decoded, p.piped.shell) < toolAge {
		return false
	}
	if !strings.HasPrefix(p.File, "/usr/bin/") && !strings.HasPrefix(p.File, "/bin/") && !strings.HasPrefix(p.File, "/usr/lib/") {
		return false
	}
	if b := base(p.File); serviceProgram(b, base(p.Image)) || daemonName(b) && !shellName(b) && b != "ps" && b != "ls" && b != "top" && b != "netstat" {
		return false
	}
	switch wrapperOf(base(p.Image)) {
	case wrapsShell, wrapsPerl, wrapsPython:
		return age >= scriptAge && !p.TTY && (!p.daemon || shellName(base(p.Image)))
	}
	if p.daemon { // of what init starts, only tools that prepare something for a service
		return age >= scriptAge && tool(base(p.File))
	}
	return true
}

// tool reports whether a program is one that does something to files, and ends.
func tool(name string) bool {
	switch name {
	case "mkdir", "chown", "chmod", "chgrp", "systemctl", "true", "false", "test", "sleep", "mount", "umount", "systemd-tmpfiles", "systemd-detect-virt", "udevadm", "sysctl", "modprobe", "id", "uname", "hostname", "date":
		return true
	case "nc", "ncat", "netcat", "socat", "tail", "mail", "sendmail", "xargs":
		return false
	}
	switch accessOf(name) {
	case readsAll, writesAll, edits, writesLast, removesAll:
		return true
	}
	return false
}
