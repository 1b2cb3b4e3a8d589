package hybridrow

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var layout = NewLayout(7,
	Column{"n", Int32, Fixed}, Column{"f", Float64, Fixed}, Column{"s", UTF8, Variable}, Column{"b", Binary, Variable},
	Column{"u", UInt32, Sparse}, Column{"t", UTF8, Sparse}, Column{"y", Bool, Sparse},
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Rows, byte by byte as the grammar has them.
var rows = []struct {
	name, hex string
	values    []Value
}{
	{"all", "81 07000000 0f feffffff 000000000000f83f 03 c3a978 02 00ff 0b05 ffffffff 1406 01 7a 0307", []Value{
		{Set: true, Int: -2},
		{Set: true, Float: 1.5},
		{Set: true, Bytes: []byte("éx")},
		{Set: true, Bytes: []byte{0, 255}},
		{Set: true, Int: 1<<32 - 1},
		{Set: true, Bytes: []byte("z")},
		{Set: true, Int: 1},
	}},
	{"nothing", "81 07000000 00 00000000 0000000000000000", make([]Value, 7)},
	{"some", "81 07000000 09 01000000 0000000000000000 00 0207", []Value{{Set: true, Int: 1}, {}, {}, {Set: true, Bytes: []byte{}}, {}, {}, {Set: true}}},
}

func TestRow(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		row := unhex(t, r.hex)
		got, err := layout.Decode(row)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if d := cmp.Diff(r.values, got); d != "" {
			t.Errorf("%s: %s", r.name, d)
		}
		if made := layout.Append(nil, r.values); !bytes.Equal(made, row) {
			t.Errorf("%s: made %x, want %x", r.name, made, row)
		}
	}
	// A name may be written out: 8 and its length.
	v, err := layout.Decode(unhex(t, "81 07000000 00 00000000 0000000000000000 1409 74 0161 0108"))
	if err == nil || !strings.Contains(err.Error(), `""`) {
		t.Errorf("a field without a name: %v", err)
	}
	if v, err = layout.Decode(unhex(t, "81 07000000 00 00000000 0000000000000000 1409 74 0161 0105")); err != nil || string(v[5].Bytes) != "a" || v[4].Set {
		t.Errorf("by name: %v, %v", v, err)
	}
}

func TestRow_Bad(t *testing.T) {
	t.Parallel()
	const head = "81 07000000 "
	const empty = head + "00 00000000 0000000000000000 "
	for name, c := range map[string]struct{ hex, says string }{
		"nothing":              {"", "too early"},
		"another version":      {"80 07000000 00 00000000 0000000000000000", "version"},
		"another schema":       {"81 08000000 00 00000000 0000000000000000", "schema is 8"},
		"no fields":            {head, "too early"},
		"half a field":         {head + "00 00000000 000000", "f: "},
		"a length too long":    {head + "04 00000000 0000000000000000 05 61", "s: "},
		"an endless length":    {head + "04 00000000 0000000000000000 ffffffffffffffffffffff", "s: "},
		"a huge length":        {head + "04 00000000 0000000000000000 ffffffffffffffff7f 61", "s: "},
		"no UTF-8":             {head + "04 00000000 0000000000000000 01 ff", "UTF-8"},
		"a path that is fixed": {empty + "0701 00000000", "n: it is no sparse field"},
		"an unknown path":      {empty + "140a 7171 0161", `"qq" is unknown`},
		"another type":         {empty + "1405 0161", "u: the type 20"},
		"a nested value":       {empty + "1e06 46", "t: the type 30"},
		"no path":              {empty + "14", "too early"},
		"a path that ends":     {empty + "14ff01", "path"},
	} {
		if v, err := layout.Decode(unhex(t, c.hex)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v; want an error with %q", name, v, err, c.says)
		}
	}
}

const (
	plainSegment = "81 f0d8ff7f 01 0a000000 "
	oneRecord    = "81 f1d8ff7f 03000000 c2412435 616263 "
)

func TestRecords(t *testing.T) {
	t.Parallel()
	// A segment may have a comment; there may be several.
	b := unhex(t, plainSegment+oneRecord+"81 f0d8ff7f 01 0f000000 1402 026869 "+oneRecord+"81 f1d8ff7f 00000000 00000000")
	got, err := Records(b, 3)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]byte{[]byte("abc"), []byte("abc"), {}}, got); d != "" {
		t.Error(d)
	}
	if made := AppendRecord(AppendSegment(nil), []byte("abc")); !bytes.Equal(made, unhex(t, plainSegment+oneRecord)) {
		t.Errorf("made %x", made)
	}
	if _, err := Records(b, 2); err == nil || !strings.Contains(err.Error(), "more than 2") {
		t.Errorf("too many: %v", err)
	}
	if got, err := Records(unhex(t, plainSegment), 1); len(got) != 0 || err != nil {
		t.Errorf("no records: %v, %v", got, err)
	}
	for name, c := range map[string]struct{ hex, says string }{
		"no segment":         {oneRecord, "none of a RecordIO stream"},
		"a row of its own":   {plainSegment + "81 07000000", "none of a RecordIO stream"},
		"half a segment":     {"81 f0d8ff7f 01 0a", "too early"},
		"a segment too long": {"81 f0d8ff7f 01 0b000000", "segment's length"},
		"a length below 0":   {"81 f0d8ff7f 01 0a0000ff", "segment's length"},
		"no length":          {"81 f0d8ff7f 00 0a000000", "segment's length"},
		"half a record":      {plainSegment + "81 f1d8ff7f 03000000", "too early"},
		"a record too long":  {plainSegment + "81 f1d8ff7f 04000000 c2412435 616263", "record's length"},
		"a record below 0":   {plainSegment + "81 f1d8ff7f ffffffff c2412435 616263", "record's length"},
		"a wrong checksum":   {plainSegment + "81 f1d8ff7f 03000000 c2412434 616263", "checksum"},
		"something behind":   {plainSegment + oneRecord + "00", "too early"},
	} {
		if got, err := Records(unhex(t, c.hex), 9); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v; want an error with %q", name, got, err, c.says)
		}
	}
}

// FuzzRecords: whatever comes, nothing panics; and what could be read says the same when it is written again.
func FuzzRecords(f *testing.F) {
	for _, r := range rows {
		f.Add(AppendRecord(AppendSegment(nil), unhex(f, r.hex)))
	}
	f.Add(unhex(f, plainSegment+oneRecord))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := Records(b, 100)
		if err != nil {
			return
		}
		for _, row := range records {
			v, err := layout.Decode(row)
			if err != nil {
				continue
			}
			again, err := layout.Decode(layout.Append(nil, v))
			if err != nil {
				t.Fatalf("%x: %v", row, err)
			}
			if d := cmp.Diff(v, again, cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })); d != "" {
				t.Fatalf("%x: %s", row, d)
			}
		}
	})
}
