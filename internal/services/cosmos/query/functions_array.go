package query

import "math"

// arrayFunctions give undefined where an array is expected and something else comes.
var arrayFunctions = []function{
	{name: "ARRAY_AVG", min: 1, max: 1, one: overArray("AVG")},
	{name: "ARRAY_MAX", min: 1, max: 1, one: overArray("MAX")},
	{name: "ARRAY_MIN", min: 1, max: 1, one: overArray("MIN")},
	{name: "ARRAY_SUM", min: 1, max: 1, one: overArray("SUM")},
	{name: "ARRAY_CONCAT", min: 2, max: unbounded, many: arrayConcat},
	{name: "ARRAY_CONTAINS", min: 2, max: 3, three: arrayContains},
	{name: "ARRAY_CONTAINS_ALL", min: 2, max: unbounded, many: func(args []Value) Value { return containsSome(args, true) }},
	{name: "ARRAY_CONTAINS_ANY", min: 2, max: unbounded, many: func(args []Value) Value { return containsSome(args, false) }},
	{name: "ARRAY_LENGTH", min: 1, max: 1, one: func(v Value) Value {
		if v.kind != KindArray {
			return Undefined
		}
		return Number(float64(v.Len()))
	}},
	{name: "ARRAY_SLICE", min: 2, max: 3, three: arraySlice},
	{name: "CHOOSE", min: 2, max: unbounded, many: choose},
	{name: "SetDifference", min: 2, max: 2, two: setOf(func(inA, inB bool) bool { return inA && !inB })},
	{name: "SetIntersect", min: 2, max: 2, two: setOf(func(inA, inB bool) bool { return inA && inB })},
	{name: "SetUnion", min: 2, max: 2, two: setOf(func(inA, inB bool) bool { return inA || inB })},
	{name: "SetEqual", min: 2, max: 2, two: func(a, b Value) Value {
		if a.kind != KindArray || b.kind != KindArray {
			return Undefined
		}
		rest := setOf(func(inA, inB bool) bool { return inA != inB })(a, b)
		return Bool(rest.Len() == 0)
	}},
}

// overArray applies an aggregate to the elements of an array.
func overArray(kind string) func(Value) Value {
	return func(v Value) Value {
		if v.kind != KindArray {
			return Undefined
		}
		acc := newAccumulator(kind)
		for i := range v.Len() {
			acc.add(v.At(i))
		}
		return acc.result()
	}
}

func arrayConcat(args []Value) Value {
	var out []Value
	for _, a := range args {
		if a.kind != KindArray {
			return Undefined
		}
		for i := range a.Len() {
			out = append(out, a.At(i))
		}
	}
	return Array(out)
}

// arrayContains looks for an equal element; with partial, for an object that has all members of the one sought.
func arrayContains(list, want, partial Value) Value {
	if list.kind != KindArray || want.kind == KindUndefined || partial.kind != KindUndefined && partial.kind != KindBool {
		return Undefined
	}
	for i := range list.Len() {
		if e := list.At(i); Equal(e, want) || partial.b && covers(e, want) {
			return Bool(true)
		}
	}
	return Bool(false)
}

// covers tells whether object v has all members of object want.
func covers(v, want Value) bool {
	if v.kind != KindObject || want.kind != KindObject {
		return Equal(v, want)
	}
	ok := true
	want.Members(func(name string, m Value) { ok = ok && covers(v.Field(name), m) })
	return ok
}

// containsSome tells whether the first argument contains all, or any, of the others.
func containsSome(args []Value, all bool) Value {
	for _, want := range args[1:] {
		found := arrayContains(args[0], want, Undefined)
		if found.kind == KindUndefined {
			return Undefined
		}
		if found.b != all {
			return Bool(!all)
		}
	}
	return Bool(all)
}

func arraySlice(list, start, length Value) Value {
	if list.kind != KindArray || start.kind != KindNumber || length.kind != KindUndefined && length.kind != KindNumber {
		return Undefined
	}
	n := float64(list.Len())
	from := math.Trunc(start.num)
	if from < 0 {
		from += n
	}
	from = max(0, min(from, n))
	to := n
	if length.kind == KindNumber {
		to = max(from, min(from+math.Trunc(length.num), n))
	}
	var out []Value
	for i := int(from); i < int(to); i++ {
		out = append(out, list.At(i))
	}
	return Array(out)
}

// choose picks its argument by number, counted from 1.
func choose(args []Value) Value {
	i := args[0]
	if i.kind != KindNumber || i.num != math.Trunc(i.num) || i.num < 1 || i.num >= float64(len(args)) {
		return Undefined
	}
	return args[int(i.num)]
}

// setOf keeps the distinct elements of both arrays for which keep says so, in order.
func setOf(keep func(inA, inB bool) bool) func(a, b Value) Value {
	return func(a, b Value) Value {
		if a.kind != KindArray || b.kind != KindArray {
			return Undefined
		}
		in := [2]map[string]bool{{}, {}}
		for i, list := range [2]Value{a, b} {
			for j := range list.Len() {
				in[i][string(appendKey(nil, list.At(j)))] = true
			}
		}
		var out []Value
		done := map[string]bool{}
		for _, list := range [2]Value{a, b} {
			for j := range list.Len() {
				e := list.At(j)
				k := string(appendKey(nil, e))
				if !done[k] && keep(in[0][k], in[1][k]) {
					out = append(out, e)
				}
				done[k] = true
			}
		}
		return Array(out)
	}
}
