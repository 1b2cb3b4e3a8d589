package query

import (
	"context"
	"slices"
	"strings"
)

// KeySet says which partition keys a query's filter allows.
type KeySet struct {
	All  bool // any
	Keys []Key
}

// Key is the values of a partition key, or with PlanOptions.Prefixes the first of them. Undefined also stands for an array or an object.
type Key []Value

// single tells whether it is one whole key.
func (k KeySet) single(paths int) bool {
	return !k.All && len(k.Keys) == 1 && len(k.Keys[0]) == paths && paths > 0
}

const maxKeys = 4096 // past that many a plan names all

// keySet works out which partition keys the documents have that pass WHERE.
func (p *planner) keySet() KeySet {
	if p.q.From == nil {
		return KeySet{}
	}
	if p.q.Where == nil || len(p.o.KeyPaths) == 0 {
		return KeySet{All: true}
	}
	names := nameScope{}
	names.from(p.q.From, true)
	f := &keyFinder{planner: p, paths: map[string]int{}}
	for i, path := range p.o.KeyPaths {
		f.paths[strings.Join(path, "\x00")] = i
	}
	return f.keys(f.allows(p.q.Where, names, true))
}

// nameScope maps the names of input sets to paths in the document, nil for what is no path.
type nameScope map[string][]string

// from notes the names of a FROM clause; outer tells whether an unknown name is the container.
func (s nameScope) from(from Collection, outer bool) {
	switch c := from.(type) {
	case *JoinCollection:
		s.from(c.Left, outer)
		s.from(c.Right, false)
	case *IterateCollection:
		s[c.Name] = nil
	case *SubqueryCollection:
		s[c.Alias] = nil
	case *PathCollection:
		base, known := s[c.Root]
		path := slices.Clone(base)
		if !known && outer {
			path = []string{}
		}
		for _, step := range c.Path {
			if path == nil || step.IsIndex {
				path = nil
				break
			}
			path = append(path, step.Name)
		}
		s[pathName(c)] = path
	}
}

// region is a set of partition keys: a union of boxes, each of which bounds some of the key's paths.
type region struct {
	all   bool
	boxes []box
}

// box has the values that each path may take, nil for any.
type box [][]Value

var (
	everywhere = region{all: true}
	nowhere    = region{}
)

type keyFinder struct {
	*planner
	paths map[string]int
	work  int // values compared so far
}

const maxKeyWork = 1 << 20 // past that many, conditions that narrow are left out

// allows is where an expression may be true, or, if want is false, where it may be false: never less.
func (f *keyFinder) allows(e Expr, names nameScope, want bool) region {
	switch e := e.(type) {
	case *Ident, *Property, *Index:
		return f.equals(e, names, Bool(want))
	case *Unary:
		if e.Op == "NOT" {
			return f.allows(e.X, names, !want)
		}
	case *Binary:
		if e.Op == "AND" || e.Op == "OR" {
			x, y := f.allows(e.X, names, want), f.allows(e.Y, names, want)
			if (e.Op == "AND") == want {
				return f.both(x, y)
			}
			return either(x, y)
		}
	}
	if v, ok := f.constant(e); ok {
		if v.kind == KindBool && v.b == want {
			return everywhere
		}
		return nowhere
	}
	switch e := e.(type) {
	case *Binary:
		return f.comparison(e, names, want)
	case *In:
		if e.Not != want {
			return f.in(e, names)
		}
	case *Like:
		if e.Not != want {
			return f.like(e, names)
		}
	case *Call:
		if want && !e.UDF {
			return f.call(e, names)
		}
	case *Subquery:
		if e.Kind == "EXISTS" && want {
			return f.subquery(e, names)
		}
	}
	return everywhere
}

func (f *keyFinder) comparison(e *Binary, names nameScope, want bool) region {
	switch e.Op {
	case "=", "!=", "<", "<=", ">", ">=":
	default:
		return everywhere
	}
	// A comparison with nothing is undefined: where one side is a subquery, that has a row.
	out := f.both(f.defined(e.X, names), f.defined(e.Y, names))
	if e.Op != "=" && e.Op != "!=" || (e.Op == "=") != want {
		return out
	}
	for _, side := range [][2]Expr{{e.X, e.Y}, {e.Y, e.X}} {
		if v, ok := f.constant(side[1]); ok {
			out = f.both(out, f.equals(side[0], names, v))
		}
	}
	return out
}

// defined is where an operand can have a value.
func (f *keyFinder) defined(e Expr, names nameScope) region {
	if sub, ok := e.(*Subquery); ok && sub.Kind == "" {
		return f.subquery(sub, names)
	}
	return everywhere
}

// subquery is where a subquery can have a row.
func (f *keyFinder) subquery(e *Subquery, names nameScope) region {
	if e.Query.Where == nil || hasAggregate(e.Query) {
		return everywhere
	}
	inner := nameScope{}
	for n, path := range names {
		inner[n] = path
	}
	if e.Query.From != nil {
		inner.from(e.Query.From, false)
	}
	return f.allows(e.Query.Where, inner, true)
}

// equals is where an expression equals a value.
func (f *keyFinder) equals(e Expr, names nameScope, v Value) region {
	if v.kind == KindUndefined {
		return nowhere
	}
	if call, ok := e.(*Call); ok && !call.UDF && strings.EqualFold(call.Name, "ABS") && len(call.Args) == 1 {
		if v.kind != KindNumber || v.num < 0 {
			return nowhere
		}
		return either(f.equals(call.Args[0], names, v), f.equals(call.Args[0], names, Number(-v.num)))
	}
	return f.among(e, names, []Value{v})
}

// among is where an expression has one of some values.
func (f *keyFinder) among(e Expr, names nameScope, values []Value) region {
	path := documentPath(e)
	if path == nil {
		return everywhere
	}
	base, known := names[path[0]]
	if !known || base == nil {
		return everywhere
	}
	i, isKey := f.paths[strings.Join(append(slices.Clone(base), path[1:]...), "\x00")]
	if !isKey {
		return everywhere
	}
	b := make(box, len(f.o.KeyPaths))
	seen := map[string]bool{}
	b[i] = []Value{}
	for _, v := range values {
		if v.kind >= KindArray {
			v = Undefined // no document has it for a key
		}
		if key := string(appendKey(nil, v)); !seen[key] {
			seen[key] = true
			b[i] = append(b[i], v)
		}
	}
	return region{boxes: []box{b}}
}

func (f *keyFinder) in(e *In, names nameScope) region {
	var values []Value
	for _, x := range e.List {
		v, ok := f.constant(x)
		if !ok {
			return everywhere
		}
		if v.kind != KindUndefined {
			values = append(values, v)
		}
	}
	return f.among(e.X, names, values)
}

// like is an equality where the pattern has no wildcard.
func (f *keyFinder) like(e *Like, names nameScope) region {
	v, ok := f.constant(e.Pattern)
	if !ok || v.kind != KindString {
		return everywhere
	}
	var text strings.Builder
	escaped := false
	for _, r := range v.str {
		switch {
		case escaped:
			escaped = false
		case e.HasEscape && string(r) == e.Escape:
			escaped = true
			continue
		case strings.ContainsRune("%_[]^", r):
			return everywhere
		}
		text.WriteRune(r)
	}
	return f.equals(e.X, names, String(text.String()))
}

func (f *keyFinder) call(e *Call, names nameScope) region {
	switch name := strings.ToUpper(e.Name); {
	case name == "IS_NULL" && len(e.Args) == 1:
		return f.equals(e.Args[0], names, Null)
	case name == "IS_BOOL" && len(e.Args) == 1:
		return f.among(e.Args[0], names, []Value{Bool(false), Bool(true)})
	case (name == "ARRAY_CONTAINS" || name == "_TRY_ARRAY_CONTAINS") && len(e.Args) == 2:
		list, ok := f.constant(e.Args[0])
		if !ok || list.kind != KindArray || list.Len() > maxKeys {
			return everywhere
		}
		values := make([]Value, list.Len())
		for i := range values {
			values[i] = list.At(i)
		}
		return f.among(e.Args[1], names, values)
	}
	return everywhere
}

// constant computes an expression that looks at no document.
func (p *planner) constant(e Expr) (v Value, ok bool) {
	switch x := e.(type) {
	case *Literal:
		return x.Value, true
	case *Param:
		v, ok = p.c.params[x.Name]
		return v, ok
	}
	free := true
	inspect(e, func(x Expr) bool {
		switch x := x.(type) {
		case *Ident, *Subquery:
			free = false
		case *Call:
			free = free && !x.UDF && planAggregates[strings.ToUpper(x.Name)] == ""
		}
		return free
	})
	if !free {
		return Undefined, false
	}
	c := &compiler{text: p.q.Text, params: p.c.params, slots: 1}
	var program *Program
	if c.catch(func() { program = c.program(&Query{Value: e}) }) != nil {
		return Undefined, false
	}
	page, err := Run(context.Background(), program.With(p.o.Env), nil, Limits{}, State{})
	if err != nil {
		return Undefined, false
	}
	if len(page.Rows) == 0 {
		return Undefined, true
	}
	var parser Parser
	v, err = parser.Parse(page.Rows[0])
	return v.Detach(), err == nil
}

func either(x, y region) region {
	if x.all || y.all || len(x.boxes)+len(y.boxes) > maxKeys {
		return everywhere
	}
	return region{boxes: append(x.boxes, y.boxes...)} // each region is used once
}

// both is where x and y are; the smaller one of them where that would be too many boxes.
func (f *keyFinder) both(x, y region) region {
	switch {
	case x.all:
		return y
	case y.all:
		return x
	case (len(x.boxes)*len(y.boxes) > maxKeys || f.work > maxKeyWork) && len(x.boxes) <= len(y.boxes):
		return x
	case len(x.boxes)*len(y.boxes) > maxKeys || f.work > maxKeyWork:
		return y
	}
	var out region
	for _, a := range x.boxes {
		for _, b := range y.boxes {
			for i := range a {
				f.work += 1 + len(a[i]) + len(b[i])
			}
			if c, some := overlap(a, b); some {
				out.boxes = append(out.boxes, c)
			}
		}
	}
	return out
}

func overlap(a, b box) (box, bool) {
	out := make(box, len(a))
	for i := range a {
		switch {
		case a[i] == nil:
			out[i] = b[i]
		case b[i] == nil:
			out[i] = a[i]
		default:
			in := map[string]bool{}
			for _, v := range a[i] {
				in[string(appendKey(nil, v))] = true
			}
			out[i] = []Value{}
			for _, v := range b[i] {
				if in[string(appendKey(nil, v))] {
					out[i] = append(out[i], v)
				}
			}
		}
		if out[i] != nil && len(out[i]) == 0 {
			return nil, false
		}
	}
	return out, true
}

// keys writes a region out as keys.
func (f *keyFinder) keys(r region) KeySet {
	if r.all {
		return KeySet{All: true}
	}
	out, seen := KeySet{}, map[string]bool{}
	for _, b := range r.boxes {
		keys := []Key{{}}
		for _, values := range b {
			if values == nil {
				if !f.o.Prefixes {
					return KeySet{All: true}
				}
				break
			}
			if len(keys)*len(values) > maxKeys {
				return KeySet{All: true}
			}
			var longer []Key
			for _, k := range keys {
				for _, v := range values {
					longer = append(longer, append(k[:len(k):len(k)], v))
				}
			}
			keys = longer
		}
		for _, k := range keys {
			if len(k) == 0 {
				return KeySet{All: true}
			}
			var id []byte
			for _, v := range k {
				id = appendKey(id, v)
			}
			if !seen[string(id)] {
				seen[string(id)] = true
				out.Keys = append(out.Keys, k)
			}
		}
		if len(out.Keys) > maxKeys {
			return KeySet{All: true}
		}
	}
	return out
}
