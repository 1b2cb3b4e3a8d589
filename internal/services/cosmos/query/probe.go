package query

import (
	"bytes"

	"github.com/valyala/fastjson"
	"github.com/valyala/fastjson/fastfloat"
)

// probe decides WHERE on the text of a document, without reading all of it: where the condition looks at properties only, those are picked out of the text
// and what they do not need is skipped. A document that does not pass is never parsed.
type probe struct {
	root  probeNode
	slots []int // of the values
	where evalFn
}

// probeNode is a property on the way to values that are wanted.
type probeNode struct {
	name     string
	index    int // into slots of the value itself; -1: only what is below it
	children []*probeNode
}

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
		n.index = len(p.slots)
		p.slots = append(p.slots, c.newSlot())
	}
	return p.slots[n.index]
}

// probe compiles WHERE of the main query a second time, for the text; nil where it looks at the document as a whole.
func (c *compiler) probe(q *Query) *probe {
	from, plain := q.From.(*PathCollection)
	if !plain || len(from.Path) > 0 || q.Where == nil || q.Rank {
		return nil
	}
	alias := from.Alias
	if alias == "" {
		alias = from.Root
	}
	p := &probe{root: probeNode{index: -1}}
	sc := &scope{names: map[string]int{alias: rootSlot}, probe: p}
	c.whole = false
	p.where = c.expr(q.Where, sc)
	if c.whole || len(p.slots) == 0 {
		return nil
	}
	return p
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
			return 0, nil, false
		}
		return s.probe.slot(c, steps[:n]), steps[n:], true
	}
	return 0, nil, false
}

// prober is a probe at work; it owns the parsers of the values that are arrays or objects.
type prober struct {
	p       *probe
	found   []bool
	left    int
	parsers []fastjson.Parser
}

func newProber(p *probe) *prober {
	return &prober{p: p, found: make([]bool, len(p.slots)), parsers: make([]fastjson.Parser, len(p.slots))}
}

// pass tells whether the document passes WHERE; ok is false where its text has to be parsed to know.
func (r *prober) pass(f *frame, doc []byte) (pass, ok bool) {
	f.steps, f.matched, f.docSize = 0, 0, len(doc)
	for i, slot := range r.p.slots {
		f.slots[slot], r.found[i] = Undefined, false
	}
	r.left = len(r.p.slots)
	i := skipSpace(doc, 0)
	if i >= len(doc) || doc[i] != '{' {
		return false, false
	}
	if _, ok = r.object(f, doc, i, &r.p.root); !ok && r.left > 0 {
		return false, false
	}
	return r.p.where(f).IsTrue() && f.err == nil, true
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
