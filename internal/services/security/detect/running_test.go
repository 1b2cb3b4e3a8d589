package detect

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// A program that ran before anybody looked is the parent of what it starts, raises nothing itself, and doesn't replace what is known.
func TestRunning(t *testing.T) {
	t.Parallel()
	m := New(DefaultParams(), ShippedIndicators(), func(f *Finding) { t.Errorf("found %s", f.Why) })
	running := &activity.Event{
		Kind: activity.Running, Process: activity.Process{PID: 10, Parent: 1, Image: []byte("/usr/bin/wget")},
		Command: activity.Command{Args: [][]byte{[]byte("wget"), []byte("http://nasapaul.com/ninfo")}, Line: []byte("wget http://nasapaul.com/ninfo")},
	}
	m.Apply(running)
	m.Apply(&activity.Event{
		Kind: activity.Exec, Success: true, Call: "execve", Millis: 5, Process: activity.Process{PID: 11, Parent: 10}, Command: activity.Command{Args: [][]byte{[]byte("true")}, Line: []byte("true")},
	})
	p, ok := m.processes.Get(11)
	if !ok || p.Parent == nil || p.Parent.PID != 10 {
		t.Fatalf("the child is %+v", p)
	}
	running.Process.PID = 11
	m.Apply(running)
	if again, _ := m.processes.Get(11); again != p {
		t.Error("what was seen started was replaced")
	}
}
