package gateway

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// FuzzPatch applies all kinds of patches: each makes a document of the same id, or a fault of the caller.
func FuzzPatch(f *testing.F) {
	const doc = `{"id":"1","pk":"a","n":1,"list":[1,{"x":null}],"o":{"y":{"z":[]}},"_ts":1}`
	for _, s := range []string{
		`[{"op":"add","path":"/list/-","value":{"a":1}},{"op":"move","from":"/o","path":"/list/0"}]`,
		`{"operations":[{"op":"incr","path":"/n","value":1e308},{"op":"remove","path":"/list/1/x"}],"condition":"from c where c.n = 1"}`,
		`[{"op":"replace","path":"/o/y/z","value":"\ud800"},{"op":"move","from":"/list","path":"/list/0"}]`,
		`[{"op":"set","path":"/i~0d/~1","value":1}]`, `[{"op":"incr","path":"/n","value":-0}]`, `{"operations":null}`,
	} {
		f.Add(s, doc)
	}
	f.Fuzz(func(t *testing.T, body, text string) {
		before, err := items.Parse([]byte(text))
		if err != nil {
			return
		}
		p, err := parsePatch([]byte(body))
		if err == nil {
			err = p.check([]string{"/pk"})
		}
		var after items.Document
		if err == nil {
			after, err = p.apply(before.Text)
		}
		var fa *fault.Error
		switch {
		case err == nil:
			if after.ID != before.ID || !json.Valid(after.Text) {
				t.Errorf("%s on %s: %s", body, text, after.Text)
			}
		case !errors.As(err, &fa) || fa.Kind.Status() >= 500:
			t.Errorf("%s on %s: %v", body, text, err)
		}
	})
}
