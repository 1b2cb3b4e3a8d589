package query

import "math"

// binary compiles an infix operator. AND and OR chains become one closure, however long.
func (c *compiler) binary(e *Binary, sc *scope) evalFn {
	switch e.Op {
	case "AND", "OR":
		return logical(e.Op == "OR", c.exprs(chain(e, e.Op), sc))
	case "??":
		x, y := c.expr(e.X, sc), c.expr(e.Y, sc)
		return func(f *frame) Value {
			if v := x(f); v.kind != KindUndefined {
				return v
			}
			return y(f)
		}
	}
	x, y := c.expr(e.X, sc), c.expr(e.Y, sc)
	switch e.Op {
	case "=", "!=":
		return equality(x, y, e.Op == "!=")
	case "<", ">", "<=", ">=":
		return relation(e.Op, x, y)
	case "||":
		return func(f *frame) Value {
			a, b := x(f), y(f)
			if a.kind != KindString || b.kind != KindString || len(a.str)+len(b.str) > maxString || f.err != nil {
				return Undefined
			}
			return f.made(String(a.str + b.str))
		}
	}
	op := arithmetic(e.Op)
	return func(f *frame) Value {
		a, b := x(f), y(f)
		if a.kind != KindNumber || b.kind != KindNumber {
			return Undefined
		}
		return Number(op(a.num, b.num))
	}
}

// chain lists the operands of a run of the same operator.
func chain(e *Binary, op string) []Expr {
	var back []Expr
	for {
		back = append(back, e.Y)
		left, ok := e.X.(*Binary)
		if !ok || left.Op != op {
			back = append(back, e.X)
			break
		}
		e = left
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

// logical is three-valued AND (decisive false) or OR (decisive true). What is no boolean counts as undefined.
func logical(decisive bool, operands []evalFn) evalFn {
	return func(f *frame) Value {
		unsure := false
		for _, x := range operands {
			v := x(f)
			switch {
			case v.kind != KindBool:
				unsure = true
			case v.b == decisive:
				return Bool(decisive)
			}
		}
		if unsure {
			return Undefined
		}
		return Bool(!decisive)
	}
}

// equality is = or !=. With an undefined operand it is undefined; defined values of different types are not equal, so that
// `c.a != null` keeps a string, as the .NET client's own evaluator has it (the documentation's table says undefined).
func equality(x, y evalFn, negate bool) evalFn {
	return func(f *frame) Value {
		a, b := x(f), y(f)
		if a.kind == KindUndefined || b.kind == KindUndefined {
			return Undefined
		}
		return Bool(f.equal(a, b) != negate)
	}
}

// relation compares values of the same primitive type; all else is undefined.
func relation(op string, x, y evalFn) evalFn {
	var want [3]bool // less, equal, greater
	switch op {
	case "<":
		want = [3]bool{true, false, false}
	case "<=":
		want = [3]bool{true, true, false}
	case ">":
		want = [3]bool{false, false, true}
	case ">=":
		want = [3]bool{false, true, true}
	}
	return func(f *frame) Value {
		a, b := x(f), y(f)
		n, ok := comparePrimitive(a, b)
		if !ok {
			return Undefined
		}
		return Bool(want[n+1] && !unordered(a, b))
	}
}

// arithmetic is the function of a numeric operator, by IEEE 754: 1 / 0 is an infinity, 0 / 0 not a number.
func arithmetic(op string) func(a, b float64) float64 {
	switch op {
	case "+":
		return func(a, b float64) float64 { return a + b }
	case "-":
		return func(a, b float64) float64 { return a - b }
	case "*":
		return func(a, b float64) float64 { return a * b }
	case "/":
		return func(a, b float64) float64 { return a / b }
	case "%":
		return math.Mod
	case "&":
		return func(a, b float64) float64 { return float64(toInt32(a) & toInt32(b)) }
	case "|":
		return func(a, b float64) float64 { return float64(toInt32(a) | toInt32(b)) }
	case "^":
		return func(a, b float64) float64 { return float64(toInt32(a) ^ toInt32(b)) }
	case "<<":
		return func(a, b float64) float64 { return float64(toInt32(a) << (uint32(toInt32(b)) & 31)) }
	case ">>":
		return func(a, b float64) float64 { return float64(toInt32(a) >> (uint32(toInt32(b)) & 31)) }
	case ">>>":
		return func(a, b float64) float64 { return float64(uint32(toInt32(a)) >> (uint32(toInt32(b)) & 31)) }
	}
	panic("query: unknown operator " + op)
}

// toInt32 is JavaScript's ToInt32: truncate, then keep the low 32 bits; of what is not finite there are none.
func toInt32(f float64) int32 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	f = math.Mod(math.Trunc(f), 1<<32)
	return int32(uint32(int64(f)))
}
