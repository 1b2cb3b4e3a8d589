package detect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// attack is one test of Atomic Red Team.
type attack struct {
	technique, name, shell, text string
	root                         bool
}

func (a *attack) String() string { return a.technique + " " + a.name }

// attacks reads the tests for Linux of the data folder.
func attacks(t *testing.T) (out []attack) {
	files, _ := filepath.Glob(filepath.Join(testdata(), "security", "art", "*.yaml"))
	if len(files) == 0 {
		t.Skipf("no Atomic Red Team in %s/security/art", testdata())
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Technique string `yaml:"attack_technique"`
			Tests     []struct {
				Name      string   `yaml:"name"`
				Platforms []string `yaml:"supported_platforms"`
				Arguments map[string]struct {
					Default any `yaml:"default"`
				} `yaml:"input_arguments"`
				Executor struct {
					Name    string `yaml:"name"`
					Command string `yaml:"command"`
					Root    bool   `yaml:"elevation_required"`
				} `yaml:"executor"`
			} `yaml:"atomic_tests"`
		}
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, x := range doc.Tests {
			if !slices.Contains(x.Platforms, "linux") || x.Executor.Name != "sh" && x.Executor.Name != "bash" {
				continue
			}
			home := homes + "/user"
			if x.Executor.Root {
				home = "/root"
			}
			cmd := x.Executor.Command
			for k, v := range x.Arguments {
				cmd = strings.ReplaceAll(cmd, "#{"+k+"}", fmt.Sprint(v.Default))
			}
			cmd = strings.ReplaceAll(cmd, "$PathToAtomicsFolder", home+"/AtomicRedTeam/atomics")
			cmd = strings.ReplaceAll(cmd, "PathToAtomicsFolder", home+"/AtomicRedTeam/atomics")
			out = append(out, attack{doc.Technique, x.Name, x.Executor.Name, strings.TrimSpace(cmd), x.Executor.Root})
		}
	}
	return out
}

// detected are the findings that a test's own events lead to, on a machine on which somebody signed in.
func detected(t *testing.T, a *attack) (found []*Finding, events int) {
	m := New(DefaultParams(), ShippedIndicators(), func(f *Finding) { found = append(found, f) })
	own := map[uint32]bool{}
	s := newShell(func(e *activity.Event) {
		own[e.Process.PID] = true
		m.Apply(e)
	}, a.root)
	login := &scope{pid: 3000, dir: s.home}
	bash := s.exec(login, []string{"-bash"})
	if len(found) != 0 {
		t.Fatalf("signing in: %v", found[0].Why)
	}
	clear(own)
	before := s.events
	s.run(&scope{pid: bash, dir: s.home, vars: map[string]string{}}, "/bin/"+a.shell, a.text)
	for _, f := range found {
		if len(f.Commands) == 0 {
			t.Errorf("%s: %s has no evidence", a, f.Rule)
		}
		for _, c := range f.Commands {
			if !own[c.PID] {
				t.Errorf("%s: the evidence of %s is %q, of another process", a, f.Rule, c.Line)
			}
		}
	}
	return found, s.events - before
}

func worst(found []*Finding) (any bool, s Severity) {
	for _, f := range found {
		s = max(s, f.Alert.Severity)
	}
	return len(found) > 0, s
}

// The bars of the issue.
const (
	attacksDetected = 0.75
	attacksMedium   = 0.60
)

// TestAtomicRedTeam: of the tests of Atomic Red Team that run on Linux, three of four are detected by their own events, and three of five by an alert of medium severity or worse.
func TestAtomicRedTeam(t *testing.T) {
	t.Parallel()
	type score struct{ tests, detected, medium int }
	per := map[string]*score{}
	all := &score{}
	var missed, low []string
	verbose := os.Getenv("BULKHEAD_ART") != ""
	for _, a := range attacks(t) {
		found, events := detected(t, &a)
		any, sev := worst(found)
		s := per[a.technique]
		if s == nil {
			s = &score{}
			per[a.technique] = s
		}
		for _, s := range [...]*score{s, all} {
			s.tests++
			if any {
				s.detected++
			}
			if any && sev >= Medium {
				s.medium++
			}
		}
		switch {
		case !any:
			missed = append(missed, a.String())
		case sev < Medium:
			low = append(low, a.String())
		}
		if verbose {
			t.Logf("## %s: %d events, %v", &a, events, sev)
			for _, f := range found {
				t.Logf("      %-13s %-16s %s", f.Alert.Severity, f.Rule, f.Why)
			}
		}
	}
	names := make([]string, 0, len(per))
	for k := range per {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, n := range names {
		t.Logf("%-10s %d tests, %d detected, %d at medium or higher", n, per[n].tests, per[n].detected, per[n].medium)
	}
	t.Logf("all: %d tests, %d detected (%.1f %%), %d at medium or higher (%.1f %%)", all.tests, all.detected, 100*float64(all.detected)/float64(all.tests), all.medium, 100*float64(all.medium)/float64(all.tests))
	t.Logf("missed:\n  %s", strings.Join(missed, "\n  "))
	t.Logf("below medium:\n  %s", strings.Join(low, "\n  "))
	if float64(all.detected) < attacksDetected*float64(all.tests) || float64(all.medium) < attacksMedium*float64(all.tests) {
		t.Errorf("%d of %d tests are detected, %d at medium or higher; want %.0f and %.0f %%", all.detected, all.tests, all.medium, 100*attacksDetected, 100*attacksMedium)
	}
}
