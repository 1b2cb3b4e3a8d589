package query

import (
	"bytes"
	"strings"
)

// textFunctions take strings apart and read values out of them.
var textFunctions = []function{
	{name: "ContainsAllCi", also: "CONTAINS_ALL_CI", min: 2, max: unbounded, many: containsParts(true, true)},
	{name: "ContainsAllCs", also: "CONTAINS_ALL_CS", min: 2, max: unbounded, many: containsParts(true, false)},
	{name: "ContainsAnyCi", also: "CONTAINS_ANY_CI", min: 2, max: unbounded, many: containsParts(false, true)},
	{name: "ContainsAnyCs", also: "CONTAINS_ANY_CS", min: 2, max: unbounded, many: containsParts(false, false)},
	{name: "SubstringBefore", min: 2, max: 2, two: around(strings.Index, false)},
	{name: "SubstringAfter", min: 2, max: 2, two: around(strings.Index, true)},
	{name: "LastSubstringBefore", min: 2, max: 2, two: around(strings.LastIndex, false)},
	{name: "LastSubstringAfter", min: 2, max: 2, two: around(strings.LastIndex, true)},
	{name: "StringToArray", min: 1, max: 1, one: parseAs(KindArray)},
	{name: "StringToBoolean", min: 1, max: 1, one: parseAs(KindBool)},
	{name: "StringToNull", min: 1, max: 1, one: parseAs(KindNull)},
	{name: "StringToNumber", min: 1, max: 1, one: parseAs(KindNumber)},
	{name: "StringToObject", min: 1, max: 1, one: parseAs(KindObject)},
}

// containsParts is the AND or the OR of CONTAINS of the first argument and each of the others; what is no string is undefined.
func containsParts(all, fold bool) func(args []Value) Value {
	return func(args []Value) Value {
		s := args[0].str
		if fold {
			s = strings.ToLower(s)
		}
		unsure := args[0].kind != KindString
		for _, part := range args[1:] {
			switch {
			case part.kind != KindString || args[0].kind != KindString:
				unsure = true
				continue
			case fold:
				part.str = strings.ToLower(part.str)
			}
			if strings.Contains(s, part.str) != all {
				return Bool(!all)
			}
		}
		if unsure {
			return Undefined
		}
		return Bool(all)
	}
}

// around is what stands before or after a delimiter; undefined where that does not occur.
func around(find func(s, sep string) int, after bool) func(s, sep Value) Value {
	return text2(func(s, sep string) Value {
		i := find(s, sep)
		switch {
		case i < 0:
			return Undefined
		case after:
			return String(s[i+len(sep):])
		}
		return String(s[:i])
	})
}

// parseAs reads a JSON text of one type; white space around it is allowed, anything else is undefined.
func parseAs(kind Kind) func(Value) Value {
	return text1(func(s string) Value {
		if strings.ContainsAny(s, "nN") && kind == KindNumber { // fastjson's nan and inf are no JSON
			return Undefined
		}
		v, err := ParseValue(bytes.TrimSpace([]byte(s)))
		if err != nil || v.kind != kind {
			return Undefined
		}
		return v
	})
}
