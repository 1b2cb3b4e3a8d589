package detect

import (
	"fmt"
	"path"
	"strings"
)

func hidingAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"hidden-place", []string{"mkdir", "touch", "cp", "mv", "install", "ln", "tar", "unzip"}, onHiddenPlace},
		{"copied-program", []string{"cp", "mv", "ln", "install", "rsync", "cat"}, onCopiedProgram},
		{"data-run", []string{"sh", "bash", "dash", "zsh", "ksh", "perl", "python", "python2", "python3", "ruby", "php", "node", ".", "source"}, onDataRun},
		{"compiled", []string{"gcc", "cc", "g++", "c++", "clang", "clang++", "tcc", "go", "rustc", "gdc", "ldc2", "nasm", "fpc", "ghc"}, onCompile},
		{"padding", []string{"dd", "truncate", "upx", "fallocate"}, onPadding},
		{"hidden-mount", []string{"mount"}, onHiddenMount},
	}
}

// tempDir reports whether a file lies where everybody may write.
func tempDir(file string) bool {
	return strings.HasPrefix(file, "/tmp/") || strings.HasPrefix(file, "/var/tmp/") || strings.HasPrefix(file, "/dev/shm/") || strings.HasPrefix(file, "/run/lock/") || strings.HasPrefix(file, "/dev/mqueue/")
}

// deceptive tells what is deceptive about a name, or nothing: names that look like another or like none.
func deceptive(file string) string {
	for rest := file; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch {
		case part == "" || part == "." || part == "..":
		case strings.Trim(part, ".") == "":
			return "a name of dots only"
		case strings.HasSuffix(part, " "):
			return "a name that ends with a blank"
		case strings.HasPrefix(part, ".") && strings.Trim(part, ". ") == "":
			return "a name of dots and blanks"
		case strings.Contains(part, "\u202e") || strings.Contains(part, "\u200b") || strings.Contains(part, "\u2060"):
			return "a name with letters that aren't seen"
		}
	}
	return ""
}

// hiddenTemp reports whether a file lies hidden where everybody may write, beside the folders that graphical desktops and the like keep there.
func hiddenTemp(file string) bool {
	if !tempDir(file) {
		return false
	}
	i := strings.Index(file, "/.")
	if i < 0 || i+2 >= len(file) || i > len("/var/tmp") || file[:i] == "/dev" {
		return false
	}
	name, _, _ := strings.Cut(file[i+1:], "/")
	switch name {
	case ".X11-unix", ".ICE-unix", ".XIM-unix", ".font-unix", ".Test-unix", ".s.PGSQL.5432", ".git", ".", "..", ".cache", ".config", ".npm", ".local", ".venv", ".github", ".gitignore", ".vscode", ".cargo", ".rustup", ".tox", ".eslintrc", ".dockerignore":
		return false
	}
	return !strings.HasPrefix(name, ".tmp") && !strings.HasPrefix(name, ".org.chromium") && !strings.HasPrefix(name, ".X") && !strings.HasPrefix(name, ".com.") && !strings.HasPrefix(name, ".build") && !strings.HasPrefix(name, ".dotnet")
}

// onHiddenPlace: a folder or file is made that isn't meant to be found: in a name of dots or blanks, or hidden where everybody may write.
func onHiddenPlace(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	for _, o := range c.operands() {
		full := within(s.process.Dir, o)
		if strings.Contains(o, "`") || strings.Contains(o, "$(") { // what is in there isn't known, and isn't the name
			continue
		}
		if why := deceptive(o); why != "" && c.Name != "tar" && c.Name != "unzip" {
			s.tell(&hiddenPlace, 0.6, why, fmt.Sprintf("%q was made or filled: %s", full, why))
			return
		}
		if (c.Name == "mkdir" || c.Name == "touch") && hiddenTemp(full) {
			s.tell(&hiddenPlace, 0.5, path.Dir(full), full+" was made, hidden where everybody may write")
			return
		}
		if (c.Name == "mkdir" || c.Name == "touch") && strings.HasPrefix(path.Base(full), ".") && c.Name == "mkdir" && strings.HasPrefix(full, "/var/") {
			s.tell(&hiddenPlace, 0.4, path.Dir(full), full+" was made, a hidden folder below /var")
			return
		}
	}
}

// systemProgram reports whether a file is a program that an attacker brings along under another name rather than use where it lies.
func systemProgram(file string) bool {
	if strings.HasPrefix(file, "/") && !strings.Contains(file, "bin/") {
		return false
	}
	if !trusted(file) && file != "" && strings.Contains(file, "/") && !strings.HasPrefix(file, "$(") && !strings.HasPrefix(file, "`") {
		return false
	}
	b := base(strings.Trim(strings.TrimPrefix(file, "$("), ")`"))
	if i := strings.LastIndexByte(b, ' '); i >= 0 {
		b = b[i+1:]
	}
	return shellName(b) || wrapperOf(b) == wrapsPerl || wrapperOf(b) == wrapsPython || b == "nc" || b == "ncat" || b == "curl" || b == "wget" || b == "sshd" || b == "ssh" || b == "busybox" || b == "socat" || b == "sudo" || b == "ls" || b == "ps"
}

// onCopiedProgram: a shell, an interpreter or the like is copied elsewhere. What runs then has another name in every log.
func onCopiedProgram(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	names := c.operands()
	if c.Name == "cat" {
		for _, r := range c.Redirects {
			if r.op == '>' {
				names = append(names, r.file)
			}
		}
	}
	if len(names) < 2 || c.Name == "ln" && c.flag('s') && !deceptiveTarget(names) {
		return
	}
	target := within(s.process.Dir, names[len(names)-1])
	for _, n := range names[:len(names)-1] {
		n = strings.TrimSpace(n)
		if !strings.Contains(n, "/") && !strings.HasPrefix(n, "$(") && !strings.HasPrefix(n, "`") || !systemProgram(n) {
			continue
		}
		if trusted(target) && base(target) == base(n) {
			continue // an installation
		}
		f := s.find(&programCopied, 0.6, target, fmt.Sprintf("%s was copied to %s", n, target))
		f.Files = []string{target}
		s.m.report(f)
		return
	}
}

func deceptiveTarget(names []string) bool { return tempDir(names[len(names)-1]) }

// onDataRun: an interpreter is given a file that says it is a picture or a document.
func onDataRun(s *step, c *Command) {
	for _, o := range c.Args {
		if strings.HasPrefix(o, "-") {
			if o == "-c" || o == "-e" || o == "-m" || o == "-r" {
				return
			}
			continue
		}
		switch strings.ToLower(path.Ext(o)) {
		case ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".ico", ".svg", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".mp3", ".mp4", ".avi", ".zip", ".gz", ".csv", ".ttf", ".woff", ".css":
			s.tell(&dataRun, 0.7, o, fmt.Sprintf("%s was given %s to run", c.Name, o))
		}
		return
	}
}

// onHiddenMount: something is mounted over a process's folder in /proc, so that it isn't seen.
func onHiddenMount(s *step, c *Command) {
	if names := c.operands(); (c.has("--bind", "-B", "bind") || strings.Contains(strings.Join(c.Args, " "), "bind")) && len(names) >= 2 && strings.HasPrefix(names[len(names)-1], "/proc/") && !managed(s.process) {
		s.tell(&processHidden, 0.8, "", "something was mounted over "+names[len(names)-1]+", which hides the process")
	}
}

// onCompile: a program is made here by hand. What it is shows when it runs.
func onCompile(s *step, c *Command) {
	if s.process.Parent != nil && expected(s.process.Parent) {
		return
	}
	out, source := "", ""
	for i, a := range c.Args {
		switch {
		case a == "-o":
			out = c.arg(i + 1)
		case c.Name == "go":
			if i == 1 && c.Args[0] == "run" && strings.HasSuffix(a, ".go") {
				s.compiled(a, "")
			}
			continue
		case strings.HasSuffix(a, ".c"), strings.HasSuffix(a, ".cc"), strings.HasSuffix(a, ".cpp"), strings.HasSuffix(a, ".rs"), strings.HasSuffix(a, ".s"), strings.HasSuffix(a, ".asm"):
			source = a
		}
	}
	if source == "" || c.has("-c", "-E", "-S", "-M", "-MM", "-fsyntax-only") {
		return
	}
	if out == "" {
		out = "a.out"
	}
	s.compiled(source, within(s.process.Dir, out))
}

// compiled: a program is made here by hand, rather than by a build.
func (s *step) compiled(source, out string) {
	full := within(s.process.Dir, source)
	if note, ok := s.m.files.Peek(full); ok && recent(note.fetched, s.event.Millis, s.m.params.FetchToRun) || serviceName(s.session.Account) || strings.HasPrefix(full, "/dev/shm/") {
		s.tell(&compiledHere, 0.6, "", full+" was compiled by hand, by a service's account or right after it was fetched")
		return
	}
	s.tell(&compiledByHand, 0.2, "", full+" was compiled by hand")
}

// onPadding: a program is made longer with nothing, so that its hash is another and scanners pass it over; or packed.
func onPadding(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	switch c.Name {
	case "dd":
		in, out, appendTo := "", "", c.has("oflag=append", "conv=notrunc")
		for _, a := range c.Args {
			if v, ok := strings.CutPrefix(a, "if="); ok {
				in = v
			} else if v, ok := strings.CutPrefix(a, "of="); ok {
				out = v
			}
		}
		for _, r := range c.Redirects {
			if r.op == 'a' {
				appendTo, out = true, r.file
			}
		}
		if strings.HasPrefix(in, "/dev/") && appendTo && out != "" && classify(within(s.process.Dir, out)) == ordinary && !strings.HasPrefix(out, "/dev/") {
			s.tell(&padded, 0.5, out, out+" was made longer with nothing in it")
		}
	case "truncate":
		if a := strings.Join(c.Args, " "); strings.Contains(a, "-s +") || strings.Contains(a, "--size=+") || strings.Contains(a, "-s+") {
			s.tell(&padded, 0.5, a, "a file was made longer with nothing in it")
		}
	case "upx":
		if !c.flag('d') && !c.flag('t') && !c.flag('l') {
			s.tell(&packedProgram, 0.3, "", "a program was packed")
		}
	}
}

// onHiddenRun: what runs lies in a place of that kind, is in memory only, or was taken for something else; a program where everybody may write is run by root.
func onHiddenRun(m *Machine, s *step) {
	file := s.program()
	if file == "" || trusted(file) {
		return
	}
	switch why := deceptive(file); {
	case strings.HasPrefix(file, "/memfd:"), strings.HasPrefix(s.process.Image, "/memfd:"), strings.HasPrefix(file, "/proc/") && strings.Contains(file, "/fd/") && !s.interpreted():
		m.report(s.find(&memoryProgram, 0.8, file, "a program was run that lies in memory only"))
		return
	case why != "":
		m.report(s.find(&hiddenPlace, 0.7, file, fmt.Sprintf("%q was run: %s", file, why)))
		return
	case expected(s.process):
		return
	case hiddenTemp(file), strings.HasPrefix(file, "/dev/shm/"):
		m.report(s.find(&hiddenPlace, 0.6, file, file+" was run, hidden where everybody may write"))
		return
	}
	if !tempDir(file) || s.process.under&(underBuild|underSystem) != 0 {
		return
	}
	direct := strings.Count(file, "/") <= 2 || strings.HasPrefix(file, "/var/tmp/") && strings.Count(file, "/") <= 3
	if !direct {
		return
	}
	if p := s.process.Parent; s.process.UID == 0 && p != nil && (base(p.File) == "sudo" || base(p.File) == "doas" || base(p.File) == "su" || base(p.File) == "pkexec") {
		f := s.find(&tempAsRoot, 0.6, file, file+", which lies where everybody may write, was run as root")
		f.Files = []string{file}
		m.report(f)
		return
	}
	if n, ok := m.files.Peek(file); ok && recent(n.copied, s.event.Millis, m.params.FetchToRun) {
		f := s.find(&tempDropped, 0.5, file, file+" was copied to where everybody may write, and run")
		f.Files = []string{file}
		m.report(f)
		return
	}
	f := s.find(&tempRun, 0.3, path.Dir(file), file+", which lies where everybody may write, was run")
	f.Files = []string{file}
	m.report(f)
}
