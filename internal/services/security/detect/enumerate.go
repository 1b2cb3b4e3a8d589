package detect

import (
	"fmt"
	"strings"
	"time"
)

// questions are the different things a session has asked about its host lately: the last time of each kind.
type questions struct {
	at   [questionKinds]int64
	last [questionKinds]Evidence
	told int64
}

const questionKinds = 16

// The kinds of questions. Several tools that ask the same are one kind: one curious command is nothing, five different things within a minute are somebody who
// wants to know where they are.
const (
	askNone = iota
	askProcessor
	askMemory
	askDisk
	askKernel
	askRelease
	askDevices
	askUptime
	askUser
	askUsers
	askNetwork
	askConnections
	askProcesses
	askSessions
	askPackages
	askScheduled
)

// question is what a command asks about the host.
func question(c *Command) int {
	switch c.Name {
	case "lscpu", "nproc", "cpuid", "cpufreq-info", "arch":
		return askProcessor
	case "free", "vmstat", "swapon", "lsmem":
		return askMemory
	case "df", "lsblk", "fdisk", "blkid", "findmnt":
		return askDisk
	case "uname", "hostnamectl", "sysctl", "lsmod":
		return askKernel
	case "lsb_release":
		return askRelease
	case "lspci", "lsusb", "lshw", "dmidecode", "nvidia-smi", "hwinfo", "inxi":
		return askDevices
	case "uptime", "tput":
		return askUptime
	case "id", "whoami", "groups", "logname":
		return askUser
	case "getent":
		return askUsers
	case "ip", "ifconfig", "route", "arp", "hostname", "iwconfig", "nmcli", "resolvectl":
		return askNetwork
	case "netstat", "ss", "lsof", "iptables", "nft", "ufw":
		return askConnections
	case "ps", "pstree", "top", "htop", "pgrep":
		return askProcesses
	case "w", "who", "last", "lastlog", "users", "finger", "lastb":
		return askSessions
	case "dpkg", "rpm", "dpkg-query":
		for _, a := range c.Args {
			if a == "-l" || a == "-qa" || a == "--list" || a == "-W" {
				return askPackages
			}
		}
		return askNone
	case "crontab", "systemctl", "service", "atq":
		for _, a := range c.Args {
			if a == "-l" || a == "list-units" || a == "list-timers" || a == "--status-all" || a == "list-unit-files" {
				return askScheduled
			}
		}
		return askNone
	}
	for _, a := range c.Args {
		switch {
		case !strings.HasPrefix(a, "/proc/") && !strings.HasPrefix(a, "/etc/") && !strings.HasPrefix(a, "/sys/"):
		case strings.HasPrefix(a, "/proc/cpuinfo"), strings.HasPrefix(a, "/sys/devices/system/cpu"):
			return askProcessor
		case strings.HasPrefix(a, "/proc/meminfo"):
			return askMemory
		case a == "/proc/version":
			return askKernel
		case a == "/proc/uptime", a == "/proc/loadavg":
			return askUptime
		case strings.HasSuffix(a, "-release") && strings.HasPrefix(a, "/etc/"), a == "/etc/issue", a == "/etc/debian_version":
			return askRelease
		case a == "/etc/passwd", a == "/etc/group":
			return askUsers
		case strings.HasPrefix(a, "/proc/net/"):
			return askConnections
		case a == "/etc/hosts", a == "/etc/resolv.conf":
			return askNetwork
		case a == "/proc/mounts", a == "/proc/partitions", a == "/etc/fstab":
			return askDisk
		case strings.HasPrefix(a, "/etc/cron"):
			return askScheduled
		}
	}
	return askNone
}

// onEnumeration: many different questions about the host in a short time, from one session. Package managers, configuration management and build tools ask too: what
// is below one of them doesn't count.
func onEnumeration(m *Machine, s *step) {
	q := &s.session.asked
	asked := false
	for i := range s.commands {
		if kind := question(&s.commands[i]); kind != askNone {
			if !asked && expected(s.process) {
				return
			}
			asked = true
			q.at[kind], q.last[kind] = s.event.Millis, s.evidence()
		}
	}
	if !asked || recent(q.told, s.event.Millis, m.params.EnumerationWindow) {
		return
	}
	n := 0
	var lines []Evidence
	for kind, at := range q.at {
		if recent(at, s.event.Millis, m.params.EnumerationWindow) {
			n++
			lines = append(lines, q.last[kind])
		}
	}
	if n < m.params.EnumerationKinds {
		return
	}
	q.told = s.event.Millis
	f := s.find(&reconnaissance, min(0.95, 0.5+0.08*float64(n-m.params.EnumerationKinds+1)), "",
		fmt.Sprintf("%d different kinds of questions about the host within %s", n, time.Duration(m.params.EnumerationWindow)))
	f.Commands = lines
	m.report(f)
}

// expected reports whether a process is below a program that asks about its host for good reasons.
func expected(p *Process) bool {
	for n := 0; p != nil && n < maxAncestors; p, n = p.Parent, n+1 {
		switch base(p.File) {
		case "apt", "apt-get", "dpkg", "yum", "dnf", "rpm", "zypper", "snap", "unattended-upgrade", "unattended-upgrades", "make", "cmake", "ninja", "configure", "npm", "node-gyp", "pip", "pip3", "cargo", "go", "gcc", "cc", "ansible", "ansible-playbook",
			"puppet", "chef-client", "salt-minion", "cloud-init", "dkms", "initramfs-tools", "update-initramfs", "run-parts", "logrotate", "needrestart", "landscape-sysinfo", "waagent", "git", "meson", "autoconf", "libtool":
			if trusted(p.File) || base(p.File) == "configure" && !strings.HasPrefix(p.Dir, "/tmp") {
				return true
			}
		}
	}
	return false
}

// trusted reports whether a file lies where only root, as a rule, puts programs.
func trusted(file string) bool {
	for _, dir := range [...]string{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/snap/", "/nix/store/"} {
		if strings.HasPrefix(file, dir) {
			return !strings.HasPrefix(file, "/usr/local/games/")
		}
	}
	return false
}
