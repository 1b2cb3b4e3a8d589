package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/valyala/fastjson"
	"github.com/valyala/fastjson/fastfloat"
)

// Rows are what one document puts into the index, without the suffix that names the document. Immutable.
type Rows struct {
	heads []byte
	ends  []int // of the heads, which are in order and differ
	shape []byte
	dict  []byte // value of the row H|shape; nil where there is none
}

// Len is how many rows there are.
func (r *Rows) Len() int { return len(r.ends) }

func (r *Rows) head(i int) []byte {
	start := 0
	if i > 0 {
		start = r.ends[i-1]
	}
	return r.heads[start:r.ends[i]:r.ends[i]]
}

// maxRows is how many a document may have. One with more is not indexed: it is looked at by every query.
const maxRows = 1000

// unindexed is the shape of documents without terms.
var unindexed = make([]byte, 8)

// Unindexed are the rows of a document that is not indexed: a mark by which queries find it.
func Unindexed() *Rows {
	head := append([]byte("s|"), unindexed...)
	return &Rows{heads: head, ends: []int{len(head)}, shape: unindexed}
}

var errText = errors.New("index: malformed document")

// Extract works out the rows of a document under a policy. text is its JSON text; a ts of 0 or more stands for the property _ts, which text then lacks.
func (p *Policy) Extract(text []byte, ts int64) (*Rows, error) {
	if p == nil || p.None {
		return &Rows{}, nil
	}
	x, _ := p.extractors.Get().(*extractor)
	if x == nil {
		x = new(extractor)
	}
	defer p.extractors.Put(x)
	*x = extractor{p: p, b: text, buf: x.buf[:0], ends: x.ends[:0], nodes: x.nodes[:0], hashes: x.hashes[:0], list: x.list[:0], dict: x.dict[:0], parser: x.parser}
	x.values = make([][]byte, p.compositePaths())
	if !x.document(ts) {
		return nil, errText
	}
	x.composites()
	if len(x.ends) >= maxRows {
		return Unindexed(), nil
	}
	return x.rows(), nil
}

func (p *Policy) compositePaths() (n int) {
	for _, c := range p.composites {
		n += len(c.paths)
	}
	return n
}

// extractor is one walk over a document's text, which has been checked: it only makes sure that it stays inside.
type extractor struct {
	p      *Policy
	b      []byte
	i      int
	buf    []byte // heads, one after the other
	ends   []int
	nodes  []property
	hashes []uint64 // of all nodes that are not in arrays
	values [][]byte // of the composite indexes' paths, one index after the other
	part   bool     // nodes lacks some
	list   [][]byte // the heads, to be sorted
	dict   []byte   // room for what the shape stands for
	parser *fastjson.Parser
}

// class is what a property is, for its shape.
type class uint8

const (
	absent class = iota
	scalar
	array
	object
	unknown
)

// property is one entry of a shape.
type property struct {
	hash  uint64
	class class
}

// Bounds of a shape: so many properties of the document, and the members of its objects that have at most so many.
const (
	shapeTop    = 64
	shapeNested = 16
)

const maxNesting = 200

func (x *extractor) document(ts int64) bool {
	x.space()
	if x.i >= len(x.b) || x.b[x.i] != '{' {
		return false
	}
	if !x.object(rootHash, &x.p.root, x.p.root.below, 0, false) {
		return false
	}
	if ts >= 0 {
		h := childHash(rootHash, []byte("_ts"))
		x.note(h, scalar, 1)
		start := x.begin(h)
		x.buf = appendNumber(x.buf, float64(ts))
		x.scalar(start, h, true, false)
	}
	return true
}

func (x *extractor) space() {
	for x.i < len(x.b) && x.b[x.i] <= ' ' {
		x.i++
	}
}

// note remembers a node for the shape.
func (x *extractor) note(h uint64, c class, depth int) {
	x.hashes = append(x.hashes, h)
	switch {
	case depth > 2:
	case depth == 1 && len(x.nodes) >= shapeTop*(1+shapeNested):
		x.part = true
	default:
		x.nodes = append(x.nodes, property{h, c})
	}
}

// value walks one value. r is what the paths above say of it.
func (x *extractor) value(h uint64, n *node, r rule, depth int, inArray, forced bool) bool {
	if x.i >= len(x.b) || depth > maxNesting {
		return false
	}
	c := x.b[x.i]
	if c == '{' || c == '[' {
		kind, value := array, byte(typeArray)
		if c == '{' {
			kind, value = object, typeObject
		}
		if !inArray {
			x.note(h, kind, depth)
			if len(x.values) > 0 {
				x.keep(h, []byte{value})
			}
		}
		if kind == object {
			return x.object(h, n, r, depth, inArray)
		}
		return x.array(h, n, r, depth)
	}
	if !inArray {
		x.note(h, scalar, depth)
	}
	if n != nil && n.here != unset {
		r = n.here
	}
	start := x.begin(h)
	if !x.term() {
		return false
	}
	x.scalar(start, h, forced || r == included, inArray)
	return true
}

// begin starts a term's head; it is taken back by cutting buf.
func (x *extractor) begin(h uint64) int {
	start := len(x.buf)
	x.buf = binary.BigEndian.AppendUint64(append(x.buf, 't', '|'), h)
	return start
}

// scalar ends the term that began at start.
func (x *extractor) scalar(start int, h uint64, indexed, inArray bool) {
	if !inArray {
		x.keep(h, x.buf[start+10:])
	}
	if !indexed {
		x.buf = x.buf[:start]
		return
	}
	x.ends = append(x.ends, len(x.buf))
}

// keep notes a value that composite indexes need. Of a name given twice the first counts, as for the query engine.
func (x *extractor) keep(h uint64, v []byte) {
	if len(x.values) == 0 {
		return
	}
	i := 0
	for _, c := range x.p.composites {
		for _, p := range c.paths {
			if p.hash == h && x.values[i] == nil {
				x.values[i] = bytes.Clone(v)
			}
			i++
		}
	}
}

func (x *extractor) object(h uint64, n *node, r rule, depth int, inArray bool) bool {
	x.i++
	first := len(x.nodes)
	for {
		x.space()
		if x.i >= len(x.b) {
			return false
		}
		switch x.b[x.i] {
		case '}':
			x.i++
			if depth == 1 && !inArray && len(x.nodes)-first > shapeNested {
				x.nodes, x.part = x.nodes[:first], true
			}
			return true
		case ',':
			x.i++
			continue
		case '"':
		default:
			return false
		}
		name, ok := x.str()
		if !ok {
			return false
		}
		x.space()
		if x.i >= len(x.b) || x.b[x.i] != ':' {
			return false
		}
		x.i++
		x.space()
		if depth == 0 && hidden(name) {
			if !x.skip() {
				return false
			}
			continue
		}
		var kid *node
		if n != nil {
			kid = n.kids[string(name)]
		}
		below := r
		if kid != nil && kid.below != unset {
			below = kid.below
		}
		forced := depth == 0 && (string(name) == "id" || string(name) == "_ts")
		if !x.value(childHash(h, name), kid, below, depth+1, inArray, forced) {
			return false
		}
	}
}

func (x *extractor) array(h uint64, n *node, r rule, depth int) bool {
	x.i++
	h = elementHash(h)
	if n != nil {
		if n = n.elements; n != nil && n.below != unset {
			r = n.below
		}
	}
	for {
		x.space()
		if x.i >= len(x.b) {
			return false
		}
		switch x.b[x.i] {
		case ']':
			x.i++
			return true
		case ',':
			x.i++
			continue
		}
		if !x.value(h, n, r, depth+1, true, false) {
			return false
		}
	}
}

// term appends the term of the scalar at hand.
func (x *extractor) term() bool {
	switch c := x.b[x.i]; {
	case c == '"':
		s, ok := x.str()
		x.buf = appendString(x.buf, s)
		return ok
	case c == 't':
		x.i += 4
		x.buf = append(x.buf, typeTrue)
	case c == 'f':
		x.i += 5
		x.buf = append(x.buf, typeFalse)
	case c == 'n':
		x.i += 4
		x.buf = append(x.buf, typeNull)
	case c == '-' || c >= '0' && c <= '9':
		x.buf = appendNumber(x.buf, x.number())
	default:
		return false
	}
	return x.i <= len(x.b)
}

// number reads a number as the query engine does.
func (x *extractor) number() float64 {
	start, whole := x.i, int64(0)
	for x.i < len(x.b) && x.b[x.i] >= '0' && x.b[x.i] <= '9' {
		whole = 10*whole + int64(x.b[x.i]-'0') // means nothing if there are more than 15 digits
		x.i++
	}
	digits := x.i - start
	for x.i < len(x.b) && (x.b[x.i] >= '0' && x.b[x.i] <= '9' || x.b[x.i] == '.' || x.b[x.i] == '-' || x.b[x.i] == '+' || x.b[x.i]|0x20 == 'e') {
		x.i++
	}
	if x.i-start == digits && digits <= 15 {
		return float64(whole)
	}
	f, _ := fastfloat.Parse(string(x.b[start:x.i]))
	return f
}

// str reads a string and decodes it as the query engine does.
func (x *extractor) str() ([]byte, bool) {
	start := x.i + 1
	end := start
	for {
		n := bytes.IndexByte(x.b[min(end, len(x.b)):], '"')
		if n < 0 {
			return nil, false
		}
		if end += n; !escapedAt(x.b[start:end]) {
			break
		}
		end++
	}
	x.i = end + 1
	if s := x.b[start:end]; bytes.IndexByte(s, '\\') < 0 {
		return s, true
	}
	if x.parser == nil {
		x.parser = new(fastjson.Parser)
	}
	v, err := x.parser.ParseBytes(x.b[start-1 : x.i])
	if err != nil {
		return nil, false
	}
	return v.GetStringBytes(), true
}

// escapedAt tells whether what follows s is escaped: s ends in an odd number of backslashes.
func escapedAt(s []byte) bool {
	n := len(s)
	for n > 0 && s[n-1] == '\\' {
		n--
	}
	return (len(s)-n)%2 == 1
}

// skip passes over a value.
func (x *extractor) skip() bool {
	depth := 0
	for x.i < len(x.b) {
		switch x.b[x.i] {
		case '"':
			for x.i++; x.i < len(x.b) && x.b[x.i] != '"'; x.i++ {
				if x.b[x.i] == '\\' {
					x.i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return true // the end of what it is in
			}
			depth--
		case ',':
			if depth == 0 {
				return true
			}
		}
		x.i++
	}
	return false
}

// composites appends the entries of composite indexes.
func (x *extractor) composites() {
	i := 0
	for _, c := range x.p.composites {
		x.buf = binary.BigEndian.AppendUint64(append(x.buf, 'c', '|'), c.hash)
		for _, p := range c.paths {
			v := x.values[i]
			if v == nil {
				v = []byte{typeUndefined}
			}
			from := len(x.buf)
			x.buf = append(x.buf, v...)
			if p.desc {
				invert(x.buf[from:])
			}
			i++
		}
		x.ends = append(x.ends, len(x.buf))
	}
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// rows sorts the heads, drops what is there twice, and adds the shape. What it returns is in memory of its own, in one piece.
func (x *extractor) rows() *Rows {
	hash := x.shape()
	x.buf = binary.BigEndian.AppendUint64(append(x.buf, 's', '|'), hash)
	x.ends = append(x.ends, len(x.buf))
	start := 0
	for _, end := range x.ends {
		x.list, start = append(x.list, x.buf[start:end]), end
	}
	slices.SortFunc(x.list, bytes.Compare)
	r := &Rows{heads: make([]byte, 0, len(x.buf)+len(x.dict)+8), ends: make([]int, 0, len(x.list))}
	for i, h := range x.list {
		if i == 0 || !bytes.Equal(h, x.list[i-1]) {
			r.heads = append(r.heads, h...)
			r.ends = append(r.ends, len(r.heads))
		}
	}
	n := len(r.heads)
	rest := append(binary.BigEndian.AppendUint64(r.heads, hash), x.dict...)
	r.heads, r.shape, r.dict = rest[:n:n], rest[n:n+8:n+8], rest[n+8:len(rest):len(rest)]
	return r
}
