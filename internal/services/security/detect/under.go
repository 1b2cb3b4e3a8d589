package detect

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// under is what a program runs below, at whatever distance: programs that change the system, ask about it, or fetch and build things for good reasons. It is
// handed down from parent to child, so that it outlives what is remembered of the ancestors, and ends at a shell that somebody talks to.
type under uint8

const (
	underInstall under = 1 << iota // a package manager, and what sets a machine up
	underManage                    // configuration management
	underBuild                     // a build, or a tool for developers
	underRoutine                   // run-parts, logrotate and backups
	underScript                    // a script of the system's own, as packages bring them
	underCron                      // cron and at: not by itself a good reason
)

const underSystem = underInstall | underManage | underRoutine | underScript // who changes the system's configuration

// ownUnder is what a program is for what it starts. Only where root puts programs: a script in /tmp that calls itself dpkg is none.
func ownUnder(file string) under {
	switch base(file) {
	case "apt", "apt-get", "aptitude", "dpkg", "dpkg-deb", "dpkg-reconfigure", "dpkg-preconfigure", "yum", "dnf", "dnf5", "microdnf", "rpm", "zypper", "apk", "pacman", "emerge", "snap", "snapd", "flatpak", "packagekitd", "unattended-upgrade", "unattended-upgrades",
		"cloud-init", "dkms", "initramfs-tools", "update-initramfs", "mkinitramfs", "dracut", "needrestart", "debootstrap", "update-grub", "grub-mkconfig", "update-ca-certificates", "update-ca-trust", "update-alternatives", "deb-systemd-helper", "deb-systemd-invoke",
		"invoke-rc.d", "update-rc.d", "ucf", "debconf", "pam-auth-update", "apt.systemd.daily", "apt-helper", "do-release-upgrade", "systemd-sysusers", "systemd-tmpfiles", "kernel-install", "ldconfig", "landscape-sysinfo", "transactional-update", "rpm-ostree", "alternatives", "command-not-found", "cnf-update-db":
		return underInstall
	case "ansible", "ansible-playbook", "puppet", "chef-client", "salt-minion", "salt-call", "cf-agent", "waagent", "google_guest_agent", "google_metadata_script_runner":
		return underManage
	case "make", "gmake", "cmake", "ctest", "ninja", "npm", "npx", "yarn", "pnpm", "node-gyp", "pip", "pip3", "pipx", "uv", "poetry", "tox", "pytest", "cargo", "rustc", "go", "gcc", "g++", "cc", "c++", "clang", "clang++", "git", "meson", "autoconf", "automake", "autoreconf", "libtool", "bazel",
		"mvn", "gradle", "javac", "dpkg-buildpackage", "debuild", "rpmbuild", "debhelper", "dh", "fakeroot", "buildkitd", "scons", "waf", "bundle", "gem", "composer", "conda", "mamba", "cpan", "cpanm", "lintian":
		return underBuild
	case "run-parts", "logrotate", "borg", "restic", "duplicity", "rsnapshot", "bacula-fd", "mandb", "updatedb", "updatedb.plocate", "e2scrub_all", "fstrim", "anacron":
		return underRoutine
	case "cron", "crond", "atd", "CRON":
		return underCron
	}
	if strings.HasPrefix(base(file), "pip3.") || strings.HasPrefix(base(file), "dh_") {
		return underBuild
	}
	return 0
}

// inherit is what a program runs below, and is for those below it.
func inherit(p, above *Process, args [][]byte) under {
	var u under
	if above != nil {
		u = above.under
	}
	switch {
	case talkedTo(p, args):
		u = 0
	case trusted(p.File):
		u |= ownUnder(p.File)
	case base(p.File) == "configure" || base(p.File) == "config.status":
		if !strings.HasPrefix(p.Dir, "/tmp") {
			u |= underBuild
		}
	}
	if systemScript(p, args) {
		u |= underScript
	}
	if len(args) > 1 && wrapperOf(base(p.File)) == wrapsPython {
		if a := string(args[1]); strings.Contains(a, ".ansible/tmp/") && strings.HasPrefix(base(a), "AnsiballZ_") {
			u |= underManage
		} else if len(args) > 2 && a == "-m" && (string(args[2]) == "pip" || string(args[2]) == "build" || string(args[2]) == "pytest" || string(args[2]) == "venv" || string(args[2]) == "ensurepip") {
			u |= underBuild
		}
	}
	return u
}

// systemScript reports whether a program is a script that lies where only packages put scripts.
func systemScript(p *Process, args [][]byte) bool {
	file := p.File
	switch wrapperOf(base(file)) {
	case wrapsShell, wrapsPerl, wrapsPython:
		if len(args) < 2 || len(args[1]) == 0 || args[1][0] != '/' {
			return false
		}
		file = string(args[1])
	default:
		if file == p.Image {
			return false
		}
	}
	switch {
	case strings.HasPrefix(file, "/usr/local/"), strings.HasPrefix(file, "/opt/"):
		return false
	case trusted(file), strings.HasPrefix(file, "/var/lib/dpkg/"):
		return true
	}
	for _, dir := range [...]string{"/etc/cron.", "/etc/init.d/", "/etc/kernel/", "/etc/network/", "/etc/apt/", "/etc/dhcp/", "/etc/ppp/", "/etc/update-motd.d/", "/etc/grub.d/", "/etc/X11/"} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// recentShell is a shell that started lately: what it forks without starting a program is not told of, so that the parents of the programs of a substitution, or of a group in
// parentheses, are not known.
type recentShell struct {
	pid     uint32
	session uint32
	uid     uint32
	millis  int64
	process *Process
}

// keepShell notes that a shell, or a script, is there.
func (m *Machine) keepShell(e *activity.Event, p *Process) {
	if p == nil || !shellName(base(p.Image)) && !shellName(base(p.File)) {
		return
	}
	for i := range m.shells {
		if m.shells[i].process == p {
			m.shells[i].millis = e.Millis
			return
		}
	}
	m.shells[m.shell] = recentShell{p.PID, e.Process.Session, e.Process.UID, e.Millis, p}
	m.shell = (m.shell + 1) % len(m.shells)
}

// forker guesses the shell that a process whose parent is not known was forked by: of those of the same session and account that did something lately, the last that started
// before it.
func (m *Machine) forker(e *activity.Event) *Process {
	const within = 60_000
	var best *recentShell
	for i := range m.shells {
		s := &m.shells[i]
		if s.process != nil && e.Millis-s.millis <= within && s.session == e.Process.Session && s.uid == e.Process.UID && s.pid < e.Process.Parent && (best == nil || s.pid > best.pid) {
			best = s
		}
	}
	if best == nil {
		return nil
	}
	return best.process
}

// talkedTo reports whether a program is a shell that a person types into.
func talkedTo(p *Process, args [][]byte) bool {
	return p.TTY && len(args) == 1 && shellName(base(p.File))
}

// expected reports whether a process is below a program that asks about its host, fetches and runs things for good reasons.
func expected(p *Process) bool {
	return p.under&(underSystem|underBuild) != 0
}

// managed reports whether a process is below a program whose task it is to change the system.
func managed(p *Process) bool { return p.under&underSystem != 0 }
