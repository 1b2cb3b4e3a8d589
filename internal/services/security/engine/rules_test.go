package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
)

type romania struct{}

func (romania) Country(a netip.Addr) string {
	if a.Is4() && a.As4()[0] == 203 {
		return "RO"
	}
	return "DE"
}

// TestRules: the rules of now are asked beside the analytics, of commands, of audit records that the agent didn't send, and of lines of logs; others count from the next batch on. Sign-ins have
// a country.
func TestRules(t *testing.T) {
	t.Parallel()
	r := open(t, newStore(t), nil)
	set := func(words string) *rules.Set {
		s, problems := rules.Compile(fstest.MapFS{"a.yml": {Data: []byte(`
title: Of a log
id: log
level: high
tags: [attack.execution, attack.t1059]
logsource: {product: linux, service: cron}
detection:
  s: ['` + words + `']
  condition: s
---
title: Of a record
id: record
level: low
logsource: {product: linux, service: auditd}
detection:
  s: {type: EXECVE, a0: tac}
  condition: s
`)}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return s
	}
	now := set("CMD (curl ")
	r.engine.deps.Rules, r.engine.deps.Countries = func() *rules.Set { return now }, romania{}
	at := time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC).UnixMilli()
	line := func(millis int64, text string) activity.Event {
		return activity.Event{Millis: millis, Message: []byte(text), Process: activity.Process{PID: 7, AUID: linuxaudit.Unset, Session: linuxaudit.Unset, Comm: []byte("CRON")}}
	}
	signIn := func(millis int64, addr string) activity.Event {
		return activity.Event{
			Kind: activity.SignIn, Millis: millis, Success: true, Message: []byte("sshd[1]: Accepted password ..."), Process: activity.Process{PID: 8, AUID: linuxaudit.Unset, Session: linuxaudit.Unset},
			SignIn: activity.Access{Account: []byte("eve"), Addr: netip.MustParseAddr(addr), Method: []byte("password"), Count: 1},
		}
	}
	exec := activity.Event{
		Kind: activity.Exec, Success: true, Call: "execve", Millis: at, Process: activity.Process{PID: 50, Parent: 40, AUID: 1000, Session: 3, Image: []byte("/usr/bin/tac")},
		Command: activity.Command{Args: [][]byte{[]byte("tac"), []byte("x")}, Line: []byte("tac x")},
	}
	r.take(1, pack(t, []activity.Event{exec, line(at, "CRON[7]: (root) CMD (curl http://198.51.100.9/x)"), line(at+1, "CRON[7]: (root) CMD (wget x)"), signIn(at, "198.51.100.7"), signIn(at+60_000, "203.0.113.9")}))
	now = set("CMD (wget ")
	r.take(2, pack(t, []activity.Event{line(at+2, "CRON[7]: (root) CMD (wget x)")}))
	var got []string
	for _, a := range r.alerts() {
		got = append(got, a.Type)
		switch a.Type {
		case "BH_Rule_log":
			if a.Count != 2 || a.Severity != alerts.High || a.Intent != "Execution" || !slices.Equal(a.Techniques, []string{"T1059"}) || len(a.Evidence) != 2 {
				t.Errorf("%+v", a)
			}
		case "BH_NewCountry":
			if !strings.Contains(a.Why, "from DE only, from RO") {
				t.Errorf("%+v", a)
			}
		}
	}
	slices.Sort(got)
	if want := []string{"BH_NewCountry", "BH_NewSource", "BH_Rule_log", "BH_Rule_record"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
