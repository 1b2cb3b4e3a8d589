package wiretest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decoded(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shape, got string
		want       []string
	}{
		{`{"a":"string","l":[{"n":"number"}]}`, `{"a":"x","l":[{"n":1},{"n":2}],"more":1}`, nil},
		{`{"aB":"string"}`, `{"ab":"x"}`, []string{"aB: missing, but there is ab"}},
		{`{"a":{"b":"bool"}}`, `{"a":{"b":"true"}}`, []string{`a.b: "true", want bool`}},
		{`{"l":[{"n":"number"}]}`, `{"l":[]}`, []string{"l: list of 0, want a list with elements"}},
		{`{"l":[{"n":"number"}]}`, `{"l":[{"n":1},{}]}`, []string{"l[1].n: missing"}},
		{`{"t":"time","o":"object","l":"list","x":"text"}`, `{"t":"2026-01-02T03:04:05Z","o":{},"l":[],"x":""}`, []string{`x: "", want text`}},
		{`{"t":"time?","u":"time?"}`, `{"t":null,"u":"yesterday"}`, []string{`u: "yesterday", want time?`}},
		{`{"a":{}}`, `{"a":[]}`, []string{"a: list, want an object"}},
		{`{"a":1}`, `{"a":1}`, []string{"a: the shape is neither an object, a list of one nor the name of a kind, but 1"}},
	} {
		if d := cmp.Diff(c.want, Missing(decoded(t, c.shape), decoded(t, c.got))); d != "" {
			t.Errorf("%s of %s (-want +got):\n%s", c.shape, c.got, d)
		}
	}
}

func TestNotGivenBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sent, got string
		want      []string
	}{
		{`{"a":"X","l":[1,{"b":true}]}`, `{"a":"x","l":[1,{"b":true,"c":1}],"more":1}`, nil},
		{`{"a":{"b":1}}`, `{"a":{"B":1}}`, []string{"a.b: not given back, but there is B"}},
		{`{"a":[1,2]}`, `{"a":[1]}`, []string{"a: 1 elements of 2 are given back"}},
		{`{"a":1.5}`, `{"a":2}`, []string{"a: 1.5 was sent, 2 is given back"}},
		{`{"a":{"b":1}}`, `{"a":null}`, []string{"a.b: not given back"}},
	} {
		if d := cmp.Diff(c.want, NotGivenBack(decoded(t, c.sent), decoded(t, c.got))); d != "" {
			t.Errorf("%s and %s (-want +got):\n%s", c.sent, c.got, d)
		}
	}
}
