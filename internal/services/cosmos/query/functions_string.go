package query

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxString     = 4 << 20 // bytes that a string function may build
	maxReplicated = 10_000  // characters that REPLICATE may build, as in the service
)

func text1(f func(s string) Value) func(Value) Value {
	return func(v Value) Value {
		if v.kind != KindString {
			return Undefined
		}
		return f(v.str)
	}
}

func text2(f func(a, b string) Value) func(a, b Value) Value {
	return func(a, b Value) Value {
		if a.kind != KindString || b.kind != KindString {
			return Undefined
		}
		return f(a.str, b.str)
	}
}

// textTest is a test of two strings with an optional third argument: ignore case.
func textTest(test func(a, b string) bool) func(a, b, fold Value) Value {
	return func(a, b, fold Value) Value {
		if a.kind != KindString || b.kind != KindString || fold.kind != KindUndefined && fold.kind != KindBool {
			return Undefined
		}
		if fold.b {
			return Bool(test(strings.ToLower(a.str), strings.ToLower(b.str)))
		}
		return Bool(test(a.str, b.str))
	}
}

// whole reads a whole number, cut to what a position in a string can be.
func whole(v Value) (n int, ok bool) {
	if v.kind != KindNumber || v.num != math.Trunc(v.num) { // NaN equals nothing
		return 0, false
	}
	return int(max(-maxString, min(v.num, maxString))), true
}

// stringFunctions are ordinal. They count Unicode characters.
var stringFunctions = []function{
	{name: "CONCAT", min: 2, max: unbounded, many: concat},
	{name: "CONTAINS", min: 2, max: 3, three: textTest(strings.Contains)},
	{name: "ENDSWITH", min: 2, max: 3, three: textTest(strings.HasSuffix)},
	{name: "STARTSWITH", min: 2, max: 3, three: textTest(strings.HasPrefix)},
	{name: "StringEquals", min: 2, max: 3, three: textTest(func(a, b string) bool { return a == b })},
	{name: "INDEX_OF", min: 2, max: 3, three: indexOf},
	{name: "LastIndexOf", min: 2, max: 2, two: text2(func(s, part string) Value {
		return position(s, strings.LastIndex(s, part))
	})},
	{name: "LEFT", min: 2, max: 2, two: func(s, n Value) Value { return substring(s, Number(0), n) }},
	{name: "RIGHT", min: 2, max: 2, two: right},
	{name: "LENGTH", min: 1, max: 1, one: text1(func(s string) Value { return Number(float64(utf8.RuneCountInString(s))) })},
	{name: "LOWER", min: 1, max: 1, one: text1(func(s string) Value { return String(strings.ToLower(s)) })},
	{name: "UPPER", min: 1, max: 1, one: text1(func(s string) Value { return String(strings.ToUpper(s)) })},
	{name: "TRIM", min: 1, max: 2, two: trim(strings.TrimFunc, strings.Trim)},
	{name: "LTRIM", min: 1, max: 2, two: trim(strings.TrimLeftFunc, strings.TrimLeft)},
	{name: "RTRIM", min: 1, max: 2, two: trim(strings.TrimRightFunc, strings.TrimRight)},
	{name: "REPLACE", min: 3, max: 3, three: replace},
	{name: "REPLICATE", min: 2, max: 2, two: replicate},
	{name: "REVERSE", min: 1, max: 1, one: text1(reverse)},
	{name: "SUBSTRING", min: 3, max: 3, three: substring},
	{name: "StringJoin", min: 2, max: 2, two: stringJoin},
	{name: "StringSplit", min: 2, max: 2, two: text2(stringSplit)},
	{name: "ToString", min: 1, max: 1, one: toString},
}

func concat(args []Value) Value {
	var b strings.Builder
	for _, a := range args {
		if a.kind != KindString || b.Len()+len(a.str) > maxString {
			return Undefined
		}
		b.WriteString(a.str)
	}
	return String(b.String())
}

// position turns a byte index, or -1, into a character index.
func position(s string, i int) Value {
	if i < 0 {
		return Number(-1)
	}
	return Number(float64(utf8.RuneCountInString(s[:i])))
}

func indexOf(s, part, start Value) Value {
	if s.kind != KindString || part.kind != KindString || start.kind != KindUndefined && start.kind != KindNumber {
		return Undefined
	}
	n := 0
	if start.kind == KindNumber {
		var ok bool
		if n, ok = whole(start); !ok {
			return Undefined
		}
	}
	from := skipRunes(s.str, n)
	i := strings.Index(s.str[from:], part.str)
	if i >= 0 {
		i += from
	}
	return position(s.str, i)
}

// skipRunes is the byte offset of character n, at most len(s).
func skipRunes(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

func substring(s, start, length Value) Value {
	from, ok1 := whole(start)
	n, ok2 := whole(length)
	if s.kind != KindString || !ok1 || !ok2 {
		return Undefined
	}
	if from < 0 {
		return String("")
	}
	rest := s.str[skipRunes(s.str, from):]
	return String(rest[:skipRunes(rest, n)])
}

func right(s, length Value) Value {
	n, ok := whole(length)
	if s.kind != KindString || !ok {
		return Undefined
	}
	return String(s.str[skipRunes(s.str, utf8.RuneCountInString(s.str)-n):])
}

func trim(space func(string, func(rune) bool) string, set func(s, cutset string) string) func(s, chars Value) Value {
	return func(s, chars Value) Value {
		switch {
		case s.kind != KindString:
			return Undefined
		case chars.kind == KindUndefined:
			return String(space(s.str, unicode.IsSpace))
		case chars.kind == KindString:
			return String(set(s.str, chars.str))
		}
		return Undefined
	}
}

func replace(s, old, with Value) Value {
	if s.kind != KindString || old.kind != KindString || with.kind != KindString || old.str == "" {
		return Undefined
	}
	if n := strings.Count(s.str, old.str); len(s.str)+n*(len(with.str)-len(old.str)) > maxString {
		return Undefined
	}
	return String(strings.ReplaceAll(s.str, old.str, with.str))
}

func replicate(s, times Value) Value {
	if s.kind != KindString || times.kind != KindNumber || !(times.num >= 0) || math.IsInf(times.num, 1) || math.Trunc(times.num)*float64(utf8.RuneCountInString(s.str)) > maxReplicated {
		return Undefined
	}
	if s.str == "" {
		return s
	}
	return String(strings.Repeat(s.str, int(times.num)))
}

func reverse(s string) Value {
	rs := []rune(s)
	slices.Reverse(rs)
	return String(string(rs))
}

func stringJoin(list, sep Value) Value {
	if list.kind != KindArray || sep.kind != KindString {
		return Undefined
	}
	parts, size := make([]string, list.Len()), 0
	for i := range parts {
		e := list.At(i)
		if size += len(e.str) + len(sep.str); e.kind != KindString || size > maxString {
			return Undefined
		}
		parts[i] = e.str
	}
	return String(strings.Join(parts, sep.str))
}

func stringSplit(s, sep string) Value {
	parts := []string{s}
	if sep != "" {
		parts = strings.Split(s, sep)
	}
	elems := make([]Value, len(parts))
	for i, p := range parts {
		elems[i] = String(p)
	}
	return Array(elems)
}

// toString gives a string as it is and anything else defined as JSON.
func toString(v Value) Value {
	switch v.kind {
	case KindUndefined, KindString:
		return v
	case KindNumber:
		return String(numberText(v))
	}
	return String(string(v.Detach().AppendJSON(nil)))
}

// numberText is a number as ToString has it: up to 17 digits before the point, else an exponent of at least three digits.
func numberText(v Value) string {
	if n, ok := v.int64(); ok && (v.str != "" || v.node != nil) {
		return strconv.FormatInt(n, 10)
	}
	if math.IsNaN(v.num) || math.IsInf(v.num, 0) {
		return string(appendNumber(nil, v.num))
	}
	if abs := math.Abs(v.num); abs == 0 || abs >= 1e-4 && abs < 1e17 {
		return strconv.FormatFloat(v.num, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v.num, 'e', -1, 64), "e")
	sign, digits := exponent[:1], exponent[1:]
	return mantissa + "e" + sign + strings.Repeat("0", max(0, 3-len(digits))) + digits
}
