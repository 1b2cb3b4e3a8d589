package detect

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/shingle"
)

// seenCommands is an Intel that knows commands.
type seenCommands map[string]bool

func (seenCommands) Domain(string) bool         { return false }
func (seenCommands) Addr(string) bool           { return false }
func (s seenCommands) Shingle(text string) bool { return s[text] }

func TestKnownCommands(t *testing.T) {
	t.Parallel()
	known := seenCommands{shingle.Normal(strings.Fields("./scanner 900 -b 10.49 words 22")): true}
	var found []*Finding
	m := New(DefaultParams(), known, func(f *Finding) {
		if f.Rule == "known-commands" {
			found = append(found, f)
		}
	})
	for i, line := range []string{"ls -la /var/www", "./other 900 -b 10.49 words 22", "/var/tmp/x/scanner 1500 -b 172.16 words 2222"} {
		args := strings.Fields(line)
		e := &activity.Event{Kind: activity.Exec, Success: true, Call: "execve", Millis: int64(1000 + i)}
		e.Process.PID, e.Process.Parent, e.Process.Session = uint32(100+i), 50, 3
		e.Command.File, e.Command.Line, e.Command.Dir = []byte(args[0]), []byte(line), []byte("/tmp")
		for _, a := range args {
			e.Command.Args = append(e.Command.Args, []byte(a))
		}
		m.Apply(e)
	}
	if len(found) != 1 || found[0].Process.PID != 102 || !strings.Contains(found[0].Why, "scanner # -b %net words #") {
		t.Errorf("%+v", found)
	}
}
