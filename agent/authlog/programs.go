package authlog

import (
	"bytes"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// sudo reads "NAME : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/id", from COMMAND back: that is what a user can choose, and it stands last.
func (p *Parser) sudo(b []byte) bool {
	if rest, ok := bytes.CutPrefix(b, []byte("pam_unix(sudo:session): session ")); ok {
		return p.session(rest)
	}
	if pamFailed(b, "sudo") {
		p.event.Kind, p.event.SignIn.Method = activity.Auth, []byte("sudo")
		if i := bytes.LastIndex(b, []byte(" user=")); i >= 0 {
			p.event.SignIn.Account = b[i+len(" user="):]
		}
		return len(p.event.SignIn.Account) > 0
	}
	name, rest, ok := bytes.Cut(b, []byte(" : "))
	if !ok {
		return false
	}
	e := &p.event
	e.SignIn.Account = bytes.TrimSpace(name)
	settings, command, ok := bytes.Cut(rest, []byte("COMMAND="))
	if !ok {
		return false
	}
	e.Kind = activity.Exec
	e.Success = !bytes.Contains(settings, []byte("incorrect password attempt")) && !bytes.Contains(settings, []byte("NOT in sudoers")) && !bytes.Contains(settings, []byte("command not allowed"))
	e.Command = activity.Command{Line: command, Args: bytes.Fields(command)}
	for s := range bytes.SplitSeq(settings, []byte(" ; ")) {
		if dir, ok := bytes.CutPrefix(s, []byte("PWD=")); ok {
			e.Command.Dir = dir
		}
		if tty, ok := bytes.CutPrefix(s, []byte("TTY=")); ok {
			e.Process.TTY = tty
		}
	}
	return true
}

// su reads "(to root) eve on pts/0", "FAILED SU (to root) eve on pts/0", what PAM says of it, and sessions.
func (p *Parser) su(m []byte) bool {
	e := &p.event
	m, failed := bytes.CutPrefix(m, []byte("FAILED SU "))
	if to, ok := bytes.CutPrefix(m, []byte("(to ")); ok {
		account, who, ok := bytes.Cut(to, []byte(") "))
		if !ok {
			return false
		}
		if i := bytes.LastIndex(who, []byte(" on ")); i >= 0 {
			e.Process.TTY, who = who[i+len(" on "):], who[:i]
		}
		e.Kind, e.Success, e.Op, e.Subject = activity.Auth, !failed, []byte("su"), who
		e.SignIn.Account, e.SignIn.Method = account, []byte("su")
		return len(account) > 0
	}
	for _, service := range [...]string{"su", "su-l"} {
		if rest, ok := bytes.CutPrefix(m, []byte("pam_unix("+service+":session): session ")); ok {
			return p.session(rest)
		}
	}
	if pamFailed(m, "su") {
		e.Kind, e.SignIn.Method = activity.Auth, []byte("su")
		if i := bytes.LastIndex(m, []byte(" user=")); i >= 0 {
			e.SignIn.Account = m[i+len(" user="):]
		}
		return len(e.SignIn.Account) > 0
	}
	return false
}

// account reads what the programs that change accounts say.
func (p *Parser) account(program string, m []byte) bool {
	e := &p.event
	e.Kind, e.Success, e.Op = activity.Account, true, p.event.Process.Comm
	for _, form := range [...]struct{ program, before, after string }{
		{"groupadd", "group added to /etc/group: name=", ","},
		{"useradd", "new user: name=", ","},
		{"useradd", "new group: name=", ","},
		{"groupadd", "new group: name=", ","},
		{"userdel", "delete user '", "'"},
		{"groupdel", "group '", "'"},
		{"groupdel", "removed group '", "'"},
		{"userdel", "removed group '", "'"},
		{"gpasswd", "user ", " added by "},
		{"gpasswd", "user ", " removed by "},
		{"usermod", "add '", "'"},
		{"usermod", "change user '", "'"},
		{"passwd", "password changed for ", ""},
		{"passwd", "pam_unix(passwd:chauthtok): password changed for ", ""},
		{"chpasswd", "pam_unix(chpasswd:chauthtok): password changed for ", ""},
	} {
		rest, ok := bytes.CutPrefix(m, []byte(form.before))
		if form.program != program || !ok {
			continue
		}
		if form.after != "" {
			rest, _, _ = bytes.Cut(rest, []byte(form.after))
		}
		e.Subject = rest
		return len(rest) > 0
	}
	return false
}
