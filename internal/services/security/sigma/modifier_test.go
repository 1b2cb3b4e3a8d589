package sigma

import (
	"strings"
	"testing"
)

// testSchema has two sources: one with a message and one without.
func testSchema() *Schema {
	return &Schema{
		Fields:  []string{"Image", "CommandLine", "User", "Port", "Address", "Other", "message", "syscall", "SYSCALL"},
		Aliases: map[string]int{"Process": 0},
		Absent:  []string{"OriginalFileName"},
		Sources: []Source{
			{LogSource{"process_creation", "linux", ""}, []int{0, 1, 2, 3, 4, 5, 7, 8}, 6},
			{LogSource{"network_connection", "linux", ""}, []int{0, 3, 4}, -1},
		},
	}
}

// fields are an event's values by name.
type fields map[string]string

func (f fields) values(t testing.TB, s *Schema) [][]byte {
	t.Helper()
	out := make([][]byte, len(s.Fields))
	for name, v := range f {
		n, ok := s.Field(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		out[n] = []byte(v)
	}
	return out
}

var testOptions = Options{Placeholders: map[string][]string{
	"admins": {"root", "adm_*"}, "nets": {"10.0.0.0/8", "fc00::/7"}, "none": {}, "re": {"a+b"}, "percent": {"50%"},
}}

func ruleOf(detection string) string {
	return "title: T\nlogsource: {category: process_creation}\ndetection:\n" + detection
}

// compileOne compiles a file and wants no problem.
func compileOne(t testing.TB, text string) *Set {
	t.Helper()
	c, problems := Parse("test.yml", []byte(text), testOptions)
	if len(problems) > 0 {
		t.Fatalf("%s\n%v", text, problems)
	}
	s, problems, err := Compile(testSchema(), c, Limits{})
	if err != nil || len(problems) > 0 {
		t.Fatalf("%s\n%v %v", text, err, problems)
	}
	return s
}

// matches asks the engine and the reference; they must agree.
func matches(t testing.TB, s *Set, event fields) bool {
	t.Helper()
	var w Scratch
	values := event.values(t, s.schema)
	got := len(s.Match(&w, 0, values)) == 1
	if want := newReference(s.schema).rule(s.Rules[0].detection, &s.schema.Sources[0], values); got != want {
		t.Errorf("%v: engine says %t, reference %t", event, got, want)
	}
	return got
}

func TestValues(t *testing.T) {
	t.Parallel()
	const cmd = "CommandLine"
	for _, c := range []struct {
		key, value string // in YAML
		field      string
		yes, no    []string
	}{
		{cmd, "abc", cmd, []string{"abc", "ABC", "aBc"}, []string{"", "abcd", "xabc", "ab"}},
		{cmd, "'a*c'", cmd, []string{"ac", "abc", "aXXC", "a\nc"}, []string{"acd", "bac", "ca"}},
		{cmd, "'a?c'", cmd, []string{"abc", "aéc", "A\nC", "a\xffc"}, []string{"ac", "abbc"}},
		{cmd, `'a\*c'`, cmd, []string{"a*c", "A*C"}, []string{"abc", `a\*c`}},
		{cmd, `'a\?c'`, cmd, []string{"a?c"}, []string{"abc"}},
		{cmd, `'a\\*c'`, cmd, []string{`a\c`, `a\bbc`}, []string{"a*c", "abc"}},
		{cmd, `'a\\\*c'`, cmd, []string{`a\*c`}, []string{`a\bc`}},
		{cmd, `'a\\c'`, cmd, []string{`a\c`}, []string{`a\\c`}},
		{cmd, `'a\c'`, cmd, []string{`a\c`}, []string{`ac`}},
		{cmd, `'a\\\\c'`, cmd, []string{`a\\c`}, []string{`a\c`}},
		{cmd, "'**a**'", cmd, []string{"a", "bab"}, []string{"b"}},
		{cmd, "'*'", cmd, []string{"", "a"}, nil},
		{cmd, "''", cmd, []string{""}, []string{"a", " "}},
		{cmd, "'*a*b?d*e'", cmd, []string{"abcde", "xaxbcdxe", "abcde abcde"}, []string{"abde", "abcdex"}},
		{cmd, "['x', 'y*']", cmd, []string{"x", "y", "yes"}, []string{"xy", ""}},
		{cmd, "Straße", cmd, []string{"STRAßE", "straẞe"}, []string{"strasse"}},
		{cmd, "skin", cmd, []string{"s\u212ain", "\u017fkin"}, []string{"xkin"}}, // Kelvin sign and long s are a k and an s to whoever folds
		{"Port", "22", "Port", []string{"22"}, []string{"222", "2"}},
		{"Port", "0x16", "Port", []string{"22"}, []string{"0x16"}},
		{"Port", "'0x16'", "Port", []string{"0x16"}, []string{"22"}},
		{"Port", "1.50", "Port", []string{"1.50"}, []string{"1.5"}},
		{"Port", "true", "Port", []string{"true", "TRUE"}, []string{"1"}},
		{"Process", "a", "Image", []string{"a"}, []string{"b"}},
		{"commandline", "a", cmd, []string{"a"}, []string{"b"}},

		{cmd + "|contains", "bc", cmd, []string{"abcd", "BC", "xbc"}, []string{"b c", ""}},
		{cmd + "|contains", "'b*d'", cmd, []string{"abcd", "xbdx"}, []string{"db"}},
		{cmd + "|contains", "''", cmd, []string{"", "a"}, nil},
		{cmd + "|contains|all", "[a, b]", cmd, []string{"ab", "BA"}, []string{"a", "b"}},
		{cmd + "|all|contains", "[a, b]", cmd, []string{"ab", "BA"}, []string{"a", "b"}},
		{cmd + "|startswith", "ab", cmd, []string{"ab", "ABc"}, []string{"xab", "a"}},
		{cmd + "|startswith", "'a?c'", cmd, []string{"abcd"}, []string{"acd"}},
		{cmd + "|endswith", "yz", cmd, []string{"yz", "xYZ"}, []string{"yzx", "z"}},
		{cmd + "|endswith", "'y?z'", cmd, []string{"xyéz"}, []string{"yz"}},
		{cmd + "|cased", "aB", cmd, []string{"aB"}, []string{"ab", "AB"}},
		{cmd + "|contains|cased", "aB", cmd, []string{"xaBx"}, []string{"xabx"}},
		{cmd + "|cased|contains", "É", cmd, []string{"xÉx"}, []string{"xéx"}},
		{cmd + "|neq", "a", cmd, []string{"b", ""}, []string{"a", "A"}},
		{cmd + "|neq", "[a, b]", cmd, []string{"c"}, []string{"a", "b"}},
		{cmd + "|contains|neq", "a", cmd, []string{"b"}, []string{"xax"}},

		{cmd + "|re", "'^a+b$'", cmd, []string{"aab"}, []string{"AAB", "xab", "ab\n"}},
		{cmd + "|re", "'b.d'", cmd, []string{"abcde"}, []string{"b\nd"}},
		{cmd + "|re|i", "'^a+b$'", cmd, []string{"aAB"}, []string{"xab"}},
		{cmd + "|re|m", "'^b$'", cmd, []string{"a\nb\nc"}, []string{"ab"}},
		{cmd + "|re|s", "'b.d'", cmd, []string{"b\nd"}, []string{"bd"}},
		{cmd + "|re|i|m|s", "'^b.d$'", cmd, []string{"x\nB\nD\ny"}, []string{"xbxd"}},
		{cmd + "|re|neq", "'a'", cmd, []string{"b"}, []string{"a"}},
		{cmd + "|re|contains", "'a'", cmd, []string{"bab"}, []string{"b"}},
		{cmd + "|re", "['xx[12]', '(foo|bar)z?', '\\Aq{2}']", cmd, []string{"axx2", "foo", "barz", "qq"}, []string{"xx3", "fo", "aqq"}},

		{"Address|cidr", "10.0.0.0/8", "Address", []string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"11.0.0.1", "x", "", "::a01:203", "10.0.0"}},
		{"Address|cidr", "['fe80::/10', '::1/128']", "Address", []string{"fe80::1", "::1", "FEBF::1"}, []string{"fec0::1", "1"}},
		{"Address|cidr", "'::ffff:10.0.0.0/104'", "Address", []string{"10.1.2.3"}, []string{"11.1.2.3"}},
		{"Address|cidr|expand", "'%nets%'", "Address", []string{"10.1.2.3", "fd00::1"}, []string{"192.0.2.1"}},
		{"Address|expand|cidr", "'%nets%'", "Address", []string{"10.1.2.3"}, []string{"192.0.2.1"}},
		{"Port|lt", "10", "Port", []string{"9", "-1", "9.9"}, []string{"10", "a", "", "0x1g"}},
		{"Port|lte", "10", "Port", []string{"10", "9"}, []string{"10.1"}},
		{"Port|gt", "10.5", "Port", []string{"11", "1e3"}, []string{"10.5", "10", "inf", "nan"}},
		{"Port|gte", "'10'", "Port", []string{"10"}, []string{"9"}},
		{"Port|gt|neq", "10", "Port", []string{"10", "x"}, []string{"11"}},

		{cmd + "|windash|contains", "' -f'", cmd, []string{"rm -f x", "rm /f", "rm –f", "rm —f", "rm ―F"}, []string{"rm f", "rm \\f"}},
		{cmd + "|contains|windash", "' /f a-b'", cmd, []string{"x -f a-b"}, []string{"x -f a/b"}},
		{cmd + "|windash", "'-a -b'", cmd, []string{"/a –b"}, []string{"-a b"}},
		{cmd + "|base64", "foobar", cmd, []string{"Zm9vYmFy", "zm9vymfy"}, []string{"foobar"}},
		{cmd + "|base64|contains", "foob", cmd, []string{"x Zm9vYg== x"}, []string{"Zm9vYg"}},
		{
			cmd + "|base64offset|contains", "/bin/bash", cmd,
			[]string{"echo L2Jpbi9iYXNo | base64 -d", "IC9iaW4vYmFzaA==", "ICAvYmluL2Jhc2ggLWk="},
			[]string{"/bin/bash", "L2Jpbi9zaA=="},
		},
		{cmd + "|wide|base64offset|contains", "IEX", cmd, []string{"SQBFAFgA", "x" + "SQBFAFgA"}, []string{"SUVY"}},
		{cmd + "|utf16le|contains", "ab", cmd, []string{"a\x00b\x00", "xA\x00B\x00"}, []string{"ab", "\x00a\x00b"}},
		{cmd + "|wide", "ab", cmd, []string{"a\x00b\x00"}, []string{"ab"}},
		{cmd + "|utf16be|contains", "ab", cmd, []string{"\x00a\x00b"}, []string{"a\x00b\x00"}},
		{cmd + "|utf16", "a", cmd, []string{"\xff\xfea\x00"}, []string{"a\x00"}},
		{"User|expand", "'%admins%'", "User", []string{"root", "adm_x", "ROOT"}, []string{"adm", "%admins%"}},
		{"User|expand", "'x%admins%y'", "User", []string{"xrooty", "xadm_1y"}, []string{"root"}},
		{"User|contains|expand", "'%admins%'", "User", []string{"xrootx"}, []string{"x"}},
		{"User|expand|contains", "'%admins%'", "User", []string{"xrootx"}, []string{"x"}},
		{"User|expand", `'\%admins\%'`, "User", []string{"%admins%"}, []string{"root"}},
		{"User|expand", "'%percent%'", "User", []string{"50%"}, []string{"50"}},
		{"User|expand", "['%none%', 'x']", "User", []string{"x"}, []string{"", "root"}},
		{"User|re|expand", "'^%re%$'", "User", []string{"aab"}, []string{"a+b"}},
		{"User", "'%admins%'", "User", []string{"%admins%"}, []string{"root"}},
		{"User|exists", "true", "User", []string{"x", ""}, nil},
		{"SYSCALL", "execve", "SYSCALL", []string{"execve"}, []string{"59"}},
		{"syscall", "59", "syscall", []string{"59"}, []string{"execve"}},
	} {
		s := compileOne(t, ruleOf("  s:\n    "+c.key+": "+c.value+"\n  condition: s\n"))
		for _, v := range c.yes {
			if !matches(t, s, fields{c.field: v}) {
				t.Errorf("%s: %s doesn't match %q", c.key, c.value, v)
			}
		}
		for _, v := range c.no {
			if matches(t, s, fields{c.field: v}) {
				t.Errorf("%s: %s matches %q", c.key, c.value, v)
			}
		}
	}
}

func TestAbsentFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, value string
		absent     bool // whether an event without the field matches
		empty      bool // and one where it is empty
	}{
		{"User", "null", true, false},
		{"User", "''", false, true},
		{"User", "'*'", false, true},
		{"User|exists", "true", false, true},
		{"User|exists", "false", true, false},
		{"User|neq", "x", true, true},
		{"User|neq", "null", false, true},
		{"User|contains", "''", false, true},
		{"User|re", "'.*'", false, true},
		{"User|fieldref", "Other", false, false},
	} {
		s := compileOne(t, ruleOf("  s:\n    Image: /x\n    "+c.key+": "+c.value+"\n  condition: s\n"))
		if got := matches(t, s, fields{"Image": "/x"}); got != c.absent {
			t.Errorf("%s: %s matches an event without the field: %t; want %t", c.key, c.value, got, c.absent)
		}
		if got := matches(t, s, fields{"Image": "/x", "User": ""}); got != c.empty {
			t.Errorf("%s: %s matches an empty field: %t; want %t", c.key, c.value, got, c.empty)
		}
	}
}

func TestFieldref(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key         string
		user, other string
		want        bool
	}{
		{"User|fieldref", "root", "ROOT", true},
		{"User|fieldref", "root", "roo", false},
		{"User|fieldref|cased", "root", "ROOT", false},
		{"User|fieldref|cased", "root", "root", true},
		{"User|fieldref|neq", "root", "x", true},
		{"User|fieldref|neq", "root", "root", false},
		{"User|fieldref|startswith", "root", "ro", true},
		{"User|fieldref|startswith", "root", "ot", false},
		{"User|fieldref|endswith", "root", "OT", true},
		{"User|fieldref|contains", "root", "oo", true},
		{"User|fieldref|contains", "root", "oot ", false},
	} {
		s := compileOne(t, ruleOf("  s:\n    "+c.key+": Other\n  condition: s\n"))
		if got := matches(t, s, fields{"User": c.user, "Other": c.other}); got != c.want {
			t.Errorf("%s: %q and %q match: %t; want %t", c.key, c.user, c.other, got, c.want)
		}
	}
}

func TestSearches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		detection string
		event     fields
		want      bool
	}{
		{"s: {Image: a, User: b}", fields{"Image": "a", "User": "b"}, true},
		{"s: {Image: a, User: b}", fields{"Image": "a"}, false},
		{"s: [{Image: a}, {User: b}]", fields{"User": "b"}, true},
		{"s: [{Image: a, User: c}, {User: b}]", fields{"Image": "a"}, false},
		{"s: [evil, 42]", fields{"message": "an EVIL thing"}, true},
		{"s: [evil, 42]", fields{"message": "x42x"}, true},
		{"s: [evil, 42]", fields{"message": "good", "Image": "evil"}, false},
		{"s: evil", fields{"message": "so evil"}, true},
		{"s: ['a*c']", fields{"message": "xxabcxx"}, true},
		{"s: ['a*c']", fields{"message": "c a"}, false},
		{"s: {'|all': [foo, bar]}", fields{"message": "bar foo"}, true},
		{"s: {'|all': [foo, bar]}", fields{"message": "bar"}, false},
		{"s: {'|re': 'a[0-9]b'}", fields{"message": "xa5bx"}, true},
		{"s: {'|cased': Foo}", fields{"message": "foo"}, false},
		{"s: [foo, {Image: a}]", fields{"message": "x", "Image": "a"}, true},
		{"s: {OriginalFileName: x, Image: a}\n  o: {Image: b}", fields{"Image": "a"}, false},
		{"s: [{OriginalFileName: x}, {Image: a}]", fields{"Image": "a"}, true},
		{"s: {OriginalFileName: null, Image: a}", fields{"Image": "a"}, true},
	} {
		condition := "s"
		if strings.Contains(c.detection, "\n  o:") {
			condition = "s or o"
		}
		s := compileOne(t, ruleOf("  "+c.detection+"\n  condition: "+condition+"\n"))
		if got := matches(t, s, c.event); got != c.want {
			t.Errorf("%s: %v matches: %t; want %t", c.detection, c.event, got, c.want)
		}
	}
}
