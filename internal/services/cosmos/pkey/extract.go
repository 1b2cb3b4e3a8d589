package pkey

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

var parsers fastjson.ParserPool

// Extract reads the key of a document (a JSON object) by the paths of its container. A missing property is undefined,
// and so is an object or an array. On a property given twice the last one counts, as in the rest of the service.
func Extract(doc []byte, paths []string) (Key, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	root, err := p.ParseBytes(doc)
	if err != nil || root.Type() != fastjson.TypeObject {
		return nil, fault.New(fault.Invalid, "BadRequest", "The document is not a JSON object.")
	}
	key := make(Key, 0, len(paths))
	for _, path := range paths {
		segments, err := SplitPath(path)
		if err != nil {
			return nil, err
		}
		v, err := valueAt(root, segments)
		if err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "The partition key property %q %s.", path, err.Error())
		}
		key = append(key, v)
	}
	return key, nil
}

type notScalar string

func (e notScalar) Error() string { return string(e) }

func valueAt(v *fastjson.Value, segments []string) (Value, error) {
	for _, s := range segments {
		if v.Type() != fastjson.TypeObject {
			return Value{}, nil
		}
		if v = last(v.GetObject(), s); v == nil {
			return Value{}, nil
		}
	}
	switch v.Type() {
	case fastjson.TypeNull:
		return Value{Type: Null}, nil
	case fastjson.TypeTrue:
		return BoolValue(true), nil
	case fastjson.TypeFalse:
		return BoolValue(false), nil
	case fastjson.TypeNumber:
		f, err := v.Float64()
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}, notScalar("is not a finite number")
		}
		return NumberValue(f), nil
	case fastjson.TypeString:
		return StringValue(string(v.GetStringBytes())), nil
	default:
		return Value{}, nil
	}
}

// last finds the last property of that name.
func last(o *fastjson.Object, name string) (found *fastjson.Value) {
	o.Visit(func(k []byte, v *fastjson.Value) {
		if string(k) == name {
			found = v
		}
	})
	return found
}

// SplitPath reads a path such as `/a/b` or `/"first name"/b` into its segments. A quoted segment is a JSON string.
func SplitPath(path string) ([]string, error) {
	bad := func(why string) ([]string, error) {
		return nil, fault.New(fault.Invalid, "BadRequest", "The partition key path %q is invalid: %s.", path, why)
	}
	if path == "" || path[0] != '/' {
		return bad("it must begin with '/'")
	}
	var out []string
	for rest := path; rest != ""; {
		if rest[0] != '/' {
			return bad("a '/' must stand between its segments")
		}
		rest = rest[1:]
		if rest == "" {
			return bad("it has an empty segment")
		}
		if rest[0] != '"' {
			seg, _, _ := strings.Cut(rest, "/")
			if seg == "" {
				return bad("it has an empty segment")
			}
			if strings.ContainsAny(seg, `*?[]"`) {
				return bad("wildcards and array segments are not allowed")
			}
			out, rest = append(out, seg), rest[len(seg):]
			continue
		}
		end := 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(rest) {
			return bad("a quoted segment does not end")
		}
		var seg string
		if json.Unmarshal([]byte(rest[:end+1]), &seg) != nil {
			return bad("a quoted segment is not a JSON string")
		}
		out, rest = append(out, seg), rest[end+1:]
	}
	return out, nil
}
