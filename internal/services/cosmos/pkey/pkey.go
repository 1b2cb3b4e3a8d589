// Package pkey models Cosmos DB partition keys: their values, the header form, their extraction from documents, and the
// effective partition key (EPK), the hash that decides on which partition key range an item lives.
//
// A key is a list of values, one per path of the container's definition (up to three for a hierarchical key; a query may
// give a prefix). A value is undefined (the document has no such property), null, a boolean, a number or a string.
// Nothing here keeps state.
package pkey

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// MaxPaths is how many levels a hierarchical key may have.
const MaxPaths = 3

// Type says what a Value is. The numbers are the marker bytes of the hash input and of the binary encoding.
type Type uint8

// The types of a partition key value.
const (
	Undefined Type = 0
	Null      Type = 1
	False     Type = 2
	True      Type = 3
	Number    Type = 5
	String    Type = 8
)

// Value is one component of a key. The zero Value is undefined. Values are comparable with ==, except for NaN, which JSON cannot express.
type Value struct {
	Type Type
	Num  float64 // of a Number
	Str  string  // of a String
}

// StringValue makes a string component.
func StringValue(s string) Value { return Value{Type: String, Str: s} }

// NumberValue makes a number component.
func NumberValue(f float64) Value { return Value{Type: Number, Num: f} }

// BoolValue makes a boolean component.
func BoolValue(b bool) Value {
	if b {
		return Value{Type: True}
	}
	return Value{Type: False}
}

// Key is a partition key: one Value per path, or fewer for a prefix. An empty, non-nil Key is the header `[]`.
type Key []Value

// Equal tells whether both keys have the same values.
func (k Key) Equal(o Key) bool {
	if len(k) != len(o) {
		return false
	}
	for i := range k {
		if k[i] != o[i] {
			return false
		}
	}
	return true
}

// HasPrefix tells whether k begins with the values of p.
func (k Key) HasPrefix(p Key) bool { return len(p) <= len(k) && k[:len(p)].Equal(p) }

// String is the header form of the key, such as `["contoso",7]`; an undefined value is `{}`.
func (k Key) String() string {
	b := []byte{'['}
	for i, v := range k {
		if i > 0 {
			b = append(b, ',')
		}
		b = v.AppendJSON(b)
	}
	return string(append(b, ']'))
}

// AppendJSON appends the value as JSON; an undefined one is `{}`.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.Type {
	case Null:
		return append(b, "null"...)
	case False:
		return append(b, "false"...)
	case True:
		return append(b, "true"...)
	case Number:
		return strconv.AppendFloat(b, v.Num, 'g', -1, 64)
	case String:
		s, _ := json.Marshal(v.Str) // a string always marshals
		return append(b, s...)
	default:
		return append(b, "{}"...)
	}
}

// Definition is a container's partition key definition, as in the container resource's `partitionKey`.
type Definition struct {
	Paths     []string `json:"paths"`
	Kind      string   `json:"kind"`                // "Hash" or "MultiHash"
	Version   int      `json:"version,omitempty"`   // 1 or 2; absent means 1
	SystemKey bool     `json:"systemKey,omitempty"` // the service gave the container its key
}

// Validate checks a definition as the service does when a container is made.
func (d Definition) Validate() error {
	bad := func(format string, args ...any) error { return fault.New(fault.Invalid, "BadRequest", format, args...) }
	switch d.Kind {
	case "Hash":
		if len(d.Paths) != 1 {
			return bad("A partition key of kind Hash needs exactly one path, got %d.", len(d.Paths))
		}
	case "MultiHash":
		if len(d.Paths) == 0 || len(d.Paths) > MaxPaths {
			return bad("A partition key of kind MultiHash needs 1 to %d paths, got %d.", MaxPaths, len(d.Paths))
		}
		if d.Version != 2 {
			return bad("A partition key of kind MultiHash must have version 2, got %d.", d.Version)
		}
	default:
		return bad("Partition key kind %q is not supported; use Hash or MultiHash.", d.Kind)
	}
	if d.Version < 0 || d.Version > 2 {
		return bad("Partition key version %d is not supported; use 1 or 2.", d.Version)
	}
	seen := map[string]bool{}
	for _, p := range d.Paths {
		if at := oddPath(p); at >= 0 {
			return bad("The partition key component definition path '%s' could not be accepted, failed near position '%d'. "+
				"Partition key paths must contain only valid characters and not contain a trailing slash or wildcard character.", p, at)
		}
		if _, err := SplitPath(p); err != nil {
			return err
		}
		if seen[p] {
			return bad("The partition key path %q occurs twice.", p)
		}
		seen[p] = true
	}
	return nil
}

// oddPath is where a path has something that SplitPath would take but a new container's path can't have: outside of quotes those have letters,
// digits and underscores, in segments that each begin with a slash. -1: nowhere.
func oddPath(path string) int {
	if path == "" || path[0] != '/' || path[len(path)-1] == '/' {
		return 0
	}
	quoted := false
	for i, r := range path {
		switch {
		case r == '"' && (i == 0 || path[i-1] != '\\'):
			quoted = !quoted
		case !quoted && r != '/' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r):
			return i
		}
	}
	return -1
}

// ParseHeader reads the value of x-ms-documentdb-partitionkey: a JSON array of at most three scalars, `{}` standing
// for undefined. Whatever else is answered with a 400 fault.
func ParseHeader(s string) (Key, error) {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "BadRequest", "The partition key header is invalid: %s.", why)
	}
	if !utf8.ValidString(s) {
		return nil, bad("it is not UTF-8")
	}
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(s), &parts); err != nil || parts == nil {
		return nil, bad("it is not a JSON array")
	}
	if len(parts) > MaxPaths {
		return nil, bad("it has more than " + strconv.Itoa(MaxPaths) + " values")
	}
	key := make(Key, 0, len(parts))
	for _, p := range parts {
		v, ok := parseValue(p)
		if !ok {
			return nil, bad("a value must be a string, a number, true, false, null or {}")
		}
		key = append(key, v)
	}
	return key, nil
}

// parseValue reads one JSON scalar, or `{}` as undefined.
func parseValue(raw json.RawMessage) (Value, bool) {
	switch text := strings.TrimSpace(string(raw)); text[0] {
	case 'n':
		return Value{Type: Null}, true
	case 't':
		return Value{Type: True}, true
	case 'f':
		return Value{Type: False}, true
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return Value{}, false
		}
		return StringValue(s), true
	case '{':
		return Value{}, strings.TrimSpace(text[1:]) == "}"
	case '[':
		return Value{}, false
	default:
		f, err := strconv.ParseFloat(text, 64)
		return NumberValue(f), err == nil && !math.IsInf(f, 0)
	}
}
