package detect

import (
	"fmt"
	"strings"
)

func loggingAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"auditing", []string{"auditctl", "augenrules", "journalctl", "logger", "dmesg", "wtmpclean", "utmpdump", "faillog", "lastlog", "aureport"}, onAuditing},
		{"firewall", []string{"ufw", "iptables", "ip6tables", "iptables-legacy", "nft", "firewall-cmd", "ipfw", "pfctl", "ebtables", "iptables-restore"}, onFirewall},
		{"protection", []string{"setenforce", "sysctl", "aa-disable", "aa-teardown", "aa-complain", "apparmor_parser", "semodule", "swapoff", "sestatus", "getenforce", "semanage", "falconctl", "mdatp", "esxcli", "dpkg", "rpm", "apt", "apt-get", "yum", "dnf", "pkg", "zypper"}, onProtection},
		{"clock", []string{"touch", "date", "timedatectl", "hwclock", "debugfs", "settimeofday"}, onTimes},
	}
}

// onAuditing: the kernel's audit rules are removed or switched off, or set so that they note what is typed; the journal is emptied.
func onAuditing(s *step, c *Command) {
	if managed(s.process) {
		return
	}
	switch c.Name {
	case "auditctl":
		for i, a := range c.Args {
			next := c.arg(i + 1)
			switch {
			case a == "-e" && next == "0", a == "-e0":
				s.tell(&loggingImpaired, 0.8, "audit", "auditing was switched off")
			case a == "-D", a == "-d", a == "-W":
				s.tell(&loggingImpaired, 0.7, "audit", "audit rules were removed")
			case strings.Contains(next, "never") && (a == "-a" || a == "-A"):
				s.tell(&loggingImpaired, 0.6, "audit", "an audit rule was added that says what is not to be noted")
			case (a == "-b" || a == "-r" || a == "-f") && next == "0" && a != "-f":
				s.tell(&loggingImpaired, 0.5, "audit", "what auditing may keep was set to nothing")
			case a == "-a" && strings.Contains(strings.Join(c.Args, " "), "execve") || a == "-w" && i == 0:
				s.tell(&auditRuleAdded, 0.3, "audit", "an audit rule was added from a session")
				return
			}
		}
	case "journalctl":
		for _, a := range c.Args {
			if strings.HasPrefix(a, "--vacuum") || a == "--rotate" && c.has("--vacuum-time=1s", "--vacuum-size=1") {
				s.tell(&logRemoved, 0.6, "journal", "the journal was emptied")
				return
			}
		}
	case "logger":
		for i, a := range c.Args {
			if (a == "-f" || a == "--file") && classify(within(s.process.Dir, c.arg(i+1))) == historyFile {
				s.tell(&inputCapture, 0.6, "logger", "the record of commands typed was sent to the log")
			}
		}
	case "dmesg":
		if c.flag('c') || c.flag('C') || c.has("--clear", "--read-clear") {
			s.tell(&logRemoved, 0.5, "kernel", "the kernel's messages were cleared")
		}
	case "faillog", "lastlog":
		if c.flag('r') || c.flag('C') || c.has("--reset", "--clear") {
			s.tell(&logRemoved, 0.6, c.Name, "the record of sign-ins was cleared")
		}
	case "utmpdump":
		if c.flag('r') {
			s.tell(&logRemoved, 0.6, c.Name, "the record of sign-ins was written anew from a text")
		}
	}
}

// onFirewall: the firewall is switched off or emptied. A single rule more or less is worth a note.
func onFirewall(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	off, changed := false, false
	text := strings.Join(c.Args, " ")
	switch c.Name {
	case "ufw":
		off = c.has("disable", "reset") || strings.Contains(text, "default allow incoming") || strings.Contains(text, "logging off")
		changed = c.has("delete", "allow", "enable", "insert", "deny", "reload")
	case "iptables", "ip6tables", "iptables-legacy", "ebtables":
		flush := c.has("-F", "--flush", "-X", "-Z")
		off = flush || strings.Contains(text, "-P INPUT ACCEPT") || strings.Contains(text, "--policy INPUT ACCEPT")
		changed = c.has("-D", "-A", "-I", "-R", "--delete", "--append", "--insert", "-P")
		if strings.Contains(text, "REDIRECT") || strings.Contains(text, "DNAT") {
			s.tell(&portForward, 0.4, "", "connections to this machine are sent on elsewhere")
			return
		}
	case "nft":
		off = strings.Contains(text, "flush ruleset") || strings.Contains(text, "delete table")
		changed = c.has("add", "insert", "delete", "flush")
	case "firewall-cmd":
		off = c.has("--panic-off") || strings.Contains(text, "--set-default-zone=trusted")
		changed = strings.Contains(text, "--add-") || strings.Contains(text, "--remove-")
	case "ipfw":
		off = strings.Contains(text, "flush") || c.has("disable")
		changed = c.has("add", "delete")
	case "pfctl":
		off = c.flag('d') || c.flag('F')
		changed = c.flag('f')
	}
	switch {
	case off:
		s.tell(&firewallOff, 0.6, c.Name, fmt.Sprintf("the firewall was opened or emptied by %s", c.Name))
	case changed:
		s.tell(&firewallChanged, 0.3, c.Name, fmt.Sprintf("the firewall was changed by %s", c.Name))
	}
}

// onProtection: what confines programs or guards the kernel is switched off; a product that protects the machine is removed.
func onProtection(s *step, c *Command) {
	if managed(s.process) && s.process.under&underInstall == 0 {
		return
	}
	text := strings.Join(c.Args, " ")
	why := ""
	switch c.Name {
	case "setenforce":
		if c.has("0", "permissive", "Permissive") {
			why = "SELinux was made to let everything pass"
		}
	case "aa-disable", "aa-teardown", "aa-complain":
		why = "AppArmor was switched off for a program"
	case "apparmor_parser":
		if c.flag('R') && !managed(s.process) {
			why = "a profile of AppArmor was removed"
		}
	case "semanage":
		if c.arg(0) == "permissive" && c.flag('a') {
			why = "SELinux was made to let a domain pass"
		}
	case "sysctl":
		if managed(s.process) {
			return
		}
		for _, a := range c.Args {
			n, v, ok := strings.Cut(strings.ReplaceAll(a, " ", ""), "=")
			if !ok {
				continue
			}
			switch n {
			case "kernel.randomize_va_space", "kernel.yama.ptrace_scope", "kernel.kptr_restrict", "kernel.dmesg_restrict", "kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns", "kernel.perf_event_paranoid", "kernel.nmi_watchdog":
				if v == "0" || v == "-1" || n == "kernel.unprivileged_userns_clone" {
					why = "a guard of the kernel was switched off: " + a
				}
			case "vm.nr_hugepages":
				s.tell(&minerTuned, 0.4, "", "memory was set up as miners want it: "+a)
			case "kernel.core_pattern", "kernel.modprobe":
				s.tell(&kernelHelperSet, 0.6, n, "what the kernel starts by itself was set: "+a)
			}
		}
	case "swapoff":
		if c.flag('a') {
			s.tell(&cachesDropped, 0.3, "swap", "all swap space was taken away")
		}
		return
	case "falconctl", "mdatp":
		if strings.Contains(text, "disable") || strings.Contains(text, "-d") && c.Name == "falconctl" || strings.Contains(text, "exclusion") {
			why = "what protects the machine was switched off"
		}
	case "esxcli":
		if strings.Contains(text, "firewall set --enabled false") || strings.Contains(text, "firewall unload") || strings.Contains(text, "syslog") {
			why = "the host's firewall or logging was switched off"
		}
	case "dpkg", "rpm", "apt", "apt-get", "yum", "dnf", "pkg", "zypper":
		s.removedProduct(c)
		return
	}
	if why != "" {
		s.tell(&protectionOff, 0.7, c.Name, why)
	}
}

func (s *step) removedProduct(c *Command) {
	removes := c.has("remove", "purge", "autoremove", "erase", "delete", "-r", "-P", "--purge", "--remove", "rm") || c.Name == "rpm" && c.flag('e')
	if !removes {
		if c.has("-i", "--install", "-U", "-ivh", "-Uvh", "install", "localinstall") {
			for _, o := range c.operands() {
				if strings.HasPrefix(o, "/tmp/") || strings.HasPrefix(o, "/dev/shm/") || strings.HasPrefix(o, "/var/tmp/") {
					s.tell(&packageFromTemp, 0.3, o, "a package was installed from "+o)
				}
			}
		}
		return
	}
	for _, o := range c.operands() {
		if a, what := guardService(o); a != nil {
			s.tell(a, 0.7, o, fmt.Sprintf("%s (%s) was removed", o, what))
		}
	}
}

// onTimes: the times of a file are set to others than now, or the machine's clock is. Archives and builds set times too; they do it by calls, or below make.
func onTimes(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	switch c.Name {
	case "touch":
		for i, a := range c.Args {
			if !strings.HasPrefix(a, "-") || len(a) < 2 {
				continue
			}
			if strings.HasPrefix(a, "--reference") || strings.HasPrefix(a, "--date") || a[1] != '-' && strings.ContainsAny(a[1:2]+a[len(a)-1:], "trd") && (strings.HasSuffix(a, "t") || strings.HasSuffix(a, "r") || strings.HasSuffix(a, "d") || len(a) > 6) && (i+1 < len(c.Args) || len(a) > 6) {
				s.tell(&timestamps, 0.3, "", "the times of a file were set to others than now")
				return
			}
		}
	case "debugfs":
		if strings.Contains(strings.Join(c.Args, " "), "set_inode_field") || strings.Contains(strings.Join(c.Args, " "), "sif ") {
			s.tell(&timestamps, 0.5, "", "the times of a file were set below the file system")
		}
	case "date":
		if c.flag('s') || c.has("--set") || strings.HasPrefix(c.arg(0), "--set=") {
			s.tell(&clockChanged, 0.5, "", "the machine's clock was set by hand")
		}
	case "timedatectl":
		if c.has("set-time") || strings.Contains(strings.Join(c.Args, " "), "set-ntp false") || strings.Contains(strings.Join(c.Args, " "), "set-ntp 0") {
			s.tell(&clockChanged, 0.5, "", "the machine's clock was set by hand")
		}
	case "hwclock":
		if c.has("--set") {
			s.tell(&clockChanged, 0.5, "", "the machine's clock was set by hand")
		}
	}
}
