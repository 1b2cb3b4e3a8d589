package wiretest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatchText(t *testing.T) {
	t.Parallel()
	const guid = "0af76519-16cd-43dd-8448-eb211c80319c"
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.c", "a.c", true},
		{"a.c", "abc", false},
		{"<guid>", guid, true},
		{"<guid>", guid + "x", false},
		{"https://h/<hex:v>/x", "https://h/00ff/x", true},
		{"<int>", "-12", true},
		{"<int>", "1.5", false},
		{"<time>", "2018-09-23T21:37:56.1234567Z", true},
		{"<time>", "2018-09-23", false},
		{"<text>", "", false},
		{"<any>", "", true},
		{"x<any>", "x\ny", true},
		{"${known}!", "k+!", true},
		{"${known}!", "kk!", false},
		{"<other>", "<other>", true},
	} {
		vars := map[string]string{"known": "k+"}
		if got := matchText(tt.pattern, tt.text, vars); got != tt.want {
			t.Errorf("%q with %q: got %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
		if tt.pattern == "https://h/<hex:v>/x" && vars["v"] != "00ff" {
			t.Errorf("kept %q, want 00ff", vars["v"])
		}
	}
}

func TestCompareBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want, got string
		diff      []string
	}{
		{`{"a":1,"b":[true,null]}`, ` {"b":[true,null],"a":1}`, nil},
		{`{"a":1}`, `{"a":1.0}`, []string{"body.a: got 1.0, want 1"}},
		{`{"a":"<int>","b":"<any>"}`, `{"a":7,"b":{"x":1}}`, nil},
		{`{"a":"<int>"}`, `{"a":"x"}`, []string{`body.a: got "x", want "\u003cint\u003e"`}},
		{`{"a":1,"b":2}`, `{"a":1,"c":3}`, []string{"body.b: missing, want 2", "body.c: got 3, want nothing"}},
		{`[1,2]`, `[1]`, []string{"body: got 1 items, want 2"}},
		{`[1,[2]]`, `[1,[3]]`, []string{"body[1][0]: got 3, want 2"}},
		{`{"a":null}`, `{"a":false}`, []string{"body.a: got false, want null"}},
		{`{"a":{}}`, `{"a":[]}`, []string{"body.a: got [], want {}"}},
		{"", `{}`, []string{`body: got "{}", want ""`}},
		{"<any>", "whatever", nil},
		{"text", "text\n", nil},
	} {
		if diff := cmp.Diff(tt.diff, compareBody(tt.want, tt.got, map[string]string{})); diff != "" {
			t.Errorf("%s with %s: %s", tt.want, tt.got, diff)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	const guid = "0af76519-16cd-43dd-8448-eb211c80319c"
	want, _ := decode(`{"kept":"<hex:v>","stale":"<int>","gone":1}`)
	got, _ := decode(`{"kept":"ff","stale":"x","new":["` + guid + `",1.50],"known":"secret-value"}`)
	b, err := json.Marshal(merge(want, got, map[string]string{"tok": "secret-value"}))
	if err != nil {
		t.Fatal(err)
	}
	merged, _ := decode(string(b))
	expect, _ := decode(`{"kept":"<hex:v>","stale":"x","new":["<guid>",1.50],"known":"${tok}"}`)
	if diff := cmp.Diff(expect, merged); diff != "" {
		t.Error(diff)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	if got, err := expand("$skiptoken=${a}$", map[string]string{"a": "x$y"}); got != "$skiptoken=x$y$" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := expand("${b}", nil); err == nil {
		t.Error("an unset variable is no error")
	}
}
