package sigma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// correlated are three rules, a, b and c, that match an image each, for a correlation.
const correlated = `
title: A
name: a
logsource: {category: process_creation}
detection: {s: {Image: a}, condition: s}
---
title: B
name: b
logsource: {category: process_creation}
detection: {s: {Image: b}, condition: s}
---
title: C
id: c-id
name: c
logsource: {category: process_creation}
detection: {s: {Image: c}, condition: s}
---
title: Cor
`

var start = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

// feed plays a script: "time image user other port" by semicolons, or "time !" for Advance, times in seconds. It gives the firings as "measure user@first-last".
func feed(t testing.TB, c *Correlator, script string) []string {
	t.Helper()
	var out []string
	var w Scratch
	for step := range strings.SplitSeq(script, ";") {
		f := append(strings.Fields(step), "", "", "", "")
		seconds, err := time.ParseDuration(f[0] + "s")
		if err != nil {
			t.Fatal(err)
		}
		at := start.Add(seconds)
		if f[1] == "!" {
			out = append(out, shown(c, c.Advance(at))...)
			continue
		}
		event := fields{"Image": f[1]}
		for i, name := range []string{"User", "Other", "Port"} {
			if f[2+i] != "" && f[2+i] != "-" {
				event[name] = f[2+i]
			}
		}
		values := event.values(t, c.set.schema)
		for _, r := range slices.Clone(c.set.Match(&w, 0, values)) {
			out = append(out, shown(c, c.Feed(Hit{r, at, values}))...)
		}
	}
	return out
}

func shown(c *Correlator, list []Firing) (out []string) {
	for _, f := range list {
		silent := ""
		if f.Silent {
			silent = " silent"
		}
		out = append(out, fmt.Sprintf("%s %g %s@%g-%g%s", c.set.Correlations[f.Correlation].Title, f.Measure, strings.Join(f.Group, "+"),
			f.First.Sub(start).Seconds(), f.Last.Sub(start).Seconds(), silent))
	}
	return out
}

func TestCorrelations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, correlation, script string
		want                      []string
	}{
		{
			"count", "{type: event_count, rules: [a], group-by: [User], timespan: 10s, condition: {gte: 3}}",
			"0 a u; 1 a v; 2 a u; 3 b u; 4 a u; 5 a v; 6 a v; 7 a u",
			[]string{"Cor 3 u@0-4", "Cor 3 v@1-6"},
		},
		{
			"the window slides", "{type: event_count, rules: [a], group-by: [User], timespan: 10s, condition: {gt: 2}}",
			"0 a u; 9 a u; 10.5 a u; 18 a u; 30 a u",
			[]string{"Cor 3 u@9-18"},
		},
		{
			"what is as old as the time span still counts", "{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}",
			"0 a u; 10 a v",
			[]string{"Cor 2 @0-10"},
		},
		{
			"after it fired, it begins anew", "{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}",
			"0 a; 1 a; 2 a; 3 a; 4 a",
			[]string{"Cor 2 @0-1", "Cor 2 @2-3"},
		},
		{
			"several rules are counted together", "{type: event_count, rules: [a, c-id], timespan: 10s, condition: {gte: 2}}",
			"0 a; 1 b; 2 c",
			[]string{"Cor 2 @0-2"},
		},
		{
			"an event without the field is in no group", "{type: event_count, rules: [a], group-by: [User], timespan: 10s, condition: {gte: 2}}",
			"0 a; 1 a; 2 a u; 3 a u",
			[]string{"Cor 2 u@2-3"},
		},
		{
			"groups of two fields are not mixed up", "{type: event_count, rules: [a], group-by: [User, Other], timespan: 10s, condition: {gte: 2}}",
			"0 a x yz; 1 a xy z; 2 a x yz",
			[]string{"Cor 2 x+yz@0-2"},
		},
		{
			"out of order", "{type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}}",
			"5 a; 3 a; 20 a; 1 a; 19 a; 18 a",
			[]string{"Cor 3 @18-20"},
		},
		{
			"fewer than, at the end", "{type: event_count, rules: [a], group-by: [User], timespan: 10s, condition: {lt: 3}}",
			"0 a u; 1 a v; 2 a v; 3 a v; 9.9 !; 10 !; 11 !",
			[]string{"Cor 1 u@0-10"},
		},
		{
			"a range, at the end, which the next event brings about", "{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2, lte: 3}}",
			"0 a; 1 a; 10 a; 11 a; 12 a; 13 a; 21 a",
			[]string{"Cor 2 @0-10"},
		},
		{
			"exactly", "{type: event_count, rules: [a], timespan: 10s, condition: {eq: 2}}", "0 a; 1 a; 20 !; 30 a; 50 !", []string{"Cor 2 @0-10"},
		},
		{
			"other than", "{type: event_count, rules: [a], timespan: 10s, condition: {neq: 2}}", "0 a; 1 a; 20 !; 30 a; 50 !", []string{"Cor 1 @30-40"},
		},
		{
			"windows end in order of time", "{type: event_count, rules: [a], group-by: [User], timespan: 10s, condition: {lt: 9}}",
			"2 a x; 0 a y; 1 a z; 30 !",
			[]string{"Cor 1 y@0-10", "Cor 1 z@1-11", "Cor 1 x@2-12"},
		},
		{
			"different values", "{type: value_count, rules: [a], group-by: [User], timespan: 10s, condition: {field: Other, gte: 3}}",
			"0 a u x; 1 a u y; 2 a u x; 3 a u y; 4 a v z; 5 a u z",
			[]string{"Cor 3 u@2-5"},
		},
		{
			"a value counts from when it was last seen", "{type: value_count, rules: [a], timespan: 10s, condition: {field: Other, gte: 3}}",
			"0 a u x; 5 a u y; 8 a u x; 14 a u z; 16 a u q",
			[]string{"Cor 3 @5-14"},
		},
		{
			"values of two fields", "{type: value_count, rules: [a], timespan: 10s, condition: {field: [User, Other], gte: 3}}",
			"0 a u x; 1 a u x; 2 a v x; 3 a u -; 4 a u y",
			[]string{"Cor 3 @1-4"},
		},
		{
			"few values, at the end", "{type: value_count, rules: [a], timespan: 10s, condition: {field: Other, lt: 3}}",
			"0 a u x; 1 a u y; 2 a u x; 20 !",
			[]string{"Cor 2 @0-10"},
		},
		{
			"sum", "{type: value_sum, rules: [a], group-by: [User], timespan: 10s, condition: {field: Port, gt: 100}}",
			"0 a u - 60; 1 a v - 70; 2 a u - 40; 3 a u - x; 4 a u - 0.5; 20 a v - 70",
			[]string{"Cor 100.5 u@0-4"},
		},
		{
			"small sum", "{type: value_sum, rules: [a], timespan: 10s, condition: {field: Port, lt: 100}}",
			"0 a u - 60; 1 a u - 30; 20 a u - 99; 21 a u - 1; 40 !",
			[]string{"Cor 90 @0-10"},
		},
		{
			"average", "{type: value_avg, rules: [a], timespan: 10s, condition: {field: Port, gt: 50}}",
			"0 a u - 90; 1 a u - 20; 20 a u - 10; 40 !; 50 a u - x; 70 !",
			[]string{"Cor 55 @0-10"},
		},
		{
			"median", "{type: value_percentile, rules: [a], timespan: 10s, condition: {field: Port, gte: 3}}",
			"0 a u - 1; 1 a u - 9; 2 a u - 3; 20 a u - 1; 21 a u - 2; 22 a u - 9; 40 !",
			[]string{"Cor 3 @0-10"},
		},
		{
			"percentile", "{type: value_percentile, rules: [a], timespan: 10s, condition: {field: Port, percentile: 90, gte: 9}}",
			"0 a u - 1; 1 a u - 9; 2 a u - 1; 20 !",
			[]string{"Cor 9 @0-10"},
		},
		{
			"temporal", "{type: temporal, rules: [a, b, c], group-by: [User], timespan: 10s}",
			"0 c u; 1 a u; 2 b v; 3 a u; 9 b u; 10 a v; 11 c v; 20 b u",
			[]string{"Cor 3 u@0-9", "Cor 3 v@2-11"},
		},
		{
			"temporal, too far apart", "{type: temporal, rules: [a, b], timespan: 10s}", "0 a; 10.1 b; 20 a", []string{"Cor 2 @10.1-20"},
		},
		{
			"two of three", "{type: temporal, rules: [a, b, c], timespan: 10s, condition: {gte: 2}}", "0 a; 1 a; 2 c; 3 b", []string{"Cor 2 @1-2"},
		},
		{
			"in order", "{type: temporal_ordered, rules: [a, b, c], timespan: 10s}",
			"0 b; 1 a; 2 c; 3 b; 4 a; 5 c; 6 c",
			[]string{"Cor 3 @1-5"},
		},
		{
			"in order, the later beginning counts", "{type: temporal_ordered, rules: [a, b, c], timespan: 10s}",
			"0 a; 1 b; 5 a; 9 b; 12 c",
			[]string{"Cor 3 @5-12"},
		},
		{
			"in order, too far apart", "{type: temporal_ordered, rules: [a, b], timespan: 10s}", "0 a; 11 b; 12 a; 13 b", []string{"Cor 2 @12-13"},
		},
		{
			"in order of time, not of arrival", "{type: temporal_ordered, rules: [a, b], timespan: 10s}", "5 a; 3 b; 6 b", []string{"Cor 2 @5-6"},
		},
		{
			"aliases", "{type: temporal, rules: [a, b], group-by: [who], timespan: 10s, aliases: {who: {a: User, b: Other}}}",
			"0 a u x; 1 b x u; 2 b u x",
			[]string{"Cor 2 u@0-1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, problems := compileText(t, correlated+"correlation: "+c.correlation+"\n", Limits{})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, feed(t, NewCorrelator(s, CorrelatorLimits{}), c.script)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCorrelations_Chain has the specification's example: many failures, then a success.
func TestCorrelations_Chain(t *testing.T) {
	t.Parallel()
	const text = correlated + `
name: many
correlation: {type: event_count, rules: [a], group-by: [User, Other], timespan: 10s, condition: {gte: 3}}
---
title: Outer
level: high
correlation: {type: temporal_ordered, rules: [many, b], group-by: [User], timespan: 60s}
`
	s, problems := compileText(t, text, Limits{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := feed(t, NewCorrelator(s, CorrelatorLimits{}), "0 b u; 1 a u x; 2 a u x; 3 a u x; 20 b v; 30 b u x; 31 b u")
	if diff := cmp.Diff([]string{"Cor 3 u+x@1-3 silent", "Outer 2 u@3-30"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]bool{true, true, false}, s.Silent); diff != "" {
		t.Errorf("silent rules: %s", diff)
	}
	s, _ = compileText(t, strings.Replace(text, "rules: [a]", "generate: true, rules: [a]", 1), Limits{})
	if diff := cmp.Diff([]bool{false, true, false}, s.Silent); diff != "" {
		t.Errorf("silent rules with generate: %s", diff)
	}
	s, _ = compileText(t, strings.Replace(text, "rules: [many, b]", "generate: true, rules: [many, b]", 1), Limits{})
	got = feed(t, NewCorrelator(s, CorrelatorLimits{}), "1 a u x; 2 a u x; 3 a u x")
	if diff := cmp.Diff([]string{"Cor 3 u+x@1-3"}, got); diff != "" {
		t.Errorf("with generate: %s", diff)
	}
}

// TestCorrelations_ChainOfWindows: a window that ends by an event may fire into another group of the same chain.
func TestCorrelations_ChainOfWindows(t *testing.T) {
	t.Parallel()
	s, problems := compileText(t, correlated+`
name: few
correlation: {type: event_count, rules: [a], group-by: [User], timespan: 10s, condition: {lt: 3}}
---
title: Outer
correlation: {type: event_count, rules: [few], timespan: 60s, condition: {gte: 2}}
`, Limits{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := feed(t, NewCorrelator(s, CorrelatorLimits{}), "0 a u; 10 a u; 21 a u; 22 a v; 22 a w; 50 !")
	want := []string{
		"Cor 1 u@0-10 silent", "Cor 1 u@10-20 silent", "Outer 2 @10-20", "Cor 1 u@21-31 silent", "Cor 1 v@22-32 silent", "Outer 2 @31-32", "Cor 1 w@22-32 silent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCorrelations_NotResolved(t *testing.T) {
	t.Parallel()
	for correlation, want := range map[string]string{
		"{type: temporal, rules: [a, nowhere], timespan: 1m}":                                                                                        "no rule nowhere",
		"{type: temporal, rules: [a, Cor], timespan: 1m}":                                                                                            "no rule Cor", // that is its title
		"{type: event_count, rules: [a], group-by: [Nowhere], timespan: 1m, condition: {gte: 2}}":                                                    "no event has a field Nowhere",
		"{type: event_count, rules: [a], group-by: [OriginalFileName], timespan: 1m, condition: {gte: 2}}":                                           "no event has a field OriginalFileName",
		"{type: value_count, rules: [a], timespan: 1m, condition: {gte: 2, field: Nowhere}}":                                                         "no event has a field Nowhere",
		"{type: temporal, rules: [a, b], group-by: [who], timespan: 1m, aliases: {who: {a: User}}}":                                                  "alias who has no field for the rule b",
		"{type: temporal, rules: [a, self], timespan: 1m}\nname: self":                                                                               "part of itself",
		"{type: temporal, rules: [a, in], timespan: 1m}\nname: x\n---\ntitle: In\nname: in\ncorrelation: {type: temporal, rules: [x], timespan: 1m}": "part of itself",
		"{type: event_count, rules: [in], group-by: [Other], timespan: 1m, condition: {gte: 2}}\n---\ntitle: In\nname: in\n" +
			"correlation: {type: event_count, rules: [a], group-by: [User], timespan: 1m, condition: {gte: 2}}": "isn't grouped by Other",
	} {
		s, problems := compileText(t, correlated+"correlation: "+correlation+"\n", Limits{})
		if len(problems) == 0 || !strings.Contains(problems[0].Error(), want) || len(s.Correlations) > 1 {
			t.Errorf("%s\nproblems %v; want %q", correlation, problems, want)
		}
		if len(s.Rules) != 3 || s.Silent[0] && len(s.Correlations) == 0 {
			t.Errorf("%s: the rules are gone or silent", correlation)
		}
	}
}

// TestCorrelator_Bounds feeds a million groups and values; what is remembered stays within the limits.
func TestCorrelator_Bounds(t *testing.T) {
	t.Parallel()
	s, problems := compileText(t, correlated+"correlation: {type: event_count, rules: [a], group-by: [User], timespan: 1h, condition: {gte: 3}}\n---\n"+
		"title: Values\ncorrelation: {type: value_count, rules: [b], timespan: 1h, condition: {field: User, lt: 3}}\n---\n"+
		"title: Sum\ncorrelation: {type: value_sum, rules: [c], timespan: 1h, condition: {field: Port, gte: 1e9}}\n", Limits{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := NewCorrelator(s, CorrelatorLimits{Groups: 100, Entries: 5000})
	values := make([][]byte, len(s.schema.Fields))
	values[3] = []byte("1")
	for i := range 100_000 {
		values[2] = fmt.Append(nil, "user", i)
		if fired := c.Feed(Hit{int32(i % 3), start.Add(time.Duration(i) * time.Millisecond), values}); len(fired) > 0 {
			t.Fatalf("%v fires", fired)
		}
		if c.Groups() > 100 || c.entries > 5000 || len(c.due) > 100 || c.used.Len() != c.Groups() {
			t.Fatalf("%d groups, %d entries, %d windows", c.Groups(), c.entries, len(c.due))
		}
	}
	if c.Evicted() == 0 {
		t.Error("nothing was evicted")
	}
	// A group that was used of late stays.
	values[2] = []byte("keep")
	at := start.Add(2 * time.Hour)
	c.Feed(Hit{0, at, values})
	c.Feed(Hit{0, at, values})
	for i := range 50 {
		values[2] = fmt.Append(nil, "other", i)
		c.Feed(Hit{0, at, values})
	}
	values[2] = []byte("keep")
	if fired := c.Feed(Hit{0, at, values}); len(fired) != 1 {
		t.Errorf("%v; want the third of the group that was kept", fired)
	}
	c.Advance(at.Add(3 * time.Hour))
	if c.Groups() != 0 || c.entries != 0 || len(c.due) != 0 {
		t.Errorf("after all time spans: %d groups, %d entries, %d windows", c.Groups(), c.entries, len(c.due))
	}
}

// TestCorrelator_Percentile keeps a sample of many values.
func TestCorrelator_Percentile(t *testing.T) {
	t.Parallel()
	s, _ := compileText(t, correlated+"correlation: {type: value_percentile, rules: [a], timespan: 1h, condition: {field: Port, gt: 0}}\n", Limits{})
	c := NewCorrelator(s, CorrelatorLimits{})
	values := make([][]byte, len(s.schema.Fields))
	for i := range 3 * mostEntries {
		values[3] = fmt.Append(nil, i)
		c.Feed(Hit{0, start, values})
	}
	if c.entries > mostEntries+1 {
		t.Errorf("%d entries", c.entries)
	}
	fired := c.Advance(start.Add(time.Hour))
	if len(fired) != 1 || fired[0].Measure < 1.45*mostEntries || fired[0].Measure > 1.55*mostEntries {
		t.Errorf("%v; want about the middle of %d", fired, 3*mostEntries)
	}
}
