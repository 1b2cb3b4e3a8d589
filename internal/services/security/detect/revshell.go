package detect

import (
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

func reverseShellAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"reverse-shell", []string{
			"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "socat", "telnet", "openssl", "perl", "ruby", "php", "node", "lua", "lua5.3", "lua5.4", "python", "python2", "python3", "awk", "gawk", "xterm", "mkfifo", "mknod", "exec", "rlwrap", "cryptcat", "sbd", "jrunscript", "tclsh", "expect", "busybox",
		}, onReverseShell},
	}
}

// onReverseShell: a shell whose other end is a connection: by bash's /dev/tcp, by netcat's -e, by socat, through a named pipe or from one program to the next, or by a one-liner
// that makes a socket and starts a shell on it.
func onReverseShell(s *step, c *Command) {
	why := ""
	switch {
	case shellName(c.Name), c.Name == "exec":
		why = s.shellOnSocket(c)
	case strings.HasPrefix(c.Name, "nc"), c.Name == "netcat", c.Name == "cryptcat", c.Name == "sbd":
		if shellOption(c.Args) {
			why = c.Name + " was told to start a shell"
		} else if s.fedToShell(c) {
			why = c.Name + " was joined to a shell by a pipe"
		}
	case c.Name == "socat":
		for _, a := range c.Args {
			if low := lower(a); (strings.HasPrefix(low, "exec:") || strings.HasPrefix(low, "system:")) && (strings.Contains(low, "sh") || strings.Contains(low, "login")) {
				why = "socat was told to start a shell on a connection"
			}
		}
	case c.Name == "telnet", c.Name == "openssl" && c.arg(0) == "s_client":
		if s.fedToShell(c) || strings.Contains(s.process.Line, "mkfifo") || strings.Contains(s.process.Line, "mknod") {
			why = c.Name + " was joined to a shell by a pipe"
		}
	case c.Name == "xterm":
		if c.has("-display") && !c.has(":0", ":1", "localhost:10.0") {
			why = "a terminal was opened on another machine"
		}
	case c.Name == "awk", c.Name == "gawk":
		for _, a := range c.Args {
			if strings.Contains(a, "/inet/tcp/") || strings.Contains(a, "/inet/udp/") {
				why = "awk was told to connect, and to run what comes"
			}
		}
	case wrapperOf(c.Name) == wrapsPerl, wrapperOf(c.Name) == wrapsPython, c.Name == "jrunscript", c.Name == "tclsh", c.Name == "expect":
		for i, a := range c.Args {
			if i > 0 && len(c.Args[i-1]) <= 4 && strings.HasPrefix(c.Args[i-1], "-") && socketShell(a) {
				why = "a one-liner starts a shell on a socket"
			}
		}
	}
	if why != "" {
		s.m.report(s.find(&reverseShell, 0.85, c.Name, why))
	}
}

// shellOnSocket tells whether a shell's text connects a shell to a socket, or nothing.
func (s *step) shellOnSocket(c *Command) string {
	text, ok := option(c.Args, 'c')
	if !ok {
		text = c.Input
		for _, r := range c.Redirects { // bash -i >& /dev/tcp/...
			if strings.HasPrefix(r.file, "/dev/tcp/") || strings.HasPrefix(r.file, "/dev/udp/") {
				return "a shell was connected to " + r.file
			}
		}
	}
	at := strings.Index(text, "/dev/tcp/")
	if at < 0 {
		at = strings.Index(text, "/dev/udp/")
	}
	if at < 0 {
		if strings.Contains(text, "zsh/net/tcp") && strings.Contains(text, "ztcp") {
			return "a shell was connected by zsh's ztcp"
		}
		return ""
	}
	if strings.Contains(text, "0>&1") || strings.Contains(text, "0<&") || strings.Contains(text, "<&") && strings.Contains(text, ">&") || strings.Contains(text, "sh -i") || strings.Contains(text[:at], "<>") && (strings.Contains(text, "while read") || strings.Contains(text, "eval") || strings.Contains(text, "sh ")) {
		return "a shell was connected to " + text[at:at+strings.IndexAny(text[at:]+" ", " ;&|\"'")]
	}
	return ""
}

// fedToShell reports whether what a command receives goes into a shell by a pipe.
func (s *step) fedToShell(c *Command) bool {
	if c.Pipeline == 0 {
		return strings.Contains(s.process.Line, "mkfifo") && strings.Contains(s.process.Line, "/bin/")
	}
	for i := range s.commands {
		o := &s.commands[i]
		if o.Pipeline == c.Pipeline && o != c && shellName(o.Name) {
			for _, a := range o.Args {
				if a == "-c" {
					return false
				}
			}
			return true
		}
	}
	return false
}

func shellOption(args []string) bool {
	for i, a := range args {
		if (a == "-e" || a == "-c" || a == "--exec" || a == "--sh-exec" || a == "-ne" || a == "-lvpe" || strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && len(a) > 2 && a[len(a)-1] == 'e') && i+1 < len(args) && (strings.Contains(args[i+1], "sh") || strings.Contains(args[i+1], "cmd")) {
			return true
		}
	}
	return false
}

// socketShell reports whether a program's text makes a socket and starts a shell on it.
func socketShell(text string) bool {
	low := lower(text)
	if !strings.Contains(low, "socket") && !strings.Contains(low, "fsockopen") && !strings.Contains(low, "tcpclient") && !strings.Contains(low, "net.connect") {
		return false
	}
	if !strings.Contains(low, "sh") && !strings.Contains(low, "cmd") {
		return false
	}
	for _, w := range [...]string{"dup2", "stdin", "fsockopen", "subprocess", "spawn", "exec", "popen", "system(", "pty", "child_process"} {
		if strings.Contains(low, w) {
			return strings.Contains(low, "/bin/") || strings.Contains(low, "sh") && (strings.Contains(low, "connect") || strings.Contains(low, "fsockopen") || strings.Contains(low, "tcpsocket"))
		}
	}
	return false
}

// shellConnected: a shell connects by itself. It has /dev/tcp for that, which no command line has to show. Scripts look that way whether a server is there; a shell that talks is
// more.
func (m *Machine) shellConnected(e *activity.Event, p *Process) {
	s := &step{m: m, event: e, process: p, session: p.Session, rule: "reverse-shell"}
	if strings.HasSuffix(p.Line, " -i") || strings.Contains(p.Line, " -i ") || strings.Contains(p.Line, "0>&1") || !strings.Contains(p.Line, " ") && !p.TTY {
		f := s.find(&reverseShell, 0.8, "connect", fmt.Sprintf("a shell connected to %s by itself", e.Remote.Addr))
		f.Addrs = append(f.Addrs, e.Remote.Addr.Addr().Unmap())
		m.report(f)
		return
	}
	if !expected(p) {
		f := s.find(&portTried, 0.3, "connect", fmt.Sprintf("a shell connected to %s by itself", e.Remote.Addr))
		f.Addrs = append(f.Addrs, e.Remote.Addr.Addr().Unmap())
		m.report(f)
	}
}
