package sigma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// compileText compiles documents and gives the set and what was said about them.
func compileText(t testing.TB, text string, l Limits) (*Set, []Problem) {
	t.Helper()
	c, problems := Parse("test.yml", []byte(text), testOptions)
	if len(problems) > 0 {
		t.Fatalf("%s\n%v", text, problems)
	}
	s, problems, err := Compile(testSchema(), c, l)
	if err != nil {
		t.Fatal(err)
	}
	return s, problems
}

// TestCompile_NotExpressed: a rule that no event can match is told, with the reason, never kept without effect.
func TestCompile_NotExpressed(t *testing.T) {
	t.Parallel()
	const head = "title: T\nid: r1\nlogsource: "
	body := func(s string) string { return "\ndetection:\n  s: " + s + "\n  condition: s\n" }
	for text, want := range map[string]string{
		head + "{product: windows}" + body("{Image: a}"):                                          "no events of the log source product=windows",
		head + "{product: linux, service: auditd}" + body("{Image: a}"):                           "no events of the log source product=linux service=auditd",
		head + "{category: process_creation}" + body("{Hashes: a}"):                               "no event has a field Hashes (line 5)",
		head + "{category: process_creation}" + body("{Image|fieldref: Hashes}"):                  "no event has a field Hashes",
		head + "{category: process_creation}" + body("{SysCall: a}"):                              "field SysCall may be syscall or SYSCALL",
		head + "{category: network_connection}" + body("{User: a}"):                               "the events of its log source have no field User",
		head + "{category: network_connection}" + body("[a, b]"):                                  "have no message",
		head + "{category: process_creation}" + body("{OriginalFileName: a}"):                     "never there",
		head + "{category: process_creation}" + body("{OriginalFileName: a, Image: a}"):           "never there",
		head + "{category: process_creation}" + body("{OriginalFileName|exists: true}"):           "never there",
		head + "{category: process_creation}" + body("{Image|fieldref: OriginalFileName}"):        "never there",
		head + "{category: process_creation}" + body("{OriginalFileName: null}"):                  "every event of category=process_creation product=linux would match",
		head + "{category: process_creation}" + body("{Image|expand: '%none%'}"):                  "never there",
		head + "{category: process_creation}\nname: r1" + body("{OriginalFileName|neq: evil}"):    "every event",
		head + "{category: process_creation}" + body("[{OriginalFileName: null}, {Image: evil}]"): "every event",
	} {
		s, problems := compileText(t, text, Limits{})
		if len(s.Rules) != 0 || len(problems) != 1 || !strings.Contains(problems[0].Error(), want) || problems[0].Rule != "r1" {
			t.Errorf("%s\n%d rules, problems %v; want one with %q", text, len(s.Rules), problems, want)
		}
	}
}

func TestCompile_SeveralSources(t *testing.T) {
	t.Parallel()
	s, problems := compileText(t, "title: T\nlogsource: {product: linux}\ndetection:\n  a: {Image: /x}\n  b: {User: root}\n  condition: a or b\n", Limits{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var w Scratch
	for _, c := range []struct {
		source int
		event  fields
		want   bool
	}{
		{0, fields{"Image": "/x"}, true},
		{0, fields{"User": "root"}, true},
		{1, fields{"Image": "/x"}, true},
		{1, fields{"User": "root"}, false}, // that source has no such field, whatever stands there
		{0, fields{"Image": "/y"}, false},
	} {
		if got := len(s.Match(&w, c.source, c.event.values(t, s.schema))) == 1; got != c.want {
			t.Errorf("source %d, %v matches: %t; want %t", c.source, c.event, got, c.want)
		}
	}
}

func TestCompile_Twice(t *testing.T) {
	t.Parallel()
	rule := func(id, name string) string {
		return "---\ntitle: T\nid: " + id + "\nname: " + name + "\nlogsource: {category: process_creation}\ndetection: {s: {Image: a}, condition: s}\n"
	}
	s, problems := compileText(t, rule("i1", "n1")+rule("i1", "n2")+rule("i3", "n1")+rule("i4", "n4")+rule("''", "''")+rule("''", "''"), Limits{})
	if len(s.Rules) != 4 || len(problems) != 2 || !strings.Contains(problems[0].Reason, `"i1" is already used by test.yml:2`) ||
		!strings.Contains(problems[1].Reason, `"n1" is already used`) {
		t.Errorf("%d rules, problems %v", len(s.Rules), problems)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	const rules = `
title: One
id: id-1
name: one
logsource: {category: process_creation}
detection: {s: {Image: /x}, condition: s}
---
title: Two
id: id-2
logsource: {category: process_creation, product: linux}
detection: {s: {Image: /x}, condition: s}
---
`
	filter := func(source, rules, body string) string {
		return "title: F\nlogsource: " + source + "\nfilter:\n" + rules + body
	}
	const notAdmin = "  sel: {User|startswith: adm_}\n  condition: not sel\n"
	for _, c := range []struct {
		filter  string
		admin   []int32 // what matches for an administrator
		problem string
	}{
		{filter("{category: process_creation}", "  rules: [id-1]\n", notAdmin), []int32{1}, ""},
		{filter("{category: process_creation}", "  rules: [one, id-2]\n", notAdmin), nil, ""},
		{filter("{category: process_creation}", "  rules: any\n", notAdmin), nil, ""},
		{filter("{category: process_creation}", "", notAdmin), nil, ""},
		{filter("{category: process_creation, product: linux}", "  rules: any\n", notAdmin), []int32{0}, ""}, // One is not for Linux alone
		{filter("{category: process_creation}", "  rules: [id-1, id-9]\n", notAdmin), []int32{1}, "no rule id-9"},
		{filter("{category: file_event}", "  rules: [id-1]\n", notAdmin), []int32{0, 1}, "no field User"},
		{filter("{category: network_connection}", "  rules: [id-1]\n", "  sel: {Image: a}\n  condition: not sel\n"), []int32{0, 1}, "no rule id-1 for the log source"},
		{filter("{category: process_creation}", "  rules: [id-1]\n", "  sel: {Nowhere: x}\n  condition: not sel\n"), []int32{0, 1}, "no event has a field Nowhere"},
		{filter("{category: process_creation}", "  rules: [id-1]\n", "  sel: {User: nobody}\n  condition: sel\n"), []int32{1}, ""},
	} {
		s, problems := compileText(t, rules+c.filter, Limits{})
		if (c.problem == "") != (len(problems) == 0) || len(problems) > 0 && !strings.Contains(problems[0].Error(), c.problem) {
			t.Errorf("%s\nproblems %v; want %q", c.filter, problems, c.problem)
		}
		var w Scratch
		got := s.Match(&w, 0, fields{"Image": "/x", "User": "adm_1"}.values(t, s.schema))
		if !slices.Equal(got, c.admin) {
			t.Errorf("%s\nrules %v match; want %v", c.filter, got, c.admin)
		}
	}
}

func TestSchema_Wrong(t *testing.T) {
	t.Parallel()
	for _, s := range []*Schema{
		{Fields: make([]string, maxFields+1)},
		{Fields: []string{"a"}, Sources: []Source{{Fields: []int{1}, Message: -1}}},
		{Fields: []string{"a"}, Sources: []Source{{Fields: []int{-1}}}},
		{Fields: []string{"a"}, Sources: []Source{{Message: 1}}},
	} {
		if _, _, err := Compile(s, &Collection{}, Limits{}); err == nil {
			t.Errorf("a schema of %d fields and sources %v is accepted", len(s.Fields), s.Sources)
		}
	}
}

func TestLinuxSchema(t *testing.T) {
	t.Parallel()
	s := LinuxSchema()
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for n, f := range s.Fields {
		if f == "" || seen[f] {
			t.Errorf("field %d is called %q", n, f)
		}
		seen[f] = true
		if got, ok := s.Field(f); !ok || got != n {
			t.Errorf("field %s is %d; want %d", f, got, n)
		}
	}
	for n, src := range s.Sources {
		if src.Product != "linux" || len(src.Fields) == 0 {
			t.Errorf("source %d is %v", n, src)
		}
	}
	for name, want := range map[string]int{
		"commandline": FieldCommandLine, "SYSCALL": FieldSyscallSym, "syscall": FieldSyscall, "a0": FieldArgument, "A3": FieldArgument + 3, "msg": FieldMessage,
		"UID": FieldUIDSym, "uid": FieldUID,
	} {
		if got, ok := s.Field(name); !ok || got != want {
			t.Errorf("%s is field %d, %t; want %d", name, got, ok, want)
		}
	}
	if _, ok := s.Field("OriginalFileName"); ok {
		t.Error("OriginalFileName is a field")
	}
}

// TestLongLists has lists that are looked up in tables instead of gone through.
func TestLongLists(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	word := func() string {
		b := make([]byte, 1+rng.IntN(24))
		for i := range b {
			b[i] = "abcABCé*"[rng.IntN(7)]
		}
		return strings.ToValidUTF8(string(b), "?x")
	}
	for _, modifier := range []string{"", "|startswith", "|endswith", "|contains", "|contains|cased", "|cased"} {
		var words []string
		for range 30 {
			words = append(words, "zz"+word()+"yy")
		}
		text := ruleOf(fmt.Sprintf("  s:\n    CommandLine%s: %s\n  condition: s\n", modifier, "['"+strings.Join(words, "','")+"']"))
		s := compileOne(t, text)
		yes := 0
		for range 100 {
			v := word() + words[rng.IntN(len(words))] + word()
			switch rng.IntN(4) {
			case 0:
				v = words[rng.IntN(len(words))]
			case 1:
				v = strings.ToUpper(v)
			case 2:
				v = v[:rng.IntN(len(v))]
			}
			if matches(t, s, fields{"CommandLine": v}) {
				yes++
			}
		}
		if yes < 10 {
			t.Errorf("%s: only %d of 100 match", modifier, yes)
		}
	}
}

// TestSmallTables: whatever little memory there is for tables, the answers are the same.
func TestSmallTables(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "---\ntitle: T%d\nlogsource: {category: process_creation}\ndetection:\n  s: {CommandLine|contains: 'needle-number-%d-of-many'}\n  condition: s\n", i, i)
	}
	for _, size := range []int{1, 1000, 2000, 5000, 20_000, 100_000, 1 << 20} {
		s, problems := compileText(t, text.String(), Limits{TableBytes: size})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		took := 0
		for _, f := range s.sources[0].scans {
			took += f.finder.bytes()
		}
		if took > size {
			t.Errorf("tables take %d bytes of %d", took, size)
		}
		var w Scratch
		for i := range 40 {
			got := s.Match(&w, 0, fields{"CommandLine": fmt.Sprintf("x Needle-Number-%d-of-many x", i)}.values(t, s.schema))
			if !slices.Equal(got, []int32{int32(i)}) {
				t.Errorf("with %d bytes: rules %v match; want %d", size, got, i)
			}
		}
		if size == 1 && len(s.sources[0].always) != 40 || size == 1<<20 && len(s.sources[0].always) != 0 {
			t.Errorf("with %d bytes: %d rules are always run", size, len(s.sources[0].always))
		}
	}
}

// TestMatch_Replaced replaces the set while a scratch goes on to be used.
func TestMatch_Replaced(t *testing.T) {
	t.Parallel()
	var live atomic.Pointer[Set]
	if live.Load() != nil {
		t.Error("there is a set before any was made")
	}
	var w Scratch
	for _, image := range []string{"/a", "/b", "/a"} {
		live.Store(compileOne(t, ruleOf("  s: {Image: "+image+"}\n  condition: s\n")))
		s := live.Load()
		for _, v := range []string{"/a", "/b"} {
			if got := len(s.Match(&w, 0, fields{"Image": v}.values(t, s.schema))) == 1; got != (v == image) {
				t.Errorf("with a rule for %s, %s matches: %t", image, v, got)
			}
		}
	}
	w.now = 1<<31 - 1
	s := live.Load()
	for range 3 {
		if got := s.Match(&w, 0, fields{"Image": "/a"}.values(t, s.schema)); len(got) != 1 {
			t.Errorf("the match is lost when the count of events begins anew: %v", got)
		}
	}
}

// TestMatch_Short copes with values that are too few.
func TestMatch_Short(t *testing.T) {
	t.Parallel()
	s := compileOne(t, ruleOf("  s: {Image: a}\n  t: {User|neq: b}\n  condition: s or t\n"))
	var w Scratch
	if got := s.Match(&w, 0, nil); len(got) != 1 {
		t.Errorf("an event without values: %v; want the rule, as it has no user b", got)
	}
	if got := s.Match(&w, 0, make([][]byte, 3)); len(got) != 1 {
		t.Errorf("an event of three fields: %v", got)
	}
}
