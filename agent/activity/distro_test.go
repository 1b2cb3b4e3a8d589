package activity

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

var update = flag.Bool("update", false, "write what is read as what is expected")

// all tells what an event says, whatever it is of.
func all(e *Event) string {
	s := fmt.Sprintf("%s %s", e.Time().Format("2006-01-02T15:04:05.999"), e.Kind)
	if !e.Success {
		s += " failed"
	}
	if e.Kind == Session || e.Kind == Service {
		s += map[bool]string{true: " begins", false: " ends"}[e.Began]
	}
	p := &e.Process
	for _, n := range [...]struct {
		name  string
		value uint32
	}{{"pid", p.PID}, {"parent", p.Parent}, {"auid", p.AUID}, {"uid", p.UID}, {"session", p.Session}} {
		if n.value != 0 && n.value != linuxaudit.Unset {
			s += fmt.Sprintf(" %s=%d", n.name, n.value)
		}
	}
	a := &e.SignIn
	if a.Unknown {
		s += " unknown"
	}
	for _, f := range [...]struct {
		name  string
		value []byte
	}{
		{"node", e.Node},
		{"call", []byte(e.Call)},
		{"image", p.Image},
		{"comm", p.Comm},
		{"tty", p.TTY},
		{"account", a.Account},
		{"host", a.Host},
		{"method", a.Method},
		{"terminal", a.Terminal},
		{"op", e.Op},
		{"subject", e.Subject},
		{"file", e.Command.File},
		{"dir", e.Command.Dir},
		{"unix", e.Remote.Path},
	} {
		if len(f.value) > 0 {
			s += fmt.Sprintf(" %s=%q", f.name, f.value)
		}
	}
	if len(e.Command.Args) > 0 {
		s += fmt.Sprintf(" args=%q", e.Command.Args)
	}
	if e.Command.Missing > 0 {
		s += fmt.Sprintf(" missing=%d", e.Command.Missing)
	}
	if a.Addr.IsValid() {
		s += " addr=" + a.Addr.String()
	}
	if e.Remote.Addr.IsValid() {
		s += " remote=" + e.Remote.Addr.String()
	}
	if e.Mode != 0 {
		s += fmt.Sprintf(" mode=%o", e.Mode)
	}
	for _, f := range e.Files {
		s += fmt.Sprintf(" [%s %o %d%s]", f.Name, f.Mode, f.Owner, map[bool]string{true: " new"}[f.New])
	}
	return s
}

// TestDistributions reads audit logs as RHEL 9 (ENRICHED), Debian 12 (RAW, interleaved), older RHEL and SUSE, and a 64-bit ARM machine that names itself (node=) write them.
func TestDistributions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.log")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		var n Normalizer
		r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) { fmt.Fprintln(&got, all(n.Audit(e))) })
		for line := range bytes.Lines(text) {
			r.Line(line)
		}
		r.Flush()
		if s := r.Stats(); s.Malformed != 0 || s.Lines != uint64(bytes.Count(text, []byte{'\n'})) {
			t.Errorf("%s: %+v", file, s)
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
