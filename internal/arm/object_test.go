package arm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	o, err := arm.ParseObject([]byte(`{'':0, Location:'west', "location": ‘north’, Properties:{'A':1,'a':2,}, tags:null, // x
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.String("LOCATION"); got != "north" {
		t.Errorf("location: got %q, want the last one sent, north", got)
	}
	want := arm.Object{"location": json.RawMessage(`"north"`), "Properties": json.RawMessage(`{"A":1,"a":2}`), "tags": json.RawMessage(`null`), "": json.RawMessage("0")}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(arm.Object{"a": json.RawMessage("2")}, o.Object("properties")); diff != "" {
		t.Error(diff)
	}
	if o.Has("tags") || o.Has("sku") || !o.Has("properties") {
		t.Error("Has: wrong for null, absent or present")
	}
	if o.Get("tags") == nil || o.Get("sku") != nil || o.String("properties") != "" || o.Object("location") != nil {
		t.Error("Get, String or Object: wrong for null, absent or another type")
	}
	var p struct{ A int }
	if err := o.Decode("properties", &p); err != nil || p.A != 2 {
		t.Errorf("Decode: got %+v, %v", p, err)
	}
	var bad struct{ A []string }
	if err := o.Decode("properties", &bad); !fault.Is(err, fault.Invalid) || fault.As(err).Target != "properties.A" {
		t.Errorf("Decode of a wrong type: got %v, target %q", err, fault.As(err).Target)
	}
}

func TestParseObject_Refuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:         "the text ends",
		`null`:     "found null",
		`[1]`:      "a JSON object is expected",
		`{"a":1`:   "line 1, column 7",
		"{\n'a' 1": "line 2, column 5",
	} {
		_, err := arm.ParseObject([]byte(in))
		if f := fault.As(err); f == nil || f.Code != "InvalidRequestContent" || !strings.Contains(f.Message, want) {
			t.Errorf("%q: got %v, want InvalidRequestContent with %q", in, err, want)
		}
	}
}
