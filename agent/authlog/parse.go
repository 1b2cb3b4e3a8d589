package authlog

import (
	"bytes"
	"net/netip"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

const maxRepeats = 10_000 // of "message repeated N times": what is beyond is nobody's honest count

// Parser makes events of lines, one after the other, in memory of its own. Not for concurrent use.
type Parser struct {
	// Now is the time by which lines without a year are dated: they are of the last twelve months. Zone is that of the machine.
	Now  func() time.Time
	Zone *time.Location

	event   activity.Event
	stamp   string // the last time of RFC 3164
	stamped time.Time
}

// Line is what a line of the log tells; ok is false if it is nothing. The answer is valid until the next call, and as long as the line is.
func (p *Parser) Line(line []byte) (e *activity.Event, ok bool) {
	if e, ok = p.Any(line); !ok {
		return nil, false
	}
	return e, true
}

// Any is what a line of any program's log is: told is false, and the event of the kind Other with no more than its Message, if nothing is known of what it tells. e is nil if it
// is no line of a log. The answer is valid until the next call, and as long as the line is.
func (p *Parser) Any(line []byte) (e *activity.Event, told bool) {
	at, rest, ok := p.when(bytes.TrimRight(line, "\r\n "))
	if !ok {
		return nil, false
	}
	host, rest, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return nil, false
	}
	tag, message, ok := bytes.Cut(rest, []byte(": "))
	if !ok || bytes.IndexByte(tag, ' ') >= 0 {
		return nil, false
	}
	program, pid := splitTag(tag)
	message, count := repeated(bytes.TrimLeft(message, " "))
	plain := activity.Event{
		Node: host, Millis: at.UnixMilli(), Message: rest,
		Process: activity.Process{PID: pid, AUID: linuxaudit.Unset, Session: linuxaudit.Unset, Comm: program},
	}
	p.event = plain
	switch string(program) {
	case "sshd", "sshd-session", "sshd-auth":
		told = p.sshd(message, count)
	case "sudo":
		told = p.sudo(message)
	case "su":
		told = p.su(message)
	case "useradd", "userdel", "groupadd", "groupdel", "usermod", "passwd", "chpasswd", "gpasswd":
		told = p.account(string(program), message)
	}
	if !told {
		p.event = plain
	}
	return &p.event, told
}

// splitTag takes "sshd[25399]" apart.
func splitTag(tag []byte) (program []byte, pid uint32) {
	program, number, ok := bytes.Cut(tag, []byte{'['})
	if ok {
		if n, err := strconv.ParseUint(string(bytes.TrimSuffix(number, []byte{']'})), 10, 32); err == nil {
			pid = uint32(n)
		}
	}
	if i := bytes.LastIndexByte(program, '/'); i >= 0 {
		program = program[i+1:]
	}
	return program, pid
}

// repeated takes the message out of "message repeated 5 times: [ ... ]".
func repeated(message []byte) (inner []byte, count int) {
	const open = "message repeated "
	if !bytes.HasPrefix(message, []byte(open)) {
		return message, 1
	}
	number, rest, ok := bytes.Cut(message[len(open):], []byte(" times: ["))
	n, err := strconv.Atoi(string(number))
	if !ok || err != nil || n < 1 {
		return message, 1
	}
	return bytes.TrimSpace(bytes.TrimSuffix(rest, []byte{']'})), min(n, maxRepeats)
}

func (p *Parser) sshd(m []byte, count int) bool {
	e := &p.event
	e.SignIn.Count, e.SignIn.Terminal = count, []byte("ssh")
	method, rest, ok := bytes.Cut(m, []byte(" for "))
	switch {
	case ok && bytes.HasPrefix(method, []byte("Failed ")):
		e.Kind, e.SignIn.Method = activity.SignIn, method[len("Failed "):]
		return p.who(rest)
	case ok && bytes.HasPrefix(method, []byte("Accepted ")):
		e.Kind, e.SignIn.Method, e.Success = activity.SignIn, method[len("Accepted "):], true
		if i := bytes.LastIndex(rest, []byte(" ssh2: ")); i >= 0 { // the key's fingerprint; no part of it is chosen freely
			rest = rest[:i+len(" ssh2")]
		}
		return p.who(rest)
	case ok && string(method) == "error: maximum authentication attempts exceeded":
		e.Kind = activity.Auth
		return p.who(rest)
	case bytes.HasPrefix(m, []byte("Invalid user ")):
		e.Kind, e.SignIn.Unknown = activity.Auth, true
		return p.who(m[len("Invalid user "):])
	case ok && bytes.HasPrefix(method, []byte("error: PAM: ")):
		e.Kind = activity.Auth
		return p.who(rest)
	case bytes.HasPrefix(m, []byte("User ")) && bytes.Contains(m, []byte(" not allowed because ")):
		e.Kind = activity.Auth
		m = m[len("User "):bytes.LastIndex(m, []byte(" not allowed because "))]
		return p.who(m)
	case bytes.HasPrefix(m, []byte("ROOT LOGIN REFUSED FROM ")):
		e.Kind = activity.Auth
		return p.who(append([]byte("root from "), m[len("ROOT LOGIN REFUSED FROM "):]...))
	case bytes.HasPrefix(m, []byte("pam_unix(sshd:session): session ")):
		return p.session(m[len("pam_unix(sshd:session): session "):])
	case bytes.HasPrefix(m, []byte("PAM ")) && bytes.Contains(m, []byte("more authentication failure")), pamFailed(m, "sshd"):
		e.Kind = activity.Auth
		return p.pam(m)
	}
	return p.left(m)
}

// pamFailed reports whether a PAM module says that somebody failed to prove to a service who they are.
func pamFailed(m []byte, service string) bool {
	module, rest, ok := bytes.Cut(m, []byte("("))
	if !ok || !bytes.HasPrefix(module, []byte("pam_")) {
		return false
	}
	rest, ok = bytes.CutPrefix(rest, []byte(service))
	return ok && (bytes.HasPrefix(rest, []byte(":auth): authentication failure;")) || bytes.HasPrefix(rest, []byte("-l:auth): authentication failure;")))
}

// left reads "Connection closed by authenticating user NAME ADDRESS port N [preauth]", also of an invalid user, and "Disconnected from": somebody who went before it was decided. It is read
// from its right end, as names are chosen freely.
func (p *Parser) left(m []byte) bool {
	m, ok := bytes.CutSuffix(m, []byte(" [preauth]"))
	if !ok {
		return false
	}
	for _, open := range [...]string{"Connection closed by ", "Connection reset by ", "Disconnected from "} {
		who, ok := bytes.CutPrefix(m, []byte(open))
		if !ok {
			continue
		}
		name, known := bytes.CutPrefix(who, []byte("authenticating user "))
		if !known {
			if name, ok = bytes.CutPrefix(who, []byte("invalid user ")); !ok {
				return false
			}
		}
		if i := bytes.LastIndex(name, []byte(" port ")); i >= 0 && number(name[i+len(" port "):]) {
			name = name[:i]
		}
		i := bytes.LastIndexByte(name, ' ')
		if i < 0 {
			return false
		}
		addr, err := netip.ParseAddr(string(name[i+1:]))
		if err != nil {
			return false
		}
		e := &p.event
		e.Kind, e.SignIn.Account, e.SignIn.Addr, e.SignIn.Unknown = activity.Auth, name[:i], addr.Unmap().WithZone(""), !known
		return true
	}
	return false
}

// who reads "[invalid user ]NAME from ADDRESS[ port N][ ssh2][ [preauth]]" from its right end.
func (p *Parser) who(b []byte) bool {
	b = bytes.TrimSuffix(b, []byte(" [preauth]"))
	b = bytes.TrimSuffix(b, []byte(" ssh2"))
	if i := bytes.LastIndex(b, []byte(" port ")); i >= 0 && number(b[i+len(" port "):]) {
		b = b[:i]
	}
	i := bytes.LastIndex(b, []byte(" from "))
	if i < 0 && bytes.HasPrefix(b, []byte("from ")) { // a name of nothing
		i = 0
		b = append([]byte{' '}, b...)
	}
	if i < 0 {
		return false
	}
	a := &p.event.SignIn
	addr, err := netip.ParseAddr(string(b[i+len(" from "):]))
	if err != nil {
		a.Host = b[i+len(" from "):]
		if bytes.ContainsAny(a.Host, " ") {
			return false
		}
	} else {
		a.Addr = addr.Unmap().WithZone("")
	}
	a.Account = b[:i]
	if rest, ok := bytes.CutPrefix(a.Account, []byte("invalid user ")); ok && !p.event.Success {
		a.Account, a.Unknown = rest, true
	} else if rest, ok := bytes.CutPrefix(a.Account, []byte("illegal user ")); ok && !p.event.Success { // sshd before 4
		a.Account, a.Unknown = rest, true
	}
	return true
}

func number(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// session reads "opened for user NAME(uid=0) by (uid=0)" and "closed for user NAME".
func (p *Parser) session(b []byte) bool {
	e := &p.event
	e.Kind, e.Success = activity.Session, true
	name, ok := bytes.CutPrefix(b, []byte("closed for user "))
	if !ok {
		if name, ok = bytes.CutPrefix(b, []byte("opened for user ")); !ok {
			return false
		}
		e.Began = true
		if i := bytes.LastIndex(name, []byte(" by ")); i >= 0 {
			name = name[:i]
		}
	}
	if i := bytes.LastIndex(name, []byte("(uid=")); i > 0 {
		name = name[:i]
	}
	e.SignIn.Account = name
	return len(name) > 0
}

// pam reads "... rhost=1.2.3.4  user=root". The account stands last, and is absent if there is none such.
func (p *Parser) pam(b []byte) bool {
	a := &p.event.SignIn
	_, b, ok := bytes.Cut(b, []byte(" rhost="))
	if !ok {
		return false
	}
	host, rest, _ := bytes.Cut(b, []byte{' '})
	if addr, err := netip.ParseAddr(string(host)); err == nil {
		a.Addr = addr.Unmap().WithZone("")
	} else {
		a.Host = host
	}
	name, known := bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte("user="))
	if a.Unknown = !known; known {
		a.Account = name
	}
	return true
}
