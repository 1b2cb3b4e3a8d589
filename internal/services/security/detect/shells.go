package detect

import (
	"fmt"
	"strings"
)

// piped is what the children of a process did lately that matters if one of them is a shell that reads from another: the times of the last one that fetched, that decoded,
// and of the last shell that was told nothing.
type piped struct {
	fetched, decoded, shell int64
	from                    string
}

func (p *Process) pipes() *piped {
	if p.piped == nil {
		p.piped = &piped{}
	}
	return p.piped
}

// pipeWithin is how far apart the ends of a pipe are started, in milliseconds.
const pipeWithin = 1500

func shellAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"piped-shell", []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "python", "python2", "python3", "perl", "ruby", "php", "node"}, onPipedShell},
		{"piped-shell", []string{"curl", "wget", "fetch", "lwp-download", "GET", "aria2c", "lynx", "base64", "base32", "b64decode", "xxd", "openssl", "uudecode", "gpg", "rev", "tr"}, onPipeSource},
		{"decoding", []string{"base64", "base32", "basenc", "b64decode", "xxd", "uudecode", "openssl", "perl", "python", "python2", "python3", "php", "ruby"}, onDecoding},
		{"shell-escape", []string{
			"awk", "gawk", "mawk", "nawk", "vi", "vim", "vimdiff", "rvim", "ex", "ed", "emacs", "find", "tar", "zip", "git", "less", "more", "man", "nmap", "expect", "gdb", "ftp", "mysql", "psql", "sqlite3", "tclsh", "scp", "ssh", "rsync", "sed", "env", "nice", "timeout", "xargs", "time", "stdbuf", "strace", "flock", "watch", "script",
			"tmux", "screen", "cpan", "perl", "python", "python2", "python3", "ruby", "lua", "php", "node", "irb", "jrunscript", "busybox", "make", "apt", "apt-get", "dpkg", "yum", "rpm", "docker", "journalctl", "systemctl", "sudo", "rlwrap", "setarch", "unshare", "ionice", "logsave", "taskset", "run-parts", "start-stop-daemon", "capsh", "crontab", "wget", "curl", "socat", "nsenter", "pico", "nano", "tcpdump", "telnet", "split", "valgrind", "pip", "npm", "composer", "gem", "bundler", "chroot", "cp",
		}, onShellEscape},
		{"trap", []string{"trap"}, onTrap},
		{"environment", []string{"export", "declare", "env", "unset", "set", "history", "shopt", "fc"}, onEnvironment},
		{"web-shell", []string{"sh", "bash", "dash", "id", "whoami", "uname", "cat", "ls", "wget", "curl", "nc", "python3", "python", "perl", "ifconfig", "ip", "hostname", "netstat", "ps"}, onServiceCommand},
	}
}

// onPipedShell: a shell, or another interpreter, that reads its program from what was fetched or decoded a moment before: curl | sh, base64 -d | bash. Where the whole line
// is known, the pipe shows it; else two programs started by one parent at the same time, of which one is a shell that was told nothing.
func onPipedShell(s *step, c *Command) {
	told := c.operands()
	bare := len(told) == 0 || len(told) == 1 && told[0] == "-" || c.has("-s")
	if wrapperOf(c.Name) == wrapsPerl || wrapperOf(c.Name) == wrapsPython {
		bare = len(c.Args) == 0 || len(c.Args) == 1 && c.Args[0] == "-"
	}
	if shellName(c.Name) && len(c.Args) > 0 && !bare {
		s.substituted(c)
	}
	if !bare {
		return
	}
	if c.Via == "busybox" && len(c.Args) == 0 && c.Stage == 0 && !expected(s.process) {
		s.escaped(&Command{Name: "busybox"})
	}
	for _, o := range s.before(c) {
		if decodes(o) {
			s.tell(&decodedRun, 0.8, "", fmt.Sprintf("what %s decoded was given to %s", o.Name, c.Name))
			return
		}
		if k := fetcherOf(o.Name); k == fetchesURL {
			s.pipedDownload(c, o.urls())
			return
		}
		if (o.Name == "echo" || o.Name == "printf") && len(o.operands()) > 0 && strings.ContainsAny(strings.Join(o.operands(), ""), "$\\") {
			s.tell(&hiddenCommand, 0.5, "", fmt.Sprintf("a text was given to %s, as its program", c.Name))
			return
		}
	}
	if p := s.process.Parent; p != nil && s.wrapped(c) {
		now := s.event.Millis
		switch {
		case recentMillis(p.pipes().decoded, now):
			s.tell(&decodedRun, 0.6, "", fmt.Sprintf("%s started beside a program that decodes", c.Name))
		case recentMillis(p.pipes().fetched, now):
			s.pipedDownload(c, []string{p.pipes().from})
		}
		p.pipes().shell = now
	}
}

func recentMillis(then, now int64) bool {
	return then != 0 && now-then <= pipeWithin && then-now <= pipeWithin
}

// wrapped reports whether a command is the one that was started, not one in its text.
func (s *step) wrapped(c *Command) bool { return c == &s.commands[0] }

func (s *step) pipedDownload(c *Command, urls []string) {
	if expected(s.process) {
		return
	}
	f := s.find(&downloadAndRun, 0.7, strings.Join(urls, " "), fmt.Sprintf("what was fetched was given to %s", c.Name))
	f.URLs = urls
	s.m.report(f)
}

// substituted: bash -c "$(curl ...)", bash <(curl ...), eval.
func (s *step) substituted(c *Command) {
	for _, a := range c.operands() {
		if !strings.HasPrefix(a, "$(") && !strings.HasPrefix(a, "`") {
			continue
		}
		for _, inner := range script(nil, strings.Trim(strings.TrimPrefix(a, "$("), "`)"), "", maxUnwrap-1) {
			if fetcherOf(inner.Name) == fetchesURL {
				s.pipedDownload(c, inner.urls())
				return
			}
			if decodes(&inner) {
				s.tell(&decodedRun, 0.8, "", fmt.Sprintf("what %s decoded was given to %s", inner.Name, c.Name))
				return
			}
		}
	}
}

// onPipeSource remembers, with the parent, that something was fetched or decoded to standard output, and looks whether a shell that was told nothing waits for it.
func onPipeSource(s *step, c *Command) {
	p := s.process.Parent
	if p == nil || !s.wrapped(c) {
		return
	}
	now := s.event.Millis
	decoded := decodes(c)
	fetched := false
	if fetcherOf(c.Name) == fetchesURL {
		urls := c.urls()
		fetched = len(urls) > 0 && (c.Name == "curl" && !c.flag('o') && !c.flag('O') && !c.flag('I') && !c.has("--output", "--remote-name") || c.has("-O-", "-qO-", "-") || strings.Contains(strings.Join(c.Args, " "), "O -"))
		if fetched {
			p.pipes().from = urls[0]
		}
	}
	if decoded {
		p.pipes().decoded = now
	}
	if fetched {
		p.pipes().fetched = now
	}
	if recentMillis(p.pipes().shell, now) {
		if decoded {
			s.tell(&decodedRun, 0.6, "", "a program that decodes started beside a shell that was told nothing")
		} else if fetched {
			s.pipedDownload(c, c.urls())
		}
	}
}

// decodes reports whether a command turns encoded text into what it was.
func decodes(c *Command) bool {
	switch c.Name {
	case "base64", "base32", "basenc":
		return c.flag('d') || c.flag('D') || c.has("--decode")
	case "b64decode", "uudecode", "zcat", "unhex":
		return c.Name != "zcat"
	case "xxd":
		return c.flag('r')
	case "openssl":
		return (c.arg(0) == "base64" || c.arg(0) == "enc" || strings.HasPrefix(c.arg(0), "aes")) && c.has("-d")
	case "perl", "python", "python2", "python3", "php", "ruby":
		return decoderText(strings.Join(c.Args, " "))
	case "rev":
		return true
	case "tr":
		return len(c.Args) == 2 && strings.Contains(c.Args[0], "A-Z") && strings.HasPrefix(c.Args[1], "N")
	case "gpg", "gpg2":
		return c.has("-d", "--decrypt") && c.has("--batch", "--passphrase")
	}
	return false
}

func decoderText(t string) bool {
	for _, w := range [...]string{"b64decode", "decode_base64", "base64_decode", "Base64.decode", "unpack(\"m", "fromhex", "unhexlify", "hex2bin", "pack(\"H", "pack('H", "codecs.decode", "zlib.decompress", "gzinflate", "str_rot13", "atob("} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return false
}

// onDecoding: text is decoded. By itself that is worth a note; a one-liner that decodes and runs what comes out, or a file that is made by decoding, is more.
func onDecoding(s *step, c *Command) {
	if expected(s.process) || !decodes(c) || c.Name == "rev" || c.Name == "tr" {
		return
	}
	text := strings.Join(c.Args, " ")
	if accessOf(c.Name) == runsCode {
		for _, w := range [...]string{"exec(", "eval(", "eval ", "os.system", "subprocess", "popen", "system(", "__import__", "passthru", "shell_exec", "pty.spawn", "marshal.loads"} {
			if strings.Contains(text, w) {
				s.tell(&decodedRun, 0.7, "", fmt.Sprintf("a one-liner of %s decodes a text and runs it", c.Name))
				return
			}
		}
	}
	for _, r := range c.Redirects {
		if r.op == '>' {
			m := s.m.file(within(s.process.Dir, r.file))
			m.fetched, m.by, m.fetchedFrom = s.event.Millis, s.session, "decoded by "+c.Name
		}
	}
	if c.Name == "openssl" && c.arg(0) != "base64" && !strings.Contains(text, "base64") && !c.has("-a") {
		return // decryption of a file is everybody's
	}
	t := &s.session.decoded // a loop that decodes in one way is a script's; many ways are somebody's who tries
	if t.names == nil || !recent(t.from, s.event.Millis, s.m.params.DecodeWindow) {
		*t = stops{from: s.event.Millis, names: map[string]bool{}}
	}
	if len(t.names) < 64 {
		t.names[text] = true
	}
	if len(t.names) >= s.m.params.DecodeTexts {
		s.tell(&decodedMany, 0.5, "", fmt.Sprintf("texts were decoded in %d ways within %s", len(t.names), s.m.params.DecodeWindow))
		return
	}
	s.tell(&decoded, 0.3, c.Name, c.Name+" decoded a text")
}

// onShellEscape: a shell is started by a program that is made for something else, through its own means to run others: awk's system, find's -exec, vim's :!, tar's
// checkpoints. Builds and scripts run commands that way; a shell without a command is what somebody wants who is to be kept from one.
func onShellEscape(s *step, c *Command) {
	before := s.before(c)
	named := false
	for _, a := range c.Args {
		named = named || shellPath(a) >= 0
	}
	if !named && len(before) == 0 {
		return
	}
	text := strings.Join(c.Args, " ")
	for _, o := range before {
		if o.Name == "echo" || o.Name == "printf" {
			text += " " + strings.Join(o.Args, " ")
		}
	}
	if !named && shellPath(text) < 0 {
		return
	}
	var marks []string
	switch c.Name {
	case "awk", "gawk", "mawk", "nawk":
		marks = []string{"system(", "exec"}
	case "vi", "vim", "vimdiff", "rvim", "ex", "ed", "nano", "pico":
		marks = []string{":!", ":sh", "os.", "system(", "term", "-s /"}
	case "emacs":
		marks = []string{"term", "shell", "call-process"}
	case "find":
		if c.lastExec() {
			s.escaped(c)
		}
		return
	case "tar":
		marks = []string{"checkpoint-action", "--to-command", "-I", "--use-compress-program", "rmt-command"}
	case "zip":
		marks = []string{"-TT", "unzip-command"}
	case "git":
		marks = []string{"core.pager", "!", "core.editor", "core.sshCommand"}
	case "ssh", "scp":
		marks = []string{"ProxyCommand", "LocalCommand", "-S"}
	case "rsync":
		marks = []string{"-e"}
	case "gdb", "mysql", "sqlite3", "psql", "ftp", "tclsh", "cpan", "expect", "nmap", "telnet", "irb", "jrunscript":
		marks = []string{"!", "system", "exec", "shell", "spawn"}
	case "perl", "python", "python2", "python3", "ruby", "lua", "php", "node":
		marks = []string{"exec ", "exec(", "execl", "execv", "exec'", "exec \"", "system(", "system ", "spawn(", "spawn ", "os.execute", "passthru", "pcntl_exec", "popen", "subprocess.call(['/bin/", "subprocess.call([\"/bin/", "setuid(0)"}
	case "make":
		marks = []string{"--eval"}
	case "apt", "apt-get", "dpkg", "yum", "rpm":
		marks = []string{"Pre-Invoke", "Post-Invoke", "pre-invoke", "Changelog", "--eval", "pipe"}
	case "docker":
		if c.has("-v", "--volume", "--privileged") {
			return // containers tell it
		}
		return
	case "tcpdump":
		marks = []string{"-z"}
	case "sed":
		marks = []string{"1e", "e exec", "s/^/"}
	case "split":
		marks = []string{"--filter"}
	case "capsh", "start-stop-daemon", "logsave", "busybox", "rlwrap", "flock", "script", "stdbuf", "strace", "timeout", "nice", "ionice", "taskset", "setarch", "unshare", "time", "watch", "env", "run-parts", "valgrind", "xargs", "tmux", "screen":
		// A shell, and nothing for it to do, behind a wrapper. nice and env stand before shells in scripts too: with a terminal and nothing to do they don't.
		rest := c.Args
		if c.Name != "capsh" && c.Name != "start-stop-daemon" && c.Name != "logsave" && c.Name != "busybox" && c.Name != "rlwrap" {
			rest = wrapped(c.Name, c.Args)
		}
		if len(rest) == 0 || !shellName(base(rest[len(rest)-1])) || rest[len(rest)-1][0] != '/' || c.Name == "screen" || c.Name == "tmux" || c.Name == "script" {
			return
		}
		if len(rest) == 1 || strings.HasPrefix(c.Name, "c") || c.Name == "start-stop-daemon" {
			s.escaped(c)
		}
		return
	default:
		return
	}
	for _, m := range marks {
		if strings.Contains(text, m) {
			s.escaped(c)
			return
		}
	}
}

// escaped: a shell is started by a program that is made for something else.
func (s *step) escaped(c *Command) {
	if s.process.under&(underInstall|underManage) != 0 && c.Name != "apt" && c.Name != "apt-get" {
		return
	}
	s.tell(&shellEscape, 0.7, c.Name, fmt.Sprintf("%s was made to start a shell", c.Name))
}

// lastExec reports whether find runs a shell that is given nothing to do.
func (c *Command) lastExec() bool {
	for i, a := range c.Args {
		if (a == "-exec" || a == "-execdir" || a == "-ok") && i+2 < len(c.Args) && shellName(base(c.Args[i+1])) {
			return c.Args[i+2] == ";" || c.Args[i+2] == "-p" || c.Args[i+2] == "-i"
		}
	}
	return false
}

// shellPath is where a text names a shell by its path, with nothing for it to do behind; -1 if it doesn't.
func shellPath(t string) int {
	for from := 0; ; {
		i := strings.Index(t[from:], "sh")
		if i < 0 {
			return -1
		}
		i += from
		from = i + 2
		start := strings.LastIndexAny(t[:i], " \"'(=:;!,[") + 1
		word := t[start : i+2]
		switch word {
		case "/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ksh", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/zsh", "sh", "bash":
		default:
			continue
		}
		rest := t[i+2:]
		if rest == "" || strings.IndexByte("\"';)],&\\", rest[0]) >= 0 || strings.HasPrefix(rest, " -p") || strings.HasPrefix(rest, " -i") || strings.HasPrefix(rest, " 0<") || strings.HasPrefix(rest, " 1>") || strings.HasPrefix(rest, " &") || strings.HasPrefix(rest, " <&") || strings.HasPrefix(rest, " ;") {
			return start
		}
	}
}

// onTrap: a shell is told to run something when it ends, is interrupted, or with each command. Scripts clean up that way; programs started, things fetched, and a note taken of
// each command are no clean-up.
func onTrap(s *step, c *Command) {
	action := c.arg(0)
	if action == "" || action == "-" || len(c.Args) < 2 || expected(s.process) {
		return
	}
	if c.has("DEBUG") && (strings.Contains(action, "BASH_COMMAND") || strings.Contains(action, ">>")) {
		s.tell(&inputCapture, 0.6, "trap", "a shell was told to note each command")
		return
	}
	for _, inner := range script(nil, action, "", maxUnwrap-1) {
		if shellName(inner.Name) || fetcherOf(inner.Name) != fetchesNothing || inner.Via == "nohup" || inner.Name == "nohup" || accessOf(inner.Name) == runsCode || inner.Name == "nc" || strings.HasPrefix(inner.Path, "/tmp/") || strings.HasPrefix(inner.Path, "/dev/shm/") {
			s.tell(&trapHandler, 0.6, inner.Name, fmt.Sprintf("a shell was told to run %s when it ends or is interrupted", inner.Name))
			return
		}
	}
}

// onServiceCommand: a program that serves web pages starts a shell that asks who and where it is, or fetches something: what a web shell does.
func onServiceCommand(s *step, c *Command) {
	if s.session.Login || !s.belowWebServer() {
		return
	}
	switch {
	case question(c) == askUser, question(c) == askKernel, question(c) == askUsers, question(c) == askNetwork && c.Name != "hostname", fetcherOf(c.Name) == fetchesURL && len(c.urls()) > 0, c.Name == "nc":
		s.tell(&webShell, 0.6, "", fmt.Sprintf("%s was run below a web server", c.Name))
	}
}

// belowWebServer reports whether the nearest ancestors, beyond shells, are a web server's.
func (s *step) belowWebServer() bool {
	for p, n := s.process.Parent, 0; p != nil && n < 3; p, n = p.Parent, n+1 {
		switch b := base(p.File); {
		case b == "apache2", b == "httpd", b == "nginx", strings.HasPrefix(b, "php-fpm"), b == "php-cgi", b == "lighttpd", b == "tomcat", b == "catalina.sh", b == "uwsgi", b == "gunicorn":
			return true
		case !shellName(b):
			return false
		}
	}
	return false
}
