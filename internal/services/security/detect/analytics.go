package detect

import "sync"

// commandAnalytic looks at single commands of certain names.
type commandAnalytic struct {
	name string
	on   []string // names of commands
	exec func(s *step, c *Command)
}

// commandAnalytics are those that look at single commands, by the names of commands.
var commandAnalytics = sync.OnceValue(func() map[string][]*commandAnalytic {
	out := map[string][]*commandAnalytic{}
	for _, list := range [...][]commandAnalytic{
		reverseShellAnalytics(), shellAnalytics(), accountAnalytics(), scheduleAnalytics(), loggingAnalytics(), permissionAnalytics(), hidingAnalytics(), memoryAnalytics(), secretAnalytics(), networkAnalytics(), exfiltrationAnalytics(), tunnelAnalytics(), impactAnalytics(),
		containerAnalytics(), kernelAnalytics(), discoveryAnalytics(), keepingAnalytics(),
	} {
		for i := range list {
			for _, n := range list[i].on {
				out[n] = append(out[n], &list[i])
			}
		}
	}
	return out
})

// tell reports a finding about a command.
func (s *step) tell(a *Alert, confidence float64, key, why string) {
	s.m.report(s.find(a, confidence, a.Type+"|"+key, why))
}

// has reports whether one of the arguments is one of those given.
func (c *Command) has(args ...string) bool {
	for _, a := range c.Args {
		for _, x := range args {
			if a == x {
				return true
			}
		}
	}
	return false
}

// flag reports whether one of the groups of one-letter options has a letter.
func (c *Command) flag(letter byte) bool {
	for _, a := range c.Args {
		if len(a) > 1 && a[0] == '-' && a[1] != '-' {
			for i := 1; i < len(a); i++ {
				if a[i] == letter {
					return true
				}
			}
		}
	}
	return false
}

// arg is an argument, or "".
func (c *Command) arg(i int) string {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return ""
}

// before are the commands that a command reads from through a pipe.
func (s *step) before(c *Command) []*Command {
	if c.Pipeline == 0 || c.Stage == 0 {
		return nil
	}
	var out []*Command
	for i := range s.commands {
		if o := &s.commands[i]; o.Pipeline == c.Pipeline && o.Stage < c.Stage {
			out = append(out, o)
		}
	}
	return out
}
