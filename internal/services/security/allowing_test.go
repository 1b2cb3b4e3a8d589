package security

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// TestAllowing: the rules of docs/allowing.md are taken as they stand there; each dismisses the work it is for, and not the same behaviour of somebody else.
func TestAllowing(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/allowing.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```json (\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		rules[m[1]] = m[2]
	}
	run := func(account, parent string, args ...string) func(l *replay.Log) {
		return func(l *replay.Log) {
			session := 100 + uint32(l.Now.Unix()%1000)
			for range session { // numbers that no other log has
				l.PID()
			}
			l.SignIn(account, "10.0.0.9", 1000, session, true)
			p := replay.Process{Parent: 1500, AUID: 1000, Session: session, Dir: "/srv", PID: l.PID()}
			l.Exec(p, parent, []string{"/usr/bin/python3", parent})
			p.Parent, p.PID = p.PID, l.PID()
			l.Exec(p, "/usr/bin/"+args[0], args)
		}
	}
	const job = "/usr/local/sbin/nightly-backup"
	for _, c := range []struct {
		rule, kind   string
		fits, others func(l *replay.Log)
	}{
		{"ansible", "BH_ShadowRead", run("deploy", "/srv/deploy/.ansible/tmp/t/mod.py", "cat", "/etc/shadow"), run("eve", "/srv/eve/.ansible/tmp/t/mod.py", "cat", "/etc/shadow")},
		{"backup", "BH_ShadowRead", run("root", job, "gzip", "-k", "/etc/shadow"), run("root", "/root/nightly-backup", "gzip", "-k", "/etc/shadow")},
		{"scanner", "BH_PortScan", run("scanner", "/srv/scanner/weekly.py", "nmap", "-sT", "10.0.0.0/24"), run("eve", "/srv/eve/weekly.py", "nmap", "-sT", "10.0.0.0/24")},
	} {
		if rules[c.rule] == "" {
			t.Fatalf("docs/allowing.md has no rule %s", c.rule)
		}
		p := newPlane(t)
		p.ok("owner", "PUT", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alertsSuppressionRules/"+c.rule+"?api-version=2019-01-01-preview", rules[c.rule], 200)
		statuses := func(seq uint64, write func(l *replay.Log)) map[any]int {
			before := map[any]bool{}
			list := "/subscriptions/" + p.sub + "/providers/Microsoft.Security/alerts" + version
			for _, a := range p.list("owner", list) {
				before[a["name"]] = true
			}
			p.ingest(p.machine("rg1", "db1"), seq, write)
			p.clock.Advance(time.Minute)
			got := map[any]int{}
			for _, a := range p.list("owner", list) {
				if x := properties(a); !before[a["name"]] && x["alertType"] == c.kind {
					got[x["status"]]++
				}
			}
			return got
		}
		if got := statuses(1, c.fits); got["Dismissed"] == 0 || got["Active"] != 0 {
			t.Errorf("%s: what it allows is %v", c.rule, got)
		}
		if got := statuses(2, c.others); got["Active"] == 0 || got["Dismissed"] != 0 {
			t.Errorf("%s: what it doesn't allow is %v", c.rule, got)
		}
	}
}
