package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
)

// TestCheckpoint: a correlation over longer than batches are kept goes on after restarts, and after a folder of rules was read again; it fires once, when the last event that it takes comes.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	compile := func(more string) *rules.Set {
		set, problems := rules.Compile(fstest.MapFS{"a.yml": {Data: []byte(`
title: Curl by cron
name: curl
logsource: {product: linux, service: cron}
detection:
  s: ['CMD (curl ']
  condition: s
---
title: Curl again and again
id: often
level: high
correlation: {type: event_count, rules: [curl], timespan: 30d, condition: {gte: 7}}
` + more)}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return set
	}
	const other = `---
title: Another
id: other
logsource: {product: linux, service: cron}
detection:
  s: ['CMD (other ']
  condition: s
`
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts ", restarts), func(t *testing.T) {
			t.Parallel()
			st := newStore(t)
			r := open(t, st, nil)
			set := compile("")
			start := func() {
				r.engine.deps.Rules = func() *rules.Set { return set }
			}
			start()
			var fired []int
			for day := range 24 {
				if day > 0 && restarts {
					now := r.clock
					r = open(t, st, nil)
					r.clock = now
					r.engine.deps.Clock = now
				}
				if day%5 == 4 {
					set = compile(strings.Repeat(other, 1)[:min(len(other), day%2*len(other))])
				}
				start()
				text := "CRON[7]: (root) CMD (true)"
				if day%3 == 0 {
					text = "CRON[7]: (root) CMD (curl http://198.51.100.9/x)"
				}
				before := len(r.alerts())
				r.take(day+1, pack(t, []activity.Event{{
					Millis: r.clock.Now().UnixMilli(), Message: []byte(text), Process: activity.Process{PID: 7, AUID: linuxaudit.Unset, Session: linuxaudit.Unset, Comm: []byte("CRON")},
				}}))
				if len(r.alerts()) > before {
					fired = append(fired, day)
				}
				r.clock.Advance(24 * time.Hour)
			}
			if want := []int{18}; !slices.Equal(fired, want) {
				t.Errorf("fired on the days %v, want %v", fired, want)
			}
			if kept := r.batches(); len(kept) > 4 {
				t.Errorf("the batches %v are kept: the test is of what goes beyond them", kept)
			}
		})
	}
}

func TestCheckpoint_Damaged(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {}, {'G'}, {'G', 2, 5}, {'X', 1, 5}, {'G', 1}, {'G', 1, 0x80}} {
		if seq, snapshot := decodeCheckpoint(b); seq != 0 || snapshot != nil {
			t.Errorf("%q is read as %d %q", b, seq, snapshot)
		}
	}
	if seq, snapshot := decodeCheckpoint(encodeCheckpoint(1<<40, []byte("x"))); seq != 1<<40 || string(snapshot) != "x" {
		t.Errorf("%d %q", seq, snapshot)
	}
}
