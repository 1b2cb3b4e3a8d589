package detect

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// onKit: one command makes many files executable that lie in a place of the user's own. A kit betrays itself further by what is in it: a text file made executable with
// the rest, names of one letter, a name of one of the system's daemons. Builds make their own few programs executable, and one at a time.
func onKit(m *Machine, s *step) {
	for i := range s.commands {
		c := &s.commands[i]
		if c.Name != "chmod" {
			continue
		}
		files := c.operands()
		if len(files) == 0 || !addsExecution(c) {
			continue
		}
		files = files[1:] // without the mode
		var odd, full []string
		untrusted := 0
		for _, f := range files {
			file := within(s.process.Dir, f)
			full = append(full, file)
			if trusted(file) {
				continue
			}
			untrusted++
			if expected(s.process) {
				continue
			}
			note := m.file(file)
			note.made, note.by = s.event.Millis, s.session
			m.list(file, note)
			if why := oddExecutable(f); why != "" {
				odd = append(odd, f+" ("+why+")")
			}
		}
		if untrusted < m.params.KitFiles || expected(s.process) {
			continue
		}
		confidence := min(0.95, 0.35+0.1*float64(len(odd))+0.02*float64(untrusted))
		if recent(s.session.fetched, s.event.Millis, m.params.FetchToRun) {
			confidence = min(0.95, confidence+0.2)
		}
		if len(odd) == 0 && confidence < 0.6 {
			continue // many scripts, nothing odd, nothing fetched: a build, or somebody tidy
		}
		why := fmt.Sprintf("%d files were made executable at once", untrusted)
		if len(odd) > 0 {
			why += ", among them " + strings.Join(odd[:min(len(odd), 6)], ", ")
		}
		f := s.find(&attackTool, confidence, s.process.Dir, why)
		f.Files = full
		m.report(f)
		if recent(s.session.fetched, s.event.Millis, m.params.FetchToRun) {
			f := s.find(&fileDownload, confidence, s.process.Dir, "files were fetched, and many made executable right after")
			f.Files = full
			m.report(f)
		}
	}
}

// addsExecution reports whether a chmod makes files executable.
func addsExecution(c *Command) bool {
	for _, a := range c.Args {
		if strings.HasPrefix(a, "--") {
			continue
		}
		if strings.Trim(a, "01234567") == "" && a != "" {
			last := a[max(0, len(a)-3):]
			return strings.ContainsAny(last, "1357")
		}
		if i := strings.IndexAny(a, "+="); i >= 0 && strings.Trim(a[:i], "ugoa") == "" {
			return strings.ContainsAny(a[i:], "xX")
		}
		return false
	}
	return false
}

// oddExecutable tells what is odd about a file that is made executable, or nothing.
func oddExecutable(name string) string {
	b := path.Base(name)
	switch ext := strings.ToLower(path.Ext(b)); ext {
	case ".txt", ".log", ".lst", ".list", ".csv", ".conf", ".ini", ".dat", ".html", ".jpg", ".png", ".gif", ".zip", ".tar", ".gz", ".tgz":
		return "data"
	}
	switch {
	case len(b) == 1:
		return "one letter"
	case b == "pass" || b == "port" || b == "passfile" || b == "range" || b == "mfu" || strings.HasPrefix(b, "pass") && len(b) < 8:
		return "data"
	case daemonName(b):
		return "a daemon's name"
	case strings.HasPrefix(b, ".") && len(b) > 1 && b != "." && b != "..":
		return "hidden"
	}
	return ""
}

// daemonName reports whether a name is that of a program that runs in the background of most machines, so that nobody looks twice at it.
func daemonName(b string) bool {
	switch b {
	case "sshd", "crond", "cron", "init", "systemd", "syslogd", "rsyslogd", "httpd", "apache2", "nginx", "mysqld", "named", "ntpd", "chronyd", "screen", "udevd", "systemd-udevd", "systemd-journald",
		"systemd-logind", "dbus-daemon", "kthreadd", "ksoftirqd", "kworker", "auditd", "agetty", "getty", "atd", "acpid", "inetd", "xinetd", "smbd", "nmbd", "bash", "sh", "ps", "ls", "top", "netstat", "su", "sudo", "login", "kswapd0":
		return true
	}
	return false
}

// onMasquerade: a program with the name of one of the system's daemons runs from somewhere else.
func onMasquerade(m *Machine, s *step) {
	file := s.process.File
	if file == "" || file[0] != '/' || trusted(file) || strings.HasPrefix(file, "/proc/") || strings.Contains(file, "/chroot/") || strings.Contains(file, "/overlay") || strings.Contains(file, "/rootfs/") || expected(s.process) {
		return
	}
	b := path.Base(file)
	if !daemonName(b) && !(s.args[0] != "" && s.args[0][0] == '[' && strings.HasSuffix(s.args[0], "]")) {
		// A name of the system's is also pretended by the first argument: "./x" that calls itself "/usr/sbin/sshd".
		if first := s.args[0]; !trusted(first) || first == file || s.interpreted() || !daemonName(path.Base(first)) || path.Base(first) == b {
			return
		}
	}
	f := s.find(&masquerade, 0.75, file, file+" has the name of one of the system's programs, and lies elsewhere")
	f.Files = []string{file}
	m.report(f)
}

// removal is what a session removed lately.
type removal struct {
	from  int64
	files map[string]bool
	told  bool
}

// onCleanup: files of which several ran, or were made executable, not long ago are removed together: a kit leaves.
func onCleanup(m *Machine, s *step) {
	for i := range s.commands {
		c := &s.commands[i]
		if c.Name != "rm" && c.Name != "unlink" && c.Name != "shred" && c.Name != "srm" && c.Name != "wipe" {
			continue
		}
		for o := range c.eachOperand() {
			m.gone(s, within(s.process.Dir, o), c.flag('r') || c.flag('R') || c.has("--recursive"))
		}
	}
}

// gone notes that a session removed a file, or what a pattern or a folder covers.
func (m *Machine) gone(s *step, name string, folder bool) {
	r := &s.session.removed
	if r.files == nil || !recent(r.from, s.event.Millis, m.params.CleanupWindow) {
		*r = removal{from: s.event.Millis, files: map[string]bool{}}
	}
	now := s.event.Millis
	was := func(f *fileNote) bool {
		return recent(f.ran, now, m.params.Memory) || recent(f.made, now, m.params.Memory)
	}
	if f, ok := m.files.Peek(name); ok && was(f) {
		r.files[name] = true
	} else {
		// A folder with all that is in it.
		for _, file := range m.below(name, folder) {
			if f, ok := m.files.Peek(file); ok && was(f) && (!folder || f.made != 0 && f.ran != 0) && len(r.files) < maxFiles {
				r.files[file] = true
			}
		}
	}
	if len(r.files) < m.params.CleanupFiles || r.told {
		return
	}
	ran := 0
	names := make([]string, 0, len(r.files))
	for name := range r.files {
		if f, ok := m.files.Peek(name); ok && f.ran != 0 {
			ran++
		}
		names = append(names, name)
	}
	if ran == 0 { // what was made executable and never ran is somebody's work
		return
	}
	r.told = true
	f := s.find(&kitRemoved, min(0.9, 0.5+0.1*float64(ran)), "", fmt.Sprintf("%d files that were made executable were removed together, %d of them had run", len(names), ran))
	f.Files = sorted(names)
	m.report(f)
}

// below are the programs that a pattern which ends in an asterisk covers, or, of a folder, those in it.
func (m *Machine) below(name string, folder bool) []string {
	start, pattern := strings.CutSuffix(name, "*")
	switch {
	case pattern:
	case folder:
		start += "/"
	default:
		return nil
	}
	from, _ := slices.BinarySearch(m.programs, start)
	to := from
	for to < len(m.programs) && strings.HasPrefix(m.programs[to], start) {
		to++
	}
	return m.programs[from:to]
}

// onResults: a file that lies beside a tool of attack, and is no program, is looked at after the tool ran.
func onResults(m *Machine, s *step) {
	if !m.attacks {
		return
	}
	for i := range s.commands {
		c := &s.commands[i]
		switch c.Name {
		case "nano", "vi", "vim", "cat", "less", "more", "tail", "head", "pico", "emacs", "mcedit", "ed", "wc", "sort", "grep":
		default:
			continue
		}
		for o := range c.eachOperand() {
			file := within(s.process.Dir, o)
			if trusted(file) || !m.beside(file, s.event.Millis) {
				continue
			}
			f := s.find(&resultsRead, 0.4, file, file+" lies beside a tool of attack that ran")
			f.Files = []string{file}
			m.report(f)
			return
		}
	}
}

// beside reports whether a tool of attack ran from the folder of a file.
func (m *Machine) beside(file string, now int64) bool {
	dir := path.Dir(file) + "/"
	if i := strings.LastIndexByte(file, '/'); i > 0 { // it is clean
		dir = file[:i+1]
	}
	f, ok := m.files.Peek(dir)
	return ok && recent(f.attack, now, m.params.Memory)
}

// attacked notes the folder from which a tool of attack ran.
func (m *Machine) attacked(s *step) {
	dir := s.process.Dir
	if file := s.program(); file != "" {
		dir = path.Dir(file)
	}
	f := m.file(dir + "/")
	f.attack, f.by = s.event.Millis, s.session
	m.attacks = true
}
