package query

import "math"

func isKind(k Kind) func(Value) Value {
	return func(v Value) Value { return Bool(v.kind == k) }
}

// typeFunctions answer true or false for every argument, undefined included.
var typeFunctions = []function{
	{name: "IS_ARRAY", min: 1, max: 1, one: isKind(KindArray)},
	{name: "IS_BOOL", min: 1, max: 1, one: isKind(KindBool)},
	{name: "IS_DATETIME", min: 1, max: 1, one: func(v Value) Value {
		_, ok := parseInstant(v)
		return Bool(ok)
	}},
	{name: "IS_DEFINED", min: 1, max: 1, one: func(v Value) Value { return Bool(v.kind != KindUndefined) }},
	{name: "IS_FINITE_NUMBER", min: 1, max: 1, one: func(v Value) Value { return Bool(v.kind == KindNumber && !math.IsInf(v.num, 0) && !math.IsNaN(v.num)) }},
	{name: "IS_INTEGER", min: 1, max: 1, one: func(v Value) Value {
		// 2^63 itself is let in: it is how a float64 reads the largest 64-bit integer.
		return Bool(v.kind == KindNumber && v.num == math.Trunc(v.num) && v.num >= -1<<63 && v.num <= 1<<63)
	}},
	{name: "IS_NULL", min: 1, max: 1, one: isKind(KindNull)},
	{name: "IS_NUMBER", min: 1, max: 1, one: isKind(KindNumber)},
	{name: "IS_OBJECT", min: 1, max: 1, one: isKind(KindObject)},
	{name: "IS_PRIMITIVE", min: 1, max: 1, one: func(v Value) Value { return Bool(v.kind >= KindNull && v.kind <= KindString) }},
	{name: "IS_STRING", min: 1, max: 1, one: isKind(KindString)},
	{name: "IIF", min: 3, max: 3, compile: func(_ *compiler, _ *Call, args []evalFn) evalFn {
		return func(f *frame) Value {
			if args[0](f).IsTrue() {
				return args[1](f)
			}
			return args[2](f)
		}
	}},
}
