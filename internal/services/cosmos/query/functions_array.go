package query

import (
	"math"
	"slices"
)

// arrayFunctions give undefined where an array is expected and something else comes.
var arrayFunctions = []function{
	{name: "ARRAY_AVG", min: 1, max: 1, one: overArray("AVG")},
	{name: "ARRAY_MEDIAN", min: 1, max: 1, one: median},
	{name: "ARRAY_MAX", min: 1, max: 1, one: overArray("MAX")},
	{name: "ARRAY_MIN", min: 1, max: 1, one: overArray("MIN")},
	{name: "ARRAY_SUM", min: 1, max: 1, one: overArray("SUM")},
	{name: "ARRAY_CONCAT", min: 2, max: unbounded, many: arrayConcat},
	{name: "ARRAY_CONTAINS", min: 2, max: 3, with: arrayContains},
	{name: "ARRAY_CONTAINS_ALL", min: 2, max: unbounded, with: func(f *frame, args []Value) Value { return containsSome(f, args, true) }},
	{name: "ARRAY_CONTAINS_ANY", min: 2, max: unbounded, with: func(f *frame, args []Value) Value { return containsSome(f, args, false) }},
	{name: "ARRAY_LENGTH", min: 1, max: 1, one: func(v Value) Value {
		if v.kind != KindArray {
			return Undefined
		}
		return Number(float64(v.Len()))
	}},
	{name: "ARRAY_SLICE", min: 2, max: 3, three: arraySlice},
	{name: "CHOOSE", min: 2, max: unbounded, many: choose},
	{name: "ObjectToArray", min: 1, max: 3, three: objectToArray},
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

// arrayContains looks for an equal element; with a third argument that is true, for one that is like the one sought in what that says.
func arrayContains(f *frame, args []Value) Value {
	partial := Undefined
	if len(args) > 2 {
		partial = args[2]
	}
	if partial.kind != KindUndefined && partial.kind != KindBool {
		return Undefined
	}
	return contains(f, args[0], args[1], partial.b)
}

func contains(f *frame, list, want Value, partial bool) Value {
	if list.kind != KindArray || want.kind == KindUndefined {
		return Undefined
	}
	left := f.limit - f.steps
	found := false
	for i := 0; i < list.Len() && !found && left >= 0; i++ {
		e := list.At(i)
		left--
		found = equal(e, want, &left) || partial && covers(e, want, &left)
	}
	if !f.spend(f.limit - f.steps - left) {
		return Undefined
	}
	return Bool(found)
}

// covers tells whether v is like want where that says something: an object has all members of it, an array has as many elements, each like its own.
func covers(v, want Value, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	if v.kind != want.kind || want.kind < KindArray {
		return equal(v, want, left)
	}
	ok := true
	if want.kind == KindArray {
		ok = v.Len() == want.Len()
		for i := 0; ok && i < want.Len(); i++ {
			ok = covers(v.At(i), want.At(i), left)
		}
		return ok
	}
	wide := v.Len() >> 3
	want.Members(func(name string, m Value) {
		if ok {
			*left -= wide
			ok = *left >= 0 && covers(v.Field(name), m, left)
		}
	})
	return ok
}

// containsSome is the AND, or the OR, of ARRAY_CONTAINS of the first argument and each of the others.
func containsSome(f *frame, args []Value, all bool) Value {
	unsure := false
	for _, want := range args[1:] {
		switch found := contains(f, args[0], want, false); {
		case found.kind == KindUndefined:
			unsure = true
		case found.b != all:
			return Bool(!all)
		}
	}
	if unsure {
		return Undefined
	}
	return Bool(all)
}

func arraySlice(list, start, length Value) Value {
	if list.kind != KindArray {
		return Undefined
	}
	n := list.Len()
	from, ok := whole(start)
	if !ok {
		return Undefined
	}
	if from < 0 {
		from += n
	}
	from = max(0, min(from, n))
	to := n
	if length.kind != KindUndefined {
		k, ok := whole(length)
		if !ok {
			return Undefined
		}
		to = max(from, min(from+k, n))
	}
	out := make([]Value, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, list.At(i))
	}
	return Array(out)
}

// median is the middle of the numbers of an array, the mean of the middle two where their count is even. Undefined elements do not count.
func median(list Value) Value {
	if list.kind != KindArray {
		return Undefined
	}
	numbers := make([]float64, 0, list.Len())
	for i := range list.Len() {
		switch e := list.At(i); e.kind {
		case KindNumber:
			numbers = append(numbers, e.num)
		case KindUndefined:
		default:
			return Undefined
		}
	}
	n := len(numbers)
	if n == 0 {
		return Undefined
	}
	slices.Sort(numbers)
	if n%2 == 1 {
		return Number(numbers[n/2])
	}
	return Number((numbers[n/2-1] + numbers[n/2]) / 2)
}

// objectToArray makes an object of each member, which has its name as k and its value as v, or under the names given.
func objectToArray(o, name, value Value) Value {
	if o.kind != KindObject || name.kind != KindUndefined && name.kind != KindString || value.kind != KindUndefined && value.kind != KindString {
		return Undefined
	}
	names := []string{"k", "v"}
	if name.kind == KindString {
		names[0] = name.str
	}
	if value.kind == KindString {
		names[1] = value.str
	}
	out := make([]Value, 0, o.Len())
	o.Members(func(n string, m Value) { out = append(out, Object(names, []Value{String(n), m})) })
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
