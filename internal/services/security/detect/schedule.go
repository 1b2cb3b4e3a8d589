package detect

import (
	"fmt"
	"strings"
)

func scheduleAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"schedule", []string{"crontab", "at", "batch", "systemd-run"}, onSchedule},
		{"services", []string{"systemctl", "service", "rc-service", "initctl", "update-rc.d", "chkconfig", "rc-update", "killall", "pkill", "kill", "skill", "sysrc", "snap"}, onServices},
	}
}

// onSchedule: something is to run later, or again and again: crontab, at, systemd's timers without a file.
func onSchedule(s *step, c *Command) {
	if managed(s.process) || c.Name != "crontab" && s.process.under&underBuild != 0 {
		return
	}
	switch c.Name {
	case "crontab":
		if c.has("-l", "-e") {
			s.tell(&cronAccess, 0.2, "", "the list of what cron runs was looked at")
			return
		}
		if c.has("-r") {
			s.tell(&cronAccess, 0.3, "removed", "the list of what cron runs was removed")
			return
		}
		files := c.operands()
		for i, a := range c.Args {
			if a == "-u" && i+1 < len(c.Args) && len(files) > 0 && files[0] == c.Args[i+1] {
				files = files[1:]
			}
		}
		if len(files) > 0 || c.has("-") || c.Pipeline != 0 || c.Input != "" || len(c.Redirects) > 0 {
			for _, o := range s.before(c) {
				if t := s.content(o); t != "" && ordinaryJob(t) {
					s.tell(&cronAccess, 0.3, "", "the list of what cron runs was added to")
					return
				}
			}
			known := false
			for _, o := range s.before(c) {
				known = known || s.content(o) != ""
			}
			for _, f := range files {
				known = known || tempDir(within(s.process.Dir, f))
			}
			if known || c.Input != "" && !ordinaryJob(c.Input) {
				s.tell(&cronChanged, 0.6, "crontab", "the list of what cron runs was replaced from a pipe, or a file where everybody may write")
			} else {
				s.tell(&cronReplaced, 0.4, "", "the list of what cron runs was replaced from a file or a pipe")
			}
		}
	case "at", "batch":
		if c.has("-l", "-c", "-d", "-r", "-V") || c.Name == "at" && len(c.operands()) == 0 {
			return
		}
		s.tell(&atJob, 0.4, "", "something is to run once, later")
	case "systemd-run":
		for _, a := range c.Args {
			if strings.HasPrefix(a, "--on-") || strings.HasPrefix(a, "--timer-property") {
				s.tell(&unitChanged, 0.6, "timer", "a timer of systemd was made that has no file")
				return
			}
		}
	}
}

// guardService tells what a service is for, if it is one that an intruder doesn't want: logging, auditing, firewalls and other protection.
func guardService(name string) (a *Alert, what string) {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".service"), ".socket")
	switch strings.Trim(name, "^$") {
	case "auditd", "rsyslog", "rsyslogd", "syslog", "syslogd", "syslog-ng", "systemd-journald", "systemd-journald-dev-log", "journald", "auditbeat", "filebeat", "osqueryd", "osquery", "fluentd", "td-agent", "fluent-bit", "omsagent", "auoms", "azuremonitoragent", "nxlog", "newsyslog", "kauditd", "laurel", "sysmon", "splunk", "SplunkForwarder":
		return &loggingImpaired, "what logs or audits"
	case "ufw", "firewalld", "iptables", "ip6tables", "nftables", "shorewall", "pf", "apf", "csf", "lfd":
		return &firewallOff, "the firewall"
	case "apparmor", "selinux", "clamav-daemon", "clamd", "clamav-freshclam", "freshclam", "fail2ban", "falcon-sensor", "falcond", "cbdaemon", "cbagentd", "cbsensor", "mdatp", "wazuh-agent", "ossec", "ossec-hids", "sentinelone", "sentinelagent", "esets", "sophos-spl", "sav-protect", "ds_agent", "xagt", "traps_pmd", "cylancesvc", "aide", "aliyun-service",
		"aegis", "aliyun", "cloudmonitor", "qcloud", "bcm-agent", "YDService", "YDEdr", "elastic-agent", "elastic-endpoint", "rkhunter", "tripwire", "snort", "suricata", "crowdsec", "sshguard", "denyhosts", "nessusd", "qualys-cloud-agent", "mfetpd", "isectpd", "falco", "tetragon", "samhain", "ir_agent", "bulkhead", "bulkhead-agent", "waagent", "walinuxagent":
		return &protectionOff, "what protects the machine"
	}
	return nil, ""
}

// onServices: services are stopped, by systemctl or by a signal. What protects the machine or keeps its logs is one matter, other services another; several in a short time are
// more than one.
func onServices(s *step, c *Command) {
	verb, names := "", c.operands()
	switch c.Name {
	case "systemctl", "initctl", "rc-service", "service", "snap":
		if len(names) < 2 {
			return
		}
		verb, names = names[0], names[1:]
		if c.Name == "service" || c.Name == "rc-service" {
			verb, names = names[0], []string{verb}
		}
	case "update-rc.d", "rc-update", "chkconfig":
		if len(names) < 2 {
			return
		}
		verb, names = names[1], names[:1]
		if names[0] == "del" {
			verb, names = "disable", c.operands()[1:]
		}
		if verb == "off" || verb == "remove" {
			verb = "disable"
		}
	case "sysrc":
		if len(names) > 0 && strings.HasSuffix(strings.ToLower(names[0]), `_enable="no"`) {
			verb, names = "disable", []string{strings.Split(names[0], "_")[0]}
		}
	case "killall", "pkill", "skill":
		verb = "kill"
		for i, a := range c.Args {
			if (a == "-u" || a == "-U" || a == "-P" || a == "-t") && i+1 < len(c.Args) {
				return // by account or terminal
			}
		}
	case "kill":
		s.signal(c)
		return
	}
	switch verb {
	case "stop", "disable", "mask", "kill":
	case "start", "restart", "enable", "reload":
		s.startedService(verb, names)
		return
	default:
		return
	}
	if expected(s.process) {
		return
	}
	for _, n := range names {
		if a, what := guardService(n); a != nil {
			s.tell(a, 0.7, n, fmt.Sprintf("%s (%s) was stopped by %s", n, what, c.Name))
			continue
		}
		if n == "swap.target" || strings.HasSuffix(n, ".swap") {
			continue
		}
		if verb == "kill" && !serviceProgram(n) && !daemonName(strings.Trim(n, "^$")) {
			if minerName(n) {
				s.tell(&rivalKilled, 0.5, "", "a program that mines was ended: "+n)
			}
			continue
		}
		if verb == "kill" && daemonName(strings.Trim(n, "^$")) {
			s.tell(&daemonKilled, 0.5, n, fmt.Sprintf("%s was ended by a signal, past what manages services", n))
			continue
		}
		if strings.HasSuffix(n, ".timer") {
			s.tell(&timerStopped, 0.2, n, n+" was stopped")
			continue
		}
		s.stoppedService(n)
	}
}

// stoppedService: a service is stopped, or several are in a short time.
func (s *step) stoppedService(n string) {
	t := &s.session.stopped
	now := s.event.Millis
	if !recent(t.from, now, s.m.params.StopWindow) || t.names == nil {
		*t = stops{from: now, names: map[string]bool{}}
	}
	if len(t.names) < 64 {
		t.names[n] = true
	}
	if len(t.names) >= s.m.params.StopServices {
		s.tell(&servicesStopped, 0.6, "", fmt.Sprintf("%d services were stopped within %s", len(t.names), s.m.params.StopWindow))
		return
	}
	s.tell(&serviceStopped, 0.3, n, fmt.Sprintf("the service %s was stopped", n))
}

// startedService: services that hide who one is.
func (s *step) startedService(verb string, names []string) {
	for _, n := range names {
		switch strings.TrimSuffix(n, ".service") {
		case "tor", "privoxy", "i2pd", "i2p", "danted", "3proxy", "shadowsocks", "shadowsocks-libev", "v2ray", "xray", "squid-hidden", "openvpn-hidden":
			if verb != "reload" && !managed(s.process) {
				s.tell(&anonymized, 0.5, n, fmt.Sprintf("the service %s, which hides where connections come from, was started", n))
			}
		}
	}
}

func minerName(n string) bool {
	n = strings.ToLower(strings.Trim(n, "^$"))
	for _, m := range [...]string{"xmrig", "xmr-stak", "minerd", "cpuminer", "kinsing", "kdevtmpfsi", "sysrv", "cryptonight", "ccminer", "ethminer", "nanominer", "masscan"} {
		if strings.Contains(n, m) {
			return true
		}
	}
	return false
}

// signal: signals that no program of the system's uses, which kernel modules that hide things are told what to do with; and services ended by number.
func (s *step) signal(c *Command) {
	for i, a := range c.Args {
		n := strings.TrimPrefix(a, "-")
		if a == "-s" || a == "-n" || a == "--signal" {
			n = c.arg(i + 1)
		}
		switch n {
		case "31", "59", "60", "61", "62", "63", "64", "RTMAX", "SIGRTMAX", "SYS", "SIGSYS":
			if strings.HasPrefix(a, "-") && len(a) > 1 && i == 0 {
				s.tell(&rootkitSignal, 0.5, n, "the signal "+n+" was sent, which only modules of the kernel that hide things wait for")
			}
			return
		}
	}
	for i := range s.commands { // kill $(pgrep NAME)
		o := &s.commands[i]
		if (o.Name == "pgrep" || o.Name == "pidof") && len(o.operands()) > 0 && strings.Contains(strings.Join(c.Args, " "), o.Name) {
			n := o.operands()[len(o.operands())-1]
			if a, what := guardService(n); a != nil {
				s.tell(a, 0.7, n, fmt.Sprintf("%s (%s) was ended by kill", n, what))
			} else if daemonName(strings.Trim(n, "^$")) {
				s.tell(&daemonKilled, 0.5, n, fmt.Sprintf("%s was ended by a signal, past what manages services", n))
			} else if serviceProgram(n) {
				s.stoppedService(n)
			}
		}
	}
}

// stops are the services that a session stopped lately.
type stops struct {
	from  int64
	names map[string]bool
}
