package detect

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// fetcher describes a tool that gets files from elsewhere.
type fetcher uint8

const (
	fetchesNothing fetcher = iota
	fetchesURL             // wget URL
	fetchesFiles           // sftp, scp, ftp: a person at a terminal, or names of hosts
)

func fetcherOf(name string) fetcher {
	switch name {
	case "wget", "curl", "lwp-download", "lwp-request", "GET", "aria2c", "axel", "fetch", "lynx", "links", "elinks", "w3m", "httrack", "http", "https", "xh", "wget2", "tftp", "atftp":
		return fetchesURL
	case "ftp", "sftp", "lftp", "ncftp", "ncftpget", "ftpget", "ncftpput", "sftp-server", "tnftp", "pftp":
		return fetchesFiles
	case "scp", "rsync", "rcp":
		return fetchesFiles
	}
	return fetchesNothing
}

// urls are the addresses a command names: whole ones wherever they stand in its arguments, also in a one-liner, and bare host names given to a fetcher.
func (c *Command) urls() []string {
	var out []string
	for _, a := range c.Args {
		if !strings.Contains(a, "://") {
			continue
		}
		low := lower(a)
		for _, scheme := range [...]string{"http://", "https://", "ftp://", "ftps://", "sftp://", "tftp://"} {
			for from := 0; ; {
				i := strings.Index(low[from:], scheme)
				if i < 0 {
					break
				}
				i += from
				if i > 0 && scheme == "ftp://" && low[i-1] == 't' || i > 0 && scheme == "ftp://" && low[i-1] == 's' { // the end of tftp:// and sftp://
					from = i + len(scheme)
					continue
				}
				end := i + strings.IndexAny(a[i:]+" ", " '\"\t\n;|<>)`,")
				out = append(out, a[i:end])
				from = i + len(scheme)
			}
		}
	}
	if len(out) == 0 && fetcherOf(c.Name) == fetchesURL {
		for _, a := range c.operands() {
			if i := strings.IndexByte(a, '/'); i > 3 && strings.Contains(a[:i], ".") || i < 0 && strings.Count(a, ".") >= 1 && !strings.ContainsAny(a, "=,") && len(a) > 3 {
				out = append(out, "http://"+a)
			}
		}
	}
	return out
}

// lower is a text with the letters of ASCII in lower case. It keeps its length, so that places in one are places in the other.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// domain is the host of an address, in lower case.
func domain(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// output is the file that a fetcher writes, made absolute; "" if it isn't told.
func (c *Command) output(dir, address string) string {
	for i, a := range c.Args {
		switch {
		case (a == "-O" && c.Name != "curl" || a == "-o" && c.Name != "wget" || a == "--output" || a == "--output-document") && i+1 < len(c.Args):
			if c.Args[i+1] == "-" {
				return ""
			}
			return within(dir, c.Args[i+1])
		case strings.HasPrefix(a, "--output-document="), strings.HasPrefix(a, "--output="):
			return within(dir, a[strings.IndexByte(a, '=')+1:])
		case (a == "-P" || a == "--directory-prefix") && i+1 < len(c.Args):
			return within(within(dir, c.Args[i+1]), path.Base(address))
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Path == "" || u.Path == "/" {
		return ""
	}
	return within(dir, path.Base(u.Path))
}

// onDownload: something is fetched from elsewhere, by whatever tool. A source that is known to be malicious is an alert at once; else the file is remembered, for what
// becomes of it.
func onDownload(m *Machine, s *step) {
	for i := range s.commands {
		c := &s.commands[i]
		kind := fetcherOf(c.Name)
		if kind == fetchesNothing && !s.clues.url { // nearly all
			continue
		}
		addresses := c.urls()
		for _, a := range addresses {
			host := domain(a)
			if host == "" {
				continue
			}
			if m.known(host) {
				f := s.find(&maliciousDownload, 0.9, host, fmt.Sprintf("%s is among the indicators", host))
				f.URLs, f.Domains = []string{a}, []string{host}
				if addr, err := netip.ParseAddr(host); err == nil {
					f.Addrs = []netip.Addr{addr}
				}
				m.report(f)
			}
			if kind == fetchesURL || wrapperOf(c.Name) == wrapsPerl || wrapperOf(c.Name) == wrapsPython || c.Via != "" {
				m.fetched(s, c.output(s.process.Dir, a), a)
			}
		}
		if kind == fetchesFiles && (len(c.Args) > 0 || c.Name == "sftp-server" || s.process.TTY) {
			m.fetched(s, "", c.Name)
			if serviceName(s.session.Account) && c.Name != "sftp-server" {
				m.report(s.find(&fileDownload, 0.6, c.Name, fmt.Sprintf("%s, an account of a service, fetched files by %s", s.session.Account, c.Name)))
			}
			for _, o := range c.operands() {
				if h, _, ok := strings.Cut(o, ":"); ok || c.Name != "scp" && c.Name != "rsync" {
					if _, h, at := strings.Cut(h, "@"); at && m.known(strings.ToLower(h)) || m.known(strings.ToLower(h)) {
						f := s.find(&maliciousDownload, 0.9, o, o+" is among the indicators")
						f.Domains = []string{o}
						m.report(f)
					}
				}
			}
		}
	}
}

// known reports whether a host is among the indicators.
func (m *Machine) known(host string) bool {
	return m.intel != nil && host != "" && (m.intel.Domain(host) || m.intel.Addr(host))
}

func (m *Machine) fetched(s *step, file, from string) {
	s.session.fetched = s.event.Millis
	if file == "" {
		return
	}
	f := m.file(file)
	f.fetched, f.by, f.fetchedFrom = s.event.Millis, s.session, from
}

// onSpeedTest: the machine's bandwidth is measured. By name only, so of little weight: it tells what the machine is wanted for.
func onSpeedTest(m *Machine, s *step) {
	if trusted(s.process.File) && !s.interpreted() && fetcherOf(s.commands[len(s.commands)-1].Name) == fetchesNothing || expected(s.process) {
		return
	}
	for _, a := range s.args {
		if low := lower(a); strings.Contains(low, "speedtest") || strings.Contains(low, "speed-test") || strings.Contains(low, "/100mb") || strings.Contains(low, "iperf") {
			m.report(s.find(&speedTest, 0.3, "", "a bandwidth test was run from a session"))
			return
		}
	}
}

// interpreted reports whether the started file is an interpreter that was given a program.
func (s *step) interpreted() bool {
	switch wrapperOf(base(s.args[0])) {
	case wrapsPerl, wrapsPython, wrapsShell:
		return len(s.args) > 1
	}
	return false
}

// program is the file of the program that is run: a script's where an interpreter was given one, else the started file; "" if the program is in the arguments.
func (s *step) program() string {
	if !s.interpreted() {
		return s.process.File
	}
	if s.process.File != "" && !trusted(s.process.File) { // a script started by its name: the kernel put its interpreter first
		return s.process.File
	}
	for i := 1; i < len(s.args); i++ {
		a := s.args[i]
		switch {
		case a == "-n" && wrapperOf(base(s.args[0])) == wrapsShell: // it is read, not run
			return ""
		case a == "-c" || a == "-e" || a == "-E" || a == "-m":
			return ""
		case strings.HasPrefix(a, "-"):
		default:
			return within(s.process.Dir, a)
		}
	}
	return ""
}

// onRun: a file that was fetched a short time ago is run. It is also where it is remembered what ran.
func onRun(m *Machine, s *step) {
	file := s.program()
	if file == "" || trusted(file) && !strings.HasPrefix(file, "/opt/") {
		return
	}
	note := m.file(file)
	now := s.event.Millis
	fetched := recent(note.fetched, now, m.params.FetchToRun)
	kit := recent(note.made, now, m.params.FetchToRun) && recent(s.session.fetched, now, m.params.FetchToRun)
	if (fetched || kit) && note.ran == 0 && !expected(s.process) {
		why := fmt.Sprintf("%s was fetched and run within %s", file, m.params.FetchToRun)
		f := s.find(&downloadAndRun, 0.6, path.Dir(file), why)
		f.Files = []string{file}
		if note.fetchedFrom != "" && fetched {
			f.URLs = []string{note.fetchedFrom}
		}
		m.report(f)
	}
	if !expected(s.process) {
		note.ran, note.by = now, s.session
		m.list(file, note)
	}
}
