package detect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	feed "github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel"
	"github.com/bulkheadhq/bulkhead/agent/source/kernel/kerneltest"
)

// machineSink gives what a source tells to a machine's state.
type machineSink struct{ m *Machine }

func (s machineSink) Event(_ string, e *activity.Event) { s.m.Apply(e) }
func (s machineSink) Mark(string, []byte) error         { return nil }

// TestLive: what an account that nobody has does on this machine, told by its kernel, is found. The tools are copies of "true" under the names of the seed's.
func TestLive(t *testing.T) {
	kerneltest.Alone(t)
	const nobody = 71991
	id := uint32(nobody)
	found := map[string]*Finding{}
	m := New(DefaultParams(), ShippedIndicators(), func(f *Finding) {
		if found[f.Alert.Type] == nil {
			found[f.Alert.Type] = f
		}
	})
	ready, done := make(chan struct{}), make(chan error, 1)
	src := kernel.New(kernel.Options{
		Config:    kernel.Config{Key: fmt.Sprintf("bulkhead-detect-%d", os.Getpid()), Scope: kernel.Scope{UID: &id}, ExecOnly: true},
		StateFile: filepath.Join(t.TempDir(), "audit.json"), Ready: func() { close(ready) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { done <- src.Run(ctx, nil, feed.NewOut(src.Name(), machineSink{m})) }()
	select {
	case <-ready:
	case err := <-done:
		if errors.Is(err, kernel.ErrRefused) {
			t.Skip(err)
		}
		t.Fatal(err)
	case <-time.After(20 * time.Second):
		t.Fatal("it wasn't ready in time")
	}
	dir := kit(t, nobody)
	script := `chmod +x a cyberinfo gasite.txt go h4e pass port pscan2 screen ssh2 sshd
for p in 10.49 10.50 10.51 10.52; do ./ssh2 1500 -b $p pass 22 "uname -a & lscpu"; done
./sshd 10.49
rm -rf a cyberinfo gasite.txt go h4e pass port pscan2 screen ssh2 sshd`
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}}
	out, err := cmd.CombinedOutput()
	cancel()
	if err := errors.Join(err, <-done); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if lost := src.Figures().Lost.Total(); lost != 0 {
		t.Errorf("%d records were lost", lost)
	}
	for name, about := range map[string]string{
		attackTool.Type: "chmod +x", passwordSpray.Type: "ssh2 1500", masquerade.Type: "./sshd", kitRemoved.Type: "rm -rf",
	} {
		f := found[name]
		if f == nil {
			t.Errorf("%s was not found; found: %v", name, keys(found))
			continue
		}
		if len(f.Commands) == 0 || !strings.Contains(f.Commands[0].Line, about) || f.Commands[0].PID == 0 || time.Since(time.UnixMilli(f.Millis)) > time.Minute {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// kit is a folder of an account's with harmless programs in it.
func kit(t *testing.T, owner int) string {
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
	for _, n := range []string{"a", "cyberinfo", "gasite.txt", "go", "h4e", "pass", "port", "pscan2", "screen", "ssh2", "sshd"} {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, n), b, 0o644), os.Chown(filepath.Join(dir, n), owner, owner)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chown(dir, owner, owner), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func keys(m map[string]*Finding) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}
