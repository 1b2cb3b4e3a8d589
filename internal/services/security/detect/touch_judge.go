package detect

import (
	"fmt"
	"strings"
)

// judge reports what it means that a file of a class is touched.
func (s *step) judge(c *Command, full string, k class, h how) {
	what := concernOf(k)
	var a *Alert
	verb := "read"
	switch h {
	case reads:
		a = what.read
	case writes:
		a, verb = what.write, "written"
	case appends:
		a, verb = what.write, "added to"
		switch k { // logs and histories are added to by whoever logs
		case logFile, loginLog, historyFile, mailSpool:
			a = nil
		}
	case removes:
		a, verb = what.remove, "removed"
	}
	switch {
	case k == userProfile && h != reads && h != removes:
		a, what.what = &profileSetting, "what an account's shells run"
		if content := s.content(c); content != "" && !settingsOnly(content) {
			a = &profileChanged
		}
	case k == shadowFile && h == reads && c != nil && s.keptByRoot(c):
		a = &shadowKept
	case k == historyFile && h == reads && s.searches(c):
		a = &historySearched
	case k == passwdFile && h == reads && runsText(c):
		a = &accountsPacked
		for _, w := range [...]string{"gzip", "bz2", "zipfile", "ZipFile", "tarfile", "lzma", "zlib", "Archive", "shutil.make_archive"} {
			if strings.Contains(strings.Join(c.Args, " "), w) {
				a = &archivedSystem
			}
		}
	case (k == authorizedKeys || k == sshPrivateKey) && h == reads && strings.HasSuffix(full, ".pub"):
		a = nil
	case k == blockDevice && (h == writes || h == appends):
		a, what.what = &diskWiped, "a disk"
	case k == preloadFile && strings.HasSuffix(full, "ld.so.preload") && (h == writes || h == appends):
		a = &preloadChanged
	case k == containerSocket:
		a, what.what = &containerControl, "the socket that containers are controlled by"
	case k == backupFile && h == removes && (c == nil || !c.flag('r') && !strings.HasSuffix(full, "*")):
		a = nil
	case k == cronFile && (h == writes || h == appends) && c != nil:
		if content := s.content(c); content != "" && ordinaryJob(content) {
			a = &cronAccess
		}
	case k == sysRequest && strings.HasSuffix(full, "kernel/sysrq"):
		a = nil
	case k == kernelGuard && strings.HasSuffix(full, "drop_caches"):
		a = &cachesDropped
	}
	if a == nil {
		return
	}
	f := s.find(a, 0.6, full, fmt.Sprintf("%s (%s) was %s by %s", full, what.what, verb, s.actor(c)))
	f.Files = []string{full}
	s.m.report(f)
}

func (s *step) actor(c *Command) string {
	if c == nil {
		return base(s.process.Image)
	}
	if c.Name == ":" || c.Name == "echo" || c.Name == "printf" {
		return "a shell"
	}
	return c.Name
}

// runsText reports whether a command is a program given as text.
func runsText(c *Command) bool { return c != nil && accessOf(c.Name) == runsCode }

// content is the text that a command writes, where it stands in the command line.
func (s *step) content(c *Command) string {
	if c == nil {
		return ""
	}
	switch c.Name {
	case "echo", "printf":
		return strings.Join(c.operands(), " ")
	case "cat":
		return c.Input
	case "tee":
		if c.Input != "" {
			return c.Input
		}
		for i := range s.commands {
			if o := &s.commands[i]; o.Pipeline == c.Pipeline && o.Pipeline != 0 && o.Stage == c.Stage-1 && (o.Name == "echo" || o.Name == "printf" || o.Name == "cat") {
				return s.content(o)
			}
		}
	case "sed":
		return strings.Join(c.operands(), " ")
	}
	return ""
}

// settingsOnly reports whether lines that are put into an account's profile only set what people set: paths, aliases, prompts, the hook of a version manager.
func settingsOnly(text string) bool {
	for line := range strings.Lines(strings.ReplaceAll(text, `\n`, "\n")) {
		line = strings.TrimSpace(line)
		low := strings.ToLower(line)
		switch {
		case line == "", line[0] == '#', line == "fi":
		case strings.Contains(low, "histfile"), strings.Contains(low, "histsize"), strings.Contains(low, "ld_preload"), strings.Contains(low, "prompt_command"), strings.Contains(low, "history"), strings.Contains(low, "/tmp/"), strings.Contains(low, "/dev/tcp"), strings.Contains(low, "alias sudo"), strings.Contains(low, "alias su="), strings.Contains(low, "/dev/shm"):
			return false
		case strings.HasPrefix(line, "export "), strings.HasPrefix(line, "alias "), strings.HasPrefix(line, "[ "), strings.HasPrefix(line, "[["), strings.HasPrefix(line, "if ["), strings.HasPrefix(line, "set -o vi"), strings.HasPrefix(line, "umask "), strings.HasPrefix(line, "complete "), strings.HasPrefix(line, "shopt "), strings.HasPrefix(line, "ulimit "),
			strings.HasPrefix(line, "bind "), strings.HasPrefix(line, "setopt "), strings.HasPrefix(line, "autoload "), strings.HasPrefix(line, "PATH="), strings.HasPrefix(line, "PS1="), strings.HasPrefix(line, `eval "$(`), strings.HasPrefix(line, "eval $("), strings.HasPrefix(line, ". "), strings.HasPrefix(line, "source "):
		default:
			if !assignment(line) || strings.Contains(line, "$(") {
				return false
			}
		}
	}
	return true
}

// ordinaryJob reports whether lines for cron run programs of the system's, and nothing that fetches, decodes, or comes from where everybody may write.
func ordinaryJob(text string) bool {
	low := lower(text)
	for _, w := range [...]string{"/tmp/", "/dev/shm", "/dev/tcp", "/dev/udp", "curl", "wget", "base64", " nc ", "ncat", "python", "perl", "bash -", "sh -", "| sh", "|sh", "|bash", "| bash", "/.", "eval", "http:", "https:", "chmod", "authorized_keys", "mkfifo", "php", "ruby"} {
		if strings.Contains(low, w) {
			return false
		}
	}
	return strings.Contains(text, "/usr/") || strings.Contains(text, "/bin/") || strings.Contains(text, "/opt/") || strings.Contains(text, "/sbin/")
}

// searches reports whether a command looks for secrets in what it reads, or the one it is piped into does.
func (s *step) searches(c *Command) bool {
	if c == nil {
		return false
	}
	for i := range s.commands {
		if o := &s.commands[i]; o == c || c.Pipeline != 0 && o.Pipeline == c.Pipeline {
			if secretPattern(o) {
				return true
			}
		}
	}
	return false
}
