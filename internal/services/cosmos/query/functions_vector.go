package query

import (
	"math"
	"strings"
)

// vectorFunctions compare vectors one by one; the flag that asks for brute force changes nothing.
var vectorFunctions = []function{{name: "VectorDistance", min: 2, max: 4, compile: func(c *compiler, e *Call, args []evalFn) evalFn {
	metric := c.metric(e)
	return (&function{with: func(f *frame, values []Value) Value { return vectorDistance(metric(f.env), values) }}).closure(args)
}}}

// metric finds what measures a VectorDistance: its options say, else the container's policy for the path, else it is the cosine.
func (c *compiler) metric(e *Call) func(env *Env) string {
	if len(e.Args) > 3 {
		options, _ := c.constantOf(e.Args[3])
		if m := options.Field("distanceFunction").Str(); m != "" {
			m = strings.ToLower(m)
			return func(*Env) string { return m }
		}
	}
	segments, _ := vectorPath(e)
	path := "/" + strings.Join(segments, "/")
	return func(env *Env) string {
		if m := env.Vectors[path]; m != "" {
			return strings.ToLower(m)
		}
		return "cosine"
	}
}

// vectorDistance is undefined unless both are arrays of as many numbers.
func vectorDistance(metric string, args []Value) Value {
	a, b := args[0], args[1]
	n := a.Len()
	if a.kind != KindArray || b.kind != KindArray || n == 0 || n != b.Len() || len(args) > 2 && args[2].kind != KindUndefined && args[2].kind != KindBool {
		return Undefined
	}
	if len(args) > 3 && args[3].kind != KindUndefined && args[3].kind != KindObject {
		return Undefined
	}
	var dot, aa, bb, apart float64
	for i := range n {
		x, y := a.At(i), b.At(i)
		if x.kind != KindNumber || y.kind != KindNumber {
			return Undefined
		}
		dot += x.num * y.num
		aa += x.num * x.num
		bb += y.num * y.num
		apart += (x.num - y.num) * (x.num - y.num)
	}
	switch metric {
	case "cosine":
		if aa == 0 || bb == 0 {
			return Number(0)
		}
		if both := aa * bb; both > 0 && !math.IsInf(both, 0) {
			return Number(dot / math.Sqrt(both))
		}
		return Number(dot / (math.Sqrt(aa) * math.Sqrt(bb)))
	case "dotproduct":
		return Number(dot)
	case "euclidean":
		return Number(math.Sqrt(apart))
	}
	return Undefined
}
