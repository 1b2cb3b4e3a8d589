package activity

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// tell says in a line what an event tells.
func tell(e *Event) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s ok=%v", e.Kind, e.Success)
	if e.Process.PID != 0 {
		fmt.Fprintf(b, " pid=%d", e.Process.PID)
	}
	if e.Call != "" {
		fmt.Fprintf(b, " %s", e.Call)
	}
	if e.Kind == Exec {
		fmt.Fprintf(b, " %q in %s of %s, %d missing", e.Command.Line, e.Command.Dir, e.Command.File, e.Command.Missing)
	}
	for _, f := range e.Files {
		fmt.Fprintf(b, " %s:%o", f.Name, f.Mode)
		if f.New {
			b.WriteString(":new")
		}
	}
	if e.Mode != 0 {
		fmt.Fprintf(b, " mode=%o", e.Mode)
	}
	if e.Remote.Addr.IsValid() {
		fmt.Fprintf(b, " %s", e.Remote.Addr)
	}
	if e.Remote.Path != nil {
		fmt.Fprintf(b, " %q", e.Remote.Path)
	}
	if a := &e.SignIn; a.Account != nil {
		fmt.Fprintf(b, " account=%s from=%v unknown=%v", a.Account, a.Addr, a.Unknown)
	}
	if e.Op != nil {
		fmt.Fprintf(b, " op=%s", e.Op)
	}
	if e.Subject != nil {
		fmt.Fprintf(b, " subject=%s", e.Subject)
	}
	if e.Began {
		b.WriteString(" began")
	}
	return b.String()
}

func TestAudit(t *testing.T) {
	t.Parallel()
	call := func(number int, args, more string) string {
		return fmt.Sprintf("type=SYSCALL msg=audit(10.000:1): arch=c000003e syscall=%d success=yes exit=0 %s ppid=1 pid=7 auid=1000 uid=0 euid=0 ses=2 comm=\"x\" exe=\"/usr/bin/x\"\n%s", number, args, more)
	}
	rec := func(typ, body string) string { return "type=" + typ + " msg=audit(10.000:1): " + body + "\n" }
	for name, c := range map[string]struct{ text, want string }{
		"a command": {
			call(59, "a0=1", rec("EXECVE", `argc=3 a0="grep" a1=6D6F64656C206E616D65 a2="f"`)+rec("CWD", `cwd="/srv"`)+rec("PATH", `item=0 name="./go" mode=0100755 nametype=NORMAL`)+rec("PATH", `item=1 name="/lib64/ld" nametype=NORMAL`)),
			`exec ok=true pid=7 execve "grep model name f" in /srv of /srv/go, 0 missing /srv/go:100755`,
		},
		"above its directory":       {call(59, "a0=1", rec("EXECVE", `argc=1 a0="x"`)+rec("CWD", `cwd="/srv/a"`)+rec("PATH", `item=0 name="../b//c" mode=0100755`)), `exec ok=true pid=7 execve "x" in /srv/a of /srv/b/c, 0 missing /srv/b/c:100755`},
		"a command, its title only": {call(59, "a0=1", rec("PROCTITLE", "proctitle=6C73002D6C")), `exec ok=true pid=7 execve "ls -l" in  of , 1 missing`},
		"a machine not known here":  {strings.Replace(call(59, "a0=1", rec("EXECVE", `argc=1 a0="x"`)), "c000003e", "c00000f3", 1), `exec ok=true pid=7 "x" in  of , 0 missing`},
		"32 bits":                   {strings.Replace(call(11, "a0=1", rec("EXECVE", `argc=1 a0="x"`)), "c000003e", "40000003", 1), `exec ok=true pid=7 execve "x" in  of , 0 missing`},
		"ARM":                       {strings.Replace(call(203, "a0=1", rec("SOCKADDR", "saddr=020000160A0000010000000000000000")), "c000003e", "c00000b7", 1), `connect ok=true pid=7 connect 10.0.0.1:22`},
		"a connection":              {call(42, "a0=3", rec("SOCKADDR", "saddr=020000160A0000010000000000000000")), `connect ok=true pid=7 connect 10.0.0.1:22`},
		"a connection begun":        {strings.Replace(call(42, "a0=3", rec("SOCKADDR", "saddr=020000160A0000010000000000000000")), "success=yes exit=0", "success=no exit=-115", 1), `connect ok=true pid=7 connect 10.0.0.1:22`},
		"a Unix socket":             {call(42, "a0=3", rec("SOCKADDR", "saddr=01002F72756E2F7800")), `connect ok=true pid=7 connect "/run/x"`},
		"no address":                {call(42, "a0=3", ""), `other ok=true pid=7 connect`},
		"a new file":                {call(257, "a0=ffffff9c a1=1 a2=241 a3=1b6", rec("CWD", `cwd="/tmp"`)+rec("PATH", `item=0 name="/tmp" mode=041777 nametype=PARENT`)+rec("PATH", `item=1 name="kit" mode=0100644 nametype=CREATE`)), `write ok=true pid=7 openat /tmp/kit:100644:new`},
		"a file only read":          {call(257, "a0=ffffff9c a1=1 a2=0 a3=0", rec("PATH", `item=0 name="/etc/shadow" mode=0100640 nametype=NORMAL`)), `other ok=true pid=7 openat /etc/shadow:100640`},
		"removed":                   {call(263, "a0=ffffff9c", rec("PATH", `item=0 name="/tmp/" nametype=PARENT`)+rec("PATH", `item=1 name="/tmp/kit" mode=0100755 nametype=DELETE`)), `delete ok=true pid=7 unlinkat /tmp/kit:100755`},
		"made executable":           {call(268, "a0=ffffff9c a1=5 a2=1ed a3=0", rec("PATH", `item=0 name="/tmp/kit" mode=0100644 nametype=NORMAL`)), `chmod ok=true pid=7 fchmodat /tmp/kit:100644 mode=755`},
		"a module":                  {call(313, "a0=3", rec("KERN_MODULE", `name="rootkit"`)), `module ok=true pid=7 finit_module subject=rootkit`},
		"rules changed by a call":   {call(44, "a0=3", rec("CONFIG_CHANGE", `auid=1000 ses=2 op=remove_rule key="exec" list=4 res=1`)), `audit ok=true pid=7 sendto op=remove_rule subject=exec`},
		"auditing switched off":     {rec("CONFIG_CHANGE", `op=set audit_enabled=0 old=1 auid=1000 ses=2 res=1`), `audit ok=true op=set`},
		"the daemon ends":           {rec("DAEMON_END", `op=terminate auid=0 pid=22 subj=unconfined res=success`), `audit ok=true pid=22 op=terminate`},
		"a password":                {rec("USER_AUTH", `pid=9 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:authentication acct="root" exe="/usr/sbin/sshd" hostname=1.2.3.4 addr=1.2.3.4 terminal=ssh res=failed'`), `auth ok=false pid=9 account=root from=1.2.3.4 unknown=false op=PAM:authentication`},
		"nobody's":                  {rec("USER_LOGIN", `pid=9 uid=0 auid=4294967295 ses=4294967295 msg='op=login acct=28696E76616C6964207573657229 exe="/usr/sbin/sshd" hostname=? addr=1.2.3.4 terminal=ssh res=failed'`), `signin ok=false pid=9 account=(invalid user) from=1.2.3.4 unknown=true op=login`},
		"by number":                 {rec("USER_LOGIN", `pid=9 uid=0 auid=1000 ses=3 msg='op=login id=1000 exe="/usr/sbin/sshd" hostname=1.2.3.4 addr=1.2.3.4 terminal=/dev/pts/0 res=success'`), `signin ok=true pid=9 account=1000 from=1.2.3.4 unknown=false op=login`},
		"sudo":                      {rec("USER_CMD", `pid=9 uid=1000 auid=1000 ses=3 msg='cwd="/srv" cmd=636174202F6574632F736861646F77 terminal=pts/0 res=success'`), `exec ok=true pid=9 "cat /etc/shadow" in /srv of , 0 missing`},
		"a new account":             {rec("ADD_USER", `pid=9 uid=0 auid=1000 ses=3 msg='op=add-user acct="eve" exe="/usr/sbin/useradd" hostname=? addr=? terminal=? res=success'`), `account ok=true pid=9 account=eve from=invalid IP unknown=false op=add-user subject=eve`},
		"a service ends":            {rec("SERVICE_STOP", `pid=1 uid=0 auid=4294967295 ses=4294967295 msg='unit=auditd comm="systemd" exe="/usr/lib/systemd/systemd" hostname=? addr=? terminal=? res=success'`), `service ok=true pid=1 subject=auditd`},
		"a crash":                   {rec("ANOM_ABEND", `auid=1000 uid=48 gid=48 ses=2 pid=31 comm="httpd" exe="/usr/sbin/httpd" sig=11`), `abnormal ok=false pid=31 op=ANOM_ABEND`},
		"something else":            {rec("NETFILTER_CFG", `table=filter family=2 entries=4`), `other ok=false`},
	} {
		var got []string
		var n Normalizer
		r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { got = append(got, tell(n.Audit(e))) })
		for line := range strings.Lines(c.text) {
			r.Line([]byte(line))
		}
		r.Flush()
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got, " | "), c.want)
		}
	}
}

// FuzzAudit: no event of any records panics, and every file named is whole.
func FuzzAudit(f *testing.F) {
	f.Add([]byte(`type=SYSCALL msg=audit(10.000:1): arch=c000003e syscall=59 a0=1` + "\n" + `type=EXECVE msg=audit(10.000:1): argc=1 a0="x"` + "\n" + `type=CWD msg=audit(10.000:1): cwd="/a"` + "\n" + `type=PATH msg=audit(10.000:1): item=0 name="../x/./y"`))
	f.Add([]byte(`type=USER_CMD msg=audit(10.000:1): msg='cmd=6C73 cwd="/" res=success'` + "\n" + `type=CONFIG_CHANGE msg=audit(10.000:2): op=set audit_enabled=0`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var n Normalizer
		r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
			out := n.Audit(e)
			for _, file := range out.Files {
				if len(file.Name) > 0 && file.Name[0] == '/' && path.Clean(string(file.Name)) != string(file.Name) {
					t.Errorf("%q is not cleaned", file.Name)
				}
			}
			_ = tell(out)
		})
		for line := range strings.Lines(string(text)) {
			r.Line([]byte(line))
		}
		r.Flush()
	})
}

// BenchmarkAudit is the cost of an event beyond reading its records.
func BenchmarkAudit(b *testing.B) {
	text := "type=SYSCALL msg=audit(10.000:1): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=7 auid=1000 uid=0 ses=2 comm=\"x\" exe=\"/usr/bin/x\"\ntype=EXECVE msg=audit(10.000:1): argc=3 a0=\"grep\" a1=6D6F64656C a2=\"f\"\n" +
		"type=CWD msg=audit(10.000:1): cwd=\"/srv\"\ntype=PATH msg=audit(10.000:1): item=0 name=\"./go\"\n"
	var n Normalizer
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		bar := benchbar.Start(b)
		for range b.N {
			if n.Audit(e).Kind != Exec {
				b.Fatal("not a command")
			}
		}
		bar.Allocs(0.1)
	})
	for line := range strings.Lines(text) {
		r.Line([]byte(line))
	}
	r.Flush()
}
