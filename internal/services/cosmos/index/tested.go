package index

import (
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// tested is a condition over the value at one path that only looking at values can tell: CONTAINS, !=, NOT IN and the like. Its terms are walked instead of
// the documents. The leaf is its path and nothing more.
type tested struct {
	leaf
	tests []*query.Test // all have to be true
	// shapes: whether it holds is a matter of what the property is (defined, array, object), whatever its value.
	shapes bool
}

func (*tested) condition() {}

// value is what stands for the path in a test.
var value = &query.Ident{Name: "\x00"}

// pure are the functions whose result for a value depends on nothing but, of arrays and objects, that they are such. Those of types are in typed.
var pure = words(`CONTAINS ENDSWITH STARTSWITH STRINGEQUALS REGEXMATCH LOWER UPPER LENGTH LEFT RIGHT SUBSTRING TRIM LTRIM RTRIM INDEX_OF REPLACE REVERSE CONCAT
	IS_BOOL IS_NULL IS_NUMBER IS_STRING IS_PRIMITIVE IS_INTEGER IS_FINITE_NUMBER`)

// typed are the functions that go by what a property is alone.
var typed = words("IS_DEFINED IS_ARRAY IS_OBJECT")

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// tested makes a condition of an expression that is about one path; nil if it is not.
func (n *names) tested(e query.Expr) condition {
	r := rewriter{names: n, shapes: true}
	out, ok := r.rewrite(e)
	if !ok || r.path == nil || !r.path.single() {
		return nil
	}
	t, ok := query.CompileTest(n.text, out, value.Name, n.params)
	if !ok {
		return nil
	}
	return &tested{leaf: leaf{path: r.path, hash: r.path.hash()}, tests: []*query.Test{t}, shapes: r.shapes}
}

// rewriter puts value in the place of the only path of an expression.
type rewriter struct {
	*names
	path   Path
	shapes bool // nothing but typed functions have been seen
	depth  int
}

// maxTested is how deep an expression may be.
const maxTested = 64

func (r *rewriter) rewrite(e query.Expr) (query.Expr, bool) {
	if r.depth++; r.depth > maxTested {
		return nil, false
	}
	defer func() { r.depth-- }()
	if v, ok := query.Constant(e, r.params); ok {
		return e, v.Kind() < query.KindArray
	}
	switch x := e.(type) {
	case *query.Ident, *query.Property, *query.Index:
		p, ok := r.names.path(e)
		if !ok || len(p) == 0 || r.path != nil && p.hash() != r.path.hash() {
			return nil, false
		}
		r.path = p
		return value, true
	case *query.Unary:
		if x.Op != "NOT" {
			return nil, false
		}
		out := *x
		var ok bool
		out.X, ok = r.rewrite(x.X)
		_, bare := out.X.(*query.Ident)
		r.shapes = r.shapes && !bare
		return &out, ok
	case *query.Binary:
		return r.binary(x)
	case *query.Between:
		r.shapes = false
		out := *x
		ok := r.all(&out.X, &out.Low, &out.High)
		return &out, ok
	case *query.In:
		r.shapes = false
		out := *x
		out.List = slices.Clone(x.List)
		ok := r.all(&out.X)
		for i := range out.List {
			ok = ok && r.all(&out.List[i])
		}
		return &out, ok
	case *query.Like:
		r.shapes = false
		out := *x
		ok := r.all(&out.X, &out.Pattern)
		return &out, ok
	case *query.Call:
		return r.call(x)
	}
	return nil, false
}

func (r *rewriter) all(list ...*query.Expr) bool {
	for _, e := range list {
		out, ok := r.rewrite(*e)
		if !ok {
			return false
		}
		*e = out
	}
	return true
}

func (r *rewriter) binary(x *query.Binary) (query.Expr, bool) {
	switch x.Op {
	case "AND", "OR":
		list := query.Operands(x)
		out, ok := r.rewrite(list[0])
		r.shapes = r.shapes && out != query.Expr(value)
		for _, e := range list[1:] {
			if !ok {
				return nil, false
			}
			var y query.Expr
			y, ok = r.rewrite(e)
			r.shapes = r.shapes && y != query.Expr(value)
			joined := *x
			joined.X, joined.Y = out, y
			out = &joined
		}
		return out, ok
	case "=", "!=", "<", "<=", ">", ">=", "||":
		r.shapes = false
		out := *x
		ok := r.all(&out.X, &out.Y)
		return &out, ok
	}
	return nil, false
}

func (r *rewriter) call(x *query.Call) (query.Expr, bool) {
	name := strings.ToUpper(x.Name)
	if x.UDF || !pure[name] && !typed[name] {
		return nil, false
	}
	if typed[name] {
		if _, isPath := r.names.path(x.Args[0]); !isPath {
			return nil, false
		}
	} else {
		r.shapes = false
	}
	out := *x
	out.Args = slices.Clone(x.Args)
	for i := range out.Args {
		if !r.all(&out.Args[i]) {
			return nil, false
		}
	}
	return &out, true
}

// holds asks the tests about a value.
func holds(tests []*query.Tester, v query.Value) bool {
	for _, t := range tests {
		if !t.May(v) {
			return false
		}
	}
	return true
}

func (t *tested) begin() []*query.Tester {
	out := make([]*query.Tester, len(t.tests))
	for i := range out {
		out[i] = t.tests[i].Begin()
	}
	return out
}
