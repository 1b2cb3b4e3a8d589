package index

import (
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// names are the aliases of FROM and what they stand for.
type names struct {
	paths  map[string]Path // an alias that stands for nothing in the document has a nil entry in others
	others map[string]bool
	bound  bool // the container has been named
	lost   bool // some part of an AND is in no condition
	params map[string]query.Value
	text   string // of the whole query
}

func newNames(q *query.Query, params map[string]query.Value) *names {
	n := &names{paths: map[string]Path{}, others: map[string]bool{}, params: params, text: q.Text}
	if q.From != nil {
		n.add(q.From)
	}
	return n
}

// inner are the names in a subquery.
func (n *names) inner(from query.Collection) *names {
	in := &names{paths: map[string]Path{}, others: map[string]bool{}, bound: n.bound, params: n.params, text: n.text}
	for k, v := range n.paths {
		in.paths[k] = v
	}
	for k := range n.others {
		in.others[k] = true
	}
	if from != nil {
		in.add(from)
	}
	return in
}

func (n *names) set(name string, p Path, ok bool) {
	delete(n.paths, name)
	delete(n.others, name)
	if ok {
		n.paths[name] = p
	} else {
		n.others[name] = true
	}
}

func (n *names) add(col query.Collection) {
	switch col := col.(type) {
	case *query.JoinCollection:
		n.add(col.Left)
		n.add(col.Right)
	case *query.IterateCollection:
		if src, ok := col.Source.(*query.PathCollection); ok {
			p, known := n.collection(src)
			n.set(col.Name, append(slices.Clip(p), step{elements: true}), known)
			return
		}
		n.set(col.Name, nil, false)
	case *query.SubqueryCollection:
		n.bound = true // inside it, if not before
		n.set(col.Alias, nil, false)
	case *query.PathCollection:
		alias := col.Alias
		if k := len(col.Path); alias == "" && k == 0 {
			alias = col.Root
		} else if alias == "" && !col.Path[k-1].IsIndex {
			alias = col.Path[k-1].Name
		}
		p, known := n.collection(col)
		if alias != "" {
			n.set(alias, p, known)
		}
	}
}

func (n *names) collection(col *query.PathCollection) (Path, bool) {
	base, known := n.paths[col.Root]
	if !known {
		if n.bound || n.others[col.Root] {
			return nil, false
		}
		n.bound = true
	}
	p := slices.Clip(base)
	for _, s := range col.Path {
		p = append(p, step{name: s.Name, elements: s.IsIndex})
	}
	return p, true
}

// path resolves c.a.b["d"][0]. An element by its place is taken for all elements.
func (n *names) path(e query.Expr) (p Path, ok bool) {
	switch x := e.(type) {
	case *query.Ident:
		p, ok = n.paths[x.Name]
		return slices.Clip(p), ok
	case *query.Property:
		if p, ok = n.path(x.Base); ok {
			return append(p, step{name: x.Name}), true
		}
	case *query.Index:
		l, isLiteral := x.Key.(*query.Literal)
		if !isLiteral {
			return nil, false
		}
		if p, ok = n.path(x.Base); !ok {
			return nil, false
		}
		switch l.Value.Kind() {
		case query.KindString:
			return append(p, step{name: l.Value.Str()}), true
		case query.KindNumber:
			return append(p, step{elements: true}), true
		}
	}
	return nil, false
}
