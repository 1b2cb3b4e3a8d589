package sigma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const goodRule = "title: Good\nlogsource: {product: linux, category: process_creation}\ndetection:\n  s: {Image: /x}\n  condition: s\n"

func TestLoad(t *testing.T) {
	t.Parallel()
	c, problems, err := Load(fstest.MapFS{
		"a.yml":           {Data: []byte(goodRule)},
		"deep/er/b.YAML":  {Data: []byte("---\n" + strings.Replace(goodRule, "Good", "B", 1) + "---\n\n---\n" + strings.Replace(goodRule, "Good", "C", 1))},
		"readme.md":       {Data: []byte("no rule")},
		"empty.yml":       {Data: nil},
		"broken.yml":      {Data: []byte(strings.Replace(goodRule, "Good", "D", 1) + "---\ntitle: [\n")},
		"wrong.yml":       {Data: []byte("title: W\nid: w-1\nlogsource: {product: linux}\ndetection:\n  s:\n    Image|foo: x\n  condition: s\n")},
		"large.yml":       {Data: []byte(strings.Repeat("#", maxFile+1))},
		"binary.yml":      {Data: []byte("\x00\x01\xff")},
		"list.yml":        {Data: []byte("- a\n- b\n")},
		"correlation.yml": {Data: []byte("title: Cor\ncorrelation: {type: event_count, rules: [x], timespan: 1m, condition: {gte: 2}}\n")},
		"filter.yml":      {Data: []byte("title: Fil\nlogsource: {product: linux}\nfilter: {rules: [x], s: {User: a}, condition: not s}\n")},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Rules {
		got = append(got, fmt.Sprintf("%s:%d %s", r.File, r.Line, r.Title))
	}
	if diff := cmp.Diff([]string{"a.yml:1 Good", "broken.yml:1 D", "deep/er/b.YAML:2 B", "deep/er/b.YAML:10 C"}, got); diff != "" {
		t.Error(diff)
	}
	if len(c.Correlations) != 1 || len(c.Filters) != 1 || c.Correlations[0].Title != "Cor" || c.Filters[0].Title != "Fil" {
		t.Errorf("correlations %v, filters %v", c.Correlations, c.Filters)
	}
	told := map[string]string{}
	for _, p := range problems {
		told[p.File] = p.Error()
	}
	for file, want := range map[string]string{
		"broken.yml": "broken.yml:",
		"wrong.yml":  `wrong.yml:6:5: rule "w-1": there is no modifier "foo"`,
		"large.yml":  "large.yml: larger than",
		"binary.yml": "not YAML",
		"list.yml":   "list.yml:1:1: the document is a list; want a map",
	} {
		if !strings.Contains(told[file], want) {
			t.Errorf("%s: told %q; want %q", file, told[file], want)
		}
		delete(told, file)
	}
	if len(told) > 0 {
		t.Errorf("more problems: %v", told)
	}
}

func TestMeta(t *testing.T) {
	t.Parallel()
	c, problems := Parse("m.yml", []byte(`
id: 1234
title: Title
name: short
status: test
level: High
description: |
  Two
  lines
author: Someone
date: 2024-01-02
modified: 2024-02-03
license: MIT
references: [https://a.example, https://b.example]
falsepositives: Seldom
fields: [Image]
tags: [attack.t1059.004, attack.defense_evasion, attack.g0049, attack.s0005, cve.2024-1, attack.TA0001, attack.initial-access]
custom: {a: [b]}
logsource: {product: linux, category: process_creation, definition: some text}
detection: {s: {Image: /x}, condition: s}
`), Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := c.Rules[0]
	want := Meta{
		Title: "Title", ID: "1234", Name: "short", Status: "test", Level: LevelHigh, Description: "Two\nlines\n", Author: "Someone", Date: "2024-01-02",
		Modified: "2024-02-03", License: "MIT", References: []string{"https://a.example", "https://b.example"}, FalsePositives: []string{"Seldom"},
		Fields: []string{"Image"}, Tags: r.Tags, File: "m.yml", Line: 2,
	}
	if diff := cmp.Diff(want, r.Meta); diff != "" {
		t.Error(diff)
	}
	if got := r.Techniques(); !slices.Equal(got, []string{"T1059.004"}) {
		t.Errorf("techniques %v", got)
	}
	if got := r.Tactics(); !slices.Equal(got, []string{"defense-evasion", "initial-access"}) {
		t.Errorf("tactics %v", got)
	}
	if got := r.LogSource.String(); got != "category=process_creation product=linux" {
		t.Errorf("log source %q", got)
	}
	if LevelCritical <= LevelHigh || LevelMedium.String() != "medium" {
		t.Error("levels are out of order")
	}
}

// TestParse_Wrong has one wrong thing each; the problem names it.
func TestParse_Wrong(t *testing.T) {
	t.Parallel()
	search := func(s string) string { return ruleOf("  s:\n    " + s + "\n  condition: s\n") }
	for text, want := range map[string]string{
		"a: b":                                 "title is missing",
		"title: T":                             "want exactly one of",
		"[a]: b":                               "a key of the document is a list",
		"title: []":                            "title is a list; want a text",
		"title: T\ntitle: U\n" + goodRule[12:]: `has "title" twice`,
		goodRule + "correlation: {}\n":         "want exactly one of",
		goodRule + "level: loud\n":             `level "loud"`,
		goodRule + "status: unsupported\n":     "status is unsupported",
		goodRule + "action: global\n":          "action",
		goodRule + "taxonomy: ecs\n":           `taxonomy "ecs"`,
		goodRule + "tags: {a: b}\n":            "tags is a map",
		"title: T\ndetection: {s: {a: b}, condition: s}":                                             "logsource is missing",
		"title: T\nlogsource: {definition: x}\ndetection: {s: {a: b}, condition: s}":                 "no category, product or service",
		"title: T\nlogsource: linux\ndetection: {s: {a: b}, condition: s}":                           "logsource is \"linux\"; want a map",
		"title: T\nlogsource: &x {product: linux}\ndetection: *x":                                    "aliases (*x)",
		"title: T\nlogsource: {<<: {a: b}}\ndetection: {s: {a: b}, condition: s}":                    "merge keys",
		ruleOf("  s: {Image: a}\n"):                                                                  "no condition",
		ruleOf("  s: {Image: a}\n  condition:\n"):                                                    "a condition is null",
		ruleOf("  s: {Image: a}\n  condition: []\n"):                                                 "no condition",
		ruleOf("  s: {Image: a}\n  condition: {a: b}\n"):                                             "a condition is a map",
		ruleOf("  s: {Image: a}\n  condition: s and\n"):                                              "condition: ends where",
		ruleOf("  s: {Image: a}\n  timeframe: 5m\n  condition: s\n"):                                 "timeframe",
		ruleOf("  s: {}\n  condition: s\n"):                                                          "empty map",
		ruleOf("  s: []\n  condition: s\n"):                                                          "empty list",
		ruleOf("  s:\n  condition: s\n"):                                                             "s is empty",
		ruleOf("  s: [[a]]\n  condition: s\n"):                                                       "an entry of s is a list",
		ruleOf("  s: [null]\n  condition: s\n"):                                                      "a keyword is null",
		ruleOf("  s: {'': a}\n  condition: s\n"):                                                     "a field without a name",
		search("Image: {a: b}"):                                                                      "a value of Image is a map",
		search("Image: [[a]]"):                                                                       "a value of Image is a list",
		search("Image|foo: x"):                                                                       `no modifier "foo"`,
		search("Image|: x"):                                                                          `no modifier ""`,
		search("Image|hour: 3"):                                                                      "modifier hour of dates is not supported",
		search("Image|all: x"):                                                                       "all needs a list",
		search("'|all': x"):                                                                          "all needs a list",
		search("Image|contains: null"):                                                               "contains of null",
		search("Image|re: null"):                                                                     "re of null",
		search("Image|base64: null"):                                                                 "base64 of null",
		search("Image|re: '(a'"):                                                                     "missing closing )",
		search("Image|re: 'a(?=b)'"):                                                                 "a lookahead ((?=), which is not supported",
		search("Image|re: 'a(?!b)'"):                                                                 "a negative lookahead",
		search("Image|re: '(?<=a)b'"):                                                                "a lookbehind",
		search("Image|re: '(?<!a)b'"):                                                                "a negative lookbehind",
		search("Image|re: '(?>a)b'"):                                                                 "an atomic group",
		search(`Image|re: '(a)\1'`):                                                                  "a back reference",
		search("Image|re: '" + strings.Repeat("a", maxRegexp+1) + "'"):                               "longer than",
		search("Image|re|startswith: a"):                                                             "startswith after another",
		search("Image|re|cidr: a"):                                                                   "cidr after another",
		search("Image|re|base64: a"):                                                                 "base64 after another",
		search("Image|i: a"):                                                                         `no modifier "i"`,
		search("Image|cidr: 10.0.0.1"):                                                               "not a network",
		search("Image|gt: x"):                                                                        "not a number",
		search("Image|exists: maybe"):                                                                "true or false",
		search("Image|fieldref: ''"):                                                                 "the name of a field",
		search("Image|base64: 'a*'"):                                                                 "with wildcards",
		search("Image|contains|base64: a"):                                                           "with wildcards",
		search("Image|wide: 'a?'"):                                                                   "with wildcards",
		search("Image|expand: '%unknown%'"):                                                          "no list for the placeholder %unknown%",
		search("Image|expand: '50%'"):                                                                "nothing closes",
		search("'|gt': 5"):                                                                           "name a field",
		search("Image: '" + strings.Repeat("x", maxText+1) + "'"):                                    "longer than",
		search("Image: [" + strings.Repeat("a,", maxValues+1) + "]"):                                 "more than 10000 values",
		"title: T\nlogsource: {product: l}\nfilter: {rules: {a: b}, condition: s}":                   "rules is a map",
		"title: T\nlogsource: {product: l}\nfilter: {rules: [a], s: {a: b}}":                         "filter has no condition",
		"title: T\nfilter: {rules: [a], s: {a: b}, condition: s}":                                    "logsource is missing",
		"title: T\ncorrelation: []":                                                                  "correlation is a list",
		"title: T\ncorrelation: {type: x}":                                                           `no correlation type "x"`,
		correlation("type: near, rules: [a], timespan: 1m"):                                          `no correlation type "near"`,
		correlation("rules: [a], timespan: 1m"):                                                      "has no type",
		correlation("type: temporal, timespan: 1m"):                                                  "names no rules",
		correlation("type: temporal, rules: [a, b]"):                                                 "has no timespan",
		correlation("type: temporal, rules: [a, b], timespan: 1x"):                                   "timespan is \"1x\"",
		correlation("type: temporal, rules: [a, b], timespan: 0s"):                                   "timespan is \"0s\"",
		correlation("type: temporal, rules: [a, b], timespan: 1M"):                                   "timespan is \"1M\"",
		correlation("type: temporal, rules: [a, b], timespan: 99999w"):                               "longer than a year",
		correlation("type: temporal, rules: [a, b], timespan: 1m, foo: x"):                           `has no "foo"`,
		correlation("type: temporal, rules: [a, a], timespan: 1m"):                                   "twice",
		correlation("type: temporal, rules: [a, b], timespan: 1m, generate: 7"):                      "generate",
		correlation("type: temporal, rules: [a, b], timespan: 1m, aliases: [x]"):                     "aliases is a list",
		correlation("type: temporal, rules: [a, b], timespan: 1m, condition: a and b"):               "conditions in words",
		correlation("type: temporal, rules: [a], timespan: 1m, condition: {gte: 3}"):                 "can't want 3 of them",
		correlation("type: temporal, rules: [a], timespan: 1m, condition: {lt: 3}"):                  "takes gt or gte",
		correlation("type: temporal_ordered, rules: [a, b], timespan: 1m, condition: {gte: 1}"):      "can't want 1 of them",
		correlation("type: event_count, rules: [a], timespan: 1m"):                                   "event_count needs a condition",
		correlation("type: event_count, rules: [a], timespan: 1m, condition: {gte: 2, field: User}"): "no such field",
		correlation("type: event_count, rules: [a], timespan: 1m, condition: {gte: many}"):           "want a number",
		correlation("type: event_count, rules: [a], timespan: 1m, condition: {over: 2}"):             `has no "over"`,
		correlation("type: event_count, rules: [a], timespan: 1m, condition: {gte: 1000000}"):        "more than 100000",
		correlation("type: value_count, rules: [a], timespan: 1m, condition: {gte: 2}"):              "needs a field",
		correlation("type: value_sum, rules: [a], timespan: 1m, condition: {gte: 2, field: [A, B]}"): "no such field",
		correlation("type: value_percentile, rules: [a], timespan: 1m, condition: {gt: 2, field: A, percentile: 101}"): "0 to 100",
	} {
		c, problems := Parse("wrong.yml", []byte(text), testOptions)
		if len(c.Rules)+len(c.Correlations)+len(c.Filters) > 0 {
			t.Errorf("%.200s\nis accepted; want %q", text, want)
			continue
		}
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), want) || problems[0].Line == 0 {
			t.Errorf("%.200s\nproblems %v; want one with %q", text, problems, want)
		}
	}
}

func correlation(s string) string { return "title: T\ncorrelation: {" + s + "}\n" }
