//go:build linux

package inventory

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

type kept struct {
	events []activity.Event
	marks  int
}

func (k *kept) Event(_ string, e *activity.Event) { k.events = append(k.events, *e) }
func (k *kept) Mark(_ string, position []byte) error {
	k.marks++
	return nil
}

// A process of this test's own is there, with its parent, its command line and when it was started.
func TestSource(t *testing.T) {
	t.Parallel()
	c := exec.CommandContext(t.Context(), "sleep", "61.5")
	c.Dir = t.TempDir()
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Skip("no sleep to start: ", err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	s, k := New("/proc"), &kept{}
	var own, parent *activity.Event
	for range 100 { // until the child runs its program
		k.events = nil
		if err := s.Run(context.Background(), nil, source.NewOut(s.Name(), k)); err != nil {
			t.Fatal(err)
		}
		for i := range k.events {
			switch e := &k.events[i]; int(e.Process.PID) {
			case c.Process.Pid:
				own = e
			case os.Getpid():
				parent = e
			}
		}
		if own != nil && string(own.Command.Line) == "sleep 61.5" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if own == nil || parent == nil {
		t.Fatalf("%d processes, without the test or its child", len(k.events))
	}
	if own.Kind != activity.Running || string(own.Command.Line) != "sleep 61.5" || int(own.Process.Parent) != os.Getpid() || string(own.Command.Dir) != c.Dir ||
		!strings.HasPrefix(string(own.Process.Image), "/") || int(own.Process.UID) != os.Getuid() {
		t.Errorf("got %+v", own)
	}
	if d := own.Time().Sub(began); d < -3*time.Second || d > 3*time.Second {
		t.Errorf("it was started at %s, it says %s", began, own.Time())
	}
	if k.marks == 0 || s.Figures().Events != uint64(len(k.events)) {
		t.Errorf("%d marks, %+v", k.marks, s.Figures())
	}
}
