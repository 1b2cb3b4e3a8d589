package detect

import (
	"fmt"
	"strings"
)

func keepingAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"accounts-kept", []string{"cat", "grep", "egrep", "fgrep", "awk", "gawk", "mawk", "cut", "sed", "head", "tail", "sort", "getent", "last", "lastb", "lastlog", "lastlogin"}, onAccountsKept},
	}
}

// onAccountsKept: what tells who may enter the machine is written to a file in a place where everybody may write. Whoever looks after a machine has no need of a second list;
// whoever wants to take it away has. Scripts that compare lists keep them in files of mktemp, whose names their texts don't have.
func onAccountsKept(s *step, c *Command) {
	if len(c.Redirects) == 0 || expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	to := ""
	for _, r := range c.Redirects {
		if full := within(s.process.Dir, r.file); (r.op == '>' || r.op == 'a') && tempDir(full) && !strings.Contains(full, "$") {
			to = full
		}
	}
	if to == "" {
		return
	}
	what := ""
	switch c.Name {
	case "last", "lastb", "lastlog", "lastlogin":
		what = "who signed in"
	case "getent":
		if c.has("passwd", "group", "shadow") {
			what = "the accounts"
		}
	}
	for _, o := range c.operands() {
		switch classify(within(s.process.Dir, o)) {
		case passwdFile:
			what = "the accounts"
		case sudoersFile:
			what = "what accounts may do as root"
		}
	}
	if what == "" {
		return
	}
	f := s.find(&accountsKept, 0.5, to, fmt.Sprintf("%s was written to %s, where everybody may write, by %s", what, to, c.Name))
	f.Files = []string{to}
	s.m.report(f)
}

// typing is what is known of a text that a shell's echo writes to a file, piece by piece.
type typing struct {
	pieces        uint8
	fetches, runs bool // it fetches something; it runs something
}

// add looks at one piece.
func (t *typing) add(text string, anew bool) {
	if anew {
		*t = typing{}
	}
	t.pieces = min(t.pieces, 250) + 1
	for _, w := range [...]string{"http://", "https://", "ftp://", "urllib", "requests", "curl ", "wget ", "socket", "LWP"} {
		t.fetches = t.fetches || strings.Contains(text, w)
	}
	for _, w := range [...]string{"system(", "subprocess", "popen", "exec(", "eval(", "|sh", "| sh", "|bash", "| bash", "chmod +x", "chmod 7"} {
		t.runs = t.runs || strings.Contains(text, w)
	}
}

// typedRun: an interpreter runs a file that was written by the shell's own echo a moment before. It is what somebody does who can send commands but no files; worse where everybody
// may write, or where what was written fetches more and runs it. mktemp's files are those of scripts that others wrote.
func (s *step) typedRun(full string, n *fileNote) {
	a, confidence, why := &scriptTyped, 0.3, full+" was written by echo and run"
	switch {
	case n.typing.fetches && n.typing.runs && n.typing.pieces > 2:
		a, confidence, why = &typedDropper, 0.6, full+fmt.Sprintf(", which fetches something and runs something, was written in %d pieces by echo and run", n.typing.pieces)
	case tempDir(full) && n.typing.pieces > 1 && !strings.HasPrefix(base(full), "tmp."):
		a, confidence, why = &typedTemp, 0.5, full+fmt.Sprintf(" was written in %d pieces by echo, where everybody may write, and run", n.typing.pieces)
	}
	f := s.find(a, confidence, "", why)
	f.Files = []string{full}
	s.m.report(f)
}
