package items

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Unique keys. A document's values at the paths of each constraint are hashed before the transaction; the hashes stand in its header and, each,
// in a row U|epk|hash, whose value is the number of the document that holds them. A value that is missing counts as null.

// UniqueKey is one constraint: the paths, as segments, whose values no two documents of a logical partition share.
type UniqueKey [][]string

// Rules are what a container asks of its documents.
type Rules struct {
	Timed  bool // there is a time to live, or was
	Unique []UniqueKey
}

// uniqueSize is the length of a hash of unique values.
const uniqueSize = 16

func uniqueRow(epk, hash []byte) []byte {
	k := append(make([]byte, 0, 2+len(epk)+uniqueSize), 'U', '|')
	return append(append(k, epk...), hash...)
}

var uniqueParsers fastjson.ParserPool

// hash gives the hashes of a document's values, one after the other; nil without constraints.
func (r Rules) hash(text []byte) ([]byte, error) {
	if len(r.Unique) == 0 || text == nil {
		return nil, nil
	}
	p := uniqueParsers.Get()
	defer uniqueParsers.Put(p)
	doc, err := p.ParseBytes(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "BadRequest", "The document is not JSON.").WithCause(err)
	}
	out := make([]byte, 0, len(r.Unique)*uniqueSize)
	var b []byte
	for i, key := range r.Unique {
		b = append(b[:0], byte(i))
		for _, path := range key {
			b = appendCanonical(b, at(doc, path))
		}
		sum := sha256.Sum256(b)
		out = append(out, sum[:uniqueSize]...)
	}
	return out, nil
}

// at is the value at a path, nil if there is none. Of a property given twice the last counts.
func at(v *fastjson.Value, path []string) *fastjson.Value {
	for _, s := range path {
		if v == nil || v.Type() != fastjson.TypeObject {
			return nil
		}
		var found *fastjson.Value
		v.GetObject().Visit(func(k []byte, m *fastjson.Value) {
			if string(k) == s {
				found = m
			}
		})
		v = found
	}
	return v
}

// appendCanonical appends a value so that two are equal exactly if what is appended is.
func appendCanonical(b []byte, v *fastjson.Value) []byte {
	if v == nil {
		return append(b, 'n')
	}
	switch v.Type() {
	case fastjson.TypeTrue:
		return append(b, 't')
	case fastjson.TypeFalse:
		return append(b, 'f')
	case fastjson.TypeNumber:
		f := v.GetFloat64()
		if f == 0 {
			f = 0 // minus zero is zero
		}
		return binary.BigEndian.AppendUint64(append(b, '1'), math.Float64bits(f))
	case fastjson.TypeString:
		return appendCanonicalString(append(b, '"'), v.GetStringBytes())
	case fastjson.TypeArray:
		list := v.GetArray()
		b = binary.BigEndian.AppendUint32(append(b, '['), uint32(len(list)))
		for _, e := range list {
			b = appendCanonical(b, e)
		}
		return b
	case fastjson.TypeObject:
		return appendCanonicalObject(b, v.GetObject())
	}
	return append(b, 'n')
}

func appendCanonicalString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendCanonicalObject(b []byte, o *fastjson.Object) []byte {
	members := map[string]*fastjson.Value{}
	var names []string
	o.Visit(func(k []byte, m *fastjson.Value) {
		if _, twice := members[string(k)]; !twice {
			names = append(names, string(k))
		}
		members[string(k)] = m
	})
	slices.Sort(names)
	b = binary.BigEndian.AppendUint32(append(b, '{'), uint32(len(names)))
	for _, n := range names {
		b = appendCanonical(appendCanonicalString(b, []byte(n)), members[n])
	}
	return b
}

// contains tells whether a list of hashes has one.
func contains(hashes, hash []byte) bool {
	for ; len(hashes) >= uniqueSize; hashes = hashes[uniqueSize:] {
		if bytes.Equal(hashes[:uniqueSize], hash) {
			return true
		}
	}
	return false
}

// claim takes the unique values of a document that is about to be written, and gives up those of old that it no longer has.
// Values that another document holds: a 409 fault; one that has ended holds none.
func (t *transaction) claim(p *prepared, number uint64, old []byte) error {
	for rest := p.unique; len(rest) >= uniqueSize; rest = rest[uniqueSize:] {
		hash := rest[:uniqueSize]
		if contains(old, hash) {
			continue
		}
		key := uniqueRow(p.epk, hash)
		b, err := t.tx.Get(key)
		if err != nil {
			return err
		}
		if b != nil && p.Op != adopt { // in a split's copy, who held it before may still seem to: the log will tell
			if err := t.checkHolder(p.epk, b, number); err != nil {
				return err
			}
		}
		if err := t.tx.Put(key, numberValue(number)); err != nil {
			return err
		}
	}
	for ; len(old) >= uniqueSize; old = old[uniqueSize:] {
		if contains(p.unique, old[:uniqueSize]) {
			continue
		}
		if err := t.release(p.epk, old[:uniqueSize], number); err != nil {
			return err
		}
	}
	return nil
}

// checkHolder refuses if the row's document is another one and still there.
func (t *transaction) checkHolder(epk, row []byte, number uint64) error {
	holder, err := parseNumber(row)
	if err != nil || holder == number {
		return err
	}
	s, err := t.lookup(epk, holder)
	if s == nil || err != nil || t.expiry.ended(s.header) {
		return err
	}
	return fault.New(fault.Conflict, "Conflict", "Unique index constraint violation.")
}

// release gives up all or one of the unique values of a document that goes or changes.
func (t *transaction) release(epk, hashes []byte, number uint64) error {
	for ; len(hashes) >= uniqueSize; hashes = hashes[uniqueSize:] {
		key := uniqueRow(epk, hashes[:uniqueSize])
		b, err := t.tx.Get(key)
		if err != nil {
			return err
		}
		if b == nil || !bytes.Equal(b, numberValue(number)) {
			continue // taken by another after this one had ended
		}
		if err := t.tx.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
