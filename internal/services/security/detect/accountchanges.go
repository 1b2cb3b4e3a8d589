package detect

import (
	"fmt"
	"strings"
)

func accountAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"account-added", []string{"useradd", "adduser", "pw", "newusers", "luseradd"}, onAccountAdded},
		{"account-changed", []string{"usermod", "passwd", "chpasswd", "userdel", "deluser", "chage", "gpasswd", "groupmems", "chsh", "pw", "groupadd", "addgroup", "adduser", "vipw", "pwconv", "groupmod", "lusermod"}, onAccountChanged},
		{"directory-account", []string{"ldapadd", "ldapmodify", "ldappasswd", "samba-tool", "net", "ipa", "adcli", "realm", "addcomputer.py", "kadmin", "kadmin.local"}, onDirectoryAccount},
	}
}

// onAccountAdded: an account is made, other than by what is installed. One with root's number or group is root under another name.
func onAccountAdded(s *step, c *Command) {
	if managed(s.process) || c.Name == "pw" && c.arg(0) != "useradd" {
		return
	}
	if c.Name == "adduser" && len(c.operands()) == 2 && !strings.HasPrefix(c.arg(0), "-") { // adduser ACCOUNT GROUP
		return
	}
	names := c.operands()
	if len(names) == 0 || c.has("-D", "--defaults", "--help") {
		return
	}
	root := false
	for i, a := range c.Args {
		next := c.arg(i + 1)
		switch {
		case (a == "-u" || a == "--uid" || a == "-o" && next == "-u") && next == "0", a == "--uid=0", a == "-u0", a == "-ou" && next == "0":
			root = true
		case (a == "-g" || a == "--gid" || a == "-G" || a == "--groups" || a == "--ingroup") && (next == "0" || next == "root"), a == "--gid=0", a == "-g0":
			root = true
		}
	}
	name := names[len(names)-1]
	if c.Name == "pw" && len(names) > 1 {
		name = names[1]
	}
	if root {
		s.tell(&rootTwin, 0.8, name, fmt.Sprintf("the account %s was made with root's number or group", name))
		return
	}
	odd := ""
	switch {
	case c.flag('p') || c.has("--password"):
		odd = ", its password given in the command line"
	case c.flag('o') || c.has("--non-unique"):
		odd = ", with another's number"
	case (c.flag('r') || c.has("--system")) && !c.has("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"):
		odd = ", a system's account that can sign in"
	case (c.flag('M') || c.flag('N') || c.has("--no-create-home", "/nonexistent")) && !c.has("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"):
		odd = ", an account without a home that can sign in"
	case serviceName(name) || daemonName(name) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || serviceName(s.session.Account):
		odd = ", that looks like a service's"
	}
	if odd != "" {
		s.tell(&userAdded, 0.6, name, fmt.Sprintf("the account %s was made%s", name, odd))
		return
	}
	s.tell(&accountMade, 0.3, "", fmt.Sprintf("the account %s was made", name))
}

// adminGroup reports whether the members of a group can become root.
func adminGroup(g string) bool {
	for _, x := range strings.Split(g, ",") {
		switch x {
		case "sudo", "wheel", "root", "admin", "docker", "lxd", "adm", "disk", "shadow", "libvirt", "kvm", "0":
			return true
		}
	}
	return false
}

// granted: an account is made a member of a group whose members can become root. By sudo everybody sees who does what; by the others nobody does.
func (s *step) granted(account, group string) {
	for _, g := range strings.Split(group, ",") {
		switch g {
		case "root", "0", "shadow", "disk", "kmem", "lxd":
			s.tell(&privilegeGranted, 0.6, account, fmt.Sprintf("%s became a member of %s", account, group))
			return
		}
	}
	s.tell(&newSudoer, 0.4, "", fmt.Sprintf("%s became a member of %s", account, group))
}

// lost: somebody can't sign in any more. One is an administrator's work; several in a short time, and root, are an attack's.
func (s *step) lost(a *Alert, account, why string) {
	t := &s.session.locked
	if t.names == nil || !recent(t.from, s.event.Millis, s.m.params.StopWindow) {
		*t = stops{from: s.event.Millis, names: map[string]bool{}}
	}
	if len(t.names) < 64 {
		t.names[account] = true
	}
	if len(t.names) >= s.m.params.LostAccounts || account == "root" {
		s.tell(&accountsLost, 0.6, "", why)
		return
	}
	s.tell(a, 0.4, "", why)
}

// onAccountChanged: an account gets more rights, another password or shell, or is locked or removed.
func onAccountChanged(s *step, c *Command) {
	if managed(s.process) {
		return
	}
	names := c.operands()
	last := ""
	if len(names) > 0 {
		last = names[len(names)-1]
	}
	for i, a := range c.Args {
		next := c.arg(i + 1)
		switch c.Name {
		case "usermod", "lusermod", "gpasswd", "groupmems":
			switch {
			case (strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "G") || a == "--groups" || c.Name == "groupmems" && a == "-g") && adminGroup(next):
				s.granted(last, next)
			case c.Name == "gpasswd" && (a == "-a" || a == "--add" || a == "-M") && adminGroup(last):
				s.granted(next, last)
			case (a == "-u" || a == "--uid" || a == "-g" || a == "--gid") && next == "0":
				s.tell(&rootTwin, 0.8, last, fmt.Sprintf("the account %s got root's number or group", last))
			case a == "-L" || a == "--lock" || (a == "-e" || a == "--expiredate") && (next == "1" || strings.HasPrefix(next, "19")):
				s.lost(&accountLocked, last, fmt.Sprintf("the account %s was locked", last))
			case a == "-s" || a == "--shell":
				s.tell(&shellChanged, 0.4, last, fmt.Sprintf("the account %s got another shell", last))
			case a == "-p" || a == "--password":
				s.tell(&passwordSet, 0.5, last, fmt.Sprintf("the password of %s was set", last))
			}
		case "passwd":
			if a == "-l" || a == "--lock" || a == "-d" || a == "--delete" || a == "-e" || a == "--expire" {
				s.lost(&accountLocked, last, fmt.Sprintf("the account %s was locked, or its password taken away", last))
			}
		case "chage":
			if (a == "-E" || a == "--expiredate") && (next == "0" || next == "1" || strings.HasPrefix(next, "19")) {
				s.lost(&accountLocked, last, fmt.Sprintf("the account %s was made to expire", last))
			}
		}
	}
	if serviceName(last) && (c.Name == "chsh" || c.Name == "passwd" && len(c.Args) == 1 || c.Name == "usermod" && c.has("-s", "--shell", "-p", "--password", "-U", "--unlock")) {
		if t := strings.Join(c.Args, " "); !strings.Contains(t, "nologin") && !strings.Contains(t, "/false") {
			s.tell(&serviceSignIn, 0.6, last, fmt.Sprintf("%s, an account of a service, was given a shell or password", last))
			return
		}
	}
	switch c.Name {
	case "passwd":
		if last != "" && !c.has("-S", "--status", "-l", "-d", "-e", "--help", "-a") {
			s.tell(&passwordSet, 0.5, last, fmt.Sprintf("the password of %s was set", last))
		}
	case "chpasswd":
		s.tell(&passwordSet, 0.5, "", "passwords of accounts were set")
	case "userdel", "deluser":
		if last != "" {
			s.lost(&accountRemoved, last, fmt.Sprintf("the account %s was removed", last))
		}
	case "chsh":
		s.tell(&shellChanged, 0.4, last, "an account got another shell")
	case "adduser":
		if len(names) == 2 && adminGroup(names[1]) {
			s.granted(names[0], names[1])
		}
	case "pw":
		switch {
		case c.arg(0) == "usermod" && c.has("-h"):
			s.tell(&passwordSet, 0.5, c.arg(1), fmt.Sprintf("the password of %s was set", c.arg(1)))
		case c.arg(0) == "userdel" || c.arg(0) == "lock":
			s.lost(&accountRemoved, c.arg(1), fmt.Sprintf("the account %s was removed or locked", c.arg(1)))
		case c.arg(0) == "groupmod" && adminGroup(c.arg(1)):
			s.tell(&privilegeGranted, 0.6, c.arg(1), "somebody became a member of "+c.arg(1))
		}
	}
}

// onDirectoryAccount: accounts of the domain are made or changed from here.
func onDirectoryAccount(s *step, c *Command) {
	text := strings.Join(c.Args, " ")
	switch c.Name {
	case "ldapadd", "ldapmodify", "ldappasswd", "addcomputer.py":
	case "samba-tool":
		if c.arg(0) != "user" && c.arg(0) != "group" || c.arg(1) == "list" || c.arg(1) == "show" {
			return
		}
	case "net":
		if !strings.Contains(text, "user add") && !strings.Contains(text, "group addmem") && !strings.Contains(text, "addmem") {
			return
		}
	case "ipa":
		if !strings.HasPrefix(c.arg(0), "user-add") && c.arg(0) != "group-add-member" {
			return
		}
	case "adcli":
		if !strings.HasPrefix(c.arg(0), "create-") && c.arg(0) != "add-member" {
			return
		}
	case "kadmin", "kadmin.local":
		if !strings.Contains(text, "addprinc") && !strings.Contains(text, "add_principal") && !strings.Contains(text, "cpw") {
			return
		}
	default:
		return
	}
	if managed(s.process) {
		return
	}
	s.tell(&directoryChanged, 0.6, c.Name, fmt.Sprintf("%s changed the domain's accounts", c.Name))
}
