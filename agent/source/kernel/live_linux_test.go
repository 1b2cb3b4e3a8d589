package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel/kerneltest"
)

// The account that nobody has, whose commands alone are audited.
const nobody = 71990

// live skips where the kernel's audit system can't be used, and fails if the test leaves it otherwise than it was.
func live(t *testing.T) (c Config, file string) {
	t.Helper()
	kerneltest.Alone(t)
	was, _, err := Look()
	if err != nil {
		t.Skip(err)
	}
	if was.Enabled == enabledLocked {
		t.Skip("the audit system is locked until the next boot")
	}
	id := uint32(nobody)
	c = Config{Key: fmt.Sprintf("bulkhead-test-%d-%s", os.Getpid(), t.Name()), Scope: Scope{UID: &id}, ExecOnly: true}
	file = filepath.Join(t.TempDir(), "audit.json")
	t.Cleanup(func() {
		if _, err := Restore(file, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
		for _, r := range kernelRules(t) {
			if r.Key() == c.Key {
				t.Errorf("left in the kernel: %s", r)
			}
		}
	})
	return c, file
}

func kernelRules(t *testing.T) []*Rule {
	t.Helper()
	_, all, err := Look()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func kernelStatus(t *testing.T) Status {
	t.Helper()
	s, _, err := Look()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sink keeps what it is told as text; while it is shut it blocks.
type sink struct {
	mu    sync.Mutex // guards lines and lost; held by a test that wants the sink to block
	lines []string
	lost  map[string]uint64
	execs int
}

func (s *sink) Event(_ string, e *activity.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Kind == activity.Audit && string(e.Op) == "lost":
		if s.lost == nil {
			s.lost = map[string]uint64{}
		}
		s.lost[string(e.Subject)] += e.Lost
	case e.Kind == activity.Exec && e.Process.UID == nobody:
		s.execs++
		if len(s.lines) < 1000 {
			s.lines = append(s.lines, fmt.Sprintf("%s in %s by %d", e.Command.Line, e.Command.Dir, e.Process.UID))
		}
	}
}

func (s *sink) Mark(_ string, position []byte) error {
	if position != nil {
		return errors.New("the kernel can't be read again, but a position was told")
	}
	return nil
}

// listen runs a source until the test calls stop, which returns when all is restored and told.
func listen(t *testing.T, o Options, to *sink) (s *Source, stop func()) {
	t.Helper()
	ready, done := make(chan struct{}), make(chan error, 1)
	o.Ready = func() { close(ready) }
	s = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- s.Run(ctx, nil, source.NewOut(Name, to)) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	case <-time.After(20 * time.Second):
		t.Fatal("it wasn't ready in time")
	}
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func as(uid uint32, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}}
	return cmd
}

// TestLive: what an account does is told, whole, and the audit system is afterwards what it was before.
func TestLive(t *testing.T) {
	c, file := live(t)
	before := kernelStatus(t)
	to := &sink{}
	_, stop := listen(t, Options{Config: c, StateFile: file}, to)
	if s := kernelStatus(t); s.Enabled == 0 || s.BacklogWait != 0 && s.Failure != failurePanics || s.Backlog != 0 && s.Backlog < wantBacklog {
		t.Errorf("while it listens: %+v", s)
	}
	long := strings.Repeat("x", 20_000) // more than one record holds
	if out, err := as(nobody, "/", "/bin/sh", "-c", `/bin/echo "$0" >/dev/null; /bin/ls /nowhere; exec /bin/cat /dev/null`, long).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stop()
	want := []string{
		`/bin/sh -c /bin/echo "$0" >/dev/null; /bin/ls /nowhere; exec /bin/cat /dev/null ` + long + " in / by 71990",
		"/bin/echo " + long + " in / by 71990",
		"/bin/ls /nowhere in / by 71990",
		"/bin/cat /dev/null in / by 71990",
	}
	if got := strings.Join(to.lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got %d commands:\n%.2000s", len(to.lines), got)
	}
	if len(to.lost) != 0 {
		t.Errorf("lost: %v", to.lost)
	}
	if after := kernelStatus(t); after.Enabled != before.Enabled || after.Backlog != before.Backlog || after.BacklogWait != before.BacklogWait {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state file is still there: %v", err)
	}
}

// TestLive_Rules: the kernel takes every rule we have, and lists it as we gave it.
func TestLive_Rules(t *testing.T) {
	c, file := live(t)
	c.ExecOnly, c.Connects, c.Homes = false, true, []string{"/nowhere-at-all"}
	in, err := Install(c, file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range kernelRules(t) {
		have[r.String()] = true
	}
	all, err := rules(c, "amd64", uint32(os.Getpid()), c.Homes)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		w.rule.list &= listMask
		if !have[w.rule.String()] && !w.optional {
			t.Errorf("the kernel doesn't list %s", w.rule)
		}
	}
	if err := in.Restore(); err != nil {
		t.Fatal(err)
	}
}

// TestLive_Crash: what an agent that was killed left behind is put back by the next; one that runs is left alone.
func TestLive_Crash(t *testing.T) {
	c, file := live(t)
	before := kernelStatus(t)
	in, err := Install(c, file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Install(c, file, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent with the same file: %v", err)
	}
	if _, err := Restore(file, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("restored under an agent that runs: %v", err)
	}
	in.release() // as a kill does: lock and socket are gone, rules and file stay
	count := func() (n int) {
		for _, r := range kernelRules(t) {
			if r.Key() == c.Key {
				n++
			}
		}
		return n
	}
	left := count()
	if left == 0 {
		t.Fatal("no rules were installed")
	}
	again, err := Install(c, file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if count() != left {
		t.Errorf("%d rules after the second start, %d after the first", count(), left)
	}
	again.release()
	if done, err := Restore(file, slog.New(slog.DiscardHandler)); err != nil || !done {
		t.Fatal(done, err)
	}
	if done, err := Restore(file, slog.New(slog.DiscardHandler)); err != nil || done {
		t.Errorf("restored twice: %t, %v", done, err)
	}
	if after := kernelStatus(t); count() != 0 || after.Enabled != before.Enabled || after.Backlog != before.Backlog || after.BacklogWait != before.BacklogWait {
		t.Errorf("%d rules left; before %+v\nafter  %+v", count(), before, after)
	}
}

// TestLive_OtherBoot: a state file of another boot is about a kernel that is gone.
func TestLive_OtherBoot(t *testing.T) {
	_, file := live(t)
	if err := writeState(file, &state{Kind: "kernel audit", Version: 1, Boot: "another", Was: Status{Backlog: 11}, Mask: setBacklog}); err != nil {
		t.Fatal(err)
	}
	before := kernelStatus(t)
	if done, err := Restore(file, slog.New(slog.DiscardHandler)); err != nil || !done {
		t.Fatal(done, err)
	}
	if after := kernelStatus(t); after.Backlog != before.Backlog {
		t.Errorf("backlog was %d and is %d", before.Backlog, after.Backlog)
	}
	for _, text := range []string{"{", `{"kind":"kernel audit","version":99}`, `{"kind":"other","version":1}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(file, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", text, err)
		}
		os.Remove(file)
	}
}

// storm starts a program so many times as the account, by as many workers as told, and says how long it took.
func storm(t *testing.T, times, workers int) time.Duration {
	t.Helper()
	begun := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for next.Add(1) <= int64(times) {
				if err := as(nobody, "/", "/bin/true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begun)
}

// TestLive_Storm: of ten thousand programs started as fast as the machine can, each is told, or the loss is told.
func TestLive_Storm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of the machine")
	}
	c, file := live(t)
	to := &sink{}
	s, stop := listen(t, Options{Config: c, StateFile: file}, to)
	const times = 10_000
	took := storm(t, times, 2)
	stop()
	f := s.Figures()
	t.Logf("%d programs in %s; %d told, figures %+v", times, took.Round(time.Millisecond), to.execs, f)
	if to.execs == times {
		return
	}
	var told uint64
	for _, n := range to.lost {
		told += n
	}
	if told == 0 || told != f.Lost.Total() {
		t.Errorf("%d of %d programs were told, and %d lost records (figures %+v)", to.execs, times, told, f)
	}
}

// TestLive_SlowSink: a sink that stands still doesn't make the machine's processes wait; what it missed is counted and told once it goes on.
func TestLive_SlowSink(t *testing.T) {
	c, file := live(t)
	to := &sink{}
	s, stop := listen(t, Options{Config: c, StateFile: file, Buffer: minBuffer}, to)
	to.mu.Lock()
	took := storm(t, 400, 2)
	to.mu.Unlock()
	stop()
	f := s.Figures()
	t.Logf("400 programs in %s with a sink that stood still; %d told, lost %+v", took.Round(time.Millisecond), to.execs, f.Lost)
	if to.lost["socket"] != 0 { // what the buffer dropped has come: it isn't missing besides
		t.Errorf("told of %d serials that never came", to.lost["socket"])
	}
	if to.lost["buffer"] == 0 || to.lost["buffer"] != f.Lost[source.InBuffer] || to.execs >= 400 || to.execs == 0 {
		t.Errorf("%d programs were told; told of lost: %v; figures %+v", to.execs, to.lost, f)
	}
	if took > 60*time.Second {
		t.Errorf("the machine stood still with the sink: %s", took)
	}
}

// TestLive_Refused: an account without the right gets an error that says what it wants.
func TestLive_Refused(t *testing.T) {
	if os.Getenv("BULKHEAD_TEST_REFUSED") != "" {
		err := New(Options{StateFile: filepath.Join(os.TempDir(), "x.json")}).Run(t.Context(), nil, source.NewOut(Name, &sink{}))
		fmt.Println("REFUSED:", errors.Is(err, ErrRefused), err)
		return
	}
	live(t)
	cmd := as(nobody, "/", "/proc/self/exe", "-test.run=^TestLive_Refused$")
	cmd.Path, cmd.Env = copyOfSelf(t), []string{"BULKHEAD_TEST_REFUSED=1", "TMPDIR=/tmp"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "REFUSED: true") || !strings.Contains(string(out), "CAP_AUDIT_READ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// copyOfSelf is this test's program where another account can run it.
func copyOfSelf(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(os.TempDir(), "bulkhead-kernel-test-"+strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(name, b, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(name) })
	return name
}
