package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Records are stored in blocks: what was flushed together lies together, and each record says only what differs from the one before it. A read leaves
// about 60 bytes that way, where a row of its own took 600.
//
//	B|time id            -> a block; time is its first record's, id a hash, so that writing a block again changes nothing
//	I|day correlation time id -> nothing: a block that has records of that story
//	V|day vault time id       -> nothing: a block that has records of that vault (a hash of its name)
//
// All begin with time, so that what is too old goes as ranges.
const (
	kindBlock    = 'B'
	blockVersion = 1
	blockBytes   = 256 << 10 // a block is closed when it is larger
)

var errBlock = errors.New("audit: a damaged block of records")

// block is a block ready to be put.
type block struct {
	key, value []byte
	index      [][]byte
}

// blockOf encodes as many of recs as go into one block, and returns the rest.
func blockOf(recs []Record) (block, []Record) {
	id := blockID(&recs[0])
	b := block{key: append([]byte("B|"), id...), value: append(make([]byte, 0, 256+64*len(recs)), kindBlock, blockVersion)}
	day := dayOf(recs[0].Time)
	var last Record
	var vaults []string
	n := 0
	for ; n < len(recs) && len(b.value) < blockBytes; n++ {
		rec := &recs[n]
		b.value = appendRecord(b.value, rec, &last)
		if guid, ok := ids.Parse(rec.CorrelationID); ok && (n == 0 || rec.CorrelationID != last.CorrelationID) {
			k := binary.BigEndian.AppendUint32(append(make([]byte, 0, 2+4+16+len(id)), "I|"...), day)
			b.index = append(b.index, append(append(k, guid[:]...), id...))
		}
		if name := vaultOf(rec); name != "" && !slices.Contains(vaults, name) {
			vaults = append(vaults, name)
			b.index = append(b.index, append(vaultPrefix(day, name), id...))
		}
		last = *rec
	}
	return b, recs[n:]
}

// put writes the block and its index rows.
func (b block) put(tx store.Tx) error {
	if err := tx.Put(b.key, b.value); err != nil {
		return err
	}
	for _, k := range b.index {
		if err := tx.Put(k, nil); err != nil {
			return err
		}
	}
	return nil
}

// blockID is the time of a block's first record and a hash of which record that is: 16 bytes.
func blockID(first *Record) []byte {
	h := fnv.New64a()
	for _, s := range [...]string{first.RequestID, first.Operation, first.Resource} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(first.Time.UnixNano()))
	return binary.BigEndian.AppendUint64(b, h.Sum64())
}

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / (24 * 60 * 60)) }

// texts are a record's strings, in the order they are stored in. New ones are added at the end; at most 32.
func (r *Record) texts() [17]*string {
	return [...]*string{
		&r.RequestID, &r.CorrelationID, &r.Service, &r.Host, &r.Method, &r.Operation, &r.Resource, &r.Code, &r.Reason, &r.AllowedBy, &r.ClientIP,
		&r.Kind, &r.TenantID, &r.ObjectID, &r.AppID, &r.Name, &r.OnBehalf,
	}
}

// appendRecord appends rec: which strings differ from last's (4 bytes), the time since last's, the duration, the status, those strings.
func appendRecord(b []byte, rec, last *Record) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	var before int64
	if !last.Time.IsZero() {
		before = last.Time.UnixNano()
	}
	b = binary.AppendVarint(b, rec.Time.UnixNano()-before)
	b = binary.AppendVarint(b, int64(rec.Duration))
	b = binary.AppendUvarint(b, uint64(rec.Status))
	var differ uint32
	old := last.texts()
	for i, s := range rec.texts() {
		if *s == *old[i] {
			continue
		}
		differ |= 1 << i
		b = appendText(b, *s)
	}
	binary.LittleEndian.PutUint32(b[at:], differ)
	return b
}

// appendText appends a string: 0 and 16 bytes for a GUID, else its length plus one and its bytes.
func appendText(b []byte, s string) []byte {
	if guid, ok := ids.Parse(s); ok {
		return append(append(b, 0), guid[:]...)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}

// readBlock calls fn for each record of a block.
func readBlock(b []byte, fn func(Record)) error {
	switch {
	case len(b) < 2 || b[0] != kindBlock:
		return errBlock
	case b[1] > blockVersion:
		return fmt.Errorf("%w: a block of audit records has version %d, this program knows up to %d", store.ErrVersion, b[1], blockVersion)
	}
	r := reader{b: b[2:]}
	var rec Record
	var at int64
	for len(r.b) > 0 {
		differ := r.word()
		at += r.number()
		rec.Time, rec.Duration = time.Unix(0, at).UTC(), time.Duration(r.number())
		rec.Status = int(int32(r.count()))
		texts := rec.texts()
		if differ>>len(texts) != 0 {
			return errBlock
		}
		for i, s := range texts {
			if differ&(1<<i) != 0 {
				*s = r.text()
			}
		}
		if r.bad {
			return errBlock
		}
		fn(rec)
	}
	return nil
}

// reader takes a block apart. Once bad, it gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) word() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) number() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		n, v = -1, 0
	}
	r.take(n)
	return v
}

func (r *reader) count() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		n, v = -1, 0
	}
	r.take(n)
	return v
}

func (r *reader) text() string {
	n := r.count()
	if r.bad {
		return ""
	}
	if n == 0 {
		guid := r.take(16)
		if guid == nil {
			return ""
		}
		return ids.Format([16]byte(guid))
	}
	if n-1 > uint64(len(r.b)) {
		n = uint64(len(r.b)) + 2 // too much: refused by take
	}
	return string(r.take(int(n - 1)))
}
