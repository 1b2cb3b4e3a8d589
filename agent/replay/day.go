package replay

import (
	"fmt"
	"strings"
	"time"
)

// unset is the session and account of what isn't part of a sign-in.
const unset = 1<<32 - 1

// Day writes what a server does on which little happens: it boots with sixty services, somebody signs in six times and looks around, cron and timers do their work for a day.
func Day(l *Log) {
	d := day{l}
	d.start(1, "/", "/usr/sbin/cron -f")
	sshd := d.start(1, "/", "/usr/sbin/sshd -D")
	d.boot()
	for n := range 6 {
		d.signIn(sshd, uint32(n+1))
		d.hours(3)
	}
	d.hours(6)
}

type day struct{ *Log }

// start starts a program outside of sign-ins; a name without a folder is in /usr/bin.
func (d day) start(parent uint32, dir, line string) uint32 {
	return d.run(Process{Parent: parent, AUID: unset, Session: unset, Dir: dir}, line)
}

func (d day) run(p Process, line string) uint32 {
	p.PID = d.PID()
	args := strings.Fields(line)
	file := args[0]
	if file[0] != '/' {
		file = "/usr/bin/" + file
	}
	d.Exec(p, file, args)
	return p.PID
}

func (d day) boot() {
	for i := range 60 {
		d.start(1, "/", fmt.Sprintf("/usr/lib/systemd/systemd-helper%d --unit %d", i, i))
		sh := d.start(1, "/", fmt.Sprintf("/bin/sh -c /usr/libexec/prepare%d", i))
		for _, c := range []string{"mkdir -p /run/service%d", "chown daemon /run/service%d", "grep -q enabled /etc/default/service%d"} {
			d.start(sh, "/", fmt.Sprintf(c, i))
		}
		d.start(1, "/", fmt.Sprintf("/usr/sbin/daemon%d --foreground --config /etc/daemon%d.conf", i, i))
	}
}

// signIn is a person with a terminal, who sees the message of the day and types some commands.
func (d day) signIn(sshd, session uint32) {
	d.SignIn("alice", fmt.Sprintf("192.0.2.%d", session), 1000, session, true)
	p := Process{Parent: sshd, AUID: 1000, Session: session, Dir: "/"}
	p.Parent = d.run(p, "/usr/sbin/sshd -D -R")
	motd, shell := p, p
	motd.Parent = d.run(motd, "/usr/bin/run-parts --lsbsysinit /etc/update-motd.d")
	for i := range 10 {
		part := motd
		part.Parent = d.run(part, fmt.Sprintf("/bin/sh /etc/update-motd.d/%d-part", i))
		for _, c := range []string{"uname -r", "cut -d= -f2", "cat /var/lib/update-notifier/updates-available"} {
			d.run(part, c)
		}
	}
	shell.TTY, shell.UID, shell.Dir = "pts0", 1000, "/srv/app"
	shell.Parent = d.run(shell, "/bin/bash")
	for i := range 40 {
		d.run(shell, fmt.Sprintf([]string{"ls -l releases/%d", "tail -n %d log/production.log", "git log -n %d", "vim config/%d.yml"}[i%4], 100*int(session)+i))
	}
}

// job is what cron starts: it forks first, which no record tells of.
func (d day) job(dir, line string) uint32 { return d.start(d.PID(), dir, line) }

// hours is what cron and timers do.
func (d day) hours(n int) {
	for h := range n {
		for range 6 {
			d.Wait(10 * time.Minute)
			sh := d.job("/root", "/bin/sh -c debian-sa1")
			sa := d.start(sh, "/root", "/bin/sh /usr/lib/sysstat/debian-sa1 1 1")
			d.start(sa, "/root", "/usr/lib/sysstat/sadc -F -L -S DISK 1 1 /var/log/sysstat")
		}
		sh := d.job("/", "/bin/sh -c hourly")
		d.start(sh, "/", "/usr/bin/run-parts --report /etc/cron.hourly")
		if h%6 == 5 {
			apt := d.start(1, "/", "/bin/sh /usr/lib/apt/apt.systemd.daily update")
			for i := range 20 {
				d.start(apt, "/", fmt.Sprintf("/usr/bin/apt-config shell Value%d APT::Periodic::Value%d", i, i))
			}
		}
	}
}
