package index

import (
	"bytes"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// condition is what a WHERE clause says about terms: every document for which the clause is true meets it. nil says nothing. It is a *leaf, an every or a some.
type condition interface{ condition() }

// leaf: the document has a term of the path within one of the spans.
type leaf struct {
	path  Path
	hash  uint64
	spans []span // in order, disjoint; none: no document
	// exact: a document with such a term makes the expression true, provided that it has each property once.
	exact bool
}

type (
	every []condition
	some  []condition
)

func (*leaf) condition() {}
func (every) condition() {}
func (some) condition()  {}

// of works out the condition of an expression that must be true.
func (n *names) of(e query.Expr) condition {
	c := n.direct(e)
	if x, ok := e.(*query.Binary); c == nil || ok && x.Op == "OR" && needsTests(c) {
		if t := n.tested(e); t != nil {
			return t
		}
	}
	return c
}

// needsTests tells whether some part of a condition is a tested one.
func needsTests(c condition) bool {
	switch x := c.(type) {
	case *tested:
		return true
	case every:
		return slices.ContainsFunc(x, needsTests)
	case some:
		return slices.ContainsFunc(x, needsTests)
	}
	return false
}

// direct is a condition whose documents are found by spans of terms.
func (n *names) direct(e query.Expr) condition {
	switch x := e.(type) {
	case *query.Binary:
		return n.binary(x)
	case *query.Between:
		if x.Not {
			return nil
		}
		return n.both(n.compare(x.X, ">=", x.Low), n.compare(x.X, "<=", x.High))
	case *query.In:
		return n.in(x)
	case *query.Like:
		return n.like(x)
	case *query.Call:
		return n.call(x)
	case *query.Unary:
		if x.Op == "NOT" {
			return n.boolean(x.X, typeFalse)
		}
	case *query.Subquery:
		if x.Kind == "EXISTS" && x.Query.Where != nil && !x.Query.HasAggregate() {
			return n.inner(x.Query.From).of(x.Query.Where)
		}
	case *query.Ident, *query.Property, *query.Index:
		return n.boolean(x, typeTrue)
	}
	return nil
}

// boolean is a property that must be true or false itself.
func (n *names) boolean(e query.Expr, value byte) condition {
	switch e.(type) {
	case *query.Ident, *query.Property, *query.Index:
		return n.leaf(e, []span{equalTo([]byte{value})}, true)
	}
	return nil
}

// leaf is nil where e is no path.
func (n *names) leaf(e query.Expr, spans []span, exact bool) condition {
	p, ok := n.path(e)
	if !ok || len(p) == 0 {
		return nil
	}
	return &leaf{path: p, hash: p.hash(), spans: unite(spans), exact: exact && p.single()}
}

func (n *names) binary(x *query.Binary) condition {
	switch x.Op {
	case "AND":
		var out every
		for _, e := range query.Operands(x) {
			if c := n.of(e); c != nil {
				out = append(out, c)
			} else {
				n.lost = true
			}
		}
		return merged(out)
	case "OR":
		var out some
		for _, e := range query.Operands(x) {
			c := n.of(e)
			if c == nil {
				return nil
			}
			out = append(out, c)
		}
		return union(out)
	case "=", "<", "<=", ">", ">=":
		if c := n.compare(x.X, x.Op, x.Y); c != nil {
			return c
		}
		turned := map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
		return n.compare(x.Y, turned[x.Op], x.X)
	}
	return nil
}

// merged joins leaves of one path into one, where a document has only one value there.
func merged(in every) condition {
	var out every
	for _, c := range in {
		if t, ok := c.(*tested); ok {
			out = withTest(out, t)
			continue
		}
		l, ok := c.(*leaf)
		if !ok || !l.path.single() {
			out = append(out, c)
			continue
		}
		at := slices.IndexFunc(out, func(c condition) bool {
			o, ok := c.(*leaf)
			return ok && o.hash == l.hash
		})
		if at < 0 {
			out = append(out, l)
			continue
		}
		o := out[at].(*leaf)
		out[at] = &leaf{path: l.path, hash: l.hash, spans: intersect(o.spans, l.spans), exact: o.exact && l.exact}
	}
	switch len(out) {
	case 0:
		return nil
	case 1:
		return out[0]
	}
	return out
}

// withTest adds a test to those of its path.
func withTest(list every, t *tested) every {
	for i, c := range list {
		if o, ok := c.(*tested); ok && o.hash == t.hash {
			list[i] = &tested{leaf: o.leaf, tests: append(slices.Clip(o.tests), t.tests...), shapes: o.shapes && t.shapes}
			return list
		}
	}
	return append(list, t)
}

// union joins leaves of one path.
func union(in some) condition {
	var out some
	for _, c := range in {
		l, ok := c.(*leaf)
		at := -1
		if ok {
			at = slices.IndexFunc(out, func(c condition) bool {
				o, ok := c.(*leaf)
				return ok && o.hash == l.hash
			})
		}
		if at < 0 {
			out = append(out, c)
			continue
		}
		o := out[at].(*leaf)
		out[at] = &leaf{path: l.path, hash: l.hash, spans: unite(append(slices.Clone(o.spans), l.spans...)), exact: o.exact && l.exact}
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

// both is the AND of two bounds on the same value.
func (n *names) both(a, b condition) condition {
	x, isLeaf := a.(*leaf)
	y, also := b.(*leaf)
	if !isLeaf || !also {
		return nil
	}
	return &leaf{path: x.path, hash: x.hash, spans: intersect(x.spans, y.spans), exact: x.exact && y.exact}
}

// compare is `path op constant`; nil if it is not of that form.
func (n *names) compare(path query.Expr, op string, constant query.Expr) condition {
	v, ok := query.Constant(constant, n.params)
	if !ok {
		return nil
	}
	term, ok := appendValue(nil, v)
	if !ok {
		return nil
	}
	_, cut, _ := valueLen(term, 0)
	first, last := []byte{term[0]}, []byte{term[0] + 1} // of the values of its type
	if v.Kind() == query.KindBool {
		first, last = []byte{typeFalse}, []byte{typeTrue + 1}
	}
	var s span
	switch op {
	case "=":
		s = equalTo(term)
	case "<=":
		s = span{first, successor(term)}
	case "<":
		if s = (span{first, term}); cut {
			s.high = successor(term)
		}
	case ">=":
		s = span{term, last}
	case ">":
		if s = (span{successor(term), last}); cut {
			s.low = term
		}
	}
	if bytes.Compare(s.low, s.high) >= 0 {
		return n.leaf(path, nil, true)
	}
	return n.leaf(path, []span{s}, !cut)
}

func (n *names) in(x *query.In) condition {
	if x.Not {
		return nil
	}
	values := make([]query.Value, len(x.List))
	for i, e := range x.List {
		v, ok := query.Constant(e, n.params)
		if !ok {
			return nil
		}
		values[i] = v
	}
	return n.oneOf(x.X, values)
}

// oneOf is a path whose value equals one of several constants.
func (n *names) oneOf(path query.Expr, values []query.Value) condition {
	spans, exact := make([]span, 0, len(values)), true
	for _, v := range values {
		if v.Kind() == query.KindUndefined {
			continue // equals nothing
		}
		term, ok := appendValue(nil, v)
		if !ok {
			return nil
		}
		_, cut, _ := valueLen(term, 0)
		exact = exact && !cut
		spans = append(spans, equalTo(term))
	}
	return n.leaf(path, spans, exact)
}

// startsWith is a path whose value begins with s.
func (n *names) startsWith(path query.Expr, s string, exact bool) condition {
	if len(s) > maxString {
		return n.leaf(path, []span{equalTo(appendString(nil, []byte(s)))}, false)
	}
	return n.leaf(path, []span{equalTo(appendPrefix(nil, s))}, exact)
}

func (n *names) like(x *query.Like) condition {
	v, ok := query.Constant(x.Pattern, n.params)
	if !ok || v.Kind() != query.KindString || x.Not {
		return nil
	}
	special := "%_["
	if x.HasEscape {
		special += x.Escape
	}
	pattern := v.Str()
	i := strings.IndexAny(pattern, special)
	switch {
	case i < 0:
		return n.oneOf(x.X, []query.Value{v})
	case i == 0:
		return nil
	}
	return n.startsWith(x.X, pattern[:i], pattern[i:] == "%")
}

func (n *names) call(x *query.Call) condition {
	if x.UDF || len(x.Args) == 0 {
		return nil
	}
	types := func(low, high byte) condition { return n.leaf(x.Args[0], []span{{[]byte{low}, []byte{high}}}, true) }
	switch strings.ToUpper(x.Name) {
	case "STARTSWITH":
		if v, ok := n.arg(x, 1); ok && len(x.Args) == 2 && v.Kind() == query.KindString {
			return n.startsWith(x.Args[0], v.Str(), true)
		}
	case "STRINGEQUALS":
		if v, ok := n.arg(x, 1); ok && len(x.Args) == 2 && v.Kind() == query.KindString {
			return n.oneOf(x.Args[0], []query.Value{v})
		}
	case "IS_NULL":
		return n.oneOf(x.Args[0], []query.Value{query.Null})
	case "IS_BOOL":
		return types(typeFalse, typeTrue+1)
	case "IS_NUMBER":
		return types(typeNumber, typeNumber+1)
	case "IS_STRING":
		return types(typeString, typeString+1)
	case "IS_PRIMITIVE":
		return types(typeNull, typeString+1)
	case "ARRAY_CONTAINS":
		return n.arrayContains(x)
	}
	return nil
}

func (n *names) arg(x *query.Call, i int) (query.Value, bool) {
	if i >= len(x.Args) {
		return query.Undefined, false
	}
	return query.Constant(x.Args[i], n.params)
}

// arrayContains is ARRAY_CONTAINS(path, constant) or ARRAY_CONTAINS(constant, path). Of an object that is looked for, the members tell.
func (n *names) arrayContains(x *query.Call) condition {
	if list, ok := n.arg(x, 0); ok && len(x.Args) == 2 && list.Kind() == query.KindArray {
		values := make([]query.Value, list.Len())
		for i := range values {
			values[i] = list.At(i)
		}
		return n.oneOf(x.Args[1], values)
	}
	v, ok := n.arg(x, 1)
	p, isPath := n.path(x.Args[0])
	if !ok || !isPath {
		return nil
	}
	p = append(p, step{elements: true})
	var out every
	var add func(p Path, v query.Value)
	add = func(p Path, v query.Value) {
		if term, ok := appendValue(nil, v); ok {
			out = append(out, &leaf{path: p, hash: p.hash(), spans: []span{equalTo(term)}})
			return
		}
		v.Members(func(name string, m query.Value) { add(append(slices.Clip(p), step{name: strings.Clone(name)}), m) })
	}
	add(p, v)
	return merged(out)
}
