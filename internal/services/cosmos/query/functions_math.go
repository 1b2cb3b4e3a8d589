package query

import (
	"math"
	"math/rand/v2"
)

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

func sign(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return 0
}

// mathFunctions give undefined on anything but numbers. LOG(0) and SQRT(-1) are an infinity and not a number.
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
	{name: "NumberBin", min: 1, max: 2, two: numberBin},
	{name: "RAND", min: 0, max: 0, with: func(f *frame, _ []Value) Value {
		if f.env.Rand != nil {
			return Number(f.env.Rand())
		}
		return Number(rand.Float64())
	}},
}

func logarithm(v, base Value) Value {
	switch {
	case v.kind != KindNumber:
		return Undefined
	case base.kind == KindUndefined:
		return Number(math.Log(v.num))
	case base.kind == KindNumber:
		if base.num == 10 {
			return Number(math.Log10(v.num))
		}
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
		if out := math.Round(v.num*scale) / scale; !math.IsNaN(out) && !math.IsInf(out, 0) {
			return Number(out)
		}
		return Number(v.num) // fewer digits than v has, or none
	}
	return Undefined
}

// numberBin rounds down to a multiple of the size, 1 where none is given.
func numberBin(v, size Value) Value {
	bin := 1.0
	switch {
	case v.kind != KindNumber || size.kind != KindUndefined && size.kind != KindNumber:
		return Undefined
	case size.kind == KindNumber:
		bin = size.num
	}
	if bin == 0 {
		return Undefined
	}
	n := math.Floor(v.num / bin)
	if per := math.Round(1 / bin); math.Abs(bin) < 1 && math.Abs(1/bin-per) < 1e-9*math.Abs(per) {
		return Number(n / per) // 377 / 10 is 37.7, 377 * 0.1 is not
	}
	return Number(n * bin)
}
