//go:build unix

package proc

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func shell(script string, env ...string) func(context.Context) (Command, error) {
	return func(context.Context) (Command, error) {
		return Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: append(BaseEnv(), env...)}, nil
	}
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	var got []time.Duration
	for _, ran := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 61 * time.Second, 0} {
		got = append(got, b.pause(ran)/time.Second)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 1, 2}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestProcess_RestartsWithGrowingPause(t *testing.T) {
	t.Parallel()
	log, err := OpenLog(filepath.Join(t.TempDir(), "logs", "out.log"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	pauses := make(chan time.Duration, 100)
	done := 0
	p := Start(t.Context(), Spec{
		Command: func(ctx context.Context) (Command, error) {
			c, _ := shell("echo run; exit 3")(ctx)
			c.Done = func() { done++ }
			return c, nil
		},
		Output: log,
		pause: func(ctx context.Context, d time.Duration) {
			select {
			case pauses <- d:
			default:
				<-ctx.Done()
			}
			if len(pauses) == 4 {
				<-ctx.Done()
			}
		},
	})
	within(t, "four runs", func() bool { return len(pauses) == 4 })
	if s := p.Status(); s.State != BackOff || s.LastExit != "exit status 3" || s.Starts != 4 {
		t.Errorf("got %+v", s)
	}
	p.Stop()
	for _, want := range []time.Duration{1, 2, 4, 8} {
		if got := <-pauses; got != want*time.Second {
			t.Errorf("pause %v, want %v s", got, want)
		}
	}
	if done != 4 {
		t.Errorf("Done called %d times", done)
	}
	if got := string(log.Tail()); got != strings.Repeat("run\n", 4) {
		t.Errorf("log %q", got)
	}
	if s := p.Status(); s.State != Stopped {
		t.Errorf("state after Stop: %+v", s)
	}
}

func TestProcess_StopEndsTheGroup(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"willing":   `sleep 1000 & echo $! > pid; wait`,
		"stubborn":  `trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & echo $! > pid; while :; do sleep 1; done`,
		"abandoned": `sleep 1000 & echo $! > pid; exec sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := Start(t.Context(), Spec{
				Command: func(ctx context.Context) (Command, error) {
					c, _ := shell(script)(ctx)
					c.Dir = dir
					return c, nil
				},
				Grace: 100 * time.Millisecond,
			})
			var grandchild int
			within(t, "grandchild", func() bool {
				b, _ := os.ReadFile(filepath.Join(dir, "pid"))
				grandchild, _ = strconv.Atoi(strings.TrimSpace(string(b)))
				return grandchild > 0
			})
			child := p.Status().PID
			p.Stop()
			for _, pid := range []int{child, grandchild} {
				within(t, "gone", func() bool { return gone(pid) })
			}
		})
	}
}

// gone tells whether no process has the id, or only a dead one that its new parent has not buried yet.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestProcess_LeftoversDieWithACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := Start(t.Context(), Spec{Command: func(ctx context.Context) (Command, error) {
		c, _ := shell(`sleep 1000 & echo $! > pid; exit 1`)(ctx)
		c.Dir = dir
		return c, nil
	}})
	defer p.Stop()
	within(t, "crash", func() bool { return p.Status().State == BackOff })
	b, _ := os.ReadFile(filepath.Join(dir, "pid"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "gone", func() bool { return gone(pid) })
}

func TestProcess_InheritsNothing(t *testing.T) {
	t.Setenv("BULKHEAD_TEST_LEAK", "must not arrive")
	dir := t.TempDir()
	p := Start(t.Context(), Spec{Command: func(ctx context.Context) (Command, error) {
		c, _ := shell(`env > out; sleep 1000`, "ONE=1")(ctx)
		c.Dir = dir
		return c, nil
	}})
	defer p.Stop()
	var env string
	within(t, "environment", func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "out"))
		env = string(b)
		return strings.Contains(env, "ONE=1")
	})
	if strings.Contains(env, "LEAK") {
		t.Error("the platform's own environment reached the child")
	}
}

func TestProcess_CantStart(t *testing.T) {
	t.Parallel()
	p := Start(t.Context(), Spec{Command: func(context.Context) (Command, error) {
		return Command{Path: "/does/not/exist", Args: []string{"secret-argument"}, Env: []string{"K=secret-value"}}, nil
	}})
	defer p.Stop()
	within(t, "back-off", func() bool { return p.Status().State == BackOff })
	got := p.Status().LastExit
	if !strings.HasPrefix(got, "could not be started") || strings.Contains(got, "secret") {
		t.Errorf("got %q", got)
	}
}

func TestProcess_StatesInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []State
	p := Start(t.Context(), Spec{
		Command: shell("sleep 1000"),
		Changed: func(s Status) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, s.State)
		},
	})
	within(t, "running", func() bool { return p.Status().State == Running })
	p.Stop()
	if d := cmp.Diff([]State{Starting, Running, Stopped}, got); d != "" {
		t.Error(d)
	}
}

func TestLog_Rotates(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	l, err := OpenLog(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"12345678", "abcdefgh", "ABCDEFGH"} {
		if n, err := l.Write([]byte(s)); n != 8 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(path)
	older, _ := os.ReadFile(path + ".1")
	if string(now) != "ABCDEFGH" || string(older) != "abcdefgh" {
		t.Errorf("got %q and %q", now, older)
	}
	if got := string(l.Tail()); got != "12345678abcdefghABCDEFGH" {
		t.Errorf("tail %q", got)
	}
	_, _ = l.Write(make([]byte, 2*tailSize))
	if len(l.Tail()) != tailSize {
		t.Errorf("tail grew to %d", len(l.Tail()))
	}
}
