package sigma

import (
	"cmp"
	"fmt"
	"slices"
)

// node is an expression for one source: its fields are numbers and what the source can't have is decided.
type node struct {
	op      exprOp
	kids    []*node
	matcher int32 // of a leaf
}

var (
	always = &node{op: opTrue}
	never  = &node{op: opFalse}
)

// binder turns expressions into nodes and keeps the matchers that all rules share.
type binder struct {
	schema   *Schema
	matchers []*matcher
	known    map[string]int32
	budget   int // bytes left for the tables of long lists
}

// bind makes the node of e for a source.
func (b *binder) bind(e *expr, src *Source) (*node, error) {
	switch e.op {
	case opTrue:
		return always, nil
	case opFalse:
		return never, nil
	case opLeaf:
		return b.leaf(e.test, src)
	case opNot:
		k, err := b.bind(e.kids[0], src)
		if err != nil {
			return nil, err
		}
		return k.negated(), nil
	}
	kids := make([]*node, 0, len(e.kids))
	for _, k := range e.kids {
		n, err := b.bind(k, src)
		if err != nil {
			return nil, err
		}
		kids = append(kids, n)
	}
	return b.combine(e.op, kids), nil
}

func (n *node) negated() *node {
	switch n.op {
	case opTrue:
		return never
	case opFalse:
		return always
	case opNot:
		return n.kids[0]
	}
	return &node{op: opNot, kids: []*node{n}}
}

// combine makes an and or an or, without what is decided and with the cheap questions first.
func (b *binder) combine(op exprOp, in []*node) *node {
	neutral, decided := always, never
	if op == opOr {
		neutral, decided = never, always
	}
	var kids []*node
	for _, k := range in {
		switch {
		case k == decided:
			return decided
		case k == neutral:
		case k.op == op:
			kids = append(kids, k.kids...)
		default:
			kids = append(kids, k)
		}
	}
	switch len(kids) {
	case 0:
		return neutral
	case 1:
		return kids[0]
	}
	slices.SortStableFunc(kids, func(x, y *node) int { return cmp.Compare(b.price(x), b.price(y)) })
	return &node{op: op, kids: kids}
}

// price is about what a node costs to evaluate.
func (b *binder) price(n *node) int {
	if n.op == opLeaf {
		m := b.matchers[n.matcher]
		return int(m.kind) * (4 + min(len(m.texts)+len(m.globs), manyTexts))
	}
	p := 0
	for _, k := range n.kids {
		p += b.price(k)
	}
	return p
}

func (b *binder) leaf(t *test, src *Source) (*node, error) {
	field := src.Message
	if t.field != "" {
		n, err := b.schema.field(t.field)
		if err != nil {
			return nil, err
		}
		field = n
	}
	has := field >= 0 && (t.field == "" || field == src.Message || slices.Contains(src.Fields, field))
	switch {
	case has:
	case t.kind == testNull && t.field != "":
		return always, nil
	default:
		return never, nil
	}
	if t.kind != testPattern {
		m := &matcher{field: int32(field), cased: t.cased, re: t.re, syntax: t.syntax, prefix: t.prefix, number: t.number, kind: kinds[t.kind]}
		if t.kind == testField {
			ref, err := b.schema.field(t.ref)
			if err != nil {
				return nil, err
			}
			if ref < 0 {
				return never, nil
			}
			m.ref = int32(ref)
			m.kind += matchKind(t.refMode)
		}
		return b.intern(m), nil
	}
	return b.patterns(t, int32(field)), nil
}

var kinds = map[testKind]matchKind{
	testNull: matchAbsent, testExists: matchPresent, testRegexp: matchRegexp, testCIDR: matchCIDR, testLess: matchLess, testLessEqual: matchLessEqual,
	testGreater: matchGreater, testGreaterEqual: matchGreaterEqual, testField: matchRef,
}

// patterns sorts the values of a test by how they are compared: one matcher for each way, any of which is enough.
func (b *binder) patterns(t *test, field int32) *node {
	var byKind [matchRegexp]*matcher
	for _, p := range t.patterns {
		if !t.cased {
			p = p.folded()
		}
		k, text := shape(p)
		if byKind[k] == nil {
			byKind[k] = &matcher{kind: k, field: field, cased: t.cased}
		}
		switch m := byKind[k]; k {
		case matchPresent:
		case matchGlob:
			m.globs = append(m.globs, newGlob(p))
		default:
			m.texts = append(m.texts, text)
		}
	}
	var kids []*node
	for _, m := range byKind {
		if m != nil {
			slices.Sort(m.texts)
			m.texts = slices.Compact(m.texts)
			kids = append(kids, b.intern(m))
		}
	}
	return b.combine(opOr, kids)
}

// shape tells how the simple patterns are compared.
func shape(p pattern) (matchKind, string) {
	kind := func(i int) pieceKind { return p[i].kind }
	switch {
	case len(p) == 0:
		return matchEqual, ""
	case len(p) == 1 && kind(0) == pieceText:
		return matchEqual, p[0].text
	case len(p) == 1 && kind(0) == pieceStar:
		return matchPresent, ""
	case len(p) == 2 && kind(0) == pieceText && kind(1) == pieceStar:
		return matchPrefix, p[0].text
	case len(p) == 2 && kind(0) == pieceStar && kind(1) == pieceText:
		return matchSuffix, p[1].text
	case len(p) == 3 && kind(0) == pieceStar && kind(1) == pieceText && kind(2) == pieceStar:
		return matchContains, p[1].text
	}
	return matchGlob, ""
}

func (b *binder) intern(m *matcher) *node {
	key := m.key()
	n, ok := b.known[key]
	if !ok {
		n = int32(len(b.matchers))
		b.known[key] = n
		m.prepare(&b.budget)
		b.matchers = append(b.matchers, m)
	}
	return &node{op: opLeaf, matcher: n}
}

// missing says what of a rule no source that it is for can have; "" if there is nothing.
func missing(schema *Schema, e *expr, sources []*Source) string {
	reason := ""
	e.walk(func(t *test) {
		if reason != "" {
			return
		}
		for _, name := range []string{t.field, t.ref} {
			if reason == "" && (name != "" || t.field == "") {
				reason = missingField(schema, name, sources)
			}
			if t.ref == "" {
				break
			}
		}
		if reason != "" {
			reason += fmt.Sprintf(" (line %d)", t.line)
		}
	})
	return reason
}

func missingField(schema *Schema, name string, sources []*Source) string {
	n := absent
	if name != "" {
		var err error
		if n, err = schema.field(name); err != nil {
			return err.Error()
		}
		if n == absent {
			return "" // declared so
		}
	}
	for _, s := range sources {
		if name == "" && s.Message >= 0 || n >= 0 && (n == s.Message || slices.Contains(s.Fields, n)) {
			return ""
		}
	}
	if name == "" {
		return "keywords: the events of its log source have no message"
	}
	return fmt.Sprintf("the events of its log source have no field %s", name)
}
