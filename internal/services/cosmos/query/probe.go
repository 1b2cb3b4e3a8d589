package query

import (
	"bytes"

	"github.com/valyala/fastjson"
	"github.com/valyala/fastjson/fastfloat"
)

// probe is a set of properties that are picked out of the text of a document, without reading all of it; what is not needed is skipped.
type probe struct {
	root  probeNode
	slots []int // of the values
}

// textual is a main query, or its WHERE, compiled for a probe. Most queries look at properties only, so that their documents need not be parsed.
type textual struct {
	probe
	where evalFn // nil: a block
	block *block // without FROM, which makes one row
}

// probeNode is a property on the way to values that are wanted.
type probeNode struct {
	name     string
	index    int // into slots of the value itself; -1: only what is below it
	children []*probeNode
}

// maxProbed is how many properties are looked for in a text; a query that wants more has its documents parsed.
const maxProbed = 64

// slot is the slot for the value of a path; there is one for each path.
func (p *probe) slot(c *compiler, path []step) int {
	n := &p.root
	for _, s := range path {
		var next *probeNode
		for _, k := range n.children {
			if k.name == s.name {
				next = k
			}
		}
		if next == nil {
			next = &probeNode{name: s.name, index: -1}
			n.children = append(n.children, next)
		}
		n = next
	}
	if n.index < 0 {
		if len(p.slots) >= maxProbed {
			c.whole = true
		}
		n.index = len(p.slots)
		p.slots = append(p.slots, c.newSlot())
	}
	return p.slots[n.index]
}

// longestTextual is the length of a query that is compiled three times over.
const longestTextual = 64 << 10

// textual compiles the main query again, for the text of documents: first WHERE alone, then all of it. Nil is what looks at the document as a whole.
func (c *compiler) textual(q *Query) (where, all *textual) {
	from, plain := q.From.(*PathCollection)
	if !plain || len(from.Path) > 0 || len(c.text) > longestTextual {
		return nil, nil
	}
	alias := from.Alias
	if alias == "" {
		alias = from.Root
	}
	begin := func() (*textual, *scope) {
		t := &textual{probe: probe{root: probeNode{index: -1}}}
		c.whole = false
		return t, &scope{names: map[string]int{alias: rootSlot}, probe: t}
	}
	if q.Where != nil && !q.Rank { // a rank counts the documents that do not pass, too
		t, sc := begin()
		if t.where = c.expr(q.Where, sc); !c.whole && len(t.slots) > 0 {
			where = t
		}
	}
	t, sc := begin()
	t.block = &block{distinct: q.Distinct, limit: noLimit}
	if c.clauses(q, t.block, sc); !c.whole {
		all = t
	}
	return where, all
}

// probed is the slot of a path that begins with a name of the document, where that is being probed; rest is what remains of the path.
func (c *compiler) probed(sc *scope, name string, steps []step) (slot int, rest []step, ok bool) {
	for s := sc; s != nil; s = s.parent {
		if _, found := s.names[name]; !found {
			continue
		}
		if s.probe == nil {
			return 0, nil, false
		}
		n := 0
		for n < len(steps) && !steps[n].isIndex {
			n++
		}
		if n == 0 {
			c.whole = true
			return rootSlot, nil, false
		}
		return s.probe.slot(c, steps[:n]), steps[n:], true
	}
	return 0, nil, false
}

// prober is a textual at work; it owns the parsers of the values that are arrays or objects.
type prober struct {
	p       *textual
	found   []bool
	left    int
	parsers []fastjson.Parser
}

// newProber is nil for nil.
func newProber(p *textual) *prober {
	if p == nil {
		return nil
	}
	return &prober{p: p, found: make([]bool, len(p.slots)), parsers: make([]fastjson.Parser, len(p.slots))}
}

// pass tells whether the document passes WHERE; ok is false where its text has to be parsed to know.
func (r *prober) pass(f *frame, doc []byte) (pass, ok bool) {
	f.steps, f.matched, f.docSize = 0, 0, len(doc)
	if !r.scan(f, doc) {
		return false, false
	}
	return r.p.where(f).IsTrue() && f.err == nil, true
}

// fill puts what the probe wants of a document into the frame.
func (r *prober) fill(f *frame, doc []byte, parser *Parser) error {
	f.begin(Value{kind: KindObject, str: view(doc)}) // only ever written, and so never parsed
	if r.scan(f, doc) {
		return nil
	}
	v, err := parser.Parse(doc)
	if err == nil {
		f.slots[rootSlot] = v
		r.pick(f, v, &r.p.root)
	}
	return err
}

// pick takes the values from a parsed document.
func (r *prober) pick(f *frame, v Value, n *probeNode) {
	if n.index >= 0 {
		f.slots[r.p.slots[n.index]] = v
	}
	for _, k := range n.children {
		r.pick(f, v.Field(k.name), k)
	}
}

// scan takes the values from the text of a document; it is false where that has to be parsed.
func (r *prober) scan(f *frame, doc []byte) bool {
	for i, slot := range r.p.slots {
		f.slots[slot], r.found[i] = Undefined, false
	}
	r.left = len(r.p.slots)
	i := skipSpace(doc, 0)
	if i >= len(doc) || doc[i] != '{' {
		return false
	}
	if r.left == 0 {
		return true
	}
	_, ok := r.object(f, doc, i, &r.p.root)
	return ok || r.left == 0
}

// object walks the members of the object that begins at i and gives where it ends. It gives up, with ok false, when all values are found and on
// any text that it does not understand.
func (r *prober) object(f *frame, b []byte, i int, n *probeNode) (end int, ok bool) {
	for i++; ; i++ {
		if i = skipSpace(b, i); i >= len(b) || b[i] != '"' {
			return i + 1, i < len(b) && b[i] == '}'
		}
		key := i + 1
		if i = skipString(b, i); i < 0 {
			return 0, false
		}
		name := b[key : i-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			return 0, false
		}
		if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
			return 0, false
		}
		i = skipSpace(b, i+1)
		var child *probeNode
		for _, k := range n.children {
			if k.name == string(name) {
				child = k
				break
			}
		}
		if child == nil {
			i = skipValue(b, i)
		} else if i = r.value(f, b, i, child); r.left == 0 {
			return 0, false
		}
		if i < 0 {
			return 0, false
		}
		if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
			return i + 1, true
		}
		if i >= len(b) || b[i] != ',' {
			return 0, false
		}
	}
}

// value takes the value at i for the node, and goes into it for the nodes below; -1 is a text that it does not understand.
func (r *prober) value(f *frame, b []byte, i int, n *probeNode) (end int) {
	if i >= len(b) {
		return -1
	}
	if n.index >= 0 && r.found[n.index] { // of a name given twice the first counts
		return skipValue(b, i)
	}
	if len(n.children) > 0 && b[i] == '{' {
		if n.index < 0 {
			end, ok := r.object(f, b, i, n)
			if !ok {
				return -1
			}
			r.none(n)
			return end
		}
		if _, ok := r.object(f, b, i, n); !ok && r.left > 0 {
			return -1
		}
	}
	end = skipValue(b, i)
	if end < 0 {
		return -1
	}
	if n.index >= 0 && !r.take(f, n.index, b[i:end]) {
		return -1
	}
	r.none(n)
	return end
}

// none settles what is below a node: it was found, or is not there.
func (r *prober) none(n *probeNode) {
	for _, k := range n.children {
		if k.index >= 0 && !r.found[k.index] {
			r.found[k.index] = true
			r.left--
		}
		r.none(k)
	}
}

// take reads one value.
func (r *prober) take(f *frame, index int, text []byte) bool {
	var v Value
	switch text[0] {
	case '"':
		if s := text[1 : len(text)-1]; bytes.IndexByte(s, '\\') < 0 {
			v = String(view(s))
			break
		}
		fallthrough
	case '{', '[':
		n, err := r.parsers[index].ParseBytes(text)
		if err != nil {
			return false
		}
		v = fromNode(n)
	case 't', 'f':
		v = Bool(text[0] == 't')
	case 'n':
		v = Null
	default:
		n, err := fastfloat.Parse(view(text))
		if err != nil {
			return false
		}
		v = Value{kind: KindNumber, num: n, str: view(text)}
	}
	f.slots[r.p.slots[index]] = v
	r.found[index] = true
	r.left--
	return true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString is the offset behind the string that begins at i, -1 where it does not end.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := i - 1
		for b[escapes] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 1 {
			return i + 1
		}
	}
}

// skipValue is the offset behind the value that begins at i, -1 where it is none.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	start := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
