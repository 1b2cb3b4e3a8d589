package query

import "math"

func num1(f func(float64) float64) func(Value) Value {
	return func(v Value) Value {
		if v.kind != KindNumber {
			return Undefined
		}
		return Number(f(v.num))
	}
}

func num2(f func(a, b float64) float64) func(a, b Value) Value {
	return func(a, b Value) Value {
		if a.kind != KindNumber || b.kind != KindNumber {
			return Undefined
		}
		return Number(f(a.num, b.num))
	}
}

// int2 works on 64-bit integers; other numbers give undefined.
func int2(f func(a, b int64) (int64, bool)) func(a, b Value) Value {
	return func(a, b Value) Value {
		if !isInt64(a) || !isInt64(b) {
			return Undefined
		}
		n, ok := f(int64(a.num), int64(b.num))
		if !ok {
			return Undefined
		}
		return Number(float64(n))
	}
}

func isInt64(v Value) bool {
	return v.kind == KindNumber && v.num == math.Trunc(v.num) && v.num >= -1<<63 && v.num < 1<<63
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

func sign(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return 0
}

// mathFunctions give undefined on anything but numbers, and where the result is no number.
var mathFunctions = []function{
	{name: "ABS", min: 1, max: 1, one: num1(math.Abs)},
	{name: "ACOS", min: 1, max: 1, one: num1(math.Acos)},
	{name: "ASIN", min: 1, max: 1, one: num1(math.Asin)},
	{name: "ATAN", min: 1, max: 1, one: num1(math.Atan)},
	{name: "ATN2", min: 2, max: 2, two: num2(math.Atan2)},
	{name: "CEILING", min: 1, max: 1, one: num1(math.Ceil)},
	{name: "COS", min: 1, max: 1, one: num1(math.Cos)},
	{name: "COT", min: 1, max: 1, one: num1(func(f float64) float64 { return 1 / math.Tan(f) })},
	{name: "DEGREES", min: 1, max: 1, one: num1(func(f float64) float64 { return f * (180 / math.Pi) })},
	{name: "EXP", min: 1, max: 1, one: num1(math.Exp)},
	{name: "FLOOR", min: 1, max: 1, one: num1(math.Floor)},
	{name: "LOG", min: 1, max: 2, two: logarithm},
	{name: "LOG10", min: 1, max: 1, one: num1(math.Log10)},
	{name: "PI", min: 0, max: 0, many: func([]Value) Value { return Number(math.Pi) }},
	{name: "POWER", min: 2, max: 2, two: num2(math.Pow)},
	{name: "RADIANS", min: 1, max: 1, one: num1(func(f float64) float64 { return f * (math.Pi / 180) })},
	{name: "ROUND", min: 1, max: 2, two: round},
	{name: "SIGN", min: 1, max: 1, one: num1(sign)},
	{name: "SIN", min: 1, max: 1, one: num1(math.Sin)},
	{name: "SQRT", min: 1, max: 1, one: num1(math.Sqrt)},
	{name: "SQUARE", min: 1, max: 1, one: num1(func(f float64) float64 { return f * f })},
	{name: "TAN", min: 1, max: 1, one: num1(math.Tan)},
	{name: "TRUNC", min: 1, max: 1, one: num1(math.Trunc)},
	{name: "IntAdd", min: 2, max: 2, two: int2(always(func(a, b int64) int64 { return a + b }))},
	{name: "IntSub", min: 2, max: 2, two: int2(always(func(a, b int64) int64 { return a - b }))},
	{name: "IntMul", min: 2, max: 2, two: int2(always(func(a, b int64) int64 { return a * b }))},
	{name: "IntDiv", min: 2, max: 2, two: int2(divisible(func(a, b int64) int64 { return a / b }))},
	{name: "IntMod", min: 2, max: 2, two: int2(divisible(func(a, b int64) int64 { return a % b }))},
	{name: "IntBitAnd", min: 2, max: 2, two: int2(always(func(a, b int64) int64 { return a & b }))},
	{name: "IntBitOr", min: 2, max: 2, two: int2(always(func(a, b int64) int64 { return a | b }))},
	{name: "IntBitXor", min: 2, max: 2, two: int2(always(func(a, b int64) int64 { return a ^ b }))},
	{name: "IntBitLeftShift", min: 2, max: 2, two: int2(shift(func(a int64, n uint64) int64 { return a << n }))},
	{name: "IntBitRightShift", min: 2, max: 2, two: int2(shift(func(a int64, n uint64) int64 { return a >> n }))},
	{name: "IntBitNot", min: 1, max: 1, one: func(v Value) Value {
		if !isInt64(v) {
			return Undefined
		}
		return Number(float64(^int64(v.num)))
	}},
}

func logarithm(v, base Value) Value {
	switch {
	case v.kind != KindNumber:
		return Undefined
	case base.kind == KindUndefined:
		return Number(math.Log(v.num))
	case base.kind == KindNumber:
		return Number(math.Log(v.num) / math.Log(base.num))
	}
	return Undefined
}

// round rounds half away from zero, to a number of decimals where that is given.
func round(v, decimals Value) Value {
	switch {
	case v.kind != KindNumber:
		return Undefined
	case decimals.kind == KindUndefined:
		return Number(math.Round(v.num))
	case decimals.kind == KindNumber:
		scale := math.Pow(10, math.Trunc(decimals.num))
		return Number(math.Round(v.num*scale) / scale)
	}
	return Undefined
}
