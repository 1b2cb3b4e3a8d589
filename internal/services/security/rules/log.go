package rules

import "github.com/bulkheadhq/bulkhead/internal/services/security/sigma"

// logged asks about a line of a log: the rules for the program that wrote it, those for the log of sign-ins if it is one that writes there, and those for any line.
func (x *Matcher) logged() {
	program := string(x.event.Process.Comm)
	own, auth := -1, false
	switch program {
	case "sshd", "sshd-session", "sshd-auth":
		own, auth = sigma.SourceSSHD, true
	case "sudo":
		own, auth = sigma.SourceSudo, true
	case "cron", "CRON", "crond", "CROND", "crontab", "anacron":
		own = sigma.SourceCron
	case "clamd", "freshclam", "clamscan", "clamav-daemon", "clamav":
		own = sigma.SourceClamAV
	case "vsftpd":
		own = sigma.SourceVsftpd
	case "guacd", "guacamole":
		own = sigma.SourceGuacamole
	case "su", "login", "useradd", "userdel", "usermod", "groupadd", "groupdel", "passwd", "chpasswd", "systemd-logind", "polkitd", "pkexec", "gdm-password]", "doas":
		auth = true
	}
	if own >= 0 {
		x.said(own)
	}
	if auth {
		x.said(sigma.SourceAuth)
	}
	x.said(sigma.SourceSyslog)
	x.said(sigma.SourceOther)
}

func (x *Matcher) said(source int) {
	if !x.rules.any[source] {
		return
	}
	e := x.event
	x.put(source, sigma.FieldMessage, e.Message)
	x.put(source, sigma.FieldHostname, e.Node)
	if x.rules.uses[source][sigma.FieldProcessID] {
		x.put(source, sigma.FieldProcessID, x.number(uint64(e.Process.PID)))
	}
	if len(e.SignIn.Account) > 0 {
		x.put(source, sigma.FieldUser, e.SignIn.Account)
	}
	if x.rules.uses[source][sigma.FieldSourceIP] && e.SignIn.Addr.IsValid() {
		from := len(x.buf)
		x.buf = e.SignIn.Addr.AppendTo(x.buf)
		x.put(source, sigma.FieldSourceIP, x.buf[from:len(x.buf):len(x.buf)])
	}
	x.ask(source)
}
