package query

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Kind is the type of a Value, in the order in which ORDER BY sorts values of different types.
type Kind uint8

// The kinds.
const (
	KindUndefined Kind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// Value is a JSON value or Undefined, which is the zero Value. A Value read from a document borrows the document's
// parser (see Parser) and is good until that reads the next one; Detach makes it independent. Not safe for concurrent use, unless detached.
type Value struct {
	kind Kind
	b    bool
	num  float64
	str  string          // of a string; of an array or object: its original text, where known; of an integer past 2^53: its digits
	node *fastjson.Value // of a number, an array or an object that comes from a document
	comp *composite      // of an array or an object that was made here
}

type composite struct {
	elems  []Value  // the elements, or the values of the members
	names  []string // the names of the members
	object bool
	size   int  // about the length of its JSON text, the parts of documents in it apart
	parts  int  // how many of those there are
	odd    bool // some number in it is inexpressible
}

// Undefined and Null are the constants of the language.
var (
	Undefined = Value{}
	Null      = Value{kind: KindNull}
)

// Bool makes a boolean.
func Bool(b bool) Value { return Value{kind: KindBool, b: b} }

// String makes a string.
func String(s string) Value { return Value{kind: KindString, str: s} }

// Number makes a number. One that JSON cannot express (NaN, infinities) is a number like others for the query, but no row can hold it: see inexpressible.
func Number(f float64) Value { return Value{kind: KindNumber, num: f} }

// Integer makes a number that keeps all digits of n.
func Integer(n int64) Value {
	v := Value{kind: KindNumber, num: float64(n)}
	if !exactFloat(n) {
		v.str = strconv.FormatInt(n, 10)
	}
	return v
}

// exactFloat tells whether every integer up to n is a float64.
func exactFloat(n int64) bool { return -1<<53 <= n && n <= 1<<53 }

// int64 is the integer that v is, to the last digit where they are known; ok is false for other values.
func (v Value) int64() (n int64, ok bool) {
	if v.kind != KindNumber || v.num != math.Trunc(v.num) || v.num < -1<<63 || v.num > 1<<63 {
		return 0, false
	}
	if -1<<53 < v.num && v.num < 1<<53 {
		return int64(v.num), true
	}
	var err error
	switch {
	case v.node != nil:
		n, err = v.node.Int64()
	case v.str != "":
		n, err = strconv.ParseInt(v.str, 10, 64)
	default:
		return int64(v.num), v.num < 1<<63
	}
	if err != nil { // written with an exponent
		return int64(v.num), v.num < 1<<63
	}
	return n, true
}

// Array makes an array, which owns elems.
func Array(elems []Value) Value {
	return Value{kind: KindArray, comp: (&composite{elems: elems}).measure()}
}

// Object makes an object, which owns both slices. Undefined members must have been left out.
func Object(names []string, values []Value) Value {
	return Value{kind: KindObject, comp: (&composite{elems: values, names: names, object: true}).measure()}
}

// Kind is the type of the value.
func (v Value) Kind() Kind { return v.kind }

// IsTrue tells whether v is the boolean true, the only thing WHERE keeps.
func (v Value) IsTrue() bool { return v.kind == KindBool && v.b }

// Str is the text of a string, otherwise empty.
func (v Value) Str() string {
	if v.kind == KindString {
		return v.str
	}
	return ""
}

// Float is the number of a number, otherwise 0.
func (v Value) Float() float64 { return v.num }

// Parser reads documents into Values without allocating in the steady state.
type Parser struct{ p fastjson.Parser }

// Parse reads one JSON text. The Value is good until the next call. Malformed text is a 400 fault.
func (p *Parser) Parse(raw []byte) (Value, error) {
	n, err := p.p.ParseBytes(raw)
	if err != nil {
		return Undefined, fault.New(fault.Invalid, "BadRequest", "The text is not valid JSON.").WithCause(err)
	}
	v := fromNode(n)
	if v.kind >= KindArray {
		v.str = view(raw) // echoes the original text
	}
	return v, nil
}

// ParseValue reads one JSON text into a Value of its own, good for as long as it is kept.
func ParseValue(raw []byte) (Value, error) {
	var p Parser
	v, err := p.Parse(raw)
	return v.Detach(), err
}

// view is b as a string without a copy. b must not change while the string is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func fromNode(n *fastjson.Value) Value {
	switch n.Type() {
	case fastjson.TypeNull:
		return Null
	case fastjson.TypeTrue:
		return Bool(true)
	case fastjson.TypeFalse:
		return Bool(false)
	case fastjson.TypeNumber:
		f, _ := n.Float64()
		return Value{kind: KindNumber, num: f, node: n}
	case fastjson.TypeString:
		return String(view(n.GetStringBytes()))
	case fastjson.TypeArray:
		return Value{kind: KindArray, node: n}
	default:
		return Value{kind: KindObject, node: n}
	}
}

// Field is the member of that name; Undefined where there is none or v is not an object.
func (v Value) Field(name string) Value {
	if v.kind != KindObject {
		return Undefined
	}
	if v.comp != nil {
		if i := slices.Index(v.comp.names, name); i >= 0 {
			return v.comp.elems[i]
		}
		return Undefined
	}
	if n := v.node.GetObject().Get(name); n != nil {
		return fromNode(n)
	}
	return Undefined
}

// At is element i of an array; Undefined where there is none.
func (v Value) At(i int) Value {
	if v.kind != KindArray || i < 0 || i >= v.Len() {
		return Undefined
	}
	if v.comp != nil {
		return v.comp.elems[i]
	}
	return fromNode(v.node.GetArray()[i])
}

// Len is the number of elements or members of an array or an object, otherwise 0.
func (v Value) Len() int {
	switch {
	case v.kind < KindArray:
		return 0
	case v.comp != nil:
		return len(v.comp.elems)
	case v.kind == KindArray:
		return len(v.node.GetArray())
	default:
		return v.node.GetObject().Len()
	}
}

// Members calls f for each member of an object.
func (v Value) Members(f func(name string, v Value)) {
	if v.kind != KindObject {
		return
	}
	if v.comp != nil {
		for i, n := range v.comp.names {
			f(n, v.comp.elems[i])
		}
		return
	}
	v.node.GetObject().Visit(func(k []byte, n *fastjson.Value) { f(view(k), fromNode(n)) })
}

// Detach is a copy of v that depends on no parser and may be shared.
func (v Value) Detach() Value {
	switch v.kind {
	case KindString:
		v.str = strings.Clone(v.str)
	case KindNumber:
		if n, ok := v.int64(); ok && (v.node != nil || v.str != "") && !exactFloat(n) {
			return Integer(n)
		}
		v.node, v.str = nil, ""
	case KindArray:
		elems := make([]Value, v.Len())
		for i := range elems {
			elems[i] = v.At(i).Detach()
		}
		return Array(elems)
	case KindObject:
		names, values := make([]string, 0, v.Len()), make([]Value, 0, v.Len())
		v.Members(func(n string, m Value) {
			names, values = append(names, strings.Clone(n)), append(values, m.Detach())
		})
		return Object(names, values)
	}
	return v
}

// AppendJSON appends the JSON text of v. Documents and their numbers keep their original text. Undefined appends nothing.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case KindUndefined:
		return b
	case KindNull:
		return append(b, "null"...)
	case KindBool:
		return strconv.AppendBool(b, v.b)
	case KindString:
		return appendString(b, v.str)
	case KindNumber:
		if v.node != nil {
			return v.node.MarshalTo(b)
		}
		if v.str != "" {
			return append(b, v.str...)
		}
		return appendNumber(b, v.num)
	}
	switch {
	case v.str != "":
		return append(b, v.str...)
	case v.node != nil:
		return v.node.MarshalTo(b)
	case v.kind == KindArray:
		b = append(b, '[')
		for i, e := range v.comp.elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.AppendJSON(b)
		}
		return append(b, ']')
	}
	b = append(b, '{')
	for i, e := range v.comp.elems {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, v.comp.names[i]), ':')
		b = e.AppendJSON(b)
	}
	return append(b, '}')
}

// inexpressible tells whether v is, or has in it, a number for which JSON has no text: the results of 1 / 0 and LOG(-1). A document's own numbers
// have theirs, however large.
func (v Value) inexpressible() bool {
	switch {
	case v.kind == KindNumber:
		return v.node == nil && v.str == "" && (math.IsNaN(v.num) || math.IsInf(v.num, 0))
	case v.comp != nil:
		return v.comp.odd
	}
	return false
}

// appendNumber writes a number as JavaScript does: whole numbers without a fraction, exponents only for the very large and small.
func appendNumber(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

const hexDigits = "0123456789ABCDEF"

// appendString writes a JSON string; bytes that are not UTF-8 become the replacement character.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
