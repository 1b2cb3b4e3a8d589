package detect

import (
	"fmt"
	"strings"
)

func permissionAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"permissions", []string{"chmod", "chown", "chgrp", "setfacl"}, onPermissions},
		{"capabilities", []string{"setcap", "chattr", "chflags", "getcap", "lsattr"}, onCapabilities},
		{"sudo", []string{"sudo", "su", "doas", "pkexec", "sudoedit"}, onSudo},
	}
}

// setuid reports whether a mode gives a program the rights of its owner or group.
func setuid(mode string) bool {
	if mode != "" && strings.Trim(mode, "01234567") == "" {
		return len(mode) >= 4 && strings.ContainsAny(mode[len(mode)-4:len(mode)-3], "2467")
	}
	for _, m := range strings.Split(mode, ",") {
		i := strings.IndexAny(m, "+=")
		if i >= 0 && strings.Trim(m[:i], "ugoa") == "" && strings.Contains(m[i:], "s") && !strings.HasPrefix(m, "o") {
			return true
		}
	}
	return false
}

// onPermissions: a program gets the rights of its owner; or files are opened to everybody. A folder may have the bit of its group: that only says to whom new files belong.
func onPermissions(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	names := c.operands()
	if c.Name == "chmod" {
		for i, a := range c.Args { // modes that begin with a dash are options for operands
			if strings.HasPrefix(a, "-") && len(a) > 1 && strings.Trim(a[1:], "rwxst") == "" {
				names = append([]string{a}, c.Args[i+1:]...)
				break
			}
		}
	}
	if len(names) < 2 {
		return
	}
	mode, files := names[0], names[1:]
	switch {
	case c.Name == "chmod" && setuid(mode):
		if group := len(mode) > 3 && mode[len(mode)-4] == '2' && strings.Trim(mode, "01234567") == "" || strings.HasPrefix(mode, "g"); group && s.looksLikeFolder(files) {
			return
		}
		f := s.find(&setuidSet, 0.7, "setuid", fmt.Sprintf("%s was given the rights of its owner or group to run with", strings.Join(files[:min(3, len(files))], ", ")))
		for _, x := range files[:min(maxShownFiles, len(files))] {
			f.Files = append(f.Files, within(s.process.Dir, x))
		}
		s.m.report(f)
	case c.Name == "chmod" && (strings.HasSuffix(mode, "777") || strings.HasSuffix(mode, "666") || strings.HasPrefix(mode, "a+") && strings.Contains(mode, "w") || strings.HasPrefix(mode, "o+") && strings.Contains(mode, "w") || mode == "+w" || mode == "ugo+w"):
		s.tell(&opened, 0.3, "", "files were made writable for everybody")
	case c.flag('R') || c.has("--recursive"):
		s.tell(&opened, 0.2, "recursive", "the permissions of everything below a folder were changed")
	}
}

const maxShownFiles = 16

// looksLikeFolder reports whether names are more likely those of folders than of programs: a shared folder of a group.
func (s *step) looksLikeFolder(files []string) bool {
	for _, f := range files {
		if strings.HasSuffix(f, "/") || strings.HasPrefix(f, "/srv/") || strings.HasPrefix(f, "/var/") && !strings.HasPrefix(f, "/var/tmp/") {
			continue
		}
		return false
	}
	return true
}

// onCapabilities: a program gets a part of root's rights; a file is made so that not even root can change it, or changeable again.
func onCapabilities(s *step, c *Command) {
	switch c.Name {
	case "setcap":
		if managed(s.process) || c.has("-r", "-v") {
			return
		}
		strong := false
		for _, a := range c.Args {
			low := strings.ToLower(a)
			strong = strong || strings.Contains(low, "cap_") && !strings.Contains(low, "cap_net_bind_service") && !strings.Contains(low, "cap_net_raw") || low == "all=ep" || low == "=ep"
		}
		if strong {
			s.tell(&capabilitySet, 0.6, "", "a program was given a part of root's rights")
		}
	case "getcap":
		if c.flag('r') && !managed(s.process) {
			s.tell(&setuidSearch, 0.5, "", "programs that have a part of root's rights were looked for")
		}
	case "chattr":
		if managed(s.process) {
			return
		}
		for _, a := range c.Args {
			if len(a) > 1 && strings.IndexByte("+-=", a[0]) >= 0 && strings.ContainsAny(a[1:], "ia") && !strings.HasPrefix(a, "--") {
				f := s.find(&immutable, 0.5, a, fmt.Sprintf("whether files can be changed was set: %s", a))
				f.Files = append(f.Files, c.operands()...)
				s.m.report(f)
				return
			}
		}
	case "chflags":
		if c.has("schg", "noschg", "uchg", "nouchg", "hidden", "sappnd") {
			s.tell(&immutable, 0.5, "", "whether files can be changed was set")
		}
	}
}

// onSudo: what may be done as root is asked for; passwords are given to sudo by a pipe; sudo is tricked.
func onSudo(s *step, c *Command) {
	if managed(s.process) {
		return
	}
	switch c.Name {
	case "sudo":
		for i, a := range c.Args {
			if !strings.HasPrefix(a, "-") {
				break
			}
			switch {
			case a == "-l" || a == "-ll" || a == "--list":
				s.tell(&privilegesRead, 0.3, "", "what may be done as root was asked for")
			case a == "-S" || a == "--stdin" || a == "-kS" || a == "-Sk":
				for _, o := range s.before(c) {
					if o.Name == "echo" || o.Name == "printf" || o.Name == "cat" {
						s.tell(&passwordsTried, 0.6, "", "a password was given to sudo by a pipe")
					}
				}
				if c.Stage == 0 && !strings.Contains(strings.Join(c.Args, " "), "BECOME") {
					s.tell(&passwordGiven, 0.3, "", "sudo was told to read the password from its input")
				}
			case (a == "-u" && (c.arg(i+1) == "#-1" || c.arg(i+1) == "#4294967295")) || a == "-u#-1" || a == "-u#4294967295":
				s.tell(&sudoTricked, 0.9, "", "sudo was asked to run as an account that isn't one, which older ones take for root")
			}
		}
	case "sudoedit":
		if strings.Contains(strings.Join(c.Args, " "), `\`) && c.flag('s') {
			s.tell(&sudoTricked, 0.8, "", "sudoedit was started as exploits of it start it")
		}
	case "su":
		for _, o := range s.before(c) {
			if o.Name == "echo" || o.Name == "printf" || o.Name == "cat" {
				s.tell(&passwordsTried, 0.6, "su", "a password was given to su by a pipe")
			}
		}
	case "pkexec":
		if len(s.args) == 0 || s.args[0] == "" {
			s.tell(&sudoTricked, 0.9, "pkexec", "pkexec was started without arguments, as exploits of it start it")
		}
	}
}
