package query

import (
	"math"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

func constant(v Value) evalFn { return func(*frame) Value { return v } }

// expr compiles a scalar expression.
func (c *compiler) expr(e Expr, sc *scope) evalFn {
	if slot, ok := c.groupKey(e, sc); ok {
		return func(f *frame) Value { return f.slots[slot] }
	}
	if _, isParam := e.(*Param); !isParam { // an unknown one is for the case below to name
		if v, ok := c.constantOf(e); ok {
			return constant(v)
		}
	}
	switch e := e.(type) {
	case *Param:
		return constant(c.param(e.Span, e.Name))
	case *Ident, *Property, *Index:
		return c.reference(e, sc)
	case *Unary:
		return c.unary(e, sc)
	case *Binary:
		return c.binary(e, sc)
	case *Conditional:
		cond, then, other := c.expr(e.If, sc), c.expr(e.Then, sc), c.expr(e.Else, sc)
		return func(f *frame) Value {
			if cond(f).IsTrue() {
				return then(f)
			}
			return other(f)
		}
	case *Between:
		return c.between(e, sc)
	case *In:
		return c.in(e, sc)
	case *Like:
		return c.like(e, sc)
	case *Call:
		return c.call(e, sc)
	case *ArrayLit:
		evals := c.exprs(e.List, sc)
		return func(f *frame) Value {
			elems := make([]Value, 0, len(evals))
			for _, x := range evals {
				if v := x(f); v.kind != KindUndefined {
					elems = append(elems, v)
				}
			}
			return f.made(Array(elems))
		}
	case *ObjectLit:
		return c.object(e, sc)
	case *Subquery:
		return c.subquery(e, sc)
	}
	panic("query: unknown expression")
}

func (c *compiler) exprs(list []Expr, sc *scope) []evalFn {
	out := make([]evalFn, len(list))
	for i, e := range list {
		out[i] = c.expr(e, sc)
	}
	return out
}

// object compiles an object constructor; of a name given twice the last one counts.
func (c *compiler) object(e *ObjectLit, sc *scope) evalFn {
	last := make(map[string]int, len(e.Names))
	for i, n := range e.Names {
		last[n] = i
	}
	names, evals := make([]string, 0, len(last)), make([]evalFn, 0, len(last))
	for i, n := range e.Names {
		if x := c.expr(e.Values[i], sc); last[n] == i {
			names, evals = append(names, n), append(evals, x)
		}
	}
	return objectOf(names, evals)
}

// groupKey finds the slot of an expression that is one of the GROUP BY expressions.
func (c *compiler) groupKey(e Expr, sc *scope) (slot int, ok bool) {
	const longest = 4096 // printing a longer one at each of its levels would be quadratic
	if g := sc.group; g != nil && !g.inAggregate && len(g.keys) > 0 && e.Pos().End-e.Pos().Start <= longest {
		slot, ok = g.keys[Print(e)]
	}
	return slot, ok
}

// reference compiles a name with its path.
func (c *compiler) reference(e Expr, sc *scope) evalFn {
	var back []step
	base := e
	key, isKey := -1, false
	for {
		if key, isKey = c.groupKey(base, sc); isKey {
			break
		}
		switch x := base.(type) {
		case *Property:
			back, base = append(back, step{name: x.Name}), x.Base
			continue
		case *Index:
			if l, ok := x.Key.(*Literal); ok {
				if s, ok := literalStep(l.Value); ok {
					back, base = append(back, s), x.Base
					continue
				}
			}
		}
		break
	}
	steps := make([]step, len(back))
	for i, s := range back {
		steps[len(back)-1-i] = s
	}
	if isKey {
		return slotPath(key, steps)
	}
	switch x := base.(type) {
	case *Ident:
		if slot, rest, ok := c.probed(sc, x.Name, steps); ok {
			return slotPath(slot, rest)
		}
		if v, ok := namedNumber(x.Name); ok && !sc.knows(x.Name) {
			return func(f *frame) Value { return f.walk(v, steps) }
		}
		return slotPath(c.name(x, e, sc), steps)
	case *Index:
		inner, key := c.expr(x.Base, sc), c.expr(x.Key, sc)
		return func(f *frame) Value { return f.walk(memberOf(inner(f), key(f)), steps) }
	default:
		inner := c.expr(base, sc)
		return func(f *frame) Value { return f.walk(inner(f), steps) }
	}
}

func literalStep(v Value) (step, bool) {
	switch {
	case v.kind == KindString:
		return step{name: v.str}, true
	case v.kind == KindNumber && v.num >= 0 && v.num < 1<<31 && v.num == math.Trunc(v.num):
		return step{index: int(v.num), isIndex: true}, true
	}
	return step{}, false
}

// memberOf is v[key] for a computed key.
func memberOf(v, key Value) Value {
	s, ok := literalStep(key)
	if !ok {
		return Undefined
	}
	if s.isIndex {
		return v.At(s.index)
	}
	return v.Field(s.name)
}

// name resolves an identifier. whole is the path it begins, for the error that a grouped query gives.
func (c *compiler) name(id *Ident, whole Expr, sc *scope) int {
	for s := sc; s != nil; s = s.parent {
		slot, ok := s.names[id.Name]
		if !ok {
			continue
		}
		if s.group != nil && !s.group.inAggregate {
			at := whole.Pos()
			c.also = append(c.also, diagnose(c.text, at, "SC2102", "Property reference '%s' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.", c.text[at.Start:at.End]))
		}
		return slot
	}
	c.fail(id.Span, "SC2001", "Identifier '%s' could not be resolved.", id.Name)
	return 0
}

// infinity names the number; NaN is the other one that has a name. Anything else of that name goes before.
const infinity = "Infinity"

func namedNumber(name string) (Value, bool) {
	switch name {
	case "NaN":
		return Number(math.NaN()), true
	case infinity:
		return Number(math.Inf(1)), true
	}
	return Undefined, false
}

func (c *compiler) unary(e *Unary, sc *scope) evalFn {
	x := c.expr(e.X, sc)
	if e.Op == "NOT" {
		return func(f *frame) Value { return not(x(f)) }
	}
	op := map[string]func(float64) float64{
		"-": func(n float64) float64 { return -n },
		"+": func(n float64) float64 { return n },
		"~": func(n float64) float64 { return float64(^toInt32(n)) },
	}[e.Op]
	return func(f *frame) Value {
		v := x(f)
		if v.kind != KindNumber {
			return Undefined
		}
		return Number(op(v.num))
	}
}

// not is NOT: anything but a boolean is undefined.
func not(v Value) Value {
	if v.kind != KindBool {
		return Undefined
	}
	return Bool(!v.b)
}

func (c *compiler) between(e *Between, sc *scope) evalFn {
	x, low, high := c.expr(e.X, sc), c.expr(e.Low, sc), c.expr(e.High, sc)
	return func(f *frame) Value {
		v := x(f)
		out := and(atMost(low(f), v), atMost(v, high(f)))
		if e.Not {
			return not(out)
		}
		return out
	}
}

// atMost is a <= b.
func atMost(a, b Value) Value {
	n, ok := comparePrimitive(a, b)
	if !ok {
		return Undefined
	}
	return Bool(n <= 0 && !unordered(a, b))
}

// unordered tells whether a number is no number, which is neither less nor more than any.
func unordered(a, b Value) bool {
	return a.kind == KindNumber && (math.IsNaN(a.num) || math.IsNaN(b.num))
}

// and is AND of two values.
func and(a, b Value) Value {
	switch {
	case a.kind == KindBool && !a.b, b.kind == KindBool && !b.b:
		return Bool(false)
	case a.kind != KindBool || b.kind != KindBool:
		return Undefined
	}
	return Bool(true)
}

// in compiles IN. A long list of constants becomes a set.
func (c *compiler) in(e *In, sc *scope) evalFn {
	const small = 8
	x, list := c.expr(e.X, sc), c.exprs(e.List, sc)
	result := func(found bool) Value { return Bool(found != e.Not) }
	if set := c.constants(e.List); set != nil && len(list) > small {
		return func(f *frame) Value {
			v := x(f)
			if v.kind == KindUndefined {
				return Undefined
			}
			var room [64]byte
			return result(set[string(appendKey(room[:0], v))])
		}
	}
	return func(f *frame) Value {
		v := x(f)
		if v.kind == KindUndefined {
			return Undefined
		}
		for _, y := range list {
			if f.equal(v, y(f)) {
				return result(true)
			}
		}
		return result(false)
	}
}

// constants is the set of the keys of a list of literals and parameters; nil where something else is among them.
func (c *compiler) constants(list []Expr) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, e := range list {
		switch e := e.(type) {
		case *Literal:
			set[string(appendKey(nil, e.Value))] = true
		case *Param:
			set[string(appendKey(nil, c.param(e.Span, e.Name)))] = true
		default:
			return nil
		}
	}
	return set
}

// subquery compiles a subquery used as a value.
func (c *compiler) subquery(e *Subquery, sc *scope) evalFn {
	b := c.block(e.Query, sc)
	switch e.Kind {
	case "EXISTS":
		if b.plain() {
			return c.exists(b)
		}
		return func(f *frame) Value {
			found := false
			b.rows(f, func(Value) bool { found = true; return false })
			return Bool(found)
		}
	case "ARRAY":
		return func(f *frame) Value {
			elems := []Value{}
			b.rows(f, func(v Value) bool { elems = append(elems, v); return f.spend(8) })
			return f.made(Array(elems))
		}
	case "ALL":
		return func(f *frame) Value {
			all := true
			b.rows(f, func(v Value) bool { all = v.IsTrue(); return all })
			return Bool(all)
		}
	case "FIRST", "LAST":
		return func(f *frame) Value {
			out := Undefined
			b.rows(f, func(v Value) bool { out = v; return e.Kind == "LAST" })
			return out
		}
	}
	return func(f *frame) Value {
		out, n := Undefined, 0
		b.rows(f, func(v Value) bool { out = v; n++; return n < 2 })
		if n > 1 && f.err == nil {
			f.err = fault.New(fault.Invalid, "BadRequest", "The cardinality of a scalar subquery result set cannot be greater than one.")
		}
		return out
	}
}

// plain tells whether a block's rows are those of FROM that pass WHERE.
func (b *block) plain() bool {
	return b.from != nil && b.inner == nil && !b.blocking() && !b.distinct && b.skip == 0 && b.limit == noLimit
}

// existence is an EXISTS at work in a frame.
type existence struct {
	found bool
	row   func() bool
}

// exists compiles EXISTS of a plain block. What it needs is made once for a frame.
func (c *compiler) exists(b *block) evalFn {
	id := c.tests
	c.tests++
	return func(f *frame) Value {
		for len(f.tests) <= id {
			f.tests = append(f.tests, nil)
		}
		t := f.tests[id]
		if t == nil {
			t = &existence{}
			t.row = func() bool {
				if (b.where == nil || b.where(f).IsTrue()) && b.project(f).kind != KindUndefined {
					t.found = true
				}
				return !t.found && f.err == nil
			}
			f.tests[id] = t
		}
		t.found = false
		b.from(f, t.row)
		return Bool(t.found)
	}
}
