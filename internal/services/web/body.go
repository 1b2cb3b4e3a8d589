package web

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// field finds a member in any case.
func field(o map[string]json.RawMessage, name string) json.RawMessage { return arm.Object(o).Get(name) }

// isNull tells whether a member is absent or null, which clients use alike for "leave it".
func isNull(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	return len(v) == 0 || bytes.Equal(v, []byte("null"))
}

// decodeField reads one member of a body into v, which is left alone when the member is absent or null. The error never repeats what was sent.
func decodeField(o arm.Object, name string, v any) error {
	raw := field(o, name)
	if isNull(raw) {
		return nil
	}
	return decode(raw, name, v)
}

func decode(raw json.RawMessage, name string, v any) error {
	err := json.Unmarshal(raw, v)
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typ) && typ.Field != "":
		name += "." + typ.Field
	}
	f := fault.New(fault.Invalid, "BadRequest", "The property %q is of the wrong type.", name)
	f.Target = name
	return f
}
