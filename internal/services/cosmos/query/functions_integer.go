package query

// int2 works on 64-bit integers; other numbers give undefined.
func int2(f func(a, b int64) (int64, bool)) func(a, b Value) Value {
	return func(a, b Value) Value {
		x, ok1 := a.int64()
		y, ok2 := b.int64()
		if !ok1 || !ok2 {
			return Undefined
		}
		n, ok := f(x, y)
		if !ok {
			return Undefined
		}
		return Integer(n)
	}
}

func always(f func(a, b int64) int64) func(a, b int64) (int64, bool) {
	return func(a, b int64) (int64, bool) { return f(a, b), true }
}

// divisible guards a division against zero.
func divisible(f func(a, b int64) int64) func(a, b int64) (int64, bool) {
	return func(a, b int64) (int64, bool) {
		if b == 0 {
			return 0, false
		}
		return f(a, b), true
	}
}

// shift guards a shift against a negative count.
func shift(f func(a int64, n uint64) int64) func(a, b int64) (int64, bool) {
	return func(a, b int64) (int64, bool) {
		if b < 0 {
			return 0, false
		}
		return f(a, uint64(b)), true
	}
}

// integer is a row of a function of two integers. A literal argument keeps all its digits.
func integer(name, also string, f func(a, b int64) (int64, bool)) function {
	two := int2(f)
	return function{name: name, also: also, min: 2, max: 2, compile: func(c *compiler, e *Call, args []evalFn) evalFn {
		for i, arg := range e.Args {
			if l, ok := arg.(*Literal); ok {
				args[i] = constant(c.digits(l))
			}
		}
		return (&function{two: two}).closure(args)
	}}
}

// digits is a literal with the digits that the query gives it.
func (c *compiler) digits(l *Literal) Value {
	v := l.Value
	if v.kind == KindNumber && (v.num > 1<<53 || v.num < -1<<53) && v.str == "" && l.Span.End <= len(c.text) {
		v.str = c.text[l.Span.Start:l.Span.End]
	}
	return v
}

// integerFunctions work on 64-bit integers, without loss.
var integerFunctions = []function{
	integer("IntAdd", "", always(func(a, b int64) int64 { return a + b })),
	integer("IntSub", "", always(func(a, b int64) int64 { return a - b })),
	integer("IntMul", "", always(func(a, b int64) int64 { return a * b })),
	integer("IntDiv", "", divisible(func(a, b int64) int64 { return a / b })),
	integer("IntMod", "", divisible(func(a, b int64) int64 { return a % b })),
	integer("IntBitAnd", "IntBitwiseAnd", always(func(a, b int64) int64 { return a & b })),
	integer("IntBitOr", "IntBitwiseOr", always(func(a, b int64) int64 { return a | b })),
	integer("IntBitXor", "IntBitwiseXor", always(func(a, b int64) int64 { return a ^ b })),
	integer("IntBitLeftShift", "IntBitwiseLeftShift", shift(func(a int64, n uint64) int64 { return a << n })),
	integer("IntBitRightShift", "IntBitwiseRightShift", shift(func(a int64, n uint64) int64 { return a >> n })),
	{name: "IntBitNot", also: "IntBitwiseNot", min: 1, max: 1, one: func(v Value) Value {
		n, ok := v.int64()
		if !ok {
			return Undefined
		}
		return Integer(^n)
	}},
}
