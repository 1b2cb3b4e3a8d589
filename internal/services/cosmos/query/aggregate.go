package query

import "strings"

// aggregate is one aggregate call of a grouped block; its result is put into slot when the group is done.
type aggregate struct {
	kind string
	slot int
	arg  evalFn
}

// aggregateName is the canonical name of an aggregate function, empty for any other name.
func aggregateName(name string) string {
	switch up := strings.ToUpper(name); up {
	case "COUNT", "SUM", "MIN", "MAX", "AVG", "COUNTIF", "MAKELIST", "MAKESET":
		return up
	}
	return ""
}

// hasAggregate tells whether the select list of q, subqueries apart, calls an aggregate.
func hasAggregate(q *Query) bool {
	found := false
	visit := func(e Expr) bool {
		if call, ok := e.(*Call); ok && !call.UDF && aggregateName(call.Name) != "" {
			found = true
		}
		_, sub := e.(*Subquery)
		return !found && !sub
	}
	if q.Value != nil {
		inspect(q.Value, visit)
	}
	for _, item := range q.Items {
		inspect(item.Expr, visit)
	}
	return found
}

// inspect calls visit for e and, where that says true, for what is in it. The queries of subqueries are not entered.
func inspect(e Expr, visit func(Expr) bool) {
	if !visit(e) {
		return
	}
	each := func(list ...Expr) {
		for _, x := range list {
			inspect(x, visit)
		}
	}
	switch e := e.(type) {
	case *Property:
		each(e.Base)
	case *Index:
		each(e.Base, e.Key)
	case *Unary:
		each(e.X)
	case *Binary:
		each(e.X, e.Y)
	case *Conditional:
		each(e.If, e.Then, e.Else)
	case *Between:
		each(e.X, e.Low, e.High)
	case *In:
		each(e.X)
		each(e.List...)
	case *Like:
		each(e.X, e.Pattern)
	case *Call:
		each(e.Args...)
	case *ArrayLit:
		each(e.List...)
	case *ObjectLit:
		each(e.Values...)
	}
}

// aggregate compiles an aggregate call in the select list of its block.
func (c *compiler) aggregate(e *Call, kind string, sc *scope) evalFn {
	c.arity(e, kind, 1, 1)
	g := sc.group
	if g == nil {
		c.fail(e.Span, "SC2103", "An aggregate may appear only in the select list: %s.", kind)
	}
	nested := g.inAggregate
	inspect(e.Args[0], func(x Expr) bool {
		call, isCall := x.(*Call)
		_, isSub := x.(*Subquery)
		nested = nested || isSub || isCall && !call.UDF && aggregateName(call.Name) != ""
		return !nested
	})
	if nested {
		c.fail(e.Span, "SC2101", "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.")
	}
	g.inAggregate = true
	arg := c.expr(e.Args[0], sc)
	g.inAggregate = false
	slot := c.newSlot()
	g.block.aggregates = append(g.block.aggregates, aggregate{kind, slot, arg})
	return func(f *frame) Value { return f.slots[slot] }
}

// accumulator takes the values of a group one by one. All aggregates skip undefined.
type accumulator interface {
	// add tells how many more bytes the accumulator keeps, and how many it went through.
	add(v Value) (grown, seen int)
	result() Value
}

func newAccumulator(kind string) accumulator {
	switch kind {
	case "COUNT":
		return &counting{}
	case "COUNTIF":
		return &counting{only: true}
	case "MIN":
		return &extreme{sign: -1}
	case "MAX":
		return &extreme{sign: 1}
	case "MAKELIST":
		return &listing{}
	case "MAKESET":
		return &listing{seen: map[string]bool{}}
	default:
		return &summing{average: kind == "AVG"}
	}
}

// counting is COUNT, and COUNTIF, which counts what is true.
type counting struct {
	n    float64
	only bool
}

func (a *counting) add(v Value) (grown, seen int) {
	if v.kind != KindUndefined && (!a.only || v.IsTrue()) {
		a.n++
	}
	return 0, 0
}

func (a *counting) result() Value { return Number(a.n) }

// listing is MAKELIST and, with seen, MAKESET.
type listing struct {
	list []Value
	seen map[string]bool
}

func (a *listing) add(v Value) (grown, seen int) {
	if v.kind == KindUndefined {
		return 0, 0
	}
	if a.seen != nil {
		key := string(appendKey(nil, v))
		seen = len(key)
		if a.seen[key] {
			return 0, seen
		}
		a.seen[key] = true
		grown = 64 + len(key)
	}
	v = v.Detach()
	a.list = append(a.list, v)
	return grown + 64 + v.size(), seen + v.size()
}

func (a *listing) result() Value { return Array(a.list) }

// summing is SUM and AVG: one value that is no number makes the result undefined.
type summing struct {
	sum, n  float64
	spoiled bool
	average bool
}

func (a *summing) add(v Value) (grown, seen int) {
	switch v.kind {
	case KindUndefined:
	case KindNumber:
		a.sum += v.num
		a.n++
	default:
		a.spoiled = true
	}
	return 0, 0
}

func (a *summing) result() Value {
	switch {
	case a.spoiled, a.average && a.n == 0:
		return Undefined
	case a.average:
		return Number(a.sum / a.n)
	}
	return Number(a.sum)
}

// extreme is MIN and MAX, in the order of ORDER BY; an array or an object makes the result undefined.
type extreme struct {
	best    Value
	sign    int
	spoiled bool
}

func (a *extreme) add(v Value) (grown, seen int) {
	switch {
	case v.kind == KindUndefined:
	case v.kind >= KindArray:
		a.spoiled = true
	case a.best.kind == KindUndefined || Order(v, a.best)*a.sign > 0:
		grown = len(v.str) - len(a.best.str)
		a.best = v.Detach()
	}
	return grown, len(v.str)
}

func (a *extreme) result() Value {
	if a.spoiled {
		return Undefined
	}
	return a.best
}
