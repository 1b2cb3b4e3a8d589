package detect

import (
	"fmt"
	"strings"
	"time"
)

// questions are the different things a session has asked about its host lately: the last time of each kind.
type questions struct {
	kept *asked // nil: none yet, as of nearly all that could ask
}

// asked is what was asked, and when.
type asked struct {
	at   [questionKinds]int64
	last [questionKinds]Evidence
	told int64

	noted [allKinds]int64 // when a question was told by itself
}

func (q *questions) asked() *asked {
	if q.kept == nil {
		q.kept = &asked{}
	}
	return q.kept
}

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
	questionKinds // those below are too common in scripts, or judged elsewhere, to be counted
)

// More kinds of questions, each told by itself only.
const (
	askEnvironment = questionKinds + iota
	askShells
	askModules
	askVirtual
	askShares
	askFiles
	askTime
	askLocale
	askPolicy
	askNeighbours
	askLogs
	allKinds
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
			if a == "-l" || a == "list-units" || a == "list-timers" || a == "--status-all" || a == "list-unit-files" || strings.HasPrefix(a, "--type") || a == "-e" && c.Name == "service" {
				return askScheduled
			}
		}
		return askNone
	}
	for _, a := range c.Args {
		if len(a) < 6 || a[0] != '/' || a[1] != 'p' && a[1] != 'e' && a[1] != 's' {
			continue
		}
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
	q := s.process.asked
	if q == nil {
		q = &s.session.asked
	}
	counted, kept := false, 0
	for i := range s.commands {
		c := &s.commands[i]
		kind := question(c)
		if kind == askNone {
			if kind = furtherQuestion(c); kind == askNone {
				continue
			}
		}
		if !counted && (expected(s.process) || s.process.under&underCron != 0) {
			return
		}
		s.noteQuestion(q.asked(), kind, c)
		for _, r := range c.Redirects {
			if (r.op == '>' || r.op == 'a') && tempDir(within(s.process.Dir, r.file)) {
				kept++
			}
		}
		if kind < questionKinds {
			counted = true
			q.kept.at[kind], q.kept.last[kind] = s.event.Millis, s.evidence()
		}
	}
	if kept >= 2 {
		m.report(s.find(&answersKept, 0.5, "", fmt.Sprintf("the answers of %d commands about the host were written to a file where everybody may write", kept)))
	}
	if !counted || recent(q.kept.told, s.event.Millis, m.params.EnumerationWindow) {
		return
	}
	n, curious := 0, 0
	var lines []Evidence
	for kind, at := range q.kept.at {
		if recent(at, s.event.Millis, m.params.EnumerationWindow) {
			n++
			switch kind {
			case askDevices, askRelease, askUser, askUsers, askConnections, askPackages, askScheduled:
				curious++
			}
			lines = append(lines, q.kept.last[kind])
		}
	}
	if n < m.params.EnumerationKinds || curious < m.params.EnumerationCurious { // what monitoring asks, it asks all day
		return
	}
	q.kept.told = s.event.Millis
	f := s.find(&reconnaissance, min(0.95, 0.5+0.08*float64(n-m.params.EnumerationKinds+1)), "",
		fmt.Sprintf("%d different kinds of questions about the host within %s", n, time.Duration(m.params.EnumerationWindow)))
	f.Commands = lines
	m.report(f)
}

// trusted reports whether a file lies where only root, as a rule, puts programs.
func trusted(file string) bool {
	if len(file) < 5 || file[0] != '/' {
		return false
	}
	switch file[1] {
	case 'u':
		return strings.HasPrefix(file, "/usr/") && !strings.HasPrefix(file, "/usr/local/games/")
	case 'b':
		return strings.HasPrefix(file, "/bin/")
	case 's':
		return strings.HasPrefix(file, "/sbin/") || strings.HasPrefix(file, "/snap/")
	case 'l':
		return strings.HasPrefix(file, "/lib/") || strings.HasPrefix(file, "/lib64/")
	case 'o':
		return strings.HasPrefix(file, "/opt/")
	case 'n':
		return strings.HasPrefix(file, "/nix/store/")
	}
	return false
}
