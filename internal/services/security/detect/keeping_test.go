package detect

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// TestByHand: what people type is judged more mildly than what a text does that another program gave to a shell.
func TestByHand(t *testing.T) {
	t.Parallel()
	type start struct {
		parent int // index of the one above, -1: none
		file   string
		args   []string
	}
	for _, c := range []struct {
		name   string
		starts []start
		want   Severity
	}{
		{"typed", []start{{-1, "/usr/bin/bash", []string{"-bash"}}, {0, "/usr/sbin/reboot", []string{"reboot"}}}, Low},
		{"typed with sudo", []start{{-1, "/usr/bin/bash", []string{"-bash"}}, {0, "/usr/bin/sudo", []string{"sudo", "reboot"}}, {1, "/usr/sbin/reboot", []string{"reboot"}}}, Low},
		{"by ssh", []start{{-1, "/usr/sbin/sshd", []string{"sshd: x"}}, {0, "/usr/bin/bash", []string{"bash", "-c", "sudo reboot"}}, {1, "/usr/bin/sudo", []string{"sudo", "reboot"}}}, Low},
		{"announced", []start{{-1, "/usr/bin/python3", []string{"python3", "x.py"}}, {0, "/usr/sbin/shutdown", []string{"shutdown", "-r", "+5", "kernel update"}}}, Low},
		{"in a minute, told to nobody", []start{{-1, "/usr/bin/python3", []string{"python3", "x.py"}}, {0, "/usr/sbin/shutdown", []string{"shutdown", "-r"}}}, Low},
		{"by a script", []start{{-1, "/usr/bin/bash", []string{"-bash"}}, {0, "/usr/bin/bash", []string{"/bin/bash", "./x.sh"}}, {1, "/usr/sbin/halt", []string{"halt", "-f"}}}, Medium},
		{"by another program", []start{{-1, "/usr/bin/python3", []string{"python3", "x.py"}}, {0, "/usr/sbin/shutdown", []string{"shutdown", "-h", "now"}}}, Medium},
		{"by a shell of another program", []start{{-1, "/usr/bin/perl", []string{"perl", "x"}}, {0, "/usr/bin/sh", []string{"sh", "-c", "poweroff"}}}, Medium},
		{"by the package manager", []start{{-1, "/usr/bin/dpkg", []string{"dpkg", "--configure", "x"}}, {0, "/usr/sbin/reboot", []string{"reboot"}}}, Informational},
		{"by cron", []start{{-1, "/usr/sbin/cron", []string{"cron"}}, {0, "/usr/bin/sh", []string{"sh", "-c", "/usr/sbin/shutdown -r now"}}}, Low},
	} {
		worst := Informational
		m := New(DefaultParams(), ShippedIndicators(), func(f *Finding) { worst = max(worst, f.Alert.Severity) })
		for i, x := range c.starts {
			parent := uint32(500)
			if x.parent >= 0 {
				parent = uint32(1000 + x.parent)
			}
			args := make([][]byte, len(x.args))
			line := ""
			for j, a := range x.args {
				args[j] = []byte(a)
				if line += a; j+1 < len(x.args) {
					line += " "
				}
			}
			m.Apply(&activity.Event{
				Kind: activity.Exec, Success: true, Call: "execve", Millis: shellEpoch + int64(i)*50,
				Process: activity.Process{PID: uint32(1000 + i), Parent: parent, AUID: 1000, Session: 7, Image: []byte(x.file)},
				Command: activity.Command{Args: args, Line: []byte(line), Dir: []byte("/root"), File: []byte(x.file)},
			})
		}
		if worst != c.want {
			t.Errorf("%s: %s, want %s", c.name, worst, c.want)
		}
	}
}
