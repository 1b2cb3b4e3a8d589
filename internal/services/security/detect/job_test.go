package detect

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// cronLog is what the kernel and cron write when a job runs: cron's own fork starts no program, so nobody tells of it but its session.
const cronLog = `type=USER_ACCT msg=audit(1700000000.100:501): pid=7001 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:accounting grantors=pam_permit acct="root" exe="BY" hostname=? addr=? terminal=cron res=success'
type=LOGIN msg=audit(1700000000.101:502): pid=7001 uid=0 old-auid=4294967295 auid=0 tty=(none) old-ses=4294967295 ses=31 res=1
type=USER_START msg=audit(1700000000.102:503): pid=7001 uid=0 auid=0 ses=31 msg='op=PAM:session_open grantors=pam_loginuid acct="root" exe="BY" hostname=? addr=? terminal=cron res=success'
type=SYSCALL msg=audit(1700000000.110:504): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=8 items=2 ppid=7001 pid=7002 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=31 comm="sh" exe="/usr/bin/dash" key="exec"
type=EXECVE msg=audit(1700000000.110:504): argc=3 a0="/bin/sh" a1="-c" a2="/opt/nightly.sh"
type=CWD msg=audit(1700000000.110:504): cwd="/root"
type=PATH msg=audit(1700000000.110:504): item=0 name="/bin/sh" inode=7 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
type=SYSCALL msg=audit(1700000000.120:505): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=8 items=2 ppid=7002 pid=7003 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=31 comm="nightly.sh" exe="/usr/bin/bash" key="exec"
type=EXECVE msg=audit(1700000000.120:505): argc=2 a0="/bin/bash" a1="/opt/nightly.sh"
type=CWD msg=audit(1700000000.120:505): cwd="/root"
type=PATH msg=audit(1700000000.120:505): item=0 name="/opt/nightly.sh" inode=8 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
type=SYSCALL msg=audit(1700000000.130:506): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=8 items=2 ppid=7003 pid=7004 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=31 comm="cat" exe="/usr/bin/cat" key="exec"
type=EXECVE msg=audit(1700000000.130:506): argc=2 a0="cat" a1="/etc/shadow"
type=CWD msg=audit(1700000000.130:506): cwd="/root"
type=PATH msg=audit(1700000000.130:506): item=0 name="/usr/bin/cat" inode=9 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
`

// jobsOf are the jobs of what a log's shadow-reading raises; the agent adds hashes of what isn't the system's.
func jobsOf(log string, hash byte) (jobs []*Job) {
	m := New(DefaultParams(), ShippedIndicators(), func(f *Finding) {
		if f.Alert == &shadowRead {
			jobs = append(jobs, JobOf(f))
		}
	})
	var n activity.Normalizer
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		a := n.Audit(e)
		if hash != 0 && strings.HasPrefix(string(a.Command.File), "/opt/") {
			a.Command.SHA256 = bytes.Repeat([]byte{hash}, 32)
		}
		m.Apply(a)
	})
	for line := range strings.Lines(log) {
		r.Line([]byte(line))
	}
	r.Flush()
	return jobs
}

// TestJobOf: cron's jobs are known from its records, as jobs; the same of sshd, without the file's hash, or typed, are none. A job is another when its file is.
func TestJobOf(t *testing.T) {
	t.Parallel()
	by := func(program string) string { return strings.ReplaceAll(cronLog, "BY", program) }
	cron := by("/usr/sbin/cron")
	first := jobsOf(cron, 1)
	if len(first) != 1 || first[0] == nil || first[0].Script != "/opt/nightly.sh" || len(first[0].Shape) != 32 || first[0].SHA256 != strings.Repeat("01", 32) {
		t.Fatalf("%+v", first)
	}
	again := strings.NewReplacer("7001", "8001", "7002", "8002", "7003", "8003", "7004", "8004", "ses=31", "ses=77", "17000", "17001").Replace(cron)
	if got := jobsOf(again, 1); got[0] == nil || *got[0] != *first[0] {
		t.Errorf("the next day it is %+v", got[0])
	}
	if got := jobsOf(cron, 2); got[0] == nil || got[0].Shape == first[0].Shape {
		t.Errorf("with another file it is %+v", got[0])
	}
	for name, log := range map[string]string{
		"sshd": by("/usr/sbin/sshd"), "a cron of one's own": by("/tmp/cron"),
		"a terminal":                strings.ReplaceAll(cron, "tty=(none)", "tty=pts0"),
		"everybody's folder":        strings.ReplaceAll(cron, "/opt/", "/var/tmp/"),
		"a shell that reads":        strings.ReplaceAll(strings.ReplaceAll(cron, `argc=3 a0="/bin/sh" a1="-c" a2="/opt/nightly.sh"`, `argc=1 a0="/bin/sh"`), "/bin/sh -c", "/bin/sh"),
		"an interpreter that reads": strings.ReplaceAll(cron, `argc=3 a0="/bin/sh" a1="-c" a2="/opt/nightly.sh"`, `argc=2 a0="/bin/sh" a1="-s"`),
	} {
		for _, j := range jobsOf(log, 1) {
			if j != nil {
				t.Errorf("%s: %+v", name, j)
			}
		}
	}
	for _, j := range jobsOf(cron, 0) {
		if j != nil {
			t.Errorf("without a hash: %+v", j)
		}
	}
}
