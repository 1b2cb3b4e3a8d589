package correlate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// other is an intruder who has nothing to do with that of the post.
var other = replay.Actor{Account: "tomcat", First: "192.0.2.30", Second: "192.0.2.99", Scripts: "scripts.example.org", Drop: "192.0.2.200"}

// TestTwoIntruders: two intrusions on two machines at the same time, that have nothing in common but what intrusions are like, are two incidents.
func TestTwoIntruders(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		one := intruded("cassandra1", replay.Disguise{})
		two := intruded("web7", replay.Disguise{Rename: true, Other: true, Seed: seed, By: other})
		both := slices.SortedFunc(slices.Values(append(one, two...)), func(a, b *alerts.Alert) int { return a.First.Compare(b.First) })
		ch := New(DefaultParams()).Add(began, both...)
		if len(ch.Incidents) != 2 || len(ch.Merged) != 0 {
			t.Fatalf("seed %d: %d incidents, %d merged", seed, len(ch.Incidents), len(ch.Merged))
		}
		for _, in := range ch.Incidents {
			if n := len(in.Members); n != len(one) && n != len(two) || strings.Contains(in.Why, "cassandra1") && strings.Contains(in.Why, "web7") {
				t.Errorf("seed %d: %d members of %d and %d: %s", seed, n, len(one), len(two), in.Why)
			}
		}
	}
}

// TestSameKit: the same kit, by names, on two machines within the window is one intruder; a week apart it isn't.
func TestSameKit(t *testing.T) {
	t.Parallel()
	for apart, want := range map[time.Duration]int{time.Hour: 1, 7 * 24 * time.Hour: 2} {
		by := other
		by.Account = "cassandra"
		log := &replay.Log{Now: began.Add(apart), Host: "web7"}
		replay.Intrusion(log, replay.Disguise{By: by})
		ch := New(DefaultParams()).Add(began, append(intruded("cassandra1", replay.Disguise{}), seen("web7", log.Audit())...)...)
		if len(ch.Incidents) != want {
			t.Errorf("%s apart: %d incidents, want %d", apart, len(ch.Incidents), want)
		}
	}
}

// TestBridge: two incidents that an alert bridges are one, under the name of the older; the other says where it went, and its alerts are in that.
func TestBridge(t *testing.T) {
	t.Parallel()
	one := intruded("cassandra1", replay.Disguise{})
	two := intruded("web7", replay.Disguise{Rename: true, Other: true, By: other})
	for _, a := range one { // its address is known
		a.Entities = append(a.Entities, alerts.Entity{ID: "ip:10.0.0.4", Kind: alerts.IP, Name: "10.0.0.4"})
		a.Edges = append(a.Edges, alerts.Edge{From: a.Entities[0].ID, To: "ip:10.0.0.4", Kind: alerts.EdgeHas})
	}
	kept := map[string]*alerts.Alert{}
	x := New(DefaultParams())
	add := func(now time.Time, all ...*alerts.Alert) *Changes {
		for _, a := range all {
			kept[a.Name] = a
		}
		ch := x.Add(now, all...)
		Apply(ch, func(name string) *alerts.Alert { return kept[name] }, func(a *alerts.Alert) { kept[a.Name] = a })
		return ch
	}
	older := add(began.Add(3*time.Hour), one...).Incidents[0].Name
	newer := add(began.Add(4*time.Hour), two...).Incidents[0].Name
	kept[older].Status = alerts.InProgress
	// The service account of the second machine was guessed from the address of the first, which sprayed passwords.
	bridge := build(made{machine: "web7", account: "tomcat", from: "10.0.0.4", after: 2*time.Hour + 42*time.Minute, kind: "BH_SshBruteForceSuccess", severity: detect.High, intent: "Exploitation"})
	ch := add(began.Add(5*time.Hour), bridge...)
	if len(ch.Incidents) != 1 || len(ch.Merged) != 1 || ch.Incidents[0].Name != older || ch.Merged[0] != (Merged{newer, older}) {
		t.Fatalf("got %d incidents and %v, want %s merged into %s", len(ch.Incidents), ch.Merged, newer, older)
	}
	if a := kept[newer]; a.Status != alerts.Resolved || a.Extended["mergedInto"] != older || !strings.Contains(a.Why, older) {
		t.Errorf("the merged one: %s, %v", a.Status, a.Extended)
	}
	if a := kept[older]; a.Status != alerts.InProgress || len(a.Members) != len(one)+len(two)+1 || a.DisplayName != "Security incident detected on 2 machines" || !slices.ContainsFunc(a.Reasons, func(r alerts.Reason) bool { return r.Type == "lateralMovementPath" }) {
		t.Errorf("the other: %s, %d members, %q, %v", a.Status, len(a.Members), a.DisplayName, a.Reasons)
	}
	for _, a := range slices.Concat(one, two, bridge) {
		if kept[a.Name].Incident != older {
			t.Errorf("%s is in %q", a.DisplayName, kept[a.Name].Incident)
		}
	}
}

// TestSharedAddress: an address that two machines say is theirs, as of a network between containers, links neither with who came from there.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	scan := func(machine string) made {
		return made{machine: machine, session: "session 1", kind: "BH_OutgoingPortScan", severity: detect.Medium, intent: "Discovery"}
	}
	for owners, want := range map[int]bool{1: true, 2: false} {
		all := build(scan("a"), scan("b"), made{machine: "c", account: "root", from: "172.17.0.1", after: time.Minute})
		for _, a := range all[:owners] {
			a.Entities = append(a.Entities, alerts.Entity{ID: "ip:172.17.0.1", Kind: alerts.IP, Name: "172.17.0.1"})
			a.Edges = append(a.Edges, alerts.Edge{From: "host:" + alerts.Scope(a.Machine), To: "ip:172.17.0.1", Kind: alerts.EdgeHas})
		}
		x := New(DefaultParams())
		x.Add(began, all...)
		if got := len(x.sets) < 3; got != want {
			t.Errorf("%d machines have the address: linked %t", owners, got)
		}
	}
}

// TestLinks: what joins two alerts, and what doesn't.
func TestLinks(t *testing.T) {
	t.Parallel()
	shell := &detect.Process{PID: 7, Millis: 1, File: "/bin/bash", Session: &detect.Session{ID: "session 1", Login: true}}
	for _, c := range []struct {
		name string
		a, b made
		want bool
	}{
		{"the same session, a day apart", made{machine: "m", session: "session 3"}, made{machine: "m", session: "session 3", after: 24 * time.Hour}, true},
		{"the same session, three days apart", made{machine: "m", session: "session 3"}, made{machine: "m", session: "session 3", after: 72 * time.Hour}, false},
		{"sessions of one number on two machines", made{machine: "m", session: "session 3"}, made{machine: "n", session: "session 3"}, false},
		{"the same machine at the same time", made{machine: "m", session: "session 3"}, made{machine: "m", session: "session 4"}, false},
		{"root twice", made{machine: "m", session: "session 3", account: "root"}, made{machine: "m", session: "session 4", account: "root"}, false},
		{"one shell that went on in another session", made{machine: "m", session: "session 1", pid: 7, parent: shell}, made{machine: "m", session: "session 1", parent: shell, after: time.Hour}, true},
		{"the account of a service twice", made{machine: "m", session: "session 3", account: "mysql", from: "192.0.2.1"}, made{machine: "m", session: "session 4", account: "mysql", from: "198.51.100.1", after: time.Hour}, true},
		{"the same account from one network", made{machine: "m", session: "session 3", account: "alice", from: "203.0.113.7"}, made{machine: "m", session: "session 4", account: "alice", from: "203.0.114.7", after: 5 * time.Hour}, true},
		{"the same account from two networks", made{machine: "m", session: "session 3", account: "alice", from: "203.0.113.7"}, made{machine: "m", session: "session 4", account: "alice", from: "192.0.2.7"}, false},
		{"the same address on one machine", made{machine: "m", session: "session 3", account: "alice", from: "203.0.113.7"}, made{machine: "m", session: "session 4", account: "root", from: "203.0.113.7"}, true},
		{"the same address on two machines within the hour", made{machine: "m", session: "session 3", account: "alice", from: "203.0.113.7"}, made{machine: "n", session: "session 4", account: "bob", from: "203.0.113.7", after: 30 * time.Minute}, true},
		{"the same address on two machines, a day apart", made{machine: "m", session: "session 3", account: "alice", from: "203.0.113.7"}, made{machine: "n", session: "session 4", account: "bob", from: "203.0.113.7", after: 24 * time.Hour}, false},
		{"a file dropped by one and run by the other", made{machine: "m", session: "session 3", files: []string{"/var/tmp/k/go"}}, made{machine: "m", session: "session 4", files: []string{"/var/tmp/k/go"}, after: 10 * time.Hour}, true},
		{"a program of the system", made{machine: "m", session: "session 3", files: []string{"/usr/bin/wget"}}, made{machine: "m", session: "session 4", files: []string{"/usr/bin/wget"}}, false},
		{"a folder of everybody's", made{machine: "m", session: "session 3", files: []string{"/tmp"}}, made{machine: "m", session: "session 4", files: []string{"/tmp"}}, false},
		{"files of a user that everybody has", made{machine: "m", session: "session 3", files: []string{"/root/.ssh/authorized_keys", "/root/.bashrc"}}, made{machine: "m", session: "session 4", files: []string{"/root/.ssh/authorized_keys", "/root/.bashrc"}}, false},
		{"a kit's names on two machines", made{machine: "m", session: "session 3", files: []string{"/a/pscan2", "/a/ssh2", "/a/gasite.txt", "/a/h4e"}}, made{machine: "n", session: "session 4", files: []string{"/b/pscan2", "/b/ssh2", "/b/gasite.txt", "/b/h4e"}, after: 30 * time.Hour}, true},
		{"names everybody gives", made{machine: "m", session: "session 3", files: []string{"/a/run.sh", "/a/install.sh", "/a/test.sh", "/a/main", "/a/app"}}, made{machine: "n", session: "session 4", files: []string{"/b/run.sh", "/b/install.sh", "/b/test.sh", "/b/main", "/b/app"}}, false},
		{"an odd domain on one machine", made{machine: "m", session: "session 3", domains: []string{"odd.example"}}, made{machine: "m", session: "session 4", domains: []string{"odd.example"}, after: time.Hour}, true},
		{"a domain everybody fetches from", made{machine: "m", session: "session 3", domains: []string{"raw.githubusercontent.com"}}, made{machine: "m", session: "session 4", domains: []string{"raw.githubusercontent.com"}}, false},
		{"two attacks on others by one machine", made{machine: "m", session: "session 3", kind: "BH_OutgoingPortScan", severity: detect.Medium, prefixes: []string{"10.1"}}, made{machine: "m", kind: "BH_HoneypotAttacked", severity: detect.High, after: time.Hour}, true},
	} {
		all := build(c.a, c.b)
		x := New(DefaultParams())
		x.Add(began, all...)
		if got := len(x.sets) == 1; got != c.want {
			t.Errorf("%s: together %t, want %t", c.name, got, c.want)
		}
	}
}

// TestCommon: what many have in common joins nobody, and what was joined by it before that showed is parted again.
func TestCommon(t *testing.T) {
	t.Parallel()
	many := func(n int, each func(i int) made) (all []made) {
		for i := range n {
			m := each(i)
			m.after = time.Duration(i) * time.Minute
			all = append(all, m, made{machine: m.machine, session: m.session, account: m.account, from: m.from, after: m.after + time.Second})
		}
		return all
	}
	for name, all := range map[string][]made{
		"a company behind one address": many(12, func(i int) made {
			return made{machine: fmt.Sprint("m", i%4), session: fmt.Sprint("session ", i), account: fmt.Sprint("user", i), from: "198.51.100.1"}
		}),
		"root on one machine": many(12, func(i int) made {
			return made{machine: "m", session: fmt.Sprint("session ", i), account: "root", from: fmt.Sprintf("10.%d.0.1", i)}
		}),
		"a file that every session runs": many(30, func(i int) made {
			return made{machine: "m", session: fmt.Sprint("session ", i), account: fmt.Sprint("user", i), files: []string{"/tmp/agent"}}
		}),
		"a domain that all machines ask": many(30, func(i int) made {
			return made{machine: fmt.Sprint("m", i), session: fmt.Sprint("session ", i), domains: []string{"mirror.example"}}
		}),
	} {
		x := New(DefaultParams())
		merged, most := 0, 0
		for _, a := range build(all...) {
			merged += len(x.Add(began, a).Merged)
			for s := range x.sets {
				most = max(most, len(s.members))
			}
		}
		if len(x.sets) != len(all)/2 {
			t.Errorf("%s: %d sets, want %d", name, len(x.sets), len(all)/2)
		}
		if most > 16 {
			t.Errorf("%s: %d alerts were together", name, most)
		}
	}
}

// TestNoise: what is no incident.
func TestNoise(t *testing.T) {
	t.Parallel()
	brute := func(machine, from string) made {
		return made{machine: machine, from: from, kind: "BH_SshBruteForceFailed", severity: detect.Medium, intent: "Probing"}
	}
	var internet []made
	for i := range 200 {
		internet = append(internet, brute(fmt.Sprint("m", i%20), fmt.Sprintf("203.0.%d.7", i/20)))
	}
	var day []made // of somebody who looks around, changes and fetches things all day long
	for i := range 60 {
		day = append(day, made{machine: "m", session: "session 1", after: time.Duration(i) * time.Minute, kind: fmt.Sprint("X", i), severity: detect.Severity(i % 2), intent: killChain[i%len(killChain)]})
	}
	unsure := func(kind string) made {
		return made{machine: "m", session: "session 1", kind: kind, severity: detect.Medium, intent: "Persistence", confidence: 0.5}
	}
	alarm := made{machine: "m", session: "session 1", kind: "Y", severity: detect.Medium, intent: "Execution"}
	for name, all := range map[string][]made{
		"a long day":                            day,
		"a long day with a false alarm":         append(slices.Clone(day), alarm),
		"many alarms that nobody is sure of":    {unsure("A"), unsure("B"), unsure("C"), alarm},
		"one bad alert":                         {{machine: "m", session: "session 1", kind: "X", severity: detect.High, intent: "Execution"}},
		"knocking at doors":                     internet,
		"the same thing again and again":        {{machine: "m", session: "session 1", kind: "X", severity: detect.High, intent: "Impact"}, {machine: "m", session: "session 1", kind: "X", severity: detect.High, intent: "Impact"}},
		"two things that are hardly worth note": {{machine: "m", session: "session 1", kind: "X", intent: "Execution"}, {machine: "m", session: "session 1", kind: "Y", intent: "Discovery", severity: detect.Low}},
	} {
		if ch := New(DefaultParams()).Add(began, build(all...)...); len(ch.Incidents) != 0 {
			t.Errorf("%s: %s", name, ch.Incidents[0].Why)
		}
	}
	guessed := build(brute("m3", "203.0.113.7"), made{machine: "m3", account: "alice", from: "203.0.113.7", after: time.Minute, kind: "BH_SshBruteForceSuccess", severity: detect.High, intent: "Exploitation"})
	if ch := New(DefaultParams()).Add(began, append(build(internet...)[1:], guessed...)...); len(ch.Incidents) != 1 || len(ch.Incidents[0].Members) != 2 {
		t.Errorf("a password that was guessed amid the noise: %d incidents", len(ch.Incidents))
	}
}

// TestSkipped: what people or rules have put aside, and incidents themselves, take no part.
func TestSkipped(t *testing.T) {
	t.Parallel()
	all := intruded("m", replay.Disguise{})
	for i, a := range all {
		switch i % 3 {
		case 0:
			a.Simulated = true
		case 1:
			a.Suppressed = "a rule"
		case 2:
			a.Members = []string{"x"}
		}
	}
	x := New(DefaultParams())
	if ch := x.Add(began, all...); len(ch.Incidents) != 0 || x.Len() != 0 {
		t.Errorf("%d alerts are held, %d incidents", x.Len(), len(ch.Incidents))
	}
}

// TestCost: however many alerts are held, a further one is compared with its neighbours only; and what is held is bounded.
func TestCost(t *testing.T) {
	t.Parallel()
	p := DefaultParams()
	p.MaxAlerts = 3000
	x := New(p)
	worst := 0
	for i := range 5000 {
		a := made{machine: fmt.Sprint("m", i%500), session: fmt.Sprint("session ", i/1000), account: "root", from: fmt.Sprintf("10.%d.%d.1", i%200, i%7), after: time.Duration(i) * time.Minute / 10}.alert(i)
		before := x.pairs
		x.Add(began.Add(time.Duration(i)*time.Second), a)
		if x.Len() > p.MaxAlerts {
			t.Fatalf("%d alerts are held", x.Len())
		}
		if i > 1000 {
			worst = max(worst, x.pairs-before)
		}
	}
	if worst > 200 {
		t.Errorf("one alert was compared with %d others", worst)
	}
	x.Add(began.Add(1000*time.Hour), made{machine: "z"}.alert(9999))
	if x.Len() != 1 || len(x.sets) != 1 || len(x.keys) > maxFeatures {
		t.Errorf("after six weeks %d alerts, %d sets and %d things are held", x.Len(), len(x.sets), len(x.keys))
	}
}

// TestForgotten: an alert that comes back after what was held of its incident was forgotten goes on in that incident.
func TestForgotten(t *testing.T) {
	t.Parallel()
	all := intruded("m", replay.Disguise{})
	x := New(DefaultParams())
	kept := map[string]*alerts.Alert{}
	add := func(now time.Time, all ...*alerts.Alert) {
		for _, a := range all {
			kept[a.Name] = a
		}
		Apply(x.Add(now, all...), func(name string) *alerts.Alert { return kept[name] }, func(a *alerts.Alert) { kept[a.Name] = a })
	}
	add(began, all...)
	in := all[0].Incident
	add(began.Add(100*time.Hour), all[3])
	if x.Len() != 1 || all[3].Incident != in || len(kept[in].Members) != len(all) || !kept[in].First.Equal(all[0].First) {
		t.Errorf("%d held; the alert is in %q, which has %d members; want %q with %d", x.Len(), all[3].Incident, len(kept[all[3].Incident].Members), in, len(all))
	}
}

// TestMembersBound: one endless session doesn't fill the memory, and its incident stays what it is.
func TestMembersBound(t *testing.T) {
	t.Parallel()
	p := DefaultParams()
	p.MaxMembers = 100
	x := New(p)
	var in *alerts.Alert
	for i := range 1000 {
		a := made{machine: "m", session: "session 1", after: time.Duration(i) * time.Minute}.alert(i)
		Apply(x.Add(began.Add(time.Duration(i)*time.Minute), a), func(string) *alerts.Alert { return in }, func(a *alerts.Alert) { in = a })
	}
	if x.Len() > 101 || len(in.Members) < 100 || len(in.Members) > maxMembers || !in.First.Equal(began) || len(in.Why) > maxStory+4096 {
		t.Errorf("%d held; %d members since %s", x.Len(), len(in.Members), in.First)
	}
}
