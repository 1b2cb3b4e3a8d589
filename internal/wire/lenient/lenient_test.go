package lenient_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/wire/lenient"
)

func TestStandard(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"standard is left alone", " {\"a\" : [1, 2e3, -0.50],\n\"b\":\"\\u00e4’'\"} ", " {\"a\" : [1, 2e3, -0.50],\n\"b\":\"\\u00e4’'\"} "},
		{"single quotes", `{'properties':{'Threshold':'x'}}`, `{"properties":{"Threshold":"x"}}`},
		{"an armclient example as published", `{'properties':{'alertGeneration':’Disabled’ }}`, `{"properties":{"alertGeneration":"Disabled"}}`},
		{"typographic", `{“a”: ‘b’, „c“: "d"}`, `{"a":"b","c":"d"}`},
		{"typographic closed by ASCII", `{“a": ’b'}`, `{"a":"b"}`},
		{"ASCII not closed by typographic", `{'a': "it’s “x”"}`, `{"a":"it’s “x”"}`},
		{"unquoted keys", `{properties: {is_a-b.c: true, $x1: null}}`, `{"properties":{"is_a-b.c":true,"$x1":null}}`},
		{"comments", "// first\n{/* a */\"a\"/**/:/* : */1, // rest\n'b':'// no comment'} // end", `{"a":1,"b":"// no comment"}`},
		{"trailing commas", `{"a":[1,2,],}`, `{"a":[1,2]}`},
		{"double quote inside single", `{'a':'say "x" \"y\" \'z\''}`, `{"a":"say \"x\" \"y\" 'z'"}`},
		{"raw line break", "{\"a\":\"x\ny\tz\"}", `{"a":"x\u000ay\u0009z"}`},
		{"mark and no-break space", "\ufeff{\u00a0'a':\u00a01}", `{"a":1}`},
		{"numbers keep their text", `{a:1.10, b:-0, c:12345678901234567890}`, `{"a":1.10,"b":-0,"c":12345678901234567890}`},
		{"repeated keys stay, in order", `{b:1, B:2, b:3}`, `{"b":1,"B":2,"b":3}`},
		{"scalar", `'x'`, `"x"`},
	}
	for _, tt := range tests {
		got, err := lenient.Standard([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestStandard_Refuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in           string
		line, column int
		reason       string
	}{
		{"", 1, 1, "the text ends where a value is expected"},
		{"{", 1, 2, "the text ends where a property name is expected"},
		{"{'a':1,\n  'ö' 2}", 2, 7, "'2' where ':' is expected"},
		{"{'a':1 'b':2}", 1, 8, `'\'' where ',' or '}' is expected`},
		{"[1,,2]", 1, 4, "',' where a value is expected"},
		{"{,}", 1, 2, "',' where a property name is expected"},
		{"{'a':01}", 1, 6, "a malformed number"},
		{"{'a':+1}", 1, 6, "'+' where a value is expected"},
		{"{'a':truer}", 1, 6, "'t' where a value is expected"},
		{"{'a':\n'x}", 2, 1, "a string without end"},
		{`{'a':'\x'}`, 1, 7, "a bad escape"},
		{`{'a':'\u12g4'}`, 1, 7, "a malformed \\u escape"},
		{"{'a':1}/*", 1, 8, "a comment without end"},
		{"{'a':1}{", 1, 8, "'{' where the end of the text is expected"},
		{"[1}", 1, 3, "'}' where ',' or ']' is expected"},
		{strings.Repeat("[", 300) + strings.Repeat("]", 300), 1, 257, "nesting deeper than 256"},
	}
	for _, tt := range tests {
		out, err := lenient.Standard([]byte(tt.in))
		var e *lenient.Error
		if !errors.As(err, &e) {
			t.Errorf("%.40q: got %q, %v, want an error", tt.in, out, err)
			continue
		}
		if diff := cmp.Diff(lenient.Error{Line: tt.line, Column: tt.column, Reason: tt.reason}, *e); diff != "" {
			t.Errorf("%.40q: %s", tt.in, diff)
		}
	}
}

func FuzzLenient(f *testing.F) {
	for _, s := range []string{`{'a':’b’,}`, `{a:[1,2,],/*x*/b:"\u00e4"}`, "\ufeff// x\n[]", `{"a":{"b":[null,true,-1.5e+7]}}`, `“\“”`, "{'a':'\xff\x00\"'}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		out, err := lenient.Standard(in)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if json.Valid(in) && bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) <= lenient.MaxDepth {
				t.Fatalf("standard JSON %q refused: %v", in, err)
			}
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%q became invalid JSON %q", in, out)
		}
		again, err := lenient.Standard(out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q is not stable: %q, %v", out, again, err)
		}
		if json.Valid(in) && bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) <= lenient.MaxDepth && !bytes.Equal(in, out) {
			t.Fatalf("standard JSON %q was changed to %q", in, out)
		}
	})
}
