package detect

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// repetition is one program that was started again and again with nothing but the network changed.
type repetition struct {
	prefixes map[string]bool
	first    Evidence
}

const maxPrefixes = 4096

// prefix reports whether a text is the first two numbers of IPv4 addresses, as scanners take them: "10.20", "10.20.", "10.20.0.0/16".
func prefix(a string) (string, bool) {
	if a == "" || a[0] < '1' || a[0] > '9' {
		return "", false
	}
	a = strings.TrimSuffix(a, "/16")
	if strings.Count(a, ".") == 3 {
		a = strings.TrimSuffix(a, ".0.0")
	}
	a = strings.TrimSuffix(a, ".")
	x, y, ok := strings.Cut(a, ".")
	if !ok || !octet(x) || !octet(y) {
		return "", false
	}
	return a, true
}

func octet(s string) bool {
	if s == "" || len(s) > 3 || s[0] == '0' && len(s) > 1 {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n <= 255
}

// version reports whether an operand behind a name may be a version rather than a network: "python 3.11".
func version(c *Command, a string) bool {
	x, _, _ := strings.Cut(a, ".")
	n, err := strconv.Atoi(x)
	return err == nil && n < 10 && !strings.Contains(a, "/") && trusted(c.Path)
}

// targets are the networks that a command line names, with what is left of the line once they are taken out.
func targets(c *Command) (found []string, shape string) {
	if !slices.ContainsFunc(c.Args, isPrefix) {
		return nil, ""
	}
	b := &strings.Builder{}
	b.WriteString(c.Name)
	for _, a := range c.Args {
		b.WriteByte(' ')
		if p, ok := prefix(a); ok && !version(c, a) {
			found = append(found, p)
			b.WriteByte('@')
			continue
		}
		b.WriteString(a)
	}
	return found, b.String()
}

// onPrefix: a program that is not the system's is told a network of 65,536 addresses. Once is Low; started again with another network, it is a scan of networks.
func onPrefix(m *Machine, s *step) {
	if !s.clues.network {
		return
	}
	for i := range s.commands {
		c := &s.commands[i]
		scanner := c.Name == "nmap" || c.Name == "masscan" || c.Name == "zmap" || c.Name == "pnscan" || c.Name == "unicornscan"
		if trusted(within(s.process.Dir, c.Path)) && !s.interpreted() && !scanner || !strings.Contains(c.Path, "/") && !scanner && !s.interpreted() && c.Via == "" {
			continue
		}
		switch c.Name {
		case "test", "[", "[[", "echo", "printf", "expr", "export", "case", "sleep", "seq", "sed", "awk", "grep":
			continue
		}
		found, shape := targets(c)
		if len(found) == 0 || wrapperOf(c.Name) == wrapsShell && s.program() == s.process.File && trusted(s.process.File) {
			continue
		}
		r := s.session.repeat(shape, s.evidence())
		for _, p := range found {
			if len(r.prefixes) < maxPrefixes {
				r.prefixes[p] = true
			}
		}
		m.attacked(s)
		n := len(r.prefixes)
		alert, why := &portScan, fmt.Sprintf("%s was given %d networks of 65,536 addresses each", program(c), n)
		if n == 1 { // it may be a version, or a number
			alert, why = &networkGiven, fmt.Sprintf("%s was given %s, as scanners are given networks", program(c), found[0])
		}
		f := s.find(alert, min(0.95, 0.4+0.15*float64(n)), alert.Type+"|"+program(c), why)
		f.Prefixes = sortedKeys(r.prefixes)
		f.Files = []string{within(s.process.Dir, c.Path)}
		m.report(f)
	}
}

// program is the name to call a command by.
func program(c *Command) string { return path.Base(c.Path) }

// repeat is the repetition of a shape in a session.
func (s *Session) repeat(shape string, e Evidence) *repetition {
	if s.sprayed == nil || len(s.sprayed) > 256 {
		s.sprayed = map[string]*repetition{}
	}
	r := s.sprayed[shape]
	if r == nil {
		r = &repetition{prefixes: map[string]bool{}, first: e}
		s.sprayed[shape] = r
	}
	return r
}

// onSpray: the grammar of a password sprayer's command line, whatever it is called: how many at a time, a network, a file of words, a port, and often what to run where a
// password was right. Three of the parts beside the network are enough.
func onSpray(m *Machine, s *step) {
	if !s.clues.network {
		return
	}
	for i := range s.commands {
		c := &s.commands[i]
		if c.Name == "nmap" || trusted(within(s.process.Dir, c.Path)) && !s.interpreted() && c.Name != "hydra" && c.Name != "medusa" && c.Name != "ncrack" {
			continue
		}
		found, shape := targets(c)
		if len(found) == 0 {
			continue
		}
		threads, port, words, command := false, false, false, false
		for j, a := range c.Args {
			n, err := strconv.Atoi(a)
			switch {
			case err == nil && !threads && n >= m.params.SprayThreads && n != 22 && n != 2222 && n != 3389:
				threads = true
			case err == nil && n > 0 && n < 65536:
				port = true
			case strings.ContainsAny(a, " ") && remoteCommand(a):
				command = true
			case err != nil && !strings.HasPrefix(a, "-") && !isPrefix(a) && !strings.ContainsAny(a, " ") && j > 0:
				words = true
			}
		}
		parts := 0
		for _, has := range [...]bool{threads, port, words, command} {
			if has {
				parts++
			}
		}
		if parts < 3 {
			continue
		}
		r := s.session.repeat("spray "+shape, s.evidence())
		for _, p := range found {
			if len(r.prefixes) < maxPrefixes {
				r.prefixes[p] = true
			}
		}
		m.attacked(s)
		n := len(r.prefixes)
		f := s.find(&passwordSpray, min(0.98, 0.7+0.1*float64(n-1)), program(c),
			fmt.Sprintf("%s was started as a password sprayer is, against %d networks: %s", program(c), n, partsSeen(threads, port, words, command)))
		f.Prefixes = sortedKeys(r.prefixes)
		f.Files = []string{within(s.process.Dir, c.Path)}
		m.report(f)
	}
}

func isPrefix(a string) bool {
	_, ok := prefix(a)
	return ok
}

func partsSeen(threads, port, words, command bool) string {
	var out []string
	for _, p := range [...]struct {
		has  bool
		name string
	}{{threads, "number of threads"}, {port, "port"}, {words, "word list"}, {command, "command for the other side"}} {
		if p.has {
			out = append(out, p.name)
		}
	}
	return strings.Join(out, ", ")
}

// remoteCommand reports whether a text given as one argument is a command that asks about a host.
func remoteCommand(text string) bool {
	for _, c := range script(nil, text, "", maxUnwrap-1) {
		if question(&c) != askNone || c.Name == "wget" || c.Name == "curl" || c.Name == "cat" || c.Name == "cd" || c.Name == "echo" {
			return true
		}
	}
	return false
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

func sortedKeys(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	return sorted(names)
}
