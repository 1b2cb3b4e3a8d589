package hybridrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Version is the first byte of every row.
const Version = 0x81

const headerSize = 5 // version and schema

// Type is the type of a column, by its code in sparse fields.
type Type byte

// The types.
const (
	Bool    Type = 3
	Int32   Type = 7
	UInt32  Type = 11
	Float64 Type = 16
	UTF8    Type = 20
	Binary  Type = 21

	null      Type = 1 // of a sparse field that is there without a value
	falsehood Type = 2 // of a sparse Bool that is false; true is Bool itself
)

// Storage is where a column's values are.
type Storage byte

// The storages. A layout's columns come in this order.
const (
	Fixed Storage = iota
	Variable
	Sparse
)

// Column is one field of a schema.
type Column struct {
	Name    string
	Type    Type // Bool: sparse only
	Storage Storage
}

// Value is a field's value. Int holds Int32, UInt32 and Bool (1 is true), Bytes UTF8 and Binary.
type Value struct {
	Set   bool
	Int   int64
	Float float64
	Bytes []byte
}

// Layout is how rows of one schema lie in memory. Safe for concurrent use.
type Layout struct {
	schema  int32
	columns []Column
	bits    int // bytes of presence bits
}

// NewLayout makes a layout. Columns are in the schema's order, fixed before variable before sparse ones.
func NewLayout(schema int32, columns ...Column) *Layout {
	l := &Layout{schema: schema, columns: columns}
	n := 0
	for _, c := range columns {
		if c.Storage != Sparse {
			n++
		}
	}
	l.bits = (n + 7) / 8
	return l
}

// size is how many bytes a fixed value of the type has.
func (t Type) size() int {
	if t == Float64 {
		return 8
	}
	return 4
}

// errShort: the row ends within a value.
var errShort = errors.New("the row ends too early")

// reader takes a row apart.
type reader struct{ b []byte }

func (r *reader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.b) {
		return nil, errShort
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out, nil
}

// length reads a number of 7 bits a byte.
func (r *reader) length() (int, error) {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxInt32 {
		return 0, errShort
	}
	r.b = r.b[n:]
	return int(v), nil
}

// value reads a value of a type.
func (r *reader) value(t Type) (Value, error) {
	v := Value{Set: true}
	switch t {
	case UTF8, Binary:
		n, err := r.length()
		if err != nil {
			return v, err
		}
		if v.Bytes, err = r.take(n); err != nil {
			return v, err
		}
		if t == UTF8 && !utf8.Valid(v.Bytes) {
			return v, errors.New("a text is not UTF-8")
		}
		return v, nil
	case Bool:
		v.Int = 1
		return v, nil
	}
	b, err := r.take(t.size())
	if err != nil {
		return v, err
	}
	switch t {
	case Int32:
		v.Int = int64(int32(binary.LittleEndian.Uint32(b)))
	case UInt32:
		v.Int = int64(binary.LittleEndian.Uint32(b))
	case Float64:
		v.Float = math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return v, nil
}

// Decode reads a row: a value for each column of the layout. Bytes alias the row.
func (l *Layout) Decode(row []byte) ([]Value, error) {
	schema, err := schemaOf(row)
	if err != nil {
		return nil, err
	}
	if schema != l.schema {
		return nil, fmt.Errorf("the row's schema is %d, not %d", schema, l.schema)
	}
	r := reader{row[headerSize:]}
	present, err := r.take(l.bits)
	if err != nil {
		return nil, err
	}
	out := make([]Value, len(l.columns))
	for i, c := range l.columns {
		set := c.Storage != Sparse && present[i/8]&(1<<(i%8)) != 0
		if c.Storage != Fixed && !set {
			continue
		}
		v, err := r.value(c.Type) // a fixed one takes its room, set or not
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if set {
			out[i] = v
		}
	}
	for len(r.b) > 0 {
		if err := l.sparse(&r, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sparse reads one sparse field.
func (l *Layout) sparse(r *reader, out []Value) error {
	code, err := r.take(1)
	if err != nil {
		return err
	}
	token, err := r.length()
	if err != nil {
		return err
	}
	i := token - 1
	if i < 0 || i >= len(l.columns) { // the path is written out
		name, err := r.take(token - 1 - len(l.columns))
		if err != nil {
			return errors.New("a path is invalid")
		}
		if i = slices.IndexFunc(l.columns, func(c Column) bool { return c.Name == string(name) }); i < 0 {
			return fmt.Errorf("the field %q is unknown", name)
		}
	}
	c := l.columns[i]
	if c.Storage != Sparse {
		return fmt.Errorf("%s: it is no sparse field", c.Name)
	}
	switch t := Type(code[0]); {
	case t == null:
		return nil
	case t == falsehood && c.Type == Bool:
		out[i] = Value{Set: true}
		return nil
	case t != c.Type:
		return fmt.Errorf("%s: the type %d is not the schema's", c.Name, t)
	}
	if out[i], err = r.value(c.Type); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return nil
}

// Append appends a row of the layout to b: values has one for each column.
func (l *Layout) Append(b []byte, values []Value) []byte {
	b = append(b, Version)
	b = binary.LittleEndian.AppendUint32(b, uint32(l.schema))
	at := len(b)
	b = append(b, make([]byte, l.bits)...)
	for i, c := range l.columns {
		v := values[i]
		if c.Storage == Sparse {
			if v.Set {
				b = appendSparse(b, c.Type, i, v)
			}
			continue
		}
		if v.Set {
			b[at+i/8] |= 1 << (i % 8)
		}
		if v.Set || c.Storage == Fixed {
			b = appendValue(b, c.Type, v)
		}
	}
	return b
}

func appendSparse(b []byte, t Type, i int, v Value) []byte {
	code := t
	if t == Bool && v.Int == 0 {
		code = falsehood
	}
	b = binary.AppendUvarint(append(b, byte(code)), uint64(i+1))
	return appendValue(b, t, v)
}

func appendValue(b []byte, t Type, v Value) []byte {
	switch t {
	case Int32, UInt32:
		return binary.LittleEndian.AppendUint32(b, uint32(v.Int))
	case Float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Float))
	case UTF8, Binary:
		return append(binary.AppendUvarint(b, uint64(len(v.Bytes))), v.Bytes...)
	}
	return b // Bool: its type says it
}
