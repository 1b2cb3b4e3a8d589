package query

import (
	"fmt"
	"strings"
)

// function is a system function: a row of a table. Exactly one of one, two, three and many is set, by the largest number of
// arguments; an optional argument that is not given is Undefined. More functions are more rows.
type function struct {
	name     string // as the service prints it
	min, max int    // arguments
	one      func(a Value) Value
	two      func(a, b Value) Value
	three    func(a, b, c Value) Value
	many     func(args []Value) Value
}

// unbounded is the max of a function that takes any number of arguments.
const unbounded = 1 << 20

// findFunction looks a system function up, in any case.
func findFunction(name string) (function, bool) {
	for _, family := range [...][]function{typeFunctions, stringFunctions, mathFunctions, arrayFunctions} {
		for _, f := range family {
			if strings.EqualFold(f.name, name) {
				return f, true
			}
		}
	}
	return function{}, false
}

// missing are the system functions of the language that this engine has no row for yet.
const missing = ` RAND NumberBin ContainsAllCi ContainsAllCs ContainsAnyCi ContainsAnyCs RegexMatch RegexExtract RegexExtractAll
 StringToArray StringToBoolean StringToNull StringToNumber StringToObject ObjectToArray ARRAY_MEDIAN IS_DATETIME
 DateTimeAdd DateTimeBin DateTimeDiff DateTimeFormat DateTimeFromParts DateTimePart DateTimeToTicks DateTimeToTimestamp
 GetCurrentDateTime GetCurrentTicks GetCurrentTimestamp GetCurrentDateTimeStatic GetCurrentTicksStatic GetCurrentTimestampStatic
 TicksToDateTime TimestampToDateTime YEAR MONTH DAY ST_AREA ST_DISTANCE ST_INTERSECTS ST_ISVALID ST_ISVALIDDETAILED ST_WITHIN
 FullTextContains FullTextContainsAll FullTextContainsAny FullTextScore RRF VectorDistance DOCUMENTID HASH COUNTIF MAKELIST MAKESET
 SubstringAfter SubstringBefore LastSubstringAfter LastSubstringBefore _TRY_ARRAY_CONTAINS `

func isMissing(name string) bool {
	for _, m := range strings.Fields(missing) {
		if strings.EqualFold(m, name) {
			return true
		}
	}
	return false
}

func (c *compiler) call(e *Call, sc *scope) evalFn {
	if e.UDF {
		return c.udf(e, sc)
	}
	if kind := aggregateName(e.Name); kind != "" {
		return c.aggregate(e, kind, sc)
	}
	fn, ok := findFunction(e.Name)
	if !ok {
		if isMissing(e.Name) {
			c.unsupported("The function " + e.Name)
		}
		c.fail(Span{e.Span.Start, e.Span.Start + len(e.Name)}, "SC2005", "'%s' is not a recognized built-in function name.", e.Name)
	}
	c.arity(e, fn.name, fn.min, fn.max)
	args := c.exprs(e.Args, sc)
	arg := func(i int) evalFn {
		if i < len(args) {
			return args[i]
		}
		return constant(Undefined)
	}
	switch {
	case fn.one != nil:
		a := args[0]
		return func(f *frame) Value { return fn.one(a(f)) }
	case fn.two != nil:
		a, b := args[0], arg(1)
		return func(f *frame) Value { return fn.two(a(f), b(f)) }
	case fn.three != nil:
		a, b, third := args[0], arg(1), arg(2)
		return func(f *frame) Value { return fn.three(a(f), b(f), third(f)) }
	}
	return func(f *frame) Value {
		values := make([]Value, len(args))
		for i, a := range args {
			values[i] = a(f)
		}
		return fn.many(values)
	}
}

func (c *compiler) arity(e *Call, name string, least, most int) {
	n := len(e.Args)
	if n >= least && n <= most {
		return
	}
	want := fmt.Sprintf("%d to %d", least, most)
	switch {
	case least == most:
		want = fmt.Sprint(least)
	case most == unbounded:
		want = fmt.Sprintf("at least %d", least)
	}
	c.fail(e.Span, "SC2050", "The %s function requires %s argument(s).", name, want)
}
