package replay

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// work is one thing that an ordinary machine does: a program, its arguments and where it is started.
type work struct {
	file string
	args []string
	dir  string
}

// ordinary is what machines do on which programs are built, packages installed and jobs run. Arguments with %d get a number.
var ordinary = [...]work{
	{"/usr/bin/git", []string{"git", "rev-parse", "--show-toplevel"}, "/srv/build/project"},
	{"/usr/bin/git", []string{"git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch"}, "/srv/build/project"},
	{"/bin/sh", []string{"sh", "-c", "test -d node_modules && echo yes || echo no"}, "/srv/build/web"},
	{"/usr/bin/bash", []string{"bash", "scripts/build.sh", "--all", "-j4"}, "/srv/build/project"},
	{"/usr/bin/gcc", []string{"gcc", "-O2", "-g", "-Wall", "-I/usr/include/x86_64-linux-gnu", "-o", "build/part%d.o", "-c", "src/part%d.c"}, "/srv/build/project"},
	{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", []string{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-imultiarch", "x86_64-linux-gnu", "src/part%d.c", "-mtune=generic", "-march=x86-64", "-O2", "-o", "/tmp/cc%d.s"}, "/srv/build/project"},
	{"/usr/bin/as", []string{"as", "--64", "-o", "build/part%d.o", "/tmp/cc%d.s"}, "/srv/build/project"},
	{"/usr/local/go/pkg/tool/linux_amd64/compile", []string{"/usr/local/go/pkg/tool/linux_amd64/compile", "-o", "$WORK/b%d/_pkg_.a", "-trimpath", "$WORK/b%d=>", "-p", "internal/store", "-std", "-complete", "-buildid", "x%dy", "-goversion", "go1.26", "-c=2", "-shared", "-nolocalimports"}, "/srv/build/project"},
	{"/usr/bin/node", []string{"node", "/usr/bin/npm", "run", "build", "--workspace=web%d"}, "/srv/build/web"},
	{"/usr/bin/python3.11", []string{"python3", "-m", "pip", "install", "-r", "requirements.txt"}, "/srv/build/tools"},
	{"/usr/bin/sed", []string{"sed", "-e", "s/foo/bar%d/g", "config.in"}, "/srv/build/project"},
	{"/usr/bin/grep", []string{"grep", "--color=auto", "-rn", "TODO me", "."}, "/srv/build/project"},
	{"/usr/bin/cat", []string{"cat", "/etc/hosts"}, "/"},
	{"/usr/bin/rm", []string{"rm", "-f", "/tmp/cc%d.s"}, "/srv/build/project"},
	{"/usr/bin/mkdir", []string{"mkdir", "-p", "build/out%d"}, "/srv/build/project"},
	{"/usr/bin/dpkg", []string{"/usr/bin/dpkg", "--status-fd", "%d", "--configure", "--pending"}, "/"},
	{"/usr/bin/tar", []string{"tar", "xzf", "archive%d.tar.gz"}, "/srv/build/project"},
	{"/usr/bin/date", []string{"date", "+%%Y-%%m-%%dT%%H:%%M:%%S"}, "/"},
	{"/usr/bin/sleep", []string{"sleep", "0.%d"}, "/"},
	{"/usr/bin/systemctl", []string{"systemctl", "is-active", "nginx"}, "/"},
	{"/usr/bin/awk", []string{"awk", "{print $%d}"}, "/"},
	{"/usr/sbin/logrotate", []string{"/usr/sbin/logrotate", "/etc/logrotate.conf"}, "/"},
}

// Benign writes what an ordinary machine does: so many programs started, among files written and removed, connections opened, jobs and sign-ins of cron.
func Benign(l *Log, programs int, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	shell := Process{PID: l.PID(), Parent: 1200, AUID: 1000, UID: 1000, Session: 12, TTY: "pts0", Dir: "/srv/build/project"}
	for n := range programs {
		if n%50 == 0 {
			shell = Process{PID: l.PID(), Parent: 1200, AUID: 1000, UID: 1000, Session: uint32(12 + n%400/100), TTY: "pts0", Dir: "/srv/build/project"}
		}
		w := &ordinary[rnd.IntN(len(ordinary))]
		args := make([]string, len(w.args))
		for i, a := range w.args {
			args[i] = a
			for j := range len(a) {
				if a[j] == '%' {
					args[i] = fmt.Sprintf(a, []any{rnd.IntN(1000), rnd.IntN(1000)}[:count(a)]...)
					break
				}
			}
		}
		p := shell
		p.PID, p.Parent, p.Dir = l.PID(), shell.PID, w.dir
		l.Exec(p, w.file, args)
		switch rnd.IntN(12) {
		case 0, 1:
			l.File(p, w.file, 257, fmt.Sprintf("/srv/build/project/build/part%d.o", rnd.IntN(1000)), "CREATE")
		case 2:
			l.File(p, w.file, 87, fmt.Sprintf("/tmp/cc%d.s", rnd.IntN(1000)), "DELETE")
		case 3:
			l.Connect(p, w.file, [4]byte{10, 0, 0, byte(1 + rnd.IntN(20))}, 443)
		case 4:
			l.job(uint32(100 + n))
		}
		l.Wait(time.Duration(rnd.IntN(200)) * time.Millisecond)
	}
}

// count is how many numbers a text has room for.
func count(format string) (n int) {
	for i := 0; i+1 < len(format); i++ {
		if format[i] == '%' {
			i++
			if format[i] == 'd' {
				n++
			}
		}
	}
	return n
}

// File writes a call about one file of a folder: its number as of x86-64, and what became of the file as the kernel says it.
func (l *Log) File(p Process, image string, call int, name, became string) {
	stamp := l.stamp()
	l.record("SYSCALL", stamp, fmt.Sprintf("arch=c000003e syscall=%d success=yes exit=3 a0=ffffff9c a1=7ffe2f40 a2=241 a3=1b6 items=2 ppid=%d pid=%d auid=%d uid=%d gid=%d euid=%d suid=%d fsuid=%d egid=%d sgid=%d fsgid=%d tty=pts0 ses=%d comm=%s exe=%s key=\"files\"",
		call, p.Parent, p.PID, p.AUID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.Session, text(comm(image)), text(image)))
	l.record("CWD", stamp, "cwd="+text(p.Dir))
	l.record("PATH", stamp, "item=0 name="+text(name[:len(name)-len(comm(name))])+" inode=10 dev=08:01 mode=040755 ouid=1000 ogid=1000 rdev=00:00 nametype=PARENT cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0")
	l.record("PATH", stamp, "item=1 name="+text(name)+" inode=11 dev=08:01 mode=0100644 ouid=1000 ogid=1000 rdev=00:00 nametype="+became+" cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0")
	l.record("PROCTITLE", stamp, "proctitle="+text(image))
	l.Wait(2 * time.Millisecond)
}

// job writes what cron tells of a job that begins and ends.
func (l *Log) job(session uint32) {
	who := fmt.Sprintf("pid=%d uid=0 auid=0 ses=%d subj=unconfined msg='", l.PID(), session)
	for _, r := range [...][2]string{
		{"USER_ACCT", "op=PAM:accounting grantors=pam_permit"},
		{"CRED_ACQ", "op=PAM:setcred grantors=pam_permit"},
		{"USER_START", "op=PAM:session_open grantors=pam_loginuid,pam_env,pam_permit,pam_unix,pam_limits"},
		{"CRED_DISP", "op=PAM:setcred grantors=pam_permit"},
		{"USER_END", "op=PAM:session_close grantors=pam_loginuid,pam_env,pam_permit,pam_unix,pam_limits"},
	} {
		l.record(r[0], l.stamp(), who+r[1]+` acct="root" exe="/usr/sbin/cron" hostname=? addr=? terminal=cron res=success'`)
	}
	l.Wait(time.Millisecond)
}

// Take is the text of both logs so far, which begin anew.
func (l *Log) Take() (audit, auth string) {
	audit, auth = l.audit.String(), l.auth.String()
	l.audit.Reset()
	l.auth.Reset()
	return audit, auth
}
