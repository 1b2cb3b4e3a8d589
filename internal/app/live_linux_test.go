package app

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel/kerneltest"
)

// nobody is an account that nobody has, whose commands alone are audited.
const nobody = 71992

// watched is the kernel's audit system as it stands, but for the agent's rules, and how many of these there are.
type watched struct {
	status kernel.Status
	others []string
	ours   int
}

func lookAtKernel() (w watched, err error) {
	now, rules, err := kernel.Look()
	for _, r := range rules {
		if r.Key() == "bulkhead" {
			w.ours++
			continue
		}
		w.others = append(w.others, r.String())
	}
	w.status = kernel.Status{Enabled: now.Enabled, Backlog: now.Backlog, BacklogWait: now.BacklogWait} // the rest counts
	return w, err
}

// was complains if the audit system isn't what it was before. While somebody else on the machine changes it, too, that can be told of the agent's own rules only.
func (before watched) was(t *testing.T) {
	t.Helper()
	after, err := lookAtKernel()
	switch {
	case err != nil:
		t.Error(err)
	case after.ours != 0:
		t.Errorf("%d rules of the agent's are left in the kernel", after.ours)
	case !slices.Equal(after.others, before.others):
		t.Logf("somebody else has changed the machine's audit rules meanwhile: %d before, %d now", len(before.others), len(after.others))
	case after.status != before.status:
		t.Errorf("the audit system is %+v, and was %+v", after.status, before.status)
	}
}

// audited has the kernel's audit system to the test, and makes sure that it is afterwards what it was, whatever becomes of the test.
func audited(t *testing.T) (before watched) {
	t.Helper()
	kerneltest.Alone(t)
	before, err := lookAtKernel()
	switch {
	case err != nil:
		t.Skip(err)
	case before.status.Enabled == 2:
		t.Skip("the audit system is locked until the next boot")
	case before.ours > 0:
		t.Skip("an agent watches this machine's kernel already")
	}
	t.Cleanup(func() { before.was(t) })
	return before
}

// listening starts the agent on the kernel, and waits until its rules are there: it listens before.
func (f *field) listening(agent *program) {
	f.t.Helper()
	f.t.Cleanup(func() { // before the look at what was left, after the agent's end
		agent.end(syscall.SIGTERM)
		if out, err := exec.Command(f.bin, "agent", "restore", "--state", f.state).CombinedOutput(); err != nil {
			f.t.Errorf("%v: %s", err, out)
		}
	})
	agent.start()
	for end, ours := time.Now().Add(time.Minute), -1; ; time.Sleep(50 * time.Millisecond) { // until there come no more
		now, err := lookAtKernel()
		if err != nil {
			f.t.Fatal(err)
		}
		if now.ours > 0 && now.ours == ours {
			return
		}
		if ours = now.ours; time.Now().After(end) {
			f.t.Fatal("after a minute the agent has no rules in the kernel")
		}
	}
}

func asNobody(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}}
	return cmd
}

// harmless is a folder of the account's with copies of "true" under the names of the seed's tools.
func harmless(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "bulkhead-live-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, n), b, 0o644), os.Chown(filepath.Join(dir, n), nobody, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// starts starts a program so many times as the account, two at once, as fast as the machine can.
func starts(t *testing.T, times int) {
	t.Helper()
	begun := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(times); n = next.Add(1) {
				if err := asNobody("/", "/bin/true", fmt.Sprint("live-", n)).Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d programs started in %s", times, time.Since(begun).Round(time.Millisecond))
}

// drained waits until nothing lies in the sockets of the kernel's audit system: what comes while one is full is dropped.
func drained(t *testing.T) {
	t.Helper()
	const audit = "9" // NETLINK_AUDIT
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		table, err := os.ReadFile("/proc/net/netlink")
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for row := range strings.Lines(string(table)) {
			if f := strings.Fields(row); len(f) > 4 && f[1] == audit && f[4] != "0" { // sk Eth Pid Groups Rmem
				left++
			}
		}
		if left == 0 {
			return
		}
	}
	t.Fatal("after a minute the agent has not read what lies in its socket")
}

// TestAgent_Live: what an account does on this machine, told by its kernel through netlink to the real agent, is an alert in both generations of the API. Of a storm of ten thousand started
// programs, and of one during which the agent stands still, each arrives or is told lost by an alert that says how many. Afterwards the kernel is as it was.
func TestAgent_Live(t *testing.T) {
	before := audited(t)
	f := newField(t)
	agent := f.agent("--kernel", "--uid", strconv.Itoa(nobody))
	f.listening(agent)

	tools := []string{"a", "cyberinfo", "gasite.txt", "go", "h4e", "pass", "port", "pscan2", "screen", "ssh2", "sshd"}
	all := strings.Join(tools, " ")
	script := "chmod +x " + all + `; for p in 10.49 10.50 10.51 10.52; do ./ssh2 1500 -b $p pass 22 "uname -a & lscpu"; done; rm -rf ` + all
	if out, err := asNobody(harmless(t, tools...), "/bin/sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sent := 1 + 1 + 4 + 1
	r := f.reader()
	want := map[string]string{"VM_KnownLinuxAttackTool": "chmod +x a cyberinfo", "BH_OutgoingPasswordSpray": "./ssh2 1500 -b 10.5", "BH_KitRemoved": "rm -rf a cyberinfo"}
	found := r.waitsFor(t, slices.Collect(maps.Keys(want))...)
	for typ, about := range want {
		if a := found[typ]; !strings.Contains(string(a.Properties.SupportingEvidence), about) {
			t.Errorf("%s has the evidence %s, want %q", typ, a.Properties.SupportingEvidence, about)
		}
	}
	old, err := r.alerts("2019-01-01")
	if err != nil {
		t.Fatal(err)
	}
	for typ := range want {
		if !slices.ContainsFunc(old, func(a shownAlert) bool {
			return a.Properties.AlertName == typ && strings.EqualFold(a.Properties.AssociatedResource, "/"+f.machineID)
		}) {
			t.Errorf("2019-01-01 has no alert %s of the machine", typ)
		}
	}

	const storm, more = 10_000, 10_000
	starts(t, storm)
	sent += storm
	// An agent that stands still meanwhile: the kernel keeps what there is room for in its socket, and the rest never comes.
	agent.signal(syscall.SIGSTOP)
	starts(t, more)
	agent.signal(syscall.SIGCONT)
	sent += more
	drained(t)
	starts(t, 20) // by their serials the agent sees what is missing
	sent += 20
	drained(t)

	agent.end(syscall.SIGTERM)
	before.was(t)
	// What was left in its folder is sent by the next start, in order: an event behind it is seen when all is there.
	log := &replay.Log{Now: time.Now()}
	log.Exec(replay.Process{PID: 7, Parent: 1, AUID: 1000, UID: 1000, Session: 9, Dir: "/srv"}, "/usr/bin/wget", []string{"wget", "http://nasapaul.com/x"})
	last := filepath.Join(f.dir, "audit.log")
	if err := os.WriteFile(last, []byte(log.Audit()), 0o600); err != nil {
		t.Fatal(err)
	}
	sender := f.agent("--audit-log", last, "--from-start")
	sender.start()
	told := r.waitsFor(t, "VM_SuspectDownload")["BH_AuditRecordsLost"].Properties.ExtendedProperties
	sender.end(syscall.SIGTERM)
	f.platform.end(syscall.SIGTERM)
	f.arithmetic(sent, told)
}

// arithmetic compares what was started with what arrived and what an alert says was lost.
func (f *field) arithmetic(sent int, told map[string]string) {
	t := f.t
	t.Helper()
	received, others := 0, 0
	var missing, overrun uint64
	for _, b := range batches(t, f.data) {
		missing += b.Counters.Missing
		overrun += b.Counters.Lost
		for i := range b.Events {
			switch e := &b.Events[i]; {
			case e.Process.UID == nobody && e.Kind == activity.Exec:
				received++
			case e.Process.Session == 9, e.Kind == activity.Audit: // the last one; our own rules, and what was lost
			default:
				others++
			}
		}
	}
	t.Logf("sent %d, received %d, told lost: %v; others' events %d", sent, received, told, others)
	figure := func(key string) uint64 {
		n, err := strconv.ParseUint(told[key], 10, 64)
		if err != nil && told[key] != "" {
			t.Errorf("the alert says that %s is %q", key, told[key])
		}
		return n
	}
	if figure("eventsMissing") != missing || figure("recordsOverrun") != overrun {
		t.Errorf("the alert says %v, the agent %d and %d", told, missing, overrun)
	}
	lost := figure("recordsLost")
	switch {
	case received > sent:
		t.Errorf("%d were sent, and %d arrived", sent, received)
	case uint64(received)+lost < uint64(sent):
		t.Errorf("%d of %d arrived, and %d were told lost: the others went in silence", received, sent, lost)
	case overrun == 0 && others == 0 && uint64(received)+lost != uint64(sent):
		// Those that the kernel itself drops are told record by record, up to seven of a started program: then there is no more than "at least".
		t.Errorf("%d of %d arrived, and %d were told lost", received, sent, lost)
	}
}
