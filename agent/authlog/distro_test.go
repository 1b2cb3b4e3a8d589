package authlog

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

var update = flag.Bool("update", false, "write what is read as what is expected")

// all tells what an event says, whatever it is of.
func all(e *activity.Event) string {
	s := fmt.Sprintf("%s %s[%d] %s", e.Time().Format("2006-01-02T15:04:05.999999"), e.Process.Comm, e.Process.PID, e.Kind)
	if !e.Success {
		s += " failed"
	}
	add := func(name string, value any) { s += fmt.Sprintf(" %s=%q", name, value) }
	a := &e.SignIn
	if e.Kind == activity.Session {
		s += map[bool]string{true: " begins", false: " ends"}[e.Began]
	}
	if a.Unknown {
		s += " unknown"
	}
	if len(a.Account) > 0 || e.Kind == activity.SignIn {
		add("account", a.Account)
	}
	if a.Addr.IsValid() {
		add("addr", a.Addr.String())
	}
	for _, f := range [...]struct {
		name  string
		value []byte
	}{{"host", a.Host}, {"method", a.Method}, {"op", e.Op}, {"subject", e.Subject}, {"line", e.Command.Line}, {"dir", e.Command.Dir}, {"tty", e.Process.TTY}} {
		if len(f.value) > 0 {
			add(f.name, f.value)
		}
	}
	if a.Count > 1 {
		s += fmt.Sprintf(" %d times", a.Count)
	}
	return s
}

// TestDistributions reads logs as Debian 12, Ubuntu 22.04 and 24.04, RHEL 8 and 9, SUSE 15 and journalctl write them. Of a line that tells nothing, the program is expected, or "-" of what
// is no line of a log.
func TestDistributions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.log")
	if err != nil || len(files) < 7 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := Parser{Now: func() time.Time { return time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC) }}
		var got strings.Builder
		for line := range bytes.Lines(text) {
			switch e, told := p.Any(line); {
			case told:
				fmt.Fprintln(&got, all(e))
			case e != nil:
				fmt.Fprintf(&got, "(%s)\n", e.Process.Comm)
			default:
				fmt.Fprintln(&got, "-")
			}
		}
		want := strings.TrimSuffix(file, ".log") + ".want"
		if *update {
			if err := os.WriteFile(want, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		expected, err := os.ReadFile(want)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(expected), "\n"), strings.Split(got.String(), "\n")); d != "" {
			t.Errorf("%s: %s", file, d)
		}
	}
}
