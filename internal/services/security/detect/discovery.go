package detect

import (
	"fmt"
	"strings"
)

func discoveryAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"virtual-machine", []string{"grep", "egrep", "fgrep", "awk", "rg"}, onVirtualMachine},
		{"protection-looked-for", []string{"grep", "egrep", "fgrep", "pgrep", "pidof", "systemctl", "rg", "dpkg", "rpm"}, onProtectionLooked},
		{"staging", []string{"find", "xargs"}, onStaging},
		{"typed-script", []string{"sh", "bash", "dash", "zsh", "python", "python2", "python3", "perl", "ruby", "php"}, onTypedScript},
	}
}

// furtherQuestion is what a command asks that isn't counted with the others.
func furtherQuestion(c *Command) int {
	switch c.Name {
	case "env", "printenv":
		if len(c.Args) == 0 || c.Name == "printenv" {
			return askEnvironment
		}
	case "lsmod", "kmod", "kldstat", "modinfo":
		return askModules
	case "systemd-detect-virt", "virt-what", "facter", "hostnamectl":
		return askVirtual
	case "smbstatus", "showmount", "exportfs", "nfsstat":
		return askShares
	case "findmnt":
		if c.has("nfs", "cifs", "smbfs") {
			return askShares
		}
	case "find":
		if dir := c.arg(0); dir == "/" || wide(dir) && dir != "" && dir != "/tmp" && dir != "/var" || dir == "." && len(c.Args) <= 3 || c.has("*.pdf", "*.docx", "*.xlsx", ".*") {
			return askFiles
		}
	case "ls":
		if c.flag('R') || c.has("-la", "-a", "-al") && len(c.Args) > 1 && wide(c.Args[len(c.Args)-1]) {
			return askFiles
		}
	case "locate", "mlocate", "plocate", "tree", "updatedb":
		return askFiles
	case "timedatectl", "hwclock", "ntpq", "chronyc":
		return askTime
	case "localectl", "locale":
		return askLocale
	case "chage", "pwscore":
		if c.flag('l') || c.Name == "pwscore" {
			return askPolicy
		}
	case "ping":
		return askNeighbours
	case "sockstat", "netstat-x":
		return askConnections
	case "lastlogin", "loginctl", "ac", "utmpdump", "rwho", "rusers":
		return askSessions
	case "dscacheutil", "compgen":
		return askUsers
	case "lsns", "lsipc":
		return askProcesses
	case "lpstat", "lsscsi", "lsblk-x", "lsmem", "lsirq":
		return askDevices
	case "apt", "dnf", "yum", "snap", "flatpak", "pacman", "apk":
		if c.has("list", "--installed", "-Q", "-Qi") {
			return askPackages
		}
	case "set", "export", "declare":
		if len(c.Args) == 0 || len(c.Args) == 1 && c.Args[0] == "-p" {
			return askEnvironment
		}
	case "echo":
		for _, a := range c.Args {
			switch strings.Trim(a, `"{}`) {
			case "$LANG", "$LC_ALL", "$LANGUAGE":
				return askLocale
			case "$0", "$SHELL":
				return askShells
			case "$PATH", "$USER", "$HOME":
				return askEnvironment
			}
		}
	}
	for _, a := range c.Args {
		if len(a) < 8 || a[0] != '/' || !tellsOfHost(a) {
			continue
		}
		switch {
		case a == "/etc/shells":
			return askShells
		case a == "/proc/modules", a == "/etc/modules":
			return askModules
		case strings.HasPrefix(a, "/sys/class/dmi/"), strings.HasPrefix(a, "/sys/devices/virtual/dmi"), a == "/proc/scsi/scsi", strings.HasPrefix(a, "/proc/ide/"), strings.HasPrefix(a, "/sys/hypervisor"), a == "/proc/1/cgroup", a == "/.dockerenv", strings.HasPrefix(a, "/proc/sys/dev/"):
			return askVirtual
		case a == "/etc/exports", a == "/etc/samba/smb.conf":
			return askShares
		case a == "/etc/mtab":
			return askDisk
		case a == "/etc/localtime", a == "/etc/timezone":
			return askTime
		case a == "/etc/locale.conf", a == "/etc/default/locale", a == "/etc/default/keyboard", a == "/etc/vconsole.conf":
			return askLocale
		case classify(a) == passwordPolicy, strings.HasPrefix(a, "/etc/pam.d/common-password"), a == "/etc/pam.d/system-auth", a == "/etc/pam.d/password-auth":
			return askPolicy
		case c.Name != "rm" && c.Name != "mkdir" && c.Name != "chown" && c.Name != "chmod" && (a == "/var/log/auth.log" || a == "/var/log/secure" || a == "/var/log/syslog" || a == "/var/log/messages" || a == "/var/log/wtmp"):
			return askLogs
		}
	}
	return askNone
}

// tellsOfHost reports whether a file may be one of those that tell about the host; most are not, which their first letters say.
func tellsOfHost(file string) bool {
	switch file[1] {
	case 'e', 'p', 's', 'v', '.', '/': // /etc, /proc, /sys, /var, /.dockerenv
		return true
	case 'u', 'l':
		return strings.Contains(file, "/local/etc/")
	}
	return false
}

// asks are the alerts of single questions. Nobody has to look at one; an incident shows them among the rest.
var asks = [allKinds]Alert{
	askProcessor:   {"BH_AskProcessor", "Processor was asked for", Informational, "Discovery", []string{"T1082"}, remedyTool},
	askMemory:      {"BH_AskMemory", "Memory was asked for", Informational, "Discovery", []string{"T1082"}, remedyTool},
	askDisk:        {"BH_AskDisk", "Disks were asked for", Informational, "Discovery", []string{"T1082", "T1680"}, remedyTool},
	askKernel:      {"BH_AskKernel", "Kernel was asked for", Informational, "Discovery", []string{"T1082"}, remedyTool},
	askRelease:     {"BH_AskRelease", "Release of the system was asked for", Informational, "Discovery", []string{"T1082"}, remedyTool},
	askDevices:     {"BH_AskDevices", "Devices were asked for", Informational, "Discovery", []string{"T1082", "T1120"}, remedyTool},
	askUptime:      {"BH_AskUptime", "Time since the start was asked for", Informational, "Discovery", []string{"T1082"}, remedyTool},
	askUser:        {"BH_AskUser", "Own account was asked for", Informational, "Discovery", []string{"T1033", "T1069.001"}, remedyTool},
	askUsers:       {"BH_AskUsers", "Accounts were asked for", Informational, "Discovery", []string{"T1087.001", "T1069.001"}, remedyTool},
	askNetwork:     {"BH_AskNetwork", "Network was asked for", Informational, "Discovery", []string{"T1016"}, remedyTool},
	askConnections: {"BH_AskConnections", "Connections were asked for", Informational, "Discovery", []string{"T1049"}, remedyTool},
	askProcesses:   {"BH_AskProcesses", "Processes were asked for", Informational, "Discovery", []string{"T1057"}, remedyTool},
	askSessions:    {"BH_AskSessions", "Sign-ins were asked for", Informational, "Discovery", []string{"T1033"}, remedyTool},
	askPackages:    {"BH_AskPackages", "Installed programs were asked for", Informational, "Discovery", []string{"T1518"}, remedyTool},
	askScheduled:   {"BH_AskScheduled", "Services and jobs were asked for", Informational, "Discovery", []string{"T1007"}, remedyTool},
	askEnvironment: {"BH_AskEnvironment", "Environment was asked for", Informational, "Discovery", []string{"T1082"}, remedyTool},
	askShells:      {"BH_AskShells", "Shells were asked for", Informational, "Discovery", []string{"T1082", "T1059.004"}, remedyTool},
	askModules:     {"BH_AskModules", "Modules of the kernel were asked for", Informational, "Discovery", []string{"T1082", "T1652"}, remedyTool},
	askVirtual:     {"BH_AskVirtual", "It was asked what the machine runs in", Low, "Discovery", []string{"T1497.001", "T1082"}, remedyTool},
	askShares:      {"BH_AskShares", "Shared folders were asked for", Informational, "Discovery", []string{"T1135"}, remedyTool},
	askFiles:       {"BH_AskFiles", "Files were listed over all the machine", Informational, "Discovery", []string{"T1083"}, remedyTool},
	askTime:        {"BH_AskTime", "Clock was asked for", Informational, "Discovery", []string{"T1124"}, remedyTool},
	askLocale:      {"BH_AskLocale", "Language of the machine was asked for", Informational, "Discovery", []string{"T1614.001"}, remedyTool},
	askPolicy:      {"BH_AskPolicy", "Rules for passwords were asked for", Low, "Discovery", []string{"T1201"}, remedyTool},
	askNeighbours:  {"BH_AskNeighbours", "Another machine was asked whether it is there", Informational, "Discovery", []string{"T1018"}, remedyTool},
	askLogs:        {"BH_AskLogs", "Logs of the system were read", Informational, "Discovery", []string{"T1654"}, remedyTool},
}

// noteQuestion tells a question by itself, once in a while.
func (s *step) noteQuestion(q *asked, kind int, c *Command) {
	if recent(q.noted[kind], s.event.Millis, s.m.params.QuestionAgain) {
		return
	}
	q.noted[kind] = s.event.Millis
	a := &asks[kind]
	s.tell(a, 0.1, "", fmt.Sprintf("%s, by %s", a.Name, c.Name))
}

// onVirtualMachine: the names of what machines run in are looked for. Malware that finds one of them does nothing, so as not to be watched.
func onVirtualMachine(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	n := 0
	for _, a := range c.Args {
		if len(a) < 3 || a[0] == '/' {
			continue
		}
		low := lower(a)
		for _, w := range [...]string{"vmware", "virtualbox", "vbox", "qemu", "xen", "kvm", "hyperv", "hyper-v", "parallels", "bochs", "droplet", "hvm", "domu", "microsoft", "innotek", "vmm", "hv_", "virtio", "hypervisor", "amazon", "vmw", "docker", "lxc", "bhyve"} {
			if strings.Contains(low, w) {
				n++
			}
		}
	}
	source := false
	for _, o := range append(s.before(c), c) {
		source = source || furtherQuestion(o) == askVirtual || furtherQuestion(o) == askModules || question(o) == askDevices || question(o) == askProcessor || question(o) == askKernel
	}
	if n >= 2 || n == 1 && source {
		s.tell(&virtualMachine, 0.6, "", "it was looked for what the machine runs in")
	}
}

// onProtectionLooked: the names of programs that protect machines are looked for among those that run.
func onProtectionLooked(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	switch c.Name {
	case "systemctl":
		if !c.has("status", "is-active", "is-enabled") {
			return
		}
	case "dpkg", "rpm":
		return
	}
	n := 0
	for _, a := range c.Args {
		if len(a) < 4 || a[0] == '/' || len(a) > 1024 {
			continue
		}
		if !strings.ContainsAny(a, "| ") {
			if g, _ := guardService(strings.Trim(a, "[]^$")); g != nil {
				n++
			}
			continue
		}
		for _, w := range strings.FieldsFunc(a, func(r rune) bool { return strings.ContainsRune(`|\ ()^$,"'[]*.?`, r) }) {
			if g, _ := guardService(w); g != nil && (g == &protectionOff || w != "syslog" && w != "iptables") {
				n++
			}
		}
	}
	if n >= 2 || n == 1 && (c.Name == "pgrep" || c.Name == "pidof") {
		s.tell(&toolLooked, 0.5, "", "programs that protect the machine were looked for")
	}
}

// onStaging: files that are found all over the machine are copied together.
func onStaging(s *step, c *Command) {
	if expected(s.process) || s.process.under&underCron != 0 {
		return
	}
	words := c.Args
	dir := ""
	if c.Name == "find" {
		dir = c.arg(0)
		i := 0
		for i < len(words) && words[i] != "-exec" && words[i] != "-execdir" {
			i++
		}
		if i == len(words) {
			return
		}
		words = words[i+1:]
	} else {
		for _, o := range s.before(c) {
			if o.Name == "find" || o.Name == "locate" {
				dir = o.arg(0)
			}
		}
		words = wrapped("xargs", words)
	}
	if len(words) < 2 || dir == "" {
		return
	}
	switch base(words[0]) {
	case "cp", "mv", "rsync", "scp", "tar", "zip", "gcp", "7z":
	default:
		return
	}
	for _, w := range words[1:] {
		if tempDir(w+"/") || tempDir(w) {
			s.tell(&staged, 0.6, "", fmt.Sprintf("what was found below %s was copied together in %s", dir, w))
			return
		}
	}
	if wide(dir) {
		s.tell(&staged, 0.5, "", fmt.Sprintf("what was found below %s was copied together", dir))
	}
}

// onTypedScript: an interpreter runs a file that was written by the shell's own echo a moment before.
func onTypedScript(s *step, c *Command) {
	if expected(s.process) {
		return
	}
	for _, a := range c.Args {
		if strings.HasPrefix(a, "-") {
			if a == "-c" || a == "-e" || a == "-m" {
				return
			}
			continue
		}
		full := within(s.process.Dir, a)
		if n, ok := s.m.files.Peek(full); ok && recent(n.typed, s.event.Millis, s.m.params.FetchToRun) {
			f := s.find(&scriptTyped, 0.3, "", full+" was written by echo and run")
			f.Files = []string{full}
			s.m.report(f)
		}
		return
	}
}
