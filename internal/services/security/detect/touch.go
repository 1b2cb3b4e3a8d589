package detect

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// how is what is done to a file.
type how uint8

const (
	reads how = iota
	writes
	appends
	removes
)

// concern is what it means that a file of a class is read, written or removed by a tool that anybody can use, outside of package managers and the like.
type concern struct {
	what                string
	write, read, remove *Alert
}

// concerns are those of each class. What has nothing here is judged elsewhere, or means nothing.
func concernOf(c class) concern {
	switch c {
	case shadowFile:
		return concern{"the file of password hashes", &accountFileChanged, &shadowRead, &accountFileChanged}
	case passwdFile, groupFile:
		return concern{"the file of accounts", &accountFileChanged, nil, &accountFileChanged}
	case sudoersFile:
		return concern{"what accounts may do as root", &sudoersChanged, &privilegesRead, &sudoersChanged}
	case sshPrivateKey:
		return concern{"a private key", nil, &privateKeyRead, nil}
	case authorizedKeys:
		return concern{"the keys that an account is entered with", &sshKeyAdded, nil, nil}
	case sshUserConfig:
		return concern{"what SSH runs for an account", &startupHook, nil, nil}
	case sshdConfig:
		return concern{"how sshd lets people in", &signInConfig, nil, nil}
	case cloudSecret:
		return concern{"credentials for a cloud", nil, &cloudCredentials, nil}
	case storedSecret:
		return concern{"stored credentials", nil, &storedCredentials, nil}
	case browserStore:
		return concern{"what a browser keeps", nil, &browserSecrets, nil}
	case browserMarks:
		return concern{"bookmarks", nil, &bookmarksRead, nil}
	case keyStore:
		return concern{"a store of keys and passwords", nil, &storedCredentials, nil}
	case kerberosTicket:
		return concern{"Kerberos tickets", nil, &kerberosTickets, nil}
	case processMemory:
		return concern{"the memory of a process", &processInjection, &memoryRead, nil}
	case kernelMemory:
		return concern{"the kernel's memory", &processInjection, &memoryRead, nil}
	case processEnviron:
		return concern{"the environment of a process", nil, &environmentRead, nil}
	case inputDevice:
		return concern{"what is typed", nil, &inputCapture, nil}
	case historyFile:
		return concern{"the record of commands typed", &historyCleared, &historyRead, &historyCleared}
	case logFile, loginLog:
		return concern{"a log", &logRemoved, nil, &logRemoved}
	case mailSpool:
		return concern{"mail", &logRemoved, &mailRead, &logRemoved}
	case auditConfig, loggerConfig:
		return concern{"what is logged", &loggingImpaired, nil, &loggingImpaired}
	case cronFile:
		return concern{"what cron runs", &cronChanged, nil, nil}
	case unitFile:
		return concern{"what systemd runs", &unitChanged, nil, nil}
	case bootScript, bootConfig:
		return concern{"what runs when the machine starts", &bootChanged, nil, nil}
	case systemProfile:
		return concern{"what every shell runs", &profileChanged, nil, nil}
	case preloadFile, linkerConfig:
		return concern{"what is loaded into every program", &preloadChanged, nil, nil}
	case pamConfig, pamModule:
		return concern{"how passwords are checked", &signInChanged, nil, &signInChanged}
	case moduleConfig:
		return concern{"which kernel modules are loaded", &bootChanged, nil, nil}
	case udevRule, loginMessage, autostart, packageHook, pythonHook:
		return concern{"what runs when something happens", &startupHook, nil, nil}
	case gitHook:
		return concern{"what git runs", &gitHookChanged, nil, nil}
	case webScript:
		return concern{"what a web server runs", &webShell, nil, nil}
	case hostsFile:
		return concern{"how names are resolved", &namesChanged, nil, nil}
	case rootCertificate:
		return concern{"which certificates are trusted", &certificateAdded, nil, nil}
	case sysRequest:
		return concern{"the kernel's emergency keys", &kernelRequest, nil, nil}
	case kernelHelper:
		return concern{"what the kernel starts by itself", &kernelHelperSet, nil, nil}
	case kernelGuard:
		return concern{"a protection of the kernel", &protectionOff, nil, nil}
	case mandatoryConfig:
		return concern{"what programs are confined to", &protectionOff, nil, &protectionOff}
	case firewallConfig:
		return concern{"the firewall", &firewallChanged, nil, &firewallChanged}
	case kernelSettings:
		return concern{"the kernel's settings", &firewallChanged, nil, nil}
	case containerToken:
		return concern{"the account of a container", nil, &storedCredentials, nil}
	case backupFile:
		return concern{"backups", nil, nil, &recoveryInhibited}
	}
	return concern{}
}

// touches looks at the files a command names or is redirected to.
func (s *step) touches(c *Command) {
	for _, r := range c.Redirects {
		switch r.op {
		case '<':
			s.touch(c, r.file, reads)
		case '>':
			s.typed(c, r.file, true)
			s.touch(c, r.file, writes)
		case 'a':
			s.typed(c, r.file, false)
			s.touch(c, r.file, appends)
		}
	}
	switch accessOf(c.Name) {
	case readsAll:
		for i, a := range c.Args {
			if c.Name == "openssl" && (i == 0 || c.Args[i-1] != "-in") { // it makes keys and uses them; what it is given to read stands behind -in
				continue
			}
			if !strings.HasPrefix(a, "-") {
				s.touch(c, a, reads)
			} else if _, v, ok := strings.Cut(a, "="); ok {
				s.touch(c, v, reads)
			}
		}
	case writesAll:
		h := writes
		for _, a := range c.Args {
			if a == "-a" || a == "--append" {
				h = appends
			}
		}
		for i, a := range c.Args {
			if strings.HasPrefix(a, "-") || i > 0 && optionValue(c.Name, c.Args[i-1]) {
				continue
			}
			s.touch(c, a, h)
		}
	case edits:
		in := false
		for _, a := range c.Args {
			in = in || strings.HasPrefix(a, "-i") || strings.HasPrefix(a, "--in-place") || a == "-pi" || strings.HasPrefix(a, "-ni") || strings.HasPrefix(a, "-pi")
		}
		for a := range c.eachOperand() {
			if in {
				s.touch(c, a, writes)
			} else {
				s.touch(c, a, reads)
			}
		}
	case writesLast:
		s.copies(c)
	case removesAll:
		for a := range c.eachOperand() {
			s.touch(c, a, removes)
		}
	case converts:
		for _, a := range c.Args {
			if v, ok := strings.CutPrefix(a, "of="); ok {
				s.touch(c, v, writes)
			} else if v, ok := strings.CutPrefix(a, "if="); ok {
				s.touch(c, v, reads)
			}
		}
	case fetches:
		for i, a := range c.Args {
			if (a == "-o" || a == "-O" || a == "--output" || a == "--output-document") && i+1 < len(c.Args) {
				s.touch(c, c.Args[i+1], writes)
			} else if at := strings.IndexByte(a, '@'); at >= 0 && !strings.Contains(a, "://") {
				s.touch(c, a[at+1:], reads)
			} else if v, ok := strings.CutPrefix(a, "--post-file="); ok {
				s.touch(c, v, reads)
			} else if (a == "-T" || a == "--upload-file") && i+1 < len(c.Args) {
				s.touch(c, c.Args[i+1], reads)
			}
		}
	case runsCode:
		for _, a := range c.Args {
			if len(a) > 8 && strings.ContainsAny(a, "('\"") {
				s.named(c, a)
			}
		}
	case noAccess:
		if c.Path != "" && strings.Contains(c.Path, "/") && !trusted(within(s.process.Dir, c.Path)) {
			for _, a := range c.Args {
				if strings.HasPrefix(a, "/etc/shadow") || strings.HasPrefix(a, "/proc/") {
					s.touch(c, a, reads)
				}
			}
		}
	}
}

// optionValue reports whether what stands behind an option isn't a file that is written: a size, a time, or a file to be like.
func optionValue(name, option string) bool {
	switch name {
	case "truncate":
		return option == "-s" || option == "-r" || option == "--size" || option == "--reference"
	case "touch":
		return option == "-d" || option == "-r" || option == "-t" || option == "--date" || option == "--reference"
	}
	return false
}

// typed remembers a file that a shell's echo writes a program to.
func (s *step) typed(c *Command, name string, anew bool) {
	if c.Name != "echo" && c.Name != "printf" && c.Name != "cat" || c.Name == "cat" && c.Input == "" || expected(s.process) || strings.HasPrefix(name, "/dev/") || strings.Contains(name, "$") {
		return
	}
	if full := within(s.process.Dir, name); !trusted(full) && classify(full) == ordinary {
		n := s.m.file(full)
		if n.typed = s.event.Millis; c.Name == "cat" {
			n.typing = typing{} // at once, as an editor would
		} else {
			n.typing.add(strings.Join(c.Args, " "), anew)
		}
	}
}

// copies are the sources, read, and the target, written, of cp and the like.
func (s *step) copies(c *Command) {
	files := c.operands()
	target := ""
	for i, a := range c.Args {
		if (a == "-t" || a == "--target-directory") && i+1 < len(c.Args) {
			target = c.Args[i+1]
		}
	}
	if target == "" {
		if len(files) < 2 {
			return
		}
		target, files = files[len(files)-1], files[:len(files)-1]
	}
	if strings.Contains(target, ":") && !strings.HasPrefix(target, "/") { // on another machine
		target = ""
	}
	for _, f := range files {
		if c.Name != "ln" || classify(f) != historyFile {
			h := reads
			if c.Name == "mv" && (classify(f) == logFile || classify(f) == historyFile) {
				h = removes
			}
			s.touch(c, f, h)
		}
		if target == "" {
			continue
		}
		if full := within(s.process.Dir, target); tempDir(full) && !expected(s.process) && (c.Name == "cp" || c.Name == "mv" || c.Name == "install") {
			if strings.HasSuffix(target, "/") {
				full += "/" + base(f)
			}
			s.m.file(full).copied = s.event.Millis
		}
		if classify(within(s.process.Dir, target)) == ordinary || strings.HasSuffix(target, "/") {
			s.touch(c, strings.TrimSuffix(target, "/")+"/"+base(f), writes)
		}
	}
	if target != "" {
		s.touch(c, target, writes)
	}
}

// named looks at the files that a program in another language names in its text.
func (s *step) named(c *Command, text string) {
	text = text[:min(len(text), maxKept)]
	h := reads
	for _, w := range [...]string{`'w'`, `"w"`, `'a'`, `"a"`, `'w+'`, `"w+"`, `'>>`, `">>`, "file_put_contents", "'>'", "write_text"} {
		if strings.Contains(text, w) {
			h = appends
		}
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '/' && text[i] != '~' || i > 0 && text[i-1] != '"' && text[i-1] != '\'' && text[i-1] != ' ' && text[i-1] != '(' && text[i-1] != '<' {
			continue
		}
		n := strings.IndexAny(text[i:], "\"' ),;|&>\\\n")
		if n < 0 {
			n = len(text) - i
		}
		if n > 3 {
			if classify(text[i:i+n]) != ordinary {
				s.touch(c, text[i:i+n], h)
			}
			i += n
		}
	}
}

// touch judges one file.
func (s *step) touch(c *Command, name string, h how) {
	if name == "" || len(name) > 512 {
		return
	}
	full := name
	if name[0] != '/' && name[0] != '~' && name[0] != '$' {
		if classifyHome(name) == ordinary && !telling(s.process.Dir) && !strings.Contains(name, "../") {
			return
		}
		full = within(s.process.Dir, name)
	}
	k := classify(full)
	if k == ordinary {
		return
	}
	if managed(s.process) || s.process.under&underBuild != 0 && (k != sshPrivateKey && k != cloudSecret && k != shadowFile && k != preloadFile && k != sudoersFile || h == writes) {
		return
	}
	s.judge(c, full, k, h)
}

// telling reports whether a folder by itself may say what a file in it is.
func telling(dir string) bool {
	if len(dir) < 4 || strings.Contains(dir, "/.") {
		return true
	}
	switch dir[1] {
	case 'e', 'v', 'p', 'd', 'u', 'l', 'b', 'r', 's': // /etc, /var, /proc, /dev, /usr, /lib, /boot, /run, /sys
		return !strings.HasPrefix(dir, "/usr/src/")
	}
	return strings.Contains(dir, "www") || strings.Contains(dir, "htdocs") || strings.Contains(dir, "public_html") || strings.Contains(dir, "webapps") || strings.Contains(dir, "-packages")
}

// changed is a call on a file that an audit rule watches. It is judged by who made it: what shells, editors and the like do is what a person does; what passwd or
// systemctl do is judged by their command lines.
func (m *Machine) changed(e *activity.Event) {
	if !e.Success || len(e.Files) == 0 {
		return
	}
	p, ok := m.processes.Get(e.Process.PID)
	if !ok || managed(p) {
		return
	}
	name := base(string(e.Process.Image))
	if trusted(p.File) && base(p.File) != name && !shellName(base(p.File)) || trusted(string(e.Process.Image)) && accessOf(name) == noAccess && !shellName(name) {
		return
	}
	s := &step{m: m, event: e, process: p, session: p.Session, rule: "files"}
	h := writes
	if e.Kind == activity.Delete {
		h = removes
	}
	for i := range e.Files {
		file := string(e.Files[i].Name)
		k := classify(file)
		if k == logFile || k == loginLog || k == historyFile || k == mailSpool || k == blockDevice || k == userProfile { // told by command lines only: a call doesn't say whether something was added
			continue
		}
		if k != ordinary {
			s.judge(nil, file, k, h)
		}
	}
}
