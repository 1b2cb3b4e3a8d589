package detect

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// TestSweep: of programs that started hours ago, those are remembered that may still run and matter.
func TestSweep(t *testing.T) {
	t.Parallel()
	d := &dayOf{now: 1e12, pid: 1000, session: linuxaudit.Unset, auid: linuxaudit.Unset}
	d.m = New(DefaultParams(), nil, func(*Finding) {})
	d.boot()
	web := d.start(1, "/", "/usr/bin/redis-server *:6379")
	script := d.job("/", "/bin/sh /usr/local/bin/nightly")
	grep := d.start(script, "/", "grep -r x /srv")
	own := d.start(script, "/", "/srv/app/worker")
	python := d.start(1, "/", "/usr/bin/python3 /srv/app/serve.py")
	d.session, d.auid = 5, 1000
	shell := d.start(700, "/home/a", "/bin/bash")
	d.session, d.auid = linuxaudit.Unset, linuxaudit.Unset
	quiet := d.job("/", "/bin/sh /usr/local/bin/other")
	if d.m.Process(grep) == nil {
		t.Error("a tool is forgotten at once")
	}
	d.hours(9)
	for name, pid := range map[string]uint32{"a daemon": 700, "a server in /usr/bin": web, "a program of the user's own": own, "who started it": script, "an interpreter that init started": python, "somebody's shell": shell} {
		if d.m.Process(pid) == nil {
			t.Errorf("%s is forgotten", name)
		}
	}
	for name, pid := range map[string]uint32{"a tool": grep, "a script of cron's": quiet} {
		if d.m.Process(pid) != nil {
			t.Errorf("%s is remembered", name)
		}
	}
	child := d.start(own, "/", "/bin/sh -i")
	if p := d.m.Process(child).Parent; p == nil || p.Parent == nil || p.Parent.PID != script || p.Session != p.Parent.Session {
		t.Errorf("its parents are lost: %+v", p)
	}
}
