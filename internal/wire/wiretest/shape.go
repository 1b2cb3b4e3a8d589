package wiretest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Missing tells what a shape demands that a value does not have. A shape is JSON as encoding/json decodes it: an object names keys, in their very casing, that must be there (others may
// be, too); a list of one is of a list with at least one element, each of that shape; a text names a kind: string, text (not empty), number, bool, time, object, list, any; "kind?" may be
// null or missing.
func Missing(shape, got any) []string { return missing("", shape, got) }

func missing(path string, shape, got any) (out []string) {
	here := func(format string, args ...any) {
		out = append(out, strings.TrimPrefix(path, ".")+": "+fmt.Sprintf(format, args...))
	}
	switch s := shape.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			here("%s, want an object", kindOf(got))
			return out
		}
		for k, v := range s {
			have, ok := m[k]
			if kind, optional := v.(string); optional && strings.HasSuffix(kind, "?") && have == nil {
				continue
			}
			if !ok {
				out = append(out, strings.TrimPrefix(path+"."+k, ".")+": missing"+otherCase(m, k))
				continue
			}
			out = append(out, missing(path+"."+k, v, have)...)
		}
		slices.Sort(out)
	case []any:
		l, ok := got.([]any)
		if !ok || len(s) != 1 || len(l) == 0 {
			here("%s of %d, want a list with elements", kindOf(got), len(l))
			return out
		}
		for i, v := range l {
			out = append(out, missing(path+"["+strconv.Itoa(i)+"]", s[0], v)...)
		}
	case string:
		if !isKind(strings.TrimSuffix(s, "?"), got) {
			here("%s, want %s", kindOf(got), s)
		}
	default:
		here("the shape is neither an object, a list of one nor the name of a kind, but %v", shape)
	}
	return out
}

func otherCase(m map[string]any, k string) string {
	for have := range m {
		if strings.EqualFold(have, k) {
			return ", but there is " + have
		}
	}
	return ""
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case float64:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "list"
	}
	return "object"
}

func isKind(kind string, v any) bool {
	text, isText := v.(string)
	switch kind {
	case "any":
		return true
	case "string":
		return isText
	case "text":
		return text != ""
	case "time":
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	}
	return kind == kindOf(v)
}

// NotGivenBack tells what of a request's body an answer does not have, with the same value. Texts are compared in any case: services give names of values in their documented form.
func NotGivenBack(sent, got any) []string { return notGivenBack("", sent, got) }

func notGivenBack(path string, sent, got any) (out []string) {
	switch s := sent.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		for k, v := range s {
			if have, there := m[k]; !ok || !there {
				out = append(out, strings.TrimPrefix(path+"."+k, ".")+": not given back"+otherCase(m, k))
			} else {
				out = append(out, notGivenBack(path+"."+k, v, have)...)
			}
		}
		slices.Sort(out)
		return out
	case []any:
		l, _ := got.([]any)
		if len(l) != len(s) {
			return []string{fmt.Sprintf("%s: %d elements of %d are given back", strings.TrimPrefix(path, "."), len(l), len(s))}
		}
		for i := range s {
			out = append(out, notGivenBack(path+"["+strconv.Itoa(i)+"]", s[i], l[i])...)
		}
		return out
	case string:
		if g, ok := got.(string); ok && strings.EqualFold(g, s) {
			return nil
		}
	}
	if !reflect.DeepEqual(sent, got) {
		a, _ := json.Marshal(sent)
		b, _ := json.Marshal(got)
		return []string{fmt.Sprintf("%s: %s was sent, %s is given back", strings.TrimPrefix(path, "."), a, b)}
	}
	return nil
}
