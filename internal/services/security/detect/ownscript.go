package detect

import (
	"path"
	"strings"
)

// ownScript is the script of the machine's own that a program is run by, "" if none is: it lies where only root puts programs that no package brought, and it wasn't put there lately. What asks
// about the host all day is of that kind, and an intruder's is where he came in. A shell that somebody talks to ends the search: what is typed is nobody's script.
func (s *step) ownScript() string {
	for p, n := s.process, 0; p != nil && n < 8 && !bareShell(p) && !entrance(p); p, n = p.Parent, n+1 {
		file := p.File
		if wrapperOf(base(file)) != 0 && trusted(file) {
			_, rest, _ := strings.Cut(p.Line, " ")
			if file, _, _ = strings.Cut(rest, " "); !strings.HasPrefix(file, "/") {
				continue
			}
			file = path.Clean(file)
		}
		switch {
		case strings.HasPrefix(file, "/usr/local/") && !strings.HasPrefix(file, "/usr/local/games/"), strings.HasPrefix(file, "/opt/"), strings.HasPrefix(file, "/etc/"):
		default:
			continue
		}
		if f, ok := s.m.files.Peek(file); ok && (f.fetched|f.made|f.typed|f.copied|f.attack) != 0 {
			return ""
		}
		return file
	}
	return ""
}

// trial reports whether a file is one of those that a configure script makes, runs and removes to see what works.
func trial(file string) bool {
	rest, ok := strings.CutPrefix(base(file), "conf")
	if !ok {
		return false
	}
	if strings.HasPrefix(rest, "test") {
		return true
	}
	number, _, _ := strings.Cut(rest, ".")
	return digits(number)
}

// keptSecret reports whether a password is given to a program that encrypts by a file, or whom it is for by a key: that of a backup is kept somewhere, for the day it is needed. Whoever wants
// money for a password leaves no file with it.
func keptSecret(c *Command) bool {
	for i, a := range c.Args {
		switch {
		case a == "--passphrase-file", strings.HasPrefix(a, "--passphrase-file="), a == "-r" && c.Name != "zip", a == "--recipient", strings.HasPrefix(a, "--recipient="), a == "-R" && c.Name == "age":
			return true
		case strings.HasPrefix(a, "file:") && i > 0 && (c.Args[i-1] == "-pass" || c.Args[i-1] == "-kfile"), a == "-kfile":
			return true
		}
	}
	return false
}

// keptByRoot reports whether root copies, by a program that copies, to a folder of the machine's that isn't anybody's own, nor one where everybody may write: what every backup does with the
// system's files. An intruder copies to where he can take it from.
func (s *step) keptByRoot(c *Command) bool {
	if s.process.UID != 0 || s.byHand(c) {
		return false
	}
	switch c.Name {
	case "cp", "rsync", "install":
	default:
		return false
	}
	files := c.operands()
	if len(files) < 2 {
		return false
	}
	target := files[len(files)-1]
	if strings.Contains(target, ":") || strings.Contains(target, "$") {
		return false
	}
	full := within(s.process.Dir, target)
	for _, dir := range [...]string{"/var/backups/", "/var/", "/srv/", "/backup", "/mnt/", "/media/", "/data/"} {
		if strings.HasPrefix(full+"/", dir) {
			return !tempDir(full+"/") && !strings.Contains(full, "www") && !strings.Contains(full, "/.")
		}
	}
	return false
}
