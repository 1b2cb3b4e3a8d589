// Package hybridrow reads and writes the binary form in which the .NET client sends batches: RecordIO, a sequence of HybridRows.
//
// A stream begins with a segment, a row that tells its own length; each record is a row that tells the length and the CRC-32 of the row behind it. A row is
//
//	version 0x81 · id of its schema (int32) · one bit for each fixed and variable field, set where it is present · the fixed fields, always there ·
//	the variable fields that are present, each with its length · sparse fields: type, path, value, up to the row's end
//
// Numbers are little-endian, lengths of 7 bits a byte. A sparse field's path is the place of its name in the
// schema, counted from 1; or the number of names, one and its own length, and then the name.
//
// Only flat schemas of the types named here, with every field nullable, can be described: those of batches are. A row with a field that its schema does not name, or a nested value, is
// refused. Nothing a stranger sends makes a reader allocate more than the bytes that were sent.
//
//	l := NewLayout(7, Column{"n", Int32, Fixed}, Column{"s", UTF8, Variable})
//	row := l.Append(nil, []Value{{Set: true, Int: 5}, {Set: true, Bytes: []byte("x")}})
//	81 07000000 03 05000000 01 78
//
// Source: the grammar and the RecordIO description in microsoft/HybridRow.
package hybridrow
