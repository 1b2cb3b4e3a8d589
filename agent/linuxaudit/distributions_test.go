package linuxaudit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// say is what an event says, on a line.
func say(e *Event) string {
	var b strings.Builder
	if len(e.Node) > 0 {
		fmt.Fprintf(&b, "[%s] ", e.Node)
	}
	switch {
	case e.HasUser:
		u := &e.User
		fmt.Fprintf(&b, "%s acct=%q addr=%v op=%s ok=%v", u.Type, u.Account, u.Addr, u.Op, u.Success)
		for name, v := range map[string][]byte{"unit": u.Unit, "cmd": u.Command, "id": u.ID} {
			if len(v) > 0 {
				fmt.Fprintf(&b, " %s=%q", name, v)
			}
		}
	case e.HasExec:
		fmt.Fprintf(&b, "exec %s %q in %s auid=%d uid=%d ses=%d missing=%d", e.Call.Exe, e.Exec.Args, e.Cwd, e.Call.AUID, e.Call.UID, e.Call.Session, e.Exec.Missing)
	case e.HasPeer:
		fmt.Fprintf(&b, "call %d by %s to %v exit=%d", e.Call.Number, e.Call.Exe, e.Peer.Addr, e.Call.Exit)
	case e.HasCall:
		fmt.Fprintf(&b, "call %d by %s", e.Call.Number, e.Call.Exe)
	default:
		fmt.Fprintf(&b, "%s", e.Record(0).Type)
	}
	names := 0
	for i := range e.Len() {
		if len(e.Record(i).Enriched) > 0 {
			names++
		}
	}
	fmt.Fprintf(&b, " (%d records, %d with names)", e.Len(), names)
	return b.String()
}

// TestDistributions reads audit.log as the distributions' own settings make auditd write it.
func TestDistributions(t *testing.T) {
	const unset = `acct="" addr=invalid IP op= ok=true`
	for name, want := range map[string][]string{
		"debian-12": {
			"DAEMON_START (1 records, 1 with names)",
			"SERVICE_START " + unset + ` unit="ssh" (1 records, 1 with names)`,
			`USER_AUTH acct="root" addr=192.0.2.44 op=PAM:authentication ok=false (1 records, 1 with names)`,
			`USER_LOGIN acct="root" addr=192.0.2.44 op=login ok=false (1 records, 1 with names)`,
			`USER_ACCT acct="alice" addr=192.0.2.7 op=PAM:accounting ok=true (1 records, 1 with names)`,
			`USER_START acct="alice" addr=192.0.2.7 op=PAM:session_open ok=true (1 records, 1 with names)`,
			"CONFIG_CHANGE (1 records, 1 with names)", // the kernel's own have no end in a log: later events, or time, end them
			`exec /usr/bin/grep ["grep" "--color=auto" "model name" "/proc/cpuinfo"] in /srv/alice auid=1000 uid=1000 ses=3 missing=0 (6 records, 3 with names)`,
			"LOGIN (1 records, 1 with names)",
		},
		"ubuntu-22.04": {
			`USER_AUTH acct="alice" addr=2001:db8::7 op=PAM:authentication ok=true (1 records, 1 with names)`,
			`CRED_ACQ acct="alice" addr=2001:db8::7 op=PAM:setcred ok=true (1 records, 1 with names)`,
			`USER_CMD acct="" addr=invalid IP op= ok=true cmd="cat /etc/shadow" (1 records, 1 with names)`,
			`ADD_USER acct="eve" addr=invalid IP op=add-user ok=true (1 records, 1 with names)`,
			`exec /usr/bin/dash ["/bin/sh" "/usr/local/bin/backup job" "--all"] in /srv/alice auid=1000 uid=0 ses=5 missing=0 (6 records, 3 with names)`,
		},
		"ubuntu-24.04": {
			`USER_LOGIN acct="(unknown user)" addr=198.51.100.9 op=login ok=false (1 records, 1 with names)`,
			`USER_END acct="alice" addr=192.0.2.7 op=PAM:session_close ok=true (1 records, 1 with names)`,
			"call 321 by /usr/lib/systemd/systemd (3 records, 1 with names)",
			`exec /usr/bin/chmod ["chmod" "+x" "a" "x" "go"] in /srv/alice auid=1000 uid=1000 ses=3 missing=0 (6 records, 3 with names)`,
			"AVC (1 records, 1 with names)",
		},
		"rhel-8": {
			`CRYPTO_KEY_USER acct="" addr=invalid IP op=destroy ok=true (1 records, 1 with names)`,
			`USER_AUTH acct="oracle" addr=203.0.113.5 op=password ok=false (1 records, 1 with names)`,
			`USER_LOGIN acct="(invalid user)" addr=203.0.113.5 op=login ok=false (1 records, 1 with names)`,
			`USER_LOGIN acct="" addr=192.0.2.7 op=login ok=true id="1000" (1 records, 1 with names)`,
			`exec /usr/bin/curl ["curl" "-s" "http://192.0.2.1/x.sh?a=1&b=2"] in /srv/alice auid=1000 uid=1000 ses=3 missing=0 (6 records, 3 with names)`,
		},
		"rhel-9": {
			"SERVICE_STOP " + unset + ` unit="auditd" (1 records, 1 with names)`,
			`GRP_MGMT acct="eve" addr=invalid IP op=add-user-to-group ok=true (1 records, 1 with names)`,
			`USER_CHAUTHTOK acct="eve" addr=invalid IP op=PAM:chauthtok ok=true (1 records, 1 with names)`,
			"call 42 by /srv/alice/ssh2 to 198.51.100.9:22 exit=-115 (3 records, 2 with names)",
			`exec /usr/bin/rm ["rm" "-rf" "/var/log/audit"] in /srv/alice auid=1000 uid=1000 ses=3 missing=0 (6 records, 3 with names)`,
		},
		"suse-15": {
			`[sles15] USER_AUTH acct="tux" addr=203.0.113.5 op=PAM:authentication ok=false (1 records, 0 with names)`,
			`[sles15] USER_ERR acct="" addr=203.0.113.5 op=PAM:bad_ident ok=false (1 records, 0 with names)`,
			`[sles15] exec /usr/bin/python3.6 ["zypper" "--non-interactive" "in" "nmap"] in /srv/alice auid=1000 uid=1000 ses=3 missing=0 (6 records, 0 with names)`,
		},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "distributions", name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		r := NewReassembler(func(e *Event) { got = append(got, say(e)) })
		for line := range strings.Lines(string(text)) {
			r.Line([]byte(line))
		}
		r.Flush()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if s := r.Stats(); s.Malformed != 0 || s.Cut != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
