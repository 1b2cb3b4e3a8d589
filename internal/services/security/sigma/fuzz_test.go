package sigma

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// FuzzParse: whatever a file holds, it is read or told; what is read is compiled or told, and what is compiled answers as plain evaluation does.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		goodRule, correlated + "correlation: {type: temporal, rules: [a, b], timespan: 1m}\n", ownRules,
		ruleOf("  s:\n    - CommandLine|windash|contains|all: [' -a', '/b']\n    - User|re|i: '^r(o|0)+t$'\n    - Address|cidr: fe80::/10\n  k: [foo, 'b*r']\n  condition: s and not 1 of k*\n"),
		"title: F\nlogsource: {category: process_creation}\nfilter: {rules: any, s: {User|expand: '%admins%'}, condition: not s}\n",
		"a: &a [*a]\n", "--- \n%YAML 1.1\n", "? [a]\n: b", "title: !!binary aGk=\n", "title: |\n  x\n y",
	} {
		f.Add([]byte(s), "/bin/sh -c evil", "root")
	}
	f.Fuzz(func(t *testing.T, text []byte, commandLine, user string) {
		c, problems := Parse("fuzz.yml", text, testOptions)
		for _, p := range problems {
			if p.Error() == "" || p.Reason == "" {
				t.Errorf("a problem without a reason: %+v", p)
			}
		}
		s, _, err := Compile(testSchema(), c, Limits{TableBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		values := [][]byte{[]byte("/bin/sh"), []byte(commandLine), []byte(user), []byte("22"), []byte("10.1.2.3"), nil, []byte(commandLine), nil, {}}
		var w Scratch
		got := slices.Clone(s.Match(&w, 0, values))
		if len(c.Filters) == 0 {
			ref := newReference(s.schema)
			for n, r := range s.Rules {
				want := r.LogSource.covers(s.schema.Sources[0].LogSource) && ref.rule(r.detection, &s.schema.Sources[0], values)
				if slices.Contains(got, int32(n)) != want {
					t.Errorf("rule %d matches: %t; want %t", n, !want, want)
				}
			}
		}
		cor := NewCorrelator(s, CorrelatorLimits{Groups: 10, Entries: 100})
		for i := range 5 {
			for _, n := range got {
				cor.Feed(Hit{n, start.Add(time.Duration(i) * time.Second), values})
			}
		}
		cor.Advance(start.Add(time.Hour))
	})
}

// FuzzCondition: a condition is an expression over its identifiers, or an error.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		"a", "a and not b", "1 of sel_*", "all of them", "(a or b) and not (sel_1)", "a | count() > 5", "not not a", "1 of", "((", "a)b", "all of *_*",
	} {
		f.Add(s, "a sel_1")
	}
	searches := letters("a", "b", "sel_1", "sel_2", "_c")
	f.Fuzz(func(t *testing.T, condition, commandLine string) {
		e, err := parseCondition(condition, searches)
		if err != nil {
			if e != nil && err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		evaluate(t, e, commandLine)
	})
}

// FuzzPattern: a value with wildcards matches what the regular expression it stands for matches.
func FuzzPattern(f *testing.F) {
	for _, c := range [][2]string{{"a*b?c", "aXbYc"}, {`\*\\*`, `*\x`}, {"*a*", "A"}, {"?", "é"}, {"??", "\xff\xfe"}, {"*é?", "É\xc3"}, {"a*a*a*b", "aaaaaaab"}, {"K", "\u212a"}} {
		f.Add(c[0], c[1], uint8(0))
		f.Add(c[0], c[1], uint8(3))
	}
	f.Fuzz(func(t *testing.T, value, text string, how uint8) {
		if len(value) > 200 || len(text) > 1000 || strings.ToValidUTF8(value, "") != value {
			return
		}
		p := parsePattern(value)
		if how&1 != 0 {
			p = p.around(how&2 != 0, how&4 != 0)
		}
		if how&8 != 0 {
			p = p.windash()
		}
		r := &Rule{Meta: Meta{Title: "T"}, LogSource: LogSource{Category: "process_creation"}}
		other := literal("never this")
		r.detection = leaf(&test{field: "CommandLine", cased: how&16 != 0, patterns: []pattern{p, other}})
		s, problems, err := Compile(testSchema(), &Collection{Rules: []*Rule{r}}, Limits{})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		matches(t, s, fields{"CommandLine": text})
	})
}

// FuzzAddr: addresses are what net/netip says they are.
func FuzzAddr(f *testing.F) {
	for _, s := range []string{
		"1.2.3.4", "1.2.3", "01.2.3.4", "256.1.1.1", "::", "::1", "1::", "fe80::1:2", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9",
		"::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4", "1::2::3", ":1", "1:", "12345::", "g::", "", ".", ":", "1.2.3.4.5", "1::1.2.3.4:5",
		"1:2:3:4::5:6:7:8", "0:0:0:0:0:ffff:10.0.0.1", ":::", "1:::2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, '%') {
			return
		}
		want, err := netip.ParseAddr(s)
		got, ok := parseAddr([]byte(s))
		if ok != (err == nil) || ok && got != want.Unmap() {
			t.Errorf("%q is %v, %t; want %v, %v", s, got, ok, want, err)
		}
	})
}

// TestHostileValues: long values made to be slow take no longer than their length says, with the rules there are.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	s := compileHQ(t)
	var w Scratch
	began := time.Now()
	for _, unit := range []string{"a", "/", "-r ", "/tmp/", "base64 ", "\xff", "é"} {
		values := make([][]byte, len(s.schema.Fields))
		for _, f := range s.schema.Sources[SourceProcessCreation].Fields {
			values[f] = bytes.Repeat([]byte(unit), 50_000/len(unit))
		}
		s.Match(&w, SourceProcessCreation, values)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("seven events of half a megabyte each take %v", took)
	}
}

// TestLoad_Data reads the folder of SigmaHQ's rules again while it is used; see compileHQ for what can't be expressed.
func TestLoad_Data(t *testing.T) {
	t.Parallel()
	dir := os.DirFS(dataFolder(t))
	var live atomic.Pointer[Set]
	live.Store(compileHQ(t))
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		var w Scratch
		n := 0
		values := make([][]byte, linuxFields)
		values[FieldImage], values[FieldCommandLine] = []byte("/usr/bin/chattr"), []byte("chattr -i /etc/passwd")
		for {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			if len(live.Load().Match(&w, SourceProcessCreation, values)) == 0 {
				n++
			}
		}
	}()
	for range 3 {
		c, _, err := Load(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := Compile(LinuxSchema(), c, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		live.Store(s)
	}
	close(stop)
	if missed := <-done; missed > 0 {
		t.Errorf("%d events were missed while rules were replaced", missed)
	}
}
