package detect

import "strings"

// byHand reports whether a person told a shell just this command: typed it, with sudo before it or not, or gave it to ssh as what to run. What stands in a script, or in a
// text that another program gave to a shell, isn't; where it isn't known what started it, nothing is said against it.
func (s *step) byHand(c *Command) bool {
	p := s.process
	if shellName(base(p.File)) {
		if bareShell(p) {
			return true
		}
		above := leader(p)
		return above == nil || entrance(above)
	}
	if wrapperOf(c.Via) == wrapsPerl || wrapperOf(c.Via) == wrapsPython {
		return false
	}
	for above := leader(p); above != nil; above = leader(above) {
		switch name := base(above.File); {
		case entrance(above), bareShell(above):
			return true
		case name == "sudo", name == "doas", name == "su", name == "env", name == "nohup", name == "time", name == "timeout":
		case shellName(name):
			up := leader(above)
			return up == nil || entrance(up)
		default:
			return false
		}
	}
	return true
}

// leader is what started a process. A program that took the place of another in its own process was started by what started that.
func leader(p *Process) *Process {
	for above := p.Parent; ; above = above.Parent {
		if above == nil || above.PID != p.PID {
			return above
		}
	}
}

// entrance reports whether a program lets people in, and runs what they ask for.
func entrance(p *Process) bool {
	switch base(p.File) {
	case "sshd", "sshd-session", "login", "tmux", "screen", "agetty":
		return true
	}
	return false
}

// bareShell reports whether a process is a shell that was given neither a text nor a script: it reads what to do, as a rule from a person.
func bareShell(p *Process) bool {
	if !shellName(base(p.File)) {
		return false
	}
	_, rest, _ := strings.Cut(p.Line, " ")
	for word := range strings.FieldsSeq(rest) {
		if word[0] != '-' || word[1:] != "" && word[1] != '-' && strings.Contains(word, "c") {
			return false
		}
	}
	return true
}
