package detect

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// dayOf gives a machine what one does on an ordinary day: it boots, people sign in and look around, cron and timers do their work. Programs have numbers and arguments of the machine's own.
type dayOf struct {
	m        *Machine
	now      int64
	pid      uint32
	session  uint32
	auid     uint32
	programs int
}

func (d *dayOf) start(parent uint32, dir, line string) uint32 {
	d.pid++
	d.programs++
	d.now += 20
	args := strings.Fields(line)
	file := args[0]
	if file[0] != '/' {
		file = "/usr/bin/" + file
	}
	e := activity.Event{
		Kind: activity.Exec, Millis: d.now, Success: true, Call: "execve",
		Process: activity.Process{PID: d.pid, Parent: parent, AUID: d.auid, UID: 0, Session: d.session, Comm: []byte(base(file)), Image: []byte(file)},
		Command: activity.Command{Line: []byte(line), Dir: []byte(dir), File: []byte(file)},
	}
	if d.session != linuxaudit.Unset {
		e.Process.UID, e.Process.TTY = d.auid, []byte("pts0")
	}
	for _, a := range args {
		e.Command.Args = append(e.Command.Args, []byte(a))
	}
	d.m.Apply(&e)
	return d.pid
}

func (d *dayOf) boot() {
	d.daemon(650, "/usr/sbin/cron -f")
	d.daemon(700, "/usr/sbin/sshd -D")
	for i := range 60 {
		d.start(1, "/", fmt.Sprintf("/usr/lib/systemd/systemd-helper%d --unit %d", i, i))
		sh := d.start(1, "/", fmt.Sprintf("/bin/sh -c /usr/libexec/prepare%d --quiet", i))
		for _, c := range []string{"mkdir -p /run/service%d", "chown daemon /run/service%d", "grep -q enabled /etc/default/service%d"} {
			d.start(sh, "/", fmt.Sprintf(c, i))
		}
		d.start(1, "/", fmt.Sprintf("/usr/sbin/daemon%d --foreground --config /etc/daemon%d.conf", i, i))
	}
}

func (d *dayOf) daemon(pid uint32, line string) {
	next := d.pid
	d.pid = pid - 1
	d.start(1, "/", line)
	d.pid = next
}

// job is what cron starts: it forks first, which nobody is told of.
func (d *dayOf) job(dir, line string) uint32 {
	d.pid++
	return d.start(d.pid, dir, line)
}

// signIn is a person with a terminal, who sees the message of the day and types some commands.
func (d *dayOf) signIn(n int) {
	d.session, d.auid = uint32(n), 1000
	addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
	e := activity.Event{
		Kind: activity.SignIn, Millis: d.now, Success: true, Process: activity.Process{PID: d.pid, AUID: 1000, Session: d.session},
		SignIn: activity.Access{Account: []byte("alice"), Addr: addr, Method: []byte("publickey")},
	}
	d.m.Apply(&e)
	sshd := d.start(700, "/", "/usr/sbin/sshd -D -R")
	parts := d.start(sshd, "/", "/usr/bin/run-parts --lsbsysinit /etc/update-motd.d")
	for i := range 10 {
		sh := d.start(parts, "/", fmt.Sprintf("/bin/sh /etc/update-motd.d/%d-part", i))
		for _, c := range []string{"uname -r", "cut -d= -f2", "cat /var/lib/update-notifier/updates-available"} {
			d.start(sh, "/", c)
		}
	}
	shell := d.start(sshd, "/home/alice", "/bin/bash")
	for i := range 40 {
		d.start(shell, "/srv/app", fmt.Sprintf([]string{"ls -l releases/%d", "tail -n %d log/production.log", "git log -n %d", "vim config/%d.yml"}[i%4], 100*n+i))
	}
	d.session, d.auid = linuxaudit.Unset, linuxaudit.Unset
}

// hours is what cron and timers do.
func (d *dayOf) hours(n int) {
	for h := range n {
		for range 6 {
			d.now += 10 * 60_000
			sh := d.job("/root", "/bin/sh -c command -v debian-sa1 > /dev/null && debian-sa1 1 1")
			sa := d.start(sh, "/root", "/bin/sh /usr/lib/sysstat/debian-sa1 1 1")
			d.start(sa, "/root", "/usr/lib/sysstat/sadc -F -L -S DISK 1 1 /var/log/sysstat")
		}
		sh := d.job("/", "/bin/sh -c cd / && run-parts --report /etc/cron.hourly")
		d.start(sh, "/", "/usr/bin/run-parts --report /etc/cron.hourly")
		if h%6 == 5 {
			apt := d.start(1, "/", "/bin/sh /usr/lib/apt/apt.systemd.daily update")
			for i := range 20 {
				d.start(apt, "/", fmt.Sprintf("/usr/bin/apt-config shell Value%d APT::Periodic::Value%d", i, i))
			}
		}
	}
}

// TestIdleMemory: what is remembered of a machine that had an ordinary day and does little is at most 200 KiB.
func TestIdleMemory(t *testing.T) {
	const machines, most = 40, 200 << 10
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	intel := ShippedIndicators()
	machine := func(seed int) *dayOf {
		d := &dayOf{now: time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC).UnixMilli(), pid: uint32(800 + 7*seed), session: linuxaudit.Unset, auid: linuxaudit.Unset}
		d.m = New(DefaultParams(), intel, func(*Finding) {})
		d.boot()
		for n := range 6 {
			d.signIn(n + 1)
			d.hours(3)
		}
		d.hours(6)
		return d
	}
	machine(0) // what all have in common is there then
	before := heap()
	all := make([]*dayOf, machines)
	for i := range all {
		all[i] = machine(i)
	}
	each := (heap() - before) / machines
	if d := all[0]; d.m.Process(650) == nil || d.m.Process(700) == nil || d.m.Process(700).Parent != nil {
		t.Error("daemons are forgotten")
	}
	t.Logf("%d programs on each, %d of them and %d sessions remembered: %d KiB", all[0].programs, all[0].m.processes.Len(), all[0].m.sessions.Len(), each>>10)
	if each > most {
		t.Errorf("a machine takes %d KiB; want at most %d", each>>10, most>>10)
	}
	runtime.KeepAlive(all)
}
