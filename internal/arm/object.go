package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire/lenient"
)

// Object is a JSON object as a client sent it: keys in the client's casing, looked up in any case (ARM bodies are read leniently). Of keys that
// differ in case alone, the last one sent is kept.
type Object map[string]json.RawMessage

// ParseObject reads a request body that must be one JSON object, leniently (see package lenient). The error is a fault.
func ParseObject(body []byte) (Object, error) {
	std, err := lenient.Standard(body)
	if err != nil {
		return nil, invalidContent("%s", err)
	}
	var o Object
	if err := json.Unmarshal(std, &o); err != nil {
		return nil, invalidContent("a JSON object is expected")
	}
	if o == nil {
		return nil, invalidContent("a JSON object is expected, found null")
	}
	return o, nil
}

func invalidContent(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s'.", fmt.Sprintf(format, args...))
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *Object) UnmarshalJSON(b []byte) error {
	if string(bytes.TrimSpace(b)) == "null" {
		*o = nil
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("a JSON object is expected")
	}
	out := Object{}
	spelt := map[string]string{} // folded key -> the key as sent last
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string) // an object's keys are strings
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return err
		}
		folded := strings.ToLower(key)
		if earlier, ok := spelt[folded]; ok {
			delete(out, earlier)
		}
		spelt[folded] = key
		out[key] = v
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	*o = out
	return nil
}

// Get returns the value of the key in any case, nil if it is absent. A JSON null is the text null, not nil.
func (o Object) Get(name string) json.RawMessage {
	if v, ok := o[name]; ok {
		return v
	}
	for k, v := range o {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// String returns a string property, "" if it is absent, null or of another type.
func (o Object) String(name string) string {
	var s string
	if v := o.Get(name); v == nil || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Has tells whether the key is there with a value other than null.
func (o Object) Has(name string) bool {
	v := o.Get(name)
	return v != nil && string(v) != "null"
}

// Decode decodes a property into v and leaves v alone if the property is absent. A value of the wrong type is a fault that names the property.
func (o Object) Decode(name string, v any) error {
	raw := o.Get(name)
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		where := name
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) && t.Field != "" {
			where += "." + t.Field
		}
		f := invalidContent("the property '%s' has a value of the wrong type", where)
		f.Target = where
		return f
	}
	return nil
}

// Object returns a property that is an object, nil if it is absent, null or of another type.
func (o Object) Object(name string) Object {
	var sub Object
	if v := o.Get(name); v == nil || json.Unmarshal(v, &sub) != nil {
		return nil
	}
	return sub
}
