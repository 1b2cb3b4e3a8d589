package replay

import (
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"
)

// recordRoom is how many bytes of arguments the kernel puts into one EXECVE record.
const recordRoom = 7500

// Log is what a machine's audit and sign-in logs have come to hold. The zero value begins in 1970; set Now.
type Log struct {
	Now      time.Time
	Host     string
	audit    strings.Builder
	auth     strings.Builder
	serial   uint64
	lastPID  uint32
	Commands int // programs started
}

// Audit is the text of audit.log so far.
func (l *Log) Audit() string { return l.audit.String() }

// Auth is the text of auth.log so far.
func (l *Log) Auth() string { return l.auth.String() }

// Wait lets time pass.
func (l *Log) Wait(d time.Duration) { l.Now = l.Now.Add(d) }

// PID is a process number not used before.
func (l *Log) PID() uint32 {
	if l.lastPID == 0 {
		l.lastPID = 2000
	}
	l.lastPID++
	return l.lastPID
}

// Process is who does something.
type Process struct {
	PID, Parent        uint32
	AUID, UID, Session uint32
	TTY                string // "" is none
	Dir                string
}

// stamp begins an event and returns what its records have in common.
func (l *Log) stamp() string {
	l.serial++
	return fmt.Sprintf("msg=audit(%d.%03d:%d):", l.Now.Unix(), l.Now.Nanosecond()/1e6, l.serial)
}

func (l *Log) record(kind, stamp, body string) {
	fmt.Fprintf(&l.audit, "type=%s %s %s\n", kind, stamp, body)
}

// text writes a value that a user can choose, as the kernel does.
func text(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r == '"' || r < 0x21 || r > 0x7e }) {
		return strings.ToUpper(hex.EncodeToString([]byte(s)))
	}
	return `"` + s + `"`
}

// Exec writes the start of a program. file is what is started: of a script, its own name; the interpreter is then the first argument.
func (l *Log) Exec(p Process, file string, args []string) {
	l.Commands++
	stamp := l.stamp()
	image := file
	if strings.HasPrefix(args[0], "/") && path.Base(args[0]) != path.Base(file) && len(args) > 1 {
		image = args[0] // a script: what runs is its interpreter
	}
	tty := p.TTY
	if tty == "" {
		tty = "(none)"
	}
	l.record("SYSCALL", stamp, fmt.Sprintf("arch=c000003e syscall=59 success=yes exit=0 a0=55d0 a1=55d1 a2=55d2 a3=8 items=2 ppid=%d pid=%d auid=%d uid=%d gid=%d euid=%d suid=%d fsuid=%d egid=%d sgid=%d fsgid=%d tty=%s ses=%d comm=%s exe=%s key=%s",
		p.Parent, p.PID, p.AUID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, p.UID, tty, p.Session, text(comm(file)), text(image), `"exec"`))
	for _, r := range ExecRecords(args, recordRoom) {
		l.record("EXECVE", stamp, r)
	}
	l.record("CWD", stamp, "cwd="+text(p.Dir))
	l.record("PATH", stamp, "item=0 name="+text(file)+" inode=1 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL")
	l.record("PATH", stamp, `item=1 name="/lib64/ld-linux-x86-64.so.2" inode=2 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL`)
	title := strings.Join(args, "\x00")
	l.record("PROCTITLE", stamp, "proctitle="+text(title[:min(len(title), 128)]))
	l.Wait(20 * time.Millisecond)
}

// comm is a program's short name.
func comm(file string) string {
	b := path.Base(file)
	return b[:min(len(b), 15)]
}

// ExecRecords are the bodies of the EXECVE records for a command line: at most room bytes of arguments in each, long arguments in pieces.
func ExecRecords(args []string, room int) (records []string) {
	b := &strings.Builder{}
	fmt.Fprintf(b, "argc=%d", len(args))
	left := room
	flush := func() {
		records = append(records, b.String())
		b.Reset()
		left = room
	}
	for i, a := range args {
		whole := text(a)
		if len(whole)+8 <= room {
			if len(whole)+8 > left {
				flush()
			}
			fmt.Fprintf(b, " a%d=%s", i, whole)
			left -= len(whole) + 8
			continue
		}
		show := func(s string) string { return `"` + s + `"` }
		length := len(a)
		if whole[0] != '"' {
			show = func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }
			length *= 2
		}
		for n := 0; a != ""; n++ {
			if left < 40 {
				flush()
			}
			if n == 0 {
				fmt.Fprintf(b, " a%d_len=%d", i, length)
			}
			piece := a[:min(len(a), max(1, (left-30)/2))]
			a = a[len(piece):]
			fmt.Fprintf(b, " a%d[%d]=%s", i, n, show(piece))
			flush()
		}
	}
	if b.Len() > 0 {
		records = append(records, b.String())
	}
	return records
}

// SignIn writes a sign-in by password, as sshd tells it to both logs; the session that begins has the number given. A failed one begins none.
func (l *Log) SignIn(account, addr string, uid, session uint32, ok bool) {
	port := 40000 + l.serial%20000
	word, res := "Failed", "failed"
	if ok {
		word, res = "Accepted", "success"
	}
	fmt.Fprintf(&l.auth, "%s %s sshd[%d]: %s password for %s from %s port %d ssh2\n", l.Now.Format(time.RFC3339Nano), l.Host, l.PID(), word, account, addr, port)
	who := fmt.Sprintf("pid=%d uid=0 auid=4294967295 ses=4294967295", l.lastPID)
	if ok {
		who = fmt.Sprintf("pid=%d uid=0 auid=%d ses=%d", l.lastPID, uid, session)
	}
	l.record("USER_LOGIN", l.stamp(), who+` msg='op=login acct=`+text(account)+` exe="/usr/sbin/sshd" hostname=`+addr+" addr="+addr+" terminal=ssh res="+res+"'")
	l.Wait(50 * time.Millisecond)
}

// Connect writes the opening of a connection to an IPv4 address.
func (l *Log) Connect(p Process, image string, addr [4]byte, port uint16) {
	stamp := l.stamp()
	l.record("SYSCALL", stamp, fmt.Sprintf("arch=c000003e syscall=42 success=no exit=-115 a0=3 a1=7ffe a2=10 a3=0 items=0 ppid=%d pid=%d auid=%d uid=%d gid=%d euid=%d tty=(none) ses=%d comm=%s exe=%s key=\"net\"",
		p.Parent, p.PID, p.AUID, p.UID, p.UID, p.UID, p.Session, text(comm(image)), text(image)))
	l.record("SOCKADDR", stamp, fmt.Sprintf("saddr=0200%04X%02X%02X%02X%02X0000000000000000", port, addr[0], addr[1], addr[2], addr[3]))
	l.record("PROCTITLE", stamp, "proctitle="+text(image))
	l.Wait(time.Millisecond)
}
