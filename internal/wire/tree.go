package wire

import (
	"fmt"
	"slices"
	"strings"
)

// tree finds the route of a method and path for one host kind. It is built once and then only read.
//
// Patterns live in a trie by segment; those with a leading multi-segment parameter, which can only be told from their end, in a list.
type tree struct {
	root   node
	scoped []*entry // most specific first, compared from the end
	brief  bool     // some route is
}

type node struct {
	literals map[string]*node // by lower-case text
	param    *node
	rest     []*entry // patterns that end in {path*} here, one a method
	here     []*entry // patterns that end here, one a method
}

// entry is one pattern form of a route.
type entry struct {
	route *Route
	segs  []segment
}

// maxLiteral bounds the literals of patterns, so that a segment is folded to lower case without allocating.
const maxLiteral = 64

func (t *tree) add(r *Route) error {
	forms, err := parsePattern(r.Pattern)
	if err != nil {
		return err
	}
	for _, segs := range forms {
		e := &entry{route: r, segs: segs}
		for _, s := range segs {
			if s.kind == segLiteral && len(s.text) > maxLiteral {
				return fmt.Errorf("pattern %q: segment %q is longer than %d bytes", r.Pattern, s.text, maxLiteral)
			}
		}
		if len(segs) > 1 && segs[0].kind == segMany {
			err = t.addScoped(e)
		} else {
			err = t.root.add(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) addScoped(e *entry) error {
	for _, o := range t.scoped {
		if o.route.Method == e.route.Method && compareFromEnd(o, e) == 0 {
			return ambiguous(o, e)
		}
	}
	t.scoped = append(t.scoped, e)
	slices.SortStableFunc(t.scoped, compareFromEnd)
	return nil
}

func (n *node) add(e *entry) error {
	for _, s := range e.segs {
		switch s.kind {
		case segLiteral:
			c := n.literals[s.text]
			if c == nil {
				c = &node{}
				if n.literals == nil {
					n.literals = map[string]*node{}
				}
				n.literals[s.text] = c
			}
			n = c
		case segParam:
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
		case segMany:
			return insert(&n.rest, e)
		}
	}
	return insert(&n.here, e)
}

func insert(list *[]*entry, e *entry) error {
	for _, o := range *list {
		if o.route.Method == e.route.Method {
			return ambiguous(o, e)
		}
	}
	*list = append(*list, e)
	return nil
}

func ambiguous(a, b *entry) error {
	return fmt.Errorf("ambiguous routes: %s %s%s and %s%s", a.route.Method, a.route.Host, a.route.Pattern, b.route.Host, b.route.Pattern)
}

// find returns the entry for the method and the escaped segments, nil if there is none.
func (t *tree) find(method string, segs []string) *entry {
	e := t.root.find(method, segs, 0)
	for _, s := range t.scoped {
		if !s.matchesEnd(segs) || !s.serves(method) {
			continue
		}
		// The last literal decides, as the last "providers" segment of an ARM id decides its type.
		if e == nil || compareFromEnd(s, e) < 0 {
			return s
		}
		break
	}
	return e
}

func (n *node) find(method string, segs []string, i int) *entry {
	if i == len(segs) {
		if e := pick(n.here, method); e != nil {
			return e
		}
		return pick(n.rest, method)
	}
	if c := n.literal(segs[i]); c != nil {
		if e := c.find(method, segs, i+1); e != nil {
			return e
		}
	}
	if n.param != nil {
		if e := n.param.find(method, segs, i+1); e != nil {
			return e
		}
	}
	return pick(n.rest, method)
}

// allowed lists the methods that any route for these segments serves.
func (t *tree) allowed(segs []string) []string {
	var out []string
	add := func(es []*entry) {
		for _, e := range es {
			if !slices.Contains(out, e.route.Method) {
				out = append(out, e.route.Method)
			}
		}
	}
	t.root.visit(segs, 0, add)
	for _, s := range t.scoped {
		if s.matchesEnd(segs) {
			add([]*entry{s})
		}
	}
	if slices.Contains(out, "GET") && !slices.Contains(out, "HEAD") {
		out = append(out, "HEAD")
	}
	slices.Sort(out)
	return out
}

func (n *node) visit(segs []string, i int, fn func([]*entry)) {
	fn(n.rest)
	if i == len(segs) {
		fn(n.here)
		return
	}
	if c := n.literal(segs[i]); c != nil {
		c.visit(segs, i+1, fn)
	}
	if n.param != nil {
		n.param.visit(segs, i+1, fn)
	}
}

func (n *node) literal(seg string) *node {
	if len(n.literals) == 0 {
		return nil
	}
	var buf [maxLiteral]byte
	b, ok := fold(buf[:0], seg)
	if !ok {
		return nil
	}
	return n.literals[string(b)]
}

// fold appends the percent-decoded lower-case form of an escaped segment; false if it doesn't fit into dst or is badly escaped.
func fold(dst []byte, seg string) ([]byte, bool) {
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		if c == '%' {
			if i+2 >= len(seg) {
				return nil, false
			}
			hi, lo := unhex(seg[i+1]), unhex(seg[i+2])
			if hi > 15 || lo > 15 {
				return nil, false
			}
			c = hi<<4 | lo
			i += 2
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if len(dst) == cap(dst) {
			return nil, false
		}
		dst = append(dst, c)
	}
	return dst, true
}

// pick chooses by method: the very one, GET for HEAD, then a route for any.
func pick(es []*entry, method string) *entry {
	var get, other *entry
	for _, e := range es {
		switch e.route.Method {
		case method:
			return e
		case "GET":
			get = e
		case "*":
			other = e
		}
	}
	if method == "HEAD" && get != nil {
		return get
	}
	return other
}

func (e *entry) serves(method string) bool {
	m := e.route.Method
	return m == method || m == "*" || m == "GET" && method == "HEAD"
}

// matchesEnd tells whether segs end in the pattern's segments after its leading {scope*}.
func (e *entry) matchesEnd(segs []string) bool {
	tail := e.segs[1:]
	off := len(segs) - len(tail)
	if off < 0 {
		return false
	}
	var buf [maxLiteral]byte
	for i := len(tail) - 1; i >= 0; i-- {
		if tail[i].kind != segLiteral {
			continue
		}
		b, ok := fold(buf[:0], segs[off+i])
		if !ok || string(b) != tail[i].text {
			return false
		}
	}
	return true
}

// compareFromEnd orders entries, the more specific first: at the last segment where they differ, a literal comes before a parameter,
// that before a multi-segment one. 0 means they match the same paths.
func compareFromEnd(a, b *entry) int {
	for i := 1; ; i++ {
		x, y := len(a.segs)-i, len(b.segs)-i
		switch {
		case x < 0 && y < 0:
			return 0
		case x < 0:
			return 1
		case y < 0:
			return -1
		}
		s, o := a.segs[x], b.segs[y]
		if s.kind != o.kind {
			return int(s.kind) - int(o.kind)
		}
		if s.kind == segLiteral && s.text != o.text {
			return strings.Compare(s.text, o.text)
		}
	}
}

// params decodes the parameters of a path that e matched. It returns false for a bad percent escape.
func (e *entry) params(segs []string, dst []Param) ([]Param, bool) {
	at := 0
	for i, s := range e.segs {
		switch s.kind {
		case segLiteral:
			at++
		case segParam:
			v, ok := unescape(segs[at], false)
			if !ok {
				return nil, false
			}
			dst = append(dst, Param{s.text, v})
			at++
		case segMany:
			n := len(segs) - at - (len(e.segs) - i - 1)
			v, ok := joinDecoded(segs[at : at+n])
			if !ok {
				return nil, false
			}
			dst = append(dst, Param{s.text, v})
			at += n
		}
	}
	return dst, true
}

// joinDecoded decodes segments one by one and joins them with slashes; a slash inside a segment stays escaped.
func joinDecoded(segs []string) (string, bool) {
	if len(segs) == 0 {
		return "", true
	}
	var b strings.Builder
	for i, s := range segs {
		v, ok := unescape(s, false)
		if !ok {
			return "", false
		}
		if i > 0 {
			b.WriteByte('/')
		}
		if strings.IndexByte(v, '/') >= 0 {
			v = strings.ReplaceAll(v, "/", "%2F")
		}
		b.WriteString(v)
	}
	return b.String(), true
}
