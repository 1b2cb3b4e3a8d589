package query

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// What follows is for a planner that chooses which documents a query looks at, and in which order they come.

// Params reads a query's parameters.
func Params(raw map[string]json.RawMessage) (map[string]Value, error) {
	out := make(map[string]Value, len(raw))
	var p Parser
	for name, text := range raw {
		v, err := p.Parse(text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "The value of the query parameter %q is not valid JSON.", name)
		}
		out[name] = v.Detach()
	}
	return out, nil
}

// Constant is the value of an expression that is the same for every document: a literal, a parameter, or one of them with a sign.
func Constant(e Expr, params map[string]Value) (Value, bool) {
	switch x := e.(type) {
	case *Literal:
		return x.Value, true
	case *Param:
		v, ok := params[x.Name]
		return v, ok
	case *Unary:
		v, ok := Constant(x.X, params)
		if ok && v.kind == KindNumber && (x.Op == "-" || x.Op == "+") {
			if x.Op == "-" {
				return Number(-v.num), true
			}
			return Number(v.num), true
		}
	case *ArrayLit:
		elems := make([]Value, 0, len(x.List))
		for _, e := range x.List {
			v, ok := Constant(e, params)
			if !ok {
				return Undefined, false
			}
			if v.kind != KindUndefined {
				elems = append(elems, v)
			}
		}
		return Array(elems), true
	}
	return Undefined, false
}

// Operands lists what a chain of the operator AND or OR joins.
func Operands(e *Binary) []Expr { return chain(e, e.Op) }

// CanFollow tells whether documents that come in the query's order make its rows in order: it sorts, but does not group and has no DISTINCT.
func (p *Program) CanFollow() bool {
	return p.main.orderBy != nil && p.main.rank == nil && p.main.inner == nil && !p.main.grouped && !p.main.distinct
}

// RunInOrder is Run for documents that come in the order of the query's ORDER BY, beginning after st.After.
func RunInOrder(ctx context.Context, p *Program, docs iter.Seq2[Doc, error], lim Limits, st State) (Page, error) {
	r := newRunner(ctx, p, lim, st)
	r.inOrder = true
	return r.stream(ctx, docs)
}

// CountsAll tells whether the query's one row depends on nothing but how many documents pass its WHERE: it has one aggregate, COUNT of a constant.
func (q *Query) CountsAll(p *Program) bool {
	_, plain := q.From.(*PathCollection)
	if !plain || len(p.main.aggregates) != 1 || p.main.aggregates[0].kind != "COUNT" || q.GroupBy != nil || q.Distinct || q.Top != nil || q.Offset != nil {
		return false
	}
	var constant func(e Expr) bool
	constant = func(e Expr) bool {
		switch x := e.(type) {
		case *Literal:
			return x.Value.kind != KindUndefined
		case *Call:
			return len(x.Args) == 1 && !x.UDF && constant(x.Args[0])
		case *ArrayLit:
			return len(x.List) == 1 && constant(x.List[0])
		case *ObjectLit:
			return len(x.Values) == 1 && constant(x.Values[0])
		}
		return false
	}
	if q.Value != nil {
		return constant(q.Value)
	}
	return len(q.Items) == 1 && constant(q.Items[0].Expr)
}

// CountRow is the row of a query that CountsAll, for n documents.
func (p *Program) CountRow(n uint64) []byte {
	f := p.newFrame(context.Background())
	f.slots[p.main.aggregates[0].slot] = Number(float64(n))
	return p.main.project(&f).AppendJSON(nil)
}

// HasAggregate tells whether the query's select list, subqueries apart, calls an aggregate: it then makes a row even of nothing.
func (q *Query) HasAggregate() bool { return hasAggregate(q) }

// placeOf is a document's place among those that ORDER BY holds equal: its number, which ends its key.
func placeOf(key string) string { return key[max(0, len(key)-16):] }

// tied orders rows that ORDER BY holds equal: as their documents were created, in the direction of the first property, as the service does.
func tied(a, b string, desc bool) int {
	c := cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	if desc {
		return -c
	}
	return c
}

// Wanted is about how many documents a page of so many rows looks at if each makes a row, one more to know whether there is a next page; 0: all there are.
// inOrder tells that they come in the query's order.
func (p *Program) Wanted(rows int, inOrder bool) int {
	if !inOrder && !p.Streams() {
		return 0
	}
	if b := p.main; b.limit != noLimit && b.limit < uint64(rows) {
		return int(min(b.skip+b.limit, 1<<20))
	}
	return rows + 1
}
