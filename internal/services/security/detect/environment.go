package detect

import (
	"fmt"
	"strings"
)

// onEnvironment: variables that change what programs load, remember or connect through are set, and the shell's record of commands is switched off or emptied.
func onEnvironment(s *step, c *Command) {
	switch c.Name {
	case "unset":
		for _, a := range c.Args {
			if strings.HasPrefix(a, "HIST") {
				s.tell(&historyCleared, 0.7, "off", a+" was unset: commands typed are not kept")
			}
		}
	case "set", "shopt":
		if c.has("history") && (c.has("+o") || c.has("-u")) || c.has("+ohistory") {
			s.tell(&historyCleared, 0.7, "off", "the record of commands was switched off")
		}
	case "history", "fc":
		if c.flag('c') || c.flag('d') || c.Name == "history" && c.has("/dev/null") {
			s.tell(&historyCleared, 0.7, "cleared", "the record of commands was cleared")
		}
	case "env":
		// env's settings are judged as those of the program behind it.
	default:
		s.environment(c.Args)
	}
}

// environment: variables are set that change what programs load, remember, or connect through.
func (s *step) environment(settings []string) {
	for _, a := range settings {
		name, v, ok := strings.Cut(a, "=")
		if !ok {
			continue
		}
		switch name {
		case "HISTFILE":
			if v == "" || v == "/dev/null" || strings.HasPrefix(v, "/tmp/") {
				s.tell(&historyCleared, 0.7, "off", "commands typed are kept nowhere: "+a)
			}
		case "HISTSIZE", "HISTFILESIZE", "SAVEHIST":
			if v == "0" || v == "" {
				s.tell(&historyCleared, 0.7, "off", "no commands typed are kept: "+a)
			}
		case "HISTCONTROL", "HISTIGNORE":
			if strings.Contains(v, "ignorespace") || strings.Contains(v, "ignoreboth") || v == "*" {
				s.tell(&historyCleared, 0.5, "ignore", "commands can be kept out of the record: "+a)
			}
		case "LD_PRELOAD", "LD_AUDIT":
			for _, lib := range strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ' ' }) {
				if strings.Contains(lib, "/") && !trusted(lib) && !strings.HasPrefix(lib, "$") && !expected(s.process) {
					f := s.find(&preloadChanged, 0.6, a, fmt.Sprintf("%s is loaded into a program before its own libraries", lib))
					f.Files = []string{lib}
					s.m.report(f)
				}
			}
		case "PROMPT_COMMAND":
			if strings.Contains(v, "logger") || strings.Contains(v, ">") || strings.Contains(v, "tee ") || strings.Contains(v, "curl") || strings.Contains(v, "nc ") {
				s.tell(&inputCapture, 0.6, "prompt", "what is typed is written elsewhere with each prompt")
			}
		case "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy":
			if v != "" && !expected(s.process) {
				s.tell(&proxySet, 0.3, "", "connections go through "+v)
			}
		case "SSH_AUTH_SOCK":
			if strings.HasPrefix(v, "/tmp/ssh-") || strings.Contains(v, "/agent.") {
				s.tell(&agentUsed, 0.6, "", "the agent at "+v+" was taken to sign in with its keys")
			}
		}
	}
}
