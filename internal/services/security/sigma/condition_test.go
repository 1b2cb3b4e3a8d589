package sigma

import (
	"strings"
	"testing"
)

// letters are search identifiers that are true if the event's command line has their letter.
func letters(names ...string) []search {
	var out []search
	for _, n := range names {
		t := &test{field: "CommandLine", patterns: []pattern{literal(n).around(true, true)}}
		out = append(out, search{n, leaf(t)})
	}
	return out
}

func TestCondition(t *testing.T) {
	t.Parallel()
	searches := letters("a", "b", "c", "sel_1", "sel_2", "_hidden", "not_x")
	for _, c := range []struct {
		condition string
		yes, no   []string
	}{
		{"a", []string{"a"}, []string{"b", ""}},
		{"a and b", []string{"ab"}, []string{"a", "b"}},
		{"a AND NOT b", []string{"a"}, []string{"ab", ""}},
		{"a or b and c", []string{"a", "bc"}, []string{"b", "c"}},
		{"(a or b) and c", []string{"ac", "bc"}, []string{"a", "b", "c"}},
		{"not a and b", []string{"b"}, []string{"ab", "a", ""}},
		{"not (a and b)", []string{"a", "b", ""}, []string{"ab"}},
		{"not not a", []string{"a"}, []string{""}},
		{"not a or b", []string{"", "b", "ab"}, []string{"a"}},
		{"((a))", []string{"a"}, []string{"b"}},
		{"(a)or(b)", []string{"a", "b"}, []string{"c"}},
		{"1 of sel_*", []string{"sel_1", "sel_2"}, []string{"a", "_hidden"}},
		{"any of sel_*", []string{"sel_2"}, []string{"a"}},
		{"all of sel_*", []string{"sel_1 sel_2"}, []string{"sel_1"}},
		{"all of s*_1", []string{"sel_1"}, []string{"sel_2"}},
		{"1 of *_2", []string{"sel_2"}, []string{"sel_1"}},
		{"1 of them", []string{"a", "not_x"}, []string{"_hidden", ""}},
		{"all of them", []string{"abc sel_1 sel_2 not_x"}, []string{"abc sel_1 sel_2"}},
		{"a and not 1 of sel_*", []string{"a"}, []string{"a sel_1", "sel_1"}},
		{"1 of sel_* and a", []string{"sel_1 a"}, []string{"a", "sel_1"}},
		{"not_x", []string{"not_x"}, []string{"x"}},
		{"1 of _*", []string{"_hidden"}, []string{"a"}},
	} {
		e, err := parseCondition(c.condition, searches)
		if err != nil {
			t.Errorf("%s: %v", c.condition, err)
			continue
		}
		for want, list := range map[bool][]string{true: c.yes, false: c.no} {
			for _, v := range list {
				if got := evaluate(t, e, v); got != want {
					t.Errorf("%s of %q is %t; want %t", c.condition, v, got, want)
				}
			}
		}
	}
}

// evaluate compiles an expression over the command line, if it can ever be false and true, and asks it and the reference.
func evaluate(t testing.TB, e *expr, commandLine string) bool {
	t.Helper()
	schema := testSchema()
	values := fields{"CommandLine": commandLine}.values(t, schema)
	want := newReference(schema).rule(e, &schema.Sources[0], values)
	r := &Rule{Meta: Meta{Title: "T"}, LogSource: LogSource{Category: "process_creation"}, detection: e}
	s, problems, err := Compile(schema, &Collection{Rules: []*Rule{r}}, Limits{})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	var w Scratch
	if got := len(s.Match(&w, 0, values)) == 1; got != want {
		t.Errorf("%q: engine says %t, reference %t", commandLine, got, want)
	}
	return want
}

func TestCondition_Wrong(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]string{
		"":                                "ends where",
		"   ":                             "ends where",
		"a and":                           "ends where",
		"a b":                             `"b" isn't expected`,
		"a)":                              `")" isn't expected`,
		"(a":                              "isn't closed",
		"()":                              `")" where a search`,
		"or a":                            `"or" where a search`,
		"a and or b":                      `"or" where a search`,
		"not":                             "ends where",
		"x":                               `no search identifier "x"`,
		"A":                               `no search identifier "A"`,
		"sel*":                            `no search identifier "sel*"`,
		"1 of":                            "of what",
		"1 of x*":                         `no search identifier is "x*"`,
		"all of )":                        "of what",
		"2 of sel_*":                      `"2" of; want 1`,
		"them":                            `"them" where`,
		"a | count() by User > 5":         "aggregation \"| count() by User > 5\" of Sigma 1",
		"a | near b":                      "of Sigma 1",
		strings.Repeat("(", 5000):         "levels",
		strings.Repeat("not ", 99):        "ends where",
		strings.Repeat("not ", 999) + "a": "levels",
		"a" + strings.Repeat(" or a", maxNodes+1): "parts",
	} {
		if _, err := parseCondition(condition, letters("a", "b", "sel_1", "sel_2")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v; want one with %q", condition, err, want)
		}
	}
}

func TestCondition_List(t *testing.T) {
	t.Parallel()
	s := compileOne(t, ruleOf("  a: {Image: a}\n  b: {Image: b}\n  condition: [a, b]\n"))
	for image, want := range map[string]bool{"a": true, "b": true, "c": false} {
		if got := matches(t, s, fields{"Image": image}); got != want {
			t.Errorf("%s matches: %t; want %t", image, got, want)
		}
	}
}
