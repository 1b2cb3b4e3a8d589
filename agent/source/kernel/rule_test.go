package kernel

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// words are the parts of a rule that aren't zero, by their place in struct audit_rule_data; texts follow.
func words(t *testing.T, r *Rule) (w map[int]uint32, texts string) {
	t.Helper()
	b, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	w = map[int]uint32{}
	for i := range ruleSize / 4 {
		if v := binary.NativeEndian.Uint32(b[4*i:]); v != 0 {
			w[i] = v
		}
	}
	return w, string(b[ruleSize:])
}

// ruleOf is the rule of a configuration that is about a thing: a text in what String says.
func ruleOf(t *testing.T, c Config, part string) *Rule {
	t.Helper()
	all, err := rules(c, "amd64", 77, c.Homes)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if strings.Contains(w.rule.String(), part) {
			return w.rule
		}
	}
	t.Fatalf("no rule says %q", part)
	return nil
}

// TestRule_Encode compares with what auditctl 3.0.9 sent to the kernel for the same rules.
func TestRule_Encode(t *testing.T) {
	id := uint32(71999)
	c := Config{Key: "golden", Connects: true, Scope: Scope{UID: &id}}
	for name, x := range map[string]struct {
		rule  *Rule
		words map[int]uint32
		texts string
	}{
		"started programs": {
			ruleOf(t, c, "success=1 -F uid=71999 -F key=golden -S 59,"),
			map[int]uint32{
				0: 4, 1: 2, 2: 4, 4: 0x8000000, 13: 4, 67: 11, 68: 104, 69: 1, 70: 210, 131: 0xc000003e, 132: 1, 133: 71999, 134: 6,
				195: equal, 196: equal, 197: equal, 198: equal, 259: 6,
			},
			"golden",
		},
		"connections of 32 bits": {
			ruleOf(t, c, "arch=40000003 -F saddr_fam=2 "),
			map[int]uint32{
				0: 4, 1: 2, 2: 4, 14: 0x400, 67: 11, 68: 113, 69: 1, 70: 210, 131: 0x40000003, 132: 2, 133: 71999, 134: 6,
				195: equal, 196: equal, 197: equal, 198: equal, 259: 6,
			},
			"golden",
		},
		"a file": {
			ruleOf(t, c, "path=/etc/passwd"),
			map[int]uint32{
				0: 4, 1: 2, 2: 5, 67: 11, 68: 105, 69: 106, 70: 1, 71: 210, 131: 0xc000003e, 132: 11, 133: 10, 134: 71999, 135: 6,
				195: equal, 196: equal, 197: equal, 198: equal, 199: equal, 259: 17,
			},
			"/etc/passwdgolden",
		},
		"a folder": {
			ruleOf(t, Config{Key: "golden"}, "dir=/etc/ssh"),
			map[int]uint32{
				0: 4, 1: 2, 2: 4, 67: 11, 68: 107, 69: 106, 70: 210, 131: 0xc000003e, 132: 8, 133: 10, 134: 6,
				195: equal, 196: equal, 197: equal, 198: equal, 259: 14,
			},
			"/etc/sshgolden",
		},
	} {
		got, texts := words(t, x.rule)
		if x.words[68] == 105 || x.words[68] == 107 { // open and openat, in the golden rule, are two of the calls we ask for
			if got[3]&4 == 0 || got[11]&2 == 0 {
				t.Errorf("%s: open and openat are not in the mask", name)
			}
			for i := range maskWords {
				delete(got, 3+i)
			}
		}
		if diff := cmp.Diff(x.words, got); diff != "" || texts != x.texts {
			t.Errorf("%s: texts %q, want %q; -want +got:\n%s", name, texts, x.texts, diff)
		}
	}
}

// TestRule_RoundTrip: what the kernel lists of our rules is recognised as ours.
func TestRule_RoundTrip(t *testing.T) {
	id := uint32(5)
	for _, c := range []Config{{}, {Connects: true, Scope: Scope{AUID: &id}}, {ExecOnly: true, Key: "other"}} {
		for _, arch := range []string{"amd64", "386", "arm64"} {
			all, err := rules(c, arch, 1, []string{"/root", "/var/lib/x"})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range all {
				b, err := w.rule.encode()
				if err != nil {
					t.Fatalf("%s: %v", w.rule, err)
				}
				back, err := decodeRule(b)
				if err != nil || !back.same(w.rule) || back.String() != w.rule.String() || back.Key() != c.key() {
					t.Errorf("%s: read back as %v (%v)", w.rule, back, err)
				}
			}
		}
	}
	if _, err := rules(Config{}, "riscv64", 1, nil); err == nil {
		t.Error("rules for a machine whose calls aren't known")
	}
}

// TestRules_Scope: every rule but the one that leaves the agent out is about the accounts asked for, and each is of one architecture.
func TestRules_Scope(t *testing.T) {
	id := uint32(4242)
	for name, c := range map[string]Config{"uid": {Scope: Scope{UID: &id}}, "auid": {Scope: Scope{AUID: &id}}} {
		all, err := rules(c, "amd64", 77, []string{"/root"})
		if err != nil {
			t.Fatal(err)
		}
		never := 0
		for _, w := range all {
			s := w.rule.String()
			if strings.Count(s, "-F arch=") != 1 {
				t.Errorf("%s: not of one architecture", s)
			}
			if w.rule.action == actNever {
				never++
				if !strings.Contains(s, "-F pid=77") || w.rule.list&prepend == 0 {
					t.Errorf("%s: doesn't leave out the agent, or stands behind others", s)
				}
				continue
			}
			if !strings.Contains(s, " -F "+name+"=4242 ") {
				t.Errorf("%s: lacks %s", s, name)
			}
		}
		if never != 2 {
			t.Errorf("the agent is left out by %d rules, want one for each architecture", never)
		}
	}
}

func TestRule_Everything(t *testing.T) {
	if !(&Rule{list: listTask, action: actNever}).everything() {
		t.Error("-a never,task is not seen")
	}
	if (&Rule{list: listTask, action: actNever, fields: []field{{id: fieldUID, op: equal}}}).everything() || (&Rule{list: listExit, action: actNever}).everything() {
		t.Error("a rule about some is taken for one about all")
	}
}

func TestHomes(t *testing.T) {
	got := homesOf("root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nbroken\nnobody:x:65534:65534::/nonexistent:/bin/false\nweb:x:33:33::/srv/web/:/bin/sh\na:x:1:1::/root:/bin/sh\nb:x:1:1::relative:/bin/sh\n")
	if diff := cmp.Diff([]string{"/root", "/srv/web"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestStatus(t *testing.T) {
	s := Status{Enabled: 1, Failure: 1, Daemon: 20, RateLimit: 3, Backlog: 8192, Lost: 7, Waiting: 2, Features: 0x7f, BacklogWait: 15000}
	if got := decodeStatus(s.encode(setEnabled | setBacklog)); got != s {
		t.Errorf("got %+v, want %+v", got, s)
	}
	old := s.encode(0)[:32]
	want := s
	want.Features, want.BacklogWait = 0, 0
	if got := decodeStatus(old); got != want {
		t.Errorf("of an old kernel: got %+v, want %+v", got, want)
	}
}

// FuzzRule: whatever a kernel lists is read without a panic, and what is read can be written again.
func FuzzRule(f *testing.F) {
	all, _ := rules(Config{Connects: true}, "amd64", 1, []string{"/root"})
	for _, w := range all[:6] {
		b, _ := w.rule.encode()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRule(b)
		if err != nil {
			return
		}
		_, _ = r.String(), r.everything()
		again, err := r.encode()
		if err != nil {
			return // texts of no length, which a kernel doesn't have
		}
		if back, err := decodeRule(again); err != nil || !back.same(r) {
			t.Errorf("%s became %v (%v)", r, back, err)
		}
	})
}

// TestElsewhere: what a system without this audit system says is an error that can be told from others.
func TestElsewhere(t *testing.T) {
	if runtime.GOOS == "linux" {
		t.Skip("Linux has it")
	}
	if err := New(Options{}).Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), runtime.GOOS) {
		t.Errorf("got %v", err)
	}
}

// same reports whether two rules are the same to the kernel: then it refuses to have both. Where a rule stands in its list is no part of it.
func (r *Rule) same(other *Rule) bool {
	a, errA := (&Rule{list: r.list & listMask, action: r.action, mask: r.mask, fields: r.fields}).encode()
	b, errB := (&Rule{list: other.list & listMask, action: other.action, mask: other.mask, fields: other.fields}).encode()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
