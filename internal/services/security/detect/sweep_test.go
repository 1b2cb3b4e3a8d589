package detect

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// started tells a machine of programs.
type started struct {
	m       *Machine
	now     int64
	pid     uint32
	session uint32
}

func (d *started) start(parent uint32, line string) uint32 {
	d.pid++
	d.now += 20
	args := strings.Fields(line)
	e := activity.Event{
		Kind: activity.Exec, Millis: d.now, Success: true, Call: "execve", Process: activity.Process{PID: d.pid, Parent: parent, AUID: linuxaudit.Unset, Session: d.session, Image: []byte(args[0])},
		Command: activity.Command{Line: []byte(line), Dir: []byte("/"), File: []byte(args[0])},
	}
	if d.session != linuxaudit.Unset {
		e.Process.TTY = []byte("pts0")
	}
	for _, a := range args {
		e.Command.Args = append(e.Command.Args, []byte(a))
	}
	d.m.Apply(&e)
	return d.pid
}

// job is what cron starts: it forks first, which nobody is told of.
func (d *started) job(line string) uint32 {
	d.pid++
	return d.start(d.pid, line)
}

// TestSweep: of programs that started hours ago, those are remembered that may still run and matter.
func TestSweep(t *testing.T) {
	t.Parallel()
	d := &started{now: 1e12, pid: 1000, session: linuxaudit.Unset}
	d.m = New(DefaultParams(), nil, func(*Finding) {})
	sshd := d.start(1, "/usr/sbin/sshd -D")
	web := d.start(1, "/usr/bin/redis-server *:6379")
	script := d.job("/bin/sh /usr/local/bin/nightly")
	grep := d.start(script, "/usr/bin/grep -r x /srv")
	own := d.start(script, "/srv/app/worker")
	python := d.start(1, "/usr/bin/python3 /srv/app/serve.py")
	d.session = 5
	shell := d.start(sshd, "/bin/bash")
	d.session = linuxaudit.Unset
	quiet := d.job("/bin/sh /usr/local/bin/other")
	if d.m.Process(grep) == nil {
		t.Error("a tool is forgotten at once")
	}
	for range 9 {
		for range 20 {
			d.job("/bin/sh -c true")
		}
		d.now += hour
	}
	for name, pid := range map[string]uint32{"a daemon": sshd, "a server in /usr/bin": web, "a program of the user's own": own, "who started it": script, "an interpreter that init started": python, "somebody's shell": shell} {
		if d.m.Process(pid) == nil {
			t.Errorf("%s is forgotten", name)
		}
	}
	for name, pid := range map[string]uint32{"a tool": grep, "a script of cron's": quiet} {
		if d.m.Process(pid) != nil {
			t.Errorf("%s is remembered", name)
		}
	}
	child := d.start(own, "/bin/sh -i")
	if p := d.m.Process(child).Parent; p == nil || p.Parent == nil || p.Parent.PID != script || p.Session != p.Parent.Session {
		t.Errorf("its parents are lost: %+v", p)
	}
}
