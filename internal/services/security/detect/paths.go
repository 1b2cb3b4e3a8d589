package detect

import "strings"

// class is what a file is to an attacker.
type class uint8

const (
	ordinary class = iota
	shadowFile
	passwdFile
	groupFile
	sudoersFile
	sshPrivateKey
	authorizedKeys
	sshUserConfig
	sshdConfig
	cloudSecret
	storedSecret
	browserStore
	browserMarks
	keyStore
	kerberosTicket
	processMemory
	processMaps
	processEnviron
	kernelMemory
	historyFile
	logFile
	loginLog
	mailSpool
	auditConfig
	loggerConfig
	cronFile
	unitFile
	bootScript
	systemProfile
	userProfile
	preloadFile
	linkerConfig
	pamConfig
	pamModule
	moduleConfig
	udevRule
	loginMessage
	autostart
	gitHook
	packageHook
	pythonHook
	webScript
	hostsFile
	rootCertificate
	blockDevice
	sysRequest
	kernelHelper
	kernelGuard
	mandatoryConfig
	firewallConfig
	kernelSettings
	containerSocket
	containerToken
	passwordPolicy
	bootConfig
	backupFile
	inputDevice
)

// classify tells what a file is, by where it lies and what it is called. Names that are relative to a home have ~ before them or none of the marks of others.
func classify(p string) class {
	if len(p) < 4 {
		return ordinary
	}
	if p[0] == '/' {
		top := p[1:]
		for strings.HasPrefix(top, "/") {
			top = top[1:]
		}
		rest := ""
		if i := strings.IndexByte(top, '/'); i > 0 {
			top, rest = top[:i], top[i+1:]
		}
		switch top {
		case "etc":
			return classifyEtc(rest)
		case "var":
			return classifyVar(rest)
		case "proc":
			return classifyProc(rest)
		case "dev":
			return classifyDev(rest)
		case "sys":
			switch {
			case strings.HasSuffix(rest, "release_agent"), rest == "kernel/uevent_helper":
				return kernelHelper
			case strings.HasSuffix(rest, "/enforce"):
				return kernelGuard
			}
			return ordinary
		case "run":
			switch {
			case strings.HasSuffix(rest, "docker.sock"), strings.HasSuffix(rest, "containerd.sock"), strings.HasSuffix(rest, "crio.sock"), strings.HasSuffix(rest, "podman.sock"):
				return containerSocket
			case strings.HasPrefix(rest, "secrets/kubernetes.io"):
				return containerToken
			case strings.HasPrefix(rest, "systemd/system/"):
				return unitFile
			case rest == "utmp":
				return loginLog
			}
			return ordinary
		case "usr", "lib", "lib64":
			return classifyUsr(rest)
		case "boot":
			if strings.HasPrefix(rest, "grub") {
				return bootConfig
			}
			return ordinary
		}
	}
	return classifyHome(p)
}

func classifyEtc(p string) class {
	name, rest, below := strings.Cut(p, "/")
	switch name {
	case "shadow", "shadow-", "gshadow", "gshadow-", "master.passwd", "security":
		if name == "security" && rest != "opasswd" {
			if below && (rest == "pwquality.conf" || strings.HasPrefix(rest, "pwquality")) {
				return passwordPolicy
			}
			return ordinary
		}
		return shadowFile
	case "passwd", "passwd-":
		return passwdFile
	case "group", "group-":
		return groupFile
	case "sudoers", "sudoers.d", "doas.conf":
		return sudoersFile
	case "ssh":
		switch {
		case strings.HasPrefix(rest, "ssh_host_") && !strings.HasSuffix(rest, ".pub"):
			return sshPrivateKey
		case strings.HasPrefix(rest, "sshd_config"):
			return sshdConfig
		}
	case "crontab", "cron.d", "cron.daily", "cron.hourly", "cron.weekly", "cron.monthly", "cron.allow", "cron.deny", "at.allow", "at.deny", "anacrontab":
		return cronFile
	case "systemd":
		if strings.HasPrefix(rest, "system/") || strings.HasPrefix(rest, "user/") || strings.HasPrefix(rest, "system-generators") {
			return unitFile
		}
		if strings.HasPrefix(rest, "journald.conf") {
			return loggerConfig
		}
	case "rc.local", "init.d", "rc.d", "inittab", "init", "rc0.d", "rc1.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d", "rc6.d", "rcS.d", "conf.d", "local.d", "xinetd.d", "inetd.conf", "dhcp", "network", "NetworkManager", "ppp", "networkd-dispatcher", "rc.common":
		switch {
		case name == "NetworkManager" && strings.HasPrefix(rest, "system-connections"):
			return storedSecret
		case name == "network" && !strings.Contains(rest, "if-"), name == "NetworkManager" && !strings.HasPrefix(rest, "dispatcher.d/"), name == "dhcp" && !strings.Contains(rest, "hooks"), name == "ppp" && !strings.HasPrefix(rest, "ip-"):
			return ordinary
		}
		return bootScript
	case "profile", "profile.d", "bash.bashrc", "bashrc", "zsh", "zshrc", "zshenv", "zprofile", "csh.cshrc", "csh.login", "environment", "bash_completion.d", "fish":
		return systemProfile
	case "ld.so.preload":
		return preloadFile
	case "ld.so.conf", "ld.so.conf.d":
		return linkerConfig
	case "pam.d", "pam.conf":
		return pamConfig
	case "modules", "modules-load.d", "modprobe.d", "initramfs-tools", "dracut.conf.d":
		return moduleConfig
	case "udev":
		return udevRule
	case "update-motd.d", "motd", "issue.net":
		return loginMessage
	case "xdg":
		if strings.HasPrefix(rest, "autostart/") {
			return autostart
		}
	case "apt", "yum", "dnf", "yum.conf":
		if strings.HasPrefix(rest, "apt.conf") || strings.Contains(rest, "plugin") || strings.HasPrefix(rest, "pluginconf.d") {
			return packageHook
		}
	case "hosts", "resolv.conf", "nsswitch.conf", "hosts.allow", "hosts.deny", "hosts.equiv":
		return hostsFile
	case "ssl", "pki", "ca-certificates":
		if strings.Contains(rest, "private/") || strings.HasSuffix(rest, ".key") {
			return sshPrivateKey
		}
		if strings.HasPrefix(rest, "ca-trust/source/anchors") || strings.HasPrefix(rest, "certs/ca-cert") || strings.HasPrefix(rest, "trust/anchors") {
			return rootCertificate
		}
	case "audit", "audisp", "libaudit.conf":
		return auditConfig
	case "rsyslog.conf", "rsyslog.d", "syslog.conf", "syslog-ng", "logrotate.conf", "newsyslog.conf", "syslog.d":
		return loggerConfig
	case "selinux", "apparmor.d", "apparmor":
		return mandatoryConfig
	case "ufw", "iptables", "nftables.conf", "firewalld", "iptables.rules", "pf.conf", "sysconfig":
		if name == "sysconfig" && !strings.Contains(rest, "iptables") {
			return ordinary
		}
		return firewallConfig
	case "sysctl.conf", "sysctl.d":
		return kernelSettings
	case "login.defs", "pam_pwquality.conf":
		return passwordPolicy
	case "default":
		if rest == "grub" {
			return bootConfig
		}
		if rest == "ufw" {
			return firewallConfig
		}
	case "grub.d":
		return bootConfig
	case "krb5.keytab":
		return kerberosTicket
	case "kubernetes":
		if strings.HasSuffix(rest, ".conf") || strings.HasPrefix(rest, "pki") {
			return storedSecret
		}
	case "letsencrypt":
		if strings.Contains(rest, "privkey") {
			return sshPrivateKey
		}
	}
	return ordinary
}

func classifyVar(p string) class {
	switch {
	case strings.HasPrefix(p, "log"):
		if len(p) > 3 && p[3] != '/' {
			return ordinary
		}
		for _, n := range [...]string{"wtmp", "btmp", "lastlog", "faillog", "utmp", "utx.log", "utx.lastlogin"} {
			if strings.HasPrefix(p[min(4, len(p)):], n) {
				return loginLog
			}
		}
		return logFile
	case strings.HasPrefix(p, "run/"):
		return classify("/run/" + p[4:])
	case strings.HasPrefix(p, "spool/cron"), strings.HasPrefix(p, "spool/at/"), strings.HasPrefix(p, "cron/"), strings.HasPrefix(p, "at/"):
		return cronFile
	case strings.HasPrefix(p, "spool/mail"), strings.HasPrefix(p, "mail/"):
		return mailSpool
	case strings.HasPrefix(p, "audit/"):
		return logFile
	case strings.HasPrefix(p, "www/"):
		if scriptName(p) {
			return webScript
		}
	case strings.HasPrefix(p, "backups"), strings.HasPrefix(p, "backup"):
		return backupFile
	case strings.HasPrefix(p, "lib/docker/containers/") && strings.Contains(p, ".log"):
		return logFile
	case strings.HasPrefix(p, "lib/sss/db"), strings.HasPrefix(p, "lib/samba/private"), strings.HasPrefix(p, "lib/libvirt/secrets"), strings.HasPrefix(p, "lib/extrausers/shadow"):
		return shadowFile
	case strings.HasPrefix(p, "lib/kubelet/"):
		return storedSecret
	}
	return classifyHome(p)
}

// scriptName reports whether a file is one that a web server runs.
func scriptName(p string) bool {
	for _, ext := range [...]string{".php", ".php3", ".php5", ".phtml", ".jsp", ".jspx", ".asp", ".aspx", ".cgi", ".pl", ".war", ".cfm", ".htaccess"} {
		if strings.HasSuffix(p, ext) {
			return true
		}
	}
	return false
}

func classifyProc(p string) class {
	switch {
	case p == "sysrq-trigger", p == "sys/kernel/sysrq":
		return sysRequest
	case p == "kcore", p == "kallsyms":
		return kernelMemory
	case p == "sys/kernel/core_pattern", p == "sys/kernel/modprobe", strings.HasPrefix(p, "sys/fs/binfmt_misc"), p == "sys/kernel/hotplug":
		return kernelHelper
	case p == "sys/kernel/randomize_va_space", p == "sys/kernel/yama/ptrace_scope", p == "sys/kernel/kptr_restrict", p == "sys/vm/drop_caches", p == "sys/kernel/dmesg_restrict", p == "sys/kernel/modules_disabled":
		return kernelGuard
	}
	_, rest, ok := strings.Cut(p, "/")
	if !ok {
		return ordinary
	}
	switch rest {
	case "mem":
		return processMemory
	case "maps", "map", "smaps":
		return processMaps
	case "environ":
		return processEnviron
	}
	return ordinary
}

func classifyDev(p string) class {
	switch {
	case p == "mem", p == "kmem", p == "port", p == "fmem", p == "crash":
		return kernelMemory
	case strings.HasPrefix(p, "input/event"), p == "uinput", p == "hidraw0":
		return inputDevice
	}
	for _, d := range [...]string{"sd", "hd", "vd", "xvd", "nvme", "mmcblk", "dm-", "mapper/", "md", "disk/"} {
		if strings.HasPrefix(p, d) && len(p) > len(d) && (d[len(d)-1] == '/' || len(d) > 3 || p[len(d)] >= '0' && p[len(d)] <= '9' || p[len(d)] >= 'a' && p[len(d)] <= 'z') {
			return blockDevice
		}
	}
	return ordinary
}

func classifyUsr(p string) class {
	switch {
	case strings.Contains(p, "systemd/system/"), strings.Contains(p, "systemd/user/"), strings.Contains(p, "systemd/system-generators/"):
		return unitFile
	case strings.Contains(p, "/pam_") && strings.HasSuffix(p, ".so"), strings.HasPrefix(p, "security/pam_"):
		return pamModule
	case strings.HasPrefix(p, "local/share/ca-certificates"), strings.HasPrefix(p, "share/ca-certificates"):
		return rootCertificate
	case strings.Contains(p, "udev/rules.d/"):
		return udevRule
	case strings.HasPrefix(p, "local/etc/"):
		return classifyEtc(p[len("local/etc/"):])
	case strings.HasPrefix(p, "share/nginx/html/"), strings.HasPrefix(p, "local/apache2/htdocs/"), strings.HasPrefix(p, "share/tomcat"):
		if scriptName(p) {
			return webScript
		}
	}
	return pythonStart(p)
}

// pythonStart is a file that Python runs before any program of its own.
func pythonStart(p string) class {
	if b := base(p); b == "sitecustomize.py" || b == "usercustomize.py" || strings.HasSuffix(b, ".pth") && (strings.Contains(p, "site-packages") || strings.Contains(p, "dist-packages") || strings.Contains(p, "$") || !strings.Contains(p, "/")) {
		return pythonHook
	}
	return ordinary
}
