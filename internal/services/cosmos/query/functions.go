package query

import (
	"fmt"
	"slices"
	"strings"
)

// function is a system function: a row of a table. Exactly one of one, two, three, many, with and compile is set, the first three by the largest
// number of arguments; an optional argument that is not given is Undefined. More functions are more rows.
type function struct {
	name     string // as the service prints it
	also     string // another name that is documented
	min, max int    // arguments
	one      func(a Value) Value
	two      func(a, b Value) Value
	three    func(a, b, c Value) Value
	many     func(args []Value) Value           // args is borrowed
	with     func(f *frame, args []Value) Value // likewise; needs the time, or can fail
	compile  func(c *compiler, e *Call, args []evalFn) evalFn
}

// unbounded is the max of a function that takes any number of arguments.
const unbounded = 1 << 20

// families are all system functions.
func families() [13][]function {
	return [...][]function{
		typeFunctions, stringFunctions, textFunctions, regexFunctions, mathFunctions, integerFunctions, arrayFunctions, setFunctions, dateFunctions,
		spatialFunctions, vectorFunctions, fullTextFunctions, itemFunctions,
	}
}

// findFunction looks a system function up, in any case.
func findFunction(name string) (*function, bool) {
	for _, family := range families() {
		for i := range family {
			if strings.EqualFold(family[i].name, name) || strings.EqualFold(family[i].also, name) {
				return &family[i], true
			}
		}
	}
	return nil, false
}

// missing are the functions that the service's own clients know and that this engine has no row for: their definition is not public.
const missing = " HASH _TRY_ARRAY_CONTAINS "

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
	if strings.HasPrefix(fn.name, "ST_") || fn.name == "VectorDistance" {
		c.policies = true
	}
	if fn.compile != nil {
		return fn.compile(c, e, args)
	}
	return fn.closure(args)
}

// closure calls the function on what args give. Work is counted by the size of what goes in and what comes out.
func (fn *function) closure(args []evalFn) evalFn {
	arg := func(i int) evalFn {
		if i < len(args) {
			return args[i]
		}
		return constant(Undefined)
	}
	switch {
	case fn.one != nil:
		a, one := args[0], fn.one
		return func(f *frame) Value {
			x := a(f)
			if !f.spend(weight(x)) {
				return Undefined
			}
			return f.made(one(x))
		}
	case fn.two != nil:
		a, b, two := args[0], arg(1), fn.two
		return func(f *frame) Value {
			x, y := a(f), b(f)
			if !f.spend(weight(x) + weight(y)) {
				return Undefined
			}
			return f.made(two(x, y))
		}
	case fn.three != nil:
		a, b, third, three := args[0], arg(1), arg(2), fn.three
		return func(f *frame) Value {
			x, y, z := a(f), b(f), third(f)
			if !f.spend(weight(x) + weight(y) + weight(z)) {
				return Undefined
			}
			return f.made(three(x, y, z))
		}
	}
	with := fn.with
	if with == nil {
		with = func(_ *frame, args []Value) Value { return fn.many(args) }
	}
	return func(f *frame) Value {
		base := len(f.args) // calls in the arguments put theirs behind, and take them away
		for _, a := range args {
			v := a(f)
			f.spend(weight(v))
			f.args = append(f.args, v)
		}
		out := Undefined
		if f.err == nil {
			out = f.made(with(f, f.args[base:]))
		}
		f.args = f.args[:base]
		return out
	}
}

// constantOf is the value of an argument that is the same for every document: a literal, a parameter, or a list or an object of such.
func (c *compiler) constantOf(e Expr) (v Value, ok bool) {
	switch e := e.(type) {
	case *Literal:
		v = e.Value
		if v.kind == KindNumber {
			v.str = "" // a double but for the Int functions, see digits
		}
		return v, true
	case *Param:
		return c.param(e.Span, e.Name), true
	case *Unary:
		v, ok = c.constantOf(e.X)
		return Number(-v.num), ok && e.Op == "-" && v.kind == KindNumber
	case *ArrayLit:
		_, values, ok := c.constantsOf(nil, e.List)
		return Array(values), ok
	case *ObjectLit:
		names, values, ok := c.constantsOf(e.Names, e.Values)
		return Object(names, values), ok
	}
	return Undefined, false
}

// constantsOf reads a list of constants, or members with their names; undefined ones vanish.
func (c *compiler) constantsOf(names []string, list []Expr) (kept []string, values []Value, ok bool) {
	values = make([]Value, 0, len(list))
	for i, e := range list {
		v, ok := c.constantOf(e)
		if !ok || names != nil && slices.Contains(names[i+1:], names[i]) {
			return nil, nil, false
		}
		if v.kind != KindUndefined {
			values = append(values, v)
			if names != nil {
				kept = append(kept, names[i])
			}
		}
	}
	return kept, values, true
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
