package rules

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/authlog"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/redact"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

// watcher takes a log's lines the whole way: parsed, put together, made events, told to a machine, and asked about.
type watcher struct {
	found []*detect.Finding
	lines func(log string)
	flush func()
}

func watch(set *Set) *watcher {
	return watchBy(set, func(e *activity.Event) *activity.Event { return e })
}

// byAgent is an event as it comes from an agent: without its records, secrets taken out, packed and unpacked.
func byAgent(e *activity.Event) *activity.Event {
	own := *e
	own.Source = nil
	redact.New().Event(&own)
	packed, err := batch.Encode(&batch.Batch{Events: []activity.Event{own}})
	if err != nil {
		panic(err)
	}
	b, err := batch.Decode(packed)
	if err != nil {
		panic(err)
	}
	return &b.Events[0]
}

func watchBy(set *Set, way func(e *activity.Event) *activity.Event) *watcher {
	w := &watcher{}
	report := func(f *detect.Finding) {
		if f.Rule == "sigma" {
			w.found = append(w.found, f)
		}
	}
	m := detect.New(detect.DefaultParams(), detect.ShippedIndicators(), report)
	x, state := NewMatcher(), &State{}
	apply := func(e *activity.Event) {
		e = way(e)
		m.Apply(e)
		x.Apply(set, state, m, e, report)
	}
	var n activity.Normalizer
	audit := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { apply(n.Audit(e)) })
	auth := authlog.Parser{Now: func() time.Time { return time.Date(2018, 12, 31, 0, 0, 0, 0, time.UTC) }}
	w.lines = func(log string) {
		for line := range strings.Lines(log) {
			if strings.HasPrefix(line, "type=") {
				audit.Line([]byte(line))
			} else if e, _ := auth.Any([]byte(line)); e != nil {
				apply(e)
			}
		}
	}
	w.flush = audit.Flush
	return w
}

func matched(t *testing.T, set *Set, log string) (names []string) {
	t.Helper()
	w := watch(set)
	w.lines(log)
	w.flush()
	for _, f := range w.found {
		names = append(names, f.Alert.Name)
	}
	return names
}

func exec(serial int, pid, parent uint32, file, image string, args ...string) string {
	var b strings.Builder
	stamp := fmt.Sprintf("msg=audit(1542675600.%03d:%d):", serial%1000, serial)
	fmt.Fprintf(&b, "type=SYSCALL %s arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=%d pid=%d auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=%q exe=%q key=\"exec\"\n", stamp, parent, pid, filepath.Base(image), image)
	fmt.Fprintf(&b, "type=EXECVE %s argc=%d", stamp, len(args))
	for i, a := range args {
		fmt.Fprintf(&b, " a%d=%s", i, strings.ToUpper(fmt.Sprintf("%x", a)))
	}
	fmt.Fprintf(&b, "\ntype=CWD %s cwd=\"/tmp\"\ntype=PATH %s item=0 name=%q inode=1 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL\ntype=PROCTITLE %s proctitle=\"x\"\n", stamp, stamp, file, stamp)
	return b.String()
}

func wrote(serial int, image, name string) string {
	stamp := fmt.Sprintf("msg=audit(1542675600.%03d:%d):", serial%1000, serial)
	return fmt.Sprintf("type=SYSCALL %[1]s arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7f a2=241 a3=1b6 items=2 ppid=1 pid=700 auid=4294967295 uid=33 gid=33 euid=33 suid=33 fsuid=33 egid=33 sgid=33 fsgid=33 tty=(none) ses=4294967295 comm=\"x\" exe=%[2]q key=\"f\"\ntype=CWD %[1]s cwd=\"/\"\ntype=PATH %[1]s item=0 name=%[4]q inode=9 dev=08:01 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT\ntype=PATH %[1]s item=1 name=%[3]q inode=10 dev=08:01 mode=0100644 ouid=33 ogid=33 rdev=00:00 nametype=CREATE\ntype=PROCTITLE %[1]s proctitle=\"x\"\n", stamp, image, name, filepath.Dir(name))
}

// TestShipped: each of our own rules matches what it is for, and not what looks like it.
func TestShipped(t *testing.T) {
	t.Parallel()
	set, problems := Compile(Shipped())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	sudo := "Nov 20 01:02:03 h sudo:   eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh\n"
	tested := map[string]bool{}
	for _, c := range []struct {
		log  string
		want []string
	}{
		{sudo, []string{"Somebody who may not use sudo tried to"}},
		{"Nov 20 01:02:03 h sudo:   eve : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh\n", nil},
		{"Nov 20 01:02:03 h sudo:   eve : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh\n", []string{"Passwords guessed at sudo"}},
		{"Nov 20 01:02:03 h sudo:   eve : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh\n", nil},
		{
			strings.Repeat(sudo, 5),
			append(slices.Repeat([]string{"Somebody who may not use sudo tried to"}, 5), "Ways to become root were tried one after the other"),
		},
		{"Nov 20 01:02:03 h kernel: [12.3] sshd[912]: segfault at 7f00 ip 00 sp 00 error 4 in libc.so\n", []string{"A daemon that talks to strangers died of a fault"}},
		{"Nov 20 01:02:03 h kernel: [12.3] myjob[912]: segfault at 7f00 ip 00 sp 00 error 4 in libc.so\n", nil},
		{"Nov 20 01:02:03 h kernel: [12.3] device eth0 entered promiscuous mode\n", []string{"A network card listens to what is for others"}},
		{"Nov 20 01:02:03 h kernel: [12.3] device veth12 entered promiscuous mode\n", nil},
		{"Nov 20 01:02:03 h kernel: [12.3] rk: module verification failed: signature and/or required key missing - tainting kernel\n", []string{"A kernel module without a valid signature was loaded"}},
		{wrote(1, "/usr/bin/bash", "/proc/sys/kernel/core_pattern"), []string{"The kernel was told what to run when a program crashes or a group of processes ends"}},
		{wrote(1, "/usr/lib/systemd/systemd-sysctl", "/proc/sys/kernel/core_pattern"), nil},
		{wrote(1, "/usr/sbin/apache2", "/var/www/html/upload/x.php"), []string{"A web server wrote a program that it will run"}},
		{wrote(1, "/usr/sbin/php-fpm8.2", "/var/www/html/cache/x.php"), nil},
		{wrote(1, "/usr/bin/rsync", "/var/www/html/upload/x.php"), nil},
		{exec(1, 50, 40, "/proc/self/fd/5", "/memfd:x (deleted)", "x"), []string{"A program without a name was run"}},
		{exec(1, 50, 40, "/proc/self/fd/5", "/memfd:runc_cloned:/proc/self/exe (deleted)", "runc", "init"), nil},
	} {
		got := matched(t, set, c.log)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s%s", c.log, d)
		}
		for _, n := range got {
			tested[n] = true
		}
	}
	if len(tested) != set.Len() {
		t.Errorf("%d of %d rules were shown to match", len(tested), set.Len())
	}
}

const someRules = `
title: A child of a shell that was started with -x
id: 11111111-0000-0000-0000-000000000001
author: Somebody
level: critical
tags: [attack.persistence, attack.t1053.003]
logsource: {category: process_creation, product: linux}
detection:
  s: {ParentImage|endswith: /bash, ParentCommandLine|contains: ' -x', Image|endswith: /nc, CurrentDirectory: /tmp}
  condition: s
---
title: Broken
logsource: {category: process_creation, product: linux}
detection:
  s: {NoSuchField: 1}
  condition: s
---
title: An audit record
id: 11111111-0000-0000-0000-000000000002
level: medium
logsource: {product: linux, service: auditd}
detection:
  s: {type: EXECVE, a0|endswith: nc, a1: 'a b'}
  condition: s
`

// TestApply: parents, folders, arguments, other names and what is hidden are seen; a finding says what it is of.
func TestApply(t *testing.T) {
	t.Parallel()
	set, problems := Compile(fstest.MapFS{"x/some.yml": {Data: []byte(someRules)}})
	if len(problems) != 1 || problems[0].File != "x/some.yml" || problems[0].Rule != "Broken" || problems[0].Line == 0 || !strings.Contains(problems[0].Reason, "NoSuchField") {
		t.Fatal(problems)
	}
	w := watch(set)
	w.lines(exec(1, 50, 40, "/bin/bash", "/usr/bin/bash", "bash", "-x", "a.sh"))
	w.lines(exec(2, 51, 50, "/bin/nc", "/usr/bin/nc.openbsd", "nc", "a b")) // a link
	w.flush()
	if len(w.found) != 2 {
		t.Fatalf("%+v", w.found)
	}
	f := w.found[0]
	if f.Alert.Type != "BH_Rule_11111111-0000-0000-0000-000000000001" || f.Alert.Severity != detect.High || f.Alert.Intent != "Persistence" || !slices.Equal(f.Alert.Techniques, []string{"T1053.003"}) ||
		f.Key != "sigma|11111111-0000-0000-0000-000000000001|session 3" || f.Process.PID != 51 || f.Session.ID != "session 3" || len(f.Commands) != 1 || f.Commands[0].Line != "nc a b" || !strings.Contains(f.Why, "by Somebody") {
		t.Errorf("%+v %+v", f, f.Alert)
	}
	if f := w.found[1]; f.Alert.Name != "An audit record" || f.Alert.Severity != detect.Medium || f.Alert.Intent != "Unknown" {
		t.Errorf("%+v", f)
	}
}

// TestApply_SpanEnds: a correlation that is judged at the end of its time span fires when the machine's time has passed it, whatever tells the time, and is told of no program
// that has nothing to do with it.
func TestApply_SpanEnds(t *testing.T) {
	t.Parallel()
	set, problems := Compile(fstest.MapFS{"a.yml": {Data: []byte(`
title: Curl by cron
name: curl
logsource: {product: linux, service: cron}
detection:
  s: ['CMD (curl ']
  condition: s
---
title: Curl too seldom
id: seldom
level: high
correlation: {type: event_count, rules: [curl], timespan: 5m, condition: {lt: 2}}
`)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		runs, want int
		until      string
	}{{1, 0, "11:05:05"}, {1, 1, "11:05:20"}, {2, 0, "11:05:20"}} {
		w := watch(set)
		for i := range c.runs {
			w.lines(fmt.Sprintf("Dec 10 11:00:0%d h CRON[77]: (root) CMD (curl x)\n", i))
		}
		w.found = nil
		w.lines("Dec 10 " + c.until + " h sshd[25399]: Failed password for root from 192.0.2.7 port 42294 ssh2\n")
		if len(w.found) != c.want {
			t.Errorf("%d runs, at %s: %d found, want %d", c.runs, c.until, len(w.found), c.want)
		}
		for _, f := range w.found {
			if f.Alert.Name != "Curl too seldom" || f.Process != nil || f.Addrs != nil || f.Account != "" || !strings.HasPrefix(f.Key, "sigma|seldom|") {
				t.Errorf("found %+v", f)
			}
		}
	}
}

// TestApply_Hidden: a command in base64 is asked about as if it had been started.
func TestApply_Hidden(t *testing.T) {
	t.Parallel()
	set, problems := Compile(fstest.MapFS{"a.yml": {Data: []byte("title: a\nlogsource: {category: process_creation, product: linux}\ndetection:\n  s: {Image|endswith: /chmod, CommandLine|contains: ' +x a'}\n  condition: s\n")}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := matched(t, set, exec(1, 50, 40, "/bin/bash", "/usr/bin/bash", "bash", "-c", `eval "$(echo J2NobW9kJyAnK3gnICdhJwo= | base64 -d)"`)); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestApply_WithoutRecords: what comes from an agent has no audit records, and is asked about all the same.
func TestApply_WithoutRecords(t *testing.T) {
	t.Parallel()
	set, _ := Compile(fstest.MapFS{"a.yml": {Data: []byte(someRules + "---\ntitle: stop\nlogsource: {product: linux, service: auditd}\ndetection:\n  s: {type: SERVICE_STOP, unit: auditd}\n  condition: s\n")}})
	var found []string
	report := func(f *detect.Finding) { found = append(found, f.Alert.Name) }
	m := detect.New(detect.DefaultParams(), nil, func(*detect.Finding) {})
	x, state := NewMatcher(), &State{}
	for _, e := range []*activity.Event{
		{Kind: activity.Exec, Success: true, Call: "execve", Millis: 1, Process: activity.Process{PID: 5, Parent: 4, Image: []byte("/bin/nc")}, Command: activity.Command{Args: [][]byte{[]byte("nc"), []byte("a b")}, Line: []byte("nc a b")}},
		{Kind: activity.Service, Subject: []byte("auditd"), Millis: 2},
		{Kind: activity.Service, Subject: []byte("auditd"), Began: true, Millis: 3},
	} {
		m.Apply(e)
		x.Apply(set, state, m, e, report)
	}
	if d := cmp.Diff([]string{"An audit record", "stop"}, found); d != "" {
		t.Error(d)
	}
}

// TestFolders_Watch: a rule that is added, broken or removed while the folder is watched is taken up, named or dropped.
func TestFolders_Watch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rule := "title: %s\nlogsource: {product: linux, service: sshd}\ndetection:\n  s: [%s]\n  condition: s\n"
	write("a.yml", fmt.Sprintf(rule, "a", "aaa"))
	synctest.Test(t, func(t *testing.T) {
		f, problems := Open(os.DirFS(dir))
		if len(problems) > 0 || f.Set().Len() != 1 {
			t.Fatal(problems)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var told []string
		go func() {
			defer close(done)
			f.Watch(ctx, time.Minute, func(s *Set, problems []sigma.Problem) {
				told = append(told, fmt.Sprint(s.Len(), " rules, ", len(problems), " problems"))
			})
		}()
		for _, change := range []func(){
			func() {}, func() { write("b.yaml", fmt.Sprintf(rule, "b", "bbb")) }, func() { write("b.yaml", "title: [") }, func() { write("note.txt", "x") },
			func() {
				if err := os.Remove(filepath.Join(dir, "b.yaml")); err != nil {
					t.Error(err)
				}
			},
		} {
			change()
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		cancel()
		<-done
		if d := cmp.Diff([]string{"2 rules, 0 problems", "1 rules, 1 problems", "1 rules, 0 problems"}, told); d != "" {
			t.Error(d)
		}
	})
	if set, problems := Compile(os.DirFS(filepath.Join(dir, "none"))); len(problems) != 1 || set.Len() != 0 {
		t.Errorf("a folder that isn't there: %v", problems)
	}
}
