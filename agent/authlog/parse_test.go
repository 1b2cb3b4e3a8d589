package authlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

func now() time.Time { return time.Date(2018, 11, 24, 12, 0, 0, 0, time.UTC) }

func tell(e *activity.Event) string {
	a := &e.SignIn
	s := fmt.Sprintf("%s %s ok=%v", e.Time().Format("2006-01-02T15:04:05"), e.Kind, e.Success)
	switch e.Kind {
	case activity.Exec:
		return s + fmt.Sprintf(" %s: %q in %s on %s", a.Account, e.Command.Line, e.Command.Dir, e.Process.TTY)
	case activity.Account:
		return s + fmt.Sprintf(" %s %s", e.Op, e.Subject)
	case activity.Session:
		return s + fmt.Sprintf(" %s began=%v", a.Account, e.Began)
	}
	return s + fmt.Sprintf(" %dx %q from %v%s by %s unknown=%v", a.Count, a.Account, a.Addr, a.Host, a.Method, a.Unknown)
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{`Nov 23 11:02:44 h sshd[1]: Failed password for root from 1.2.3.4 port 5 ssh2`, `2018-11-23T11:02:44 signin ok=false 1x "root" from 1.2.3.4 by password unknown=false`},
		{`Dec 10 11:02:44 h sshd[1]: Failed password for invalid user admin from 1.2.3.4 port 5 ssh2`, `2017-12-10T11:02:44 signin ok=false 1x "admin" from 1.2.3.4 by password unknown=true`},
		{`Feb 29 11:02:44 h sshd[1]: Failed none for a from ::ffff:1.2.3.4 port 5 ssh2`, `2016-02-29T11:02:44 signin ok=false 1x "a" from 1.2.3.4 by none unknown=false`},
		{`2018-11-24T13:00:00.123456+02:00 h sshd-session[1]: Failed keyboard-interactive/pam for a from fe80::1%eth0 port 5 ssh2`, `2018-11-24T11:00:00 signin ok=false 1x "a" from fe80::1 by keyboard-interactive/pam unknown=false`},
		{`Nov 23 11:02:44 h sshd[1]: message repeated 5 times: [ Failed password for root from 1.2.3.4 port 5 ssh2]`, `2018-11-23T11:02:44 signin ok=false 5x "root" from 1.2.3.4 by password unknown=false`},
		{`Nov 23 11:02:44 h sshd[1]: message repeated 99999999 times: [ Failed password for root from 1.2.3.4 port 5 ssh2]`, `2018-11-23T11:02:44 signin ok=false 10000x "root" from 1.2.3.4 by password unknown=false`},
		{`Nov 23 11:02:44 h sshd[1]: Accepted publickey for git from 1.2.3.4 port 5 ssh2: RSA SHA256:abc`, `2018-11-23T11:02:44 signin ok=true 1x "git" from 1.2.3.4 by publickey unknown=false`},
		// What a stranger chose as name.
		{`Nov 23 11:02:44 h sshd[1]: Failed password for invalid user root from 9.9.9.9 port 22 ssh2 from 1.2.3.4 port 5 ssh2`, `2018-11-23T11:02:44 signin ok=false 1x "root from 9.9.9.9 port 22 ssh2" from 1.2.3.4 by password unknown=true`},
		{`Nov 23 11:02:44 h sshd[1]: Failed password for invalid user Accepted password for root from 1.2.3.4 port 5 ssh2`, `2018-11-23T11:02:44 signin ok=false 1x "Accepted password for root" from 1.2.3.4 by password unknown=true`},
		{`Nov 23 11:02:44 h sshd[1]: Failed password for invalid user  0101 from 1.2.3.4 port 5 ssh2`, `2018-11-23T11:02:44 signin ok=false 1x " 0101" from 1.2.3.4 by password unknown=true`},
		{`Nov 23 11:02:44 h sshd[1]: Invalid user  from 1.2.3.4 port 5`, `2018-11-23T11:02:44 auth ok=false 1x "" from 1.2.3.4 by  unknown=true`},
		{`Nov 23 11:02:44 h sshd[1]: Invalid user admin from host.example`, `2018-11-23T11:02:44 auth ok=false 1x "admin" from invalid IPhost.example by  unknown=true`},
		{`Nov 23 11:02:44 h sshd[1]: error: maximum authentication attempts exceeded for root from 1.2.3.4 port 5 ssh2 [preauth]`, `2018-11-23T11:02:44 auth ok=false 1x "root" from 1.2.3.4 by  unknown=false`},
		{`Nov 23 11:02:44 h sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=1.2.3.4  user=root`, `2018-11-23T11:02:44 auth ok=false 1x "root" from 1.2.3.4 by  unknown=false`},
		{`Nov 23 11:02:44 h sshd[1]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=1.2.3.4 `, `2018-11-23T11:02:44 auth ok=false 1x "" from 1.2.3.4 by  unknown=true`},
		{`Nov 23 11:02:44 h sshd[1]: pam_unix(sshd:session): session opened for user fztu(uid=1000) by (uid=0)`, `2018-11-23T11:02:44 session ok=true fztu began=true`},
		{`Nov 23 11:02:44 h sshd[1]: pam_unix(sshd:session): session closed for user fztu`, `2018-11-23T11:02:44 session ok=true fztu began=false`},
		{`Nov 23 11:02:44 h sudo:   eve : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow`, `2018-11-23T11:02:44 exec ok=true eve: "/usr/bin/cat /etc/shadow" in /srv on pts/0`},
		{`Nov 23 11:02:44 h sudo:   eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/bin/sh`, `2018-11-23T11:02:44 exec ok=false eve: "/bin/sh" in /srv on pts/0`},
		{`Nov 23 11:02:44 h useradd[3]: new user: name=eve, UID=0, GID=0, home=/root, shell=/bin/sh`, `2018-11-23T11:02:44 account ok=true useradd eve`},
		{`Nov 23 11:02:44 h passwd[3]: pam_unix(passwd:chauthtok): password changed for root`, `2018-11-23T11:02:44 account ok=true passwd root`},
	} {
		p := Parser{Now: now}
		e, ok := p.Line([]byte(c.line))
		if !ok {
			t.Errorf("not read: %s", c.line)
			continue
		}
		if got := tell(e); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestLine_Nothing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "x", "Nov 23 11:02:44", "Nov 23 11:02:44 ", "Nov 23 11:02:44 h", "Nov 23 11:02:44 h sshd[1]", "Nov 23 11:02:44 h sshd[1]: ", "Foo 99 11:02:44 h sshd[1]: Failed password for a from 1.2.3.4 port 5 ssh2",
		"Nov 23 11:02:44 h sshd[1]: Failed password for root", "Nov 23 11:02:44 h cron[1]: Failed password for root from 1.2.3.4 port 5 ssh2", "Nov 23 11:02:44 h sshd[1]: Server listening on 0.0.0.0 port 22.",
		"2018-13-45T00:00:00Z h sshd[1]: Failed password for root from 1.2.3.4 port 5 ssh2", "Nov 23 11:02:44 h sudo: x", "Nov 23 11:02:44 h useradd[1]: failed adding user",
	} {
		p := Parser{Now: now}
		if e, ok := p.Line([]byte(line)); ok {
			t.Errorf("%q: %s", line, tell(e))
		}
	}
}

// TestRealLog counts the attempts in a real log of sshd and compares them with what a plain count of its lines gives.
func TestRealLog(t *testing.T) {
	t.Parallel()
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	log, err := os.ReadFile(filepath.Join(root, "security", "sshd", "OpenSSH_2k.log"))
	if err != nil {
		t.Skipf("no test data: %v", err)
	}
	p := Parser{Now: func() time.Time { return time.Date(2016, 12, 31, 0, 0, 0, 0, time.UTC) }}
	failed, sources, accepted := 0, map[string]int{}, ""
	for line := range bytes.Lines(log) {
		e, ok := p.Line(line)
		if !ok || e.Kind != activity.SignIn {
			continue
		}
		if e.Success {
			accepted += tell(e)
			continue
		}
		failed += e.SignIn.Count
		sources[e.SignIn.Addr.String()] += e.SignIn.Count
	}
	// 520 lines with "Failed password", two of them within "message repeated 5 times" (8 more attempts), and 4 "Failed none".
	if failed != 532 || sources["183.62.140.253"] < 280 || accepted != `2016-12-10T09:32:20 signin ok=true 1x "fztu" from 119.137.62.142 by password unknown=false` {
		t.Errorf("%d failed, %v, accepted %s", failed, sources, accepted)
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"Nov 23 11:02:44 h sshd[1]: Failed password for invalid user a from 1.2.3.4 port 5 ssh2", "2018-11-24T13:00:00+02:00 h sudo: a : TTY=x ; PWD=/ ; USER=root ; COMMAND=x",
		"Nov 23 11:02:44 h sshd[1]: message repeated 5 times: [ Accepted publickey for a from ::1 port 5 ssh2: RSA x]", "Nov 23 11:02:44 h sshd[1]: PAM 2 more authentication failures; rhost=1.2.3.4  user=a",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := Parser{Now: now}
		e, ok := p.Line(line)
		if !ok {
			return
		}
		if e.Millis > now().Add(24*time.Hour).UnixMilli() && line[0] > '9' || e.SignIn.Count > maxRepeats || len(e.SignIn.Account) > len(line) {
			t.Errorf("%q: %s", line, tell(e))
		}
	})
}
