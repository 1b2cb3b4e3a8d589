package query

// setFunctions see arrays as sets: an element counts once, by deep equality.
var setFunctions = []function{
	{name: "SetDifference", min: 2, max: 2, with: func(f *frame, args []Value) Value {
		a, b := args[0], args[1]
		return pick(f, a, a, b, func(_, inB bool) bool { return !inB })
	}},
	{name: "SetIntersect", min: 2, max: 2, with: func(f *frame, args []Value) Value {
		a, b := args[0], args[1]
		return pick(f, b, a, b, func(inA, inB bool) bool { return inA && inB })
	}},
	{name: "SetUnion", min: 2, max: 2, with: func(f *frame, args []Value) Value {
		return pick(f, arrayConcat(args), args[0], args[1], func(bool, bool) bool { return true })
	}},
	{name: "SetEqual", min: 2, max: 2, with: func(f *frame, args []Value) Value {
		a, b := args[0], args[1]
		rest := pick(f, arrayConcat(args), a, b, func(inA, inB bool) bool { return inA != inB })
		if rest.kind == KindUndefined {
			return rest
		}
		return Bool(rest.Len() == 0)
	}},
}

// pick keeps the distinct elements of from for which keep says so, in order.
func pick(f *frame, from, a, b Value, keep func(inA, inB bool) bool) Value {
	if a.kind != KindArray || b.kind != KindArray {
		return Undefined
	}
	var key []byte
	in := [2]map[string]bool{make(map[string]bool, a.Len()), make(map[string]bool, b.Len())}
	for i, list := range [2]Value{a, b} {
		for j := range list.Len() {
			key = appendKey(key[:0], list.At(j))
			if !f.spend(len(key)) {
				return Undefined
			}
			in[i][string(key)] = true
		}
	}
	out, done := []Value{}, make(map[string]bool, from.Len())
	for j := range from.Len() {
		e := from.At(j)
		key = appendKey(key[:0], e)
		if !done[string(key)] && keep(in[0][string(key)], in[1][string(key)]) {
			out = append(out, e)
		}
		done[string(key)] = true
	}
	return Array(out)
}
