package items

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Record kinds and their versions, as the first two bytes of each value.
const (
	kindRange    = 'M'
	kindDocument = 'D'
	version      = 1
)

// Shard is the name of a range's shard.
func Shard(guid string) string { return "range/" + guid }

var rangeKey = []byte("M|")

// epkBytes is an EPK as it stands in keys.
func epkBytes(epk string) ([]byte, error) { return appendEPK(make([]byte, 0, len(epk)), epk) }

func appendEPK(b []byte, epk string) ([]byte, error) {
	at := len(b)
	b = append(b, epk...)
	n, err := hex.Decode(b[at:], b[at:]) // what is read is ahead of what is written
	if err != nil {
		return nil, fmt.Errorf("effective partition key %q: %w", epk, err)
	}
	return b[: at+n : at+n], nil
}

// longID is from when on a key holds an id's hash: a store's key has at most 1,024 bytes.
const longID = 640

func idKey(epk []byte, id string) []byte {
	return appendIDKey(make([]byte, 0, 2+len(epk)+min(len(id), longID+1+sha256.Size)), epk, id)
}

func appendIDKey(k, epk []byte, id string) []byte {
	k = append(append(k, 'I', '|'), epk...)
	if len(id) <= longID {
		return append(k, id...)
	}
	sum := sha256.Sum256([]byte(id))
	k = append(k, id[:longID]...)
	k = append(k, 0xff) // in no UTF-8 text
	return append(k, sum[:]...)
}

func docKey(epk []byte, number uint64) []byte {
	return appendDocKey(make([]byte, 0, 2+len(epk)+8), epk, number)
}

func appendDocKey(k, epk []byte, number uint64) []byte {
	k = append(append(k, 'D', '|'), epk...)
	return binary.BigEndian.AppendUint64(k, number)
}

func orderKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{'R', '|'}, number)
}

// joinedSeq is the place of documents that came by a merge: ranges that are merged have counted LSNs each for itself, so that places of their
// transactions are not apart. The document's number is. No transaction gives that place away.
const joinedSeq = 0xffff

// logKey is the key of a document's row in the log.
func logKey(lsn uint64, seq uint16, number uint64) []byte {
	k := binary.BigEndian.AppendUint64(append(make([]byte, 0, logHead+3+numberSize), 'L', '|'), lsn)
	if k = appendSeq(k, seq); seq == joinedSeq {
		k = binary.BigEndian.AppendUint64(k, number)
	}
	return k
}

// Marks of places that one byte does not tell: joinedSeq, and one that takes two bytes more. Few transactions have so many writes.
const (
	joinedMark = 0xff
	wideMark   = 0xfe
)

// appendSeq appends a place in a transaction as it stands in keys, which are in its order.
func appendSeq(b []byte, seq uint16) []byte {
	switch {
	case seq < wideMark:
		return append(b, byte(seq))
	case seq == joinedSeq:
		return append(b, joinedMark)
	}
	return binary.BigEndian.AppendUint16(append(b, wideMark), seq)
}

// parseSeq reads it back, and gives what comes after it.
func parseSeq(b []byte) (seq uint16, rest []byte, ok bool) {
	switch {
	case len(b) == 0 || b[0] == wideMark && len(b) < 3:
		return 0, nil, false
	case b[0] == joinedMark:
		return joinedSeq, b[1:], true
	case b[0] == wideMark:
		return binary.BigEndian.Uint16(b[1:]), b[3:], true
	}
	return uint16(b[0]), b[1:], true
}

func logValue(number uint64, epk []byte) []byte {
	b := make([]byte, 0, 8+len(epk))
	return append(binary.BigEndian.AppendUint64(b, number), epk...)
}

func numberValue(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

// numberSize is the size of a number in keys and values.
const numberSize = 8

func parseNumber(b []byte) (uint64, error) {
	if len(b) != numberSize {
		return 0, fmt.Errorf("a document number of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// Bits of a document's number: the range's number, the LSN and the place in the transaction.
const (
	seqBits = 8
	lsnBits = 40
)

func documentNumber(rangeNumber uint16, lsn store.LSN, seq uint8) uint64 {
	return uint64(rangeNumber&0xfff)<<(lsnBits+seqBits) | uint64(lsn)&(1<<lsnBits-1)<<seqBits | uint64(seq)
}

// status is a range's place in its life.
type status uint8

const (
	active  status = iota
	filling        // a child that a split or merge still copies into
	fenced         // was split or merged: nothing is written any more
)

// rangeRecord says that the shard is in use, and by what.
type rangeRecord struct {
	number    uint16 // of the range in its container
	documents uint64
	bytes     uint64
	container string // guid
	status    status
	base      int64  // what the range's LSNs are ahead of the shard's; 0 until a child is active
	fence     uint64 // LSN of the last transaction of a fenced range
	keep      int64  // until when (seconds) deletions leave a row: someone follows the log
	cut       uint64 // LSN of the state that an export reads; 0: none runs
	cutUntil  int64  // until when (seconds) documents leave a copy as of that state
	weight    byte   // whether its logical partitions are weighed: limits.go
}

const (
	rangeVersion = 3 // 2: splits, cuts; 3: merges, weights
	rangeSize1   = 20
	rangeSize2   = rangeSize1 + 1 + 5*8
	rangeSize    = rangeSize2 + 1
)

func (r rangeRecord) encode() []byte {
	b := make([]byte, 0, rangeSize+len(r.container))
	b = append(b, kindRange, rangeVersion)
	b = binary.BigEndian.AppendUint16(b, r.number)
	b = binary.BigEndian.AppendUint64(b, r.documents)
	b = binary.BigEndian.AppendUint64(b, r.bytes)
	b = append(b, byte(r.status))
	b = binary.BigEndian.AppendUint64(b, uint64(r.base))
	b = binary.BigEndian.AppendUint64(b, r.fence)
	b = binary.BigEndian.AppendUint64(b, uint64(r.keep))
	b = binary.BigEndian.AppendUint64(b, r.cut)
	b = binary.BigEndian.AppendUint64(b, uint64(r.cutUntil))
	b = append(b, r.weight)
	return append(b, r.container...)
}

func decodeRange(b []byte) (r rangeRecord, err error) {
	if err := checkKind(b, kindRange, rangeSize1); err != nil {
		return r, err
	}
	r = rangeRecord{number: binary.BigEndian.Uint16(b[2:]), documents: binary.BigEndian.Uint64(b[4:]), bytes: binary.BigEndian.Uint64(b[12:])}
	if b[1] == 1 {
		r.container = string(b[rangeSize1:])
		return r, nil
	}
	if err := checkKind(b, kindRange, rangeSize2); err != nil {
		return r, err
	}
	rest := b[rangeSize1:]
	r.status, r.base = status(rest[0]), int64(binary.BigEndian.Uint64(rest[1:]))
	r.fence, r.keep = binary.BigEndian.Uint64(rest[9:]), int64(binary.BigEndian.Uint64(rest[17:]))
	r.cut, r.cutUntil = binary.BigEndian.Uint64(rest[25:]), int64(binary.BigEndian.Uint64(rest[33:]))
	if b[1] == 2 {
		r.container = string(b[rangeSize2:])
		return r, nil
	}
	if err := checkKind(b, kindRange, rangeSize); err != nil {
		return r, err
	}
	r.weight, r.container = b[rangeSize2], string(b[rangeSize:])
	return r, nil
}

func checkKind(b []byte, kind byte, size int) error {
	switch {
	case len(b) < 2 || b[0] != kind:
		return fmt.Errorf("items: a record of kind %q is something else", kind)
	case b[1] > newest(kind):
		return fmt.Errorf("%w: record kind %q has version %d, this program knows up to %d", store.ErrVersion, kind, b[1], newest(kind))
	case len(b) < size:
		return fmt.Errorf("items: a record of kind %q has %d bytes", kind, len(b))
	}
	return nil
}

// newest is the version that records of the kind are written in.
func newest(kind byte) byte {
	switch kind {
	case kindDocument:
		return documentVersion
	case kindRange:
		return rangeVersion
	}
	return version
}

// Sizes of a document's header. Version 2 added the ttl and the hashes of unique values. Version 3, which is written where a place in a transaction does not
// fit one byte, has the upper one before the hashes.
const (
	documentVersion = 3
	headerSize1     = 2 + 8 + 1 + 8 + 16
	headerSize      = headerSize1 + 4 + 1
)

// header is what precedes a document's text in its record.
type header struct {
	lsn    uint64 // of the last write
	seq    uint16 // its place in its transaction
	time   int64  // `_ts`, seconds
	etag   [16]byte
	ttl    int32  // the document's own time to live, seconds; 0: it has none, -1: it never ends
	unique []byte // hashes of its unique values, uniqueSize each; borrowed from the record
}

// wide tells whether one byte does not hold the place.
func (h header) wide() bool { return h.seq >= wideMark && h.seq != joinedSeq }

func (h header) size() int {
	if h.wide() {
		return headerSize + 1 + len(h.unique)
	}
	return headerSize + len(h.unique)
}

func (h header) append(b []byte) []byte {
	v := byte(2)
	if h.wide() {
		v = 3
	}
	b = append(b, kindDocument, v)
	b = binary.BigEndian.AppendUint64(b, h.lsn)
	b = append(b, byte(h.seq))
	b = binary.BigEndian.AppendUint64(b, uint64(h.time))
	b = append(b, h.etag[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.ttl))
	b = append(b, byte(len(h.unique)/uniqueSize))
	if v == 3 {
		b = append(b, byte(h.seq>>8))
	}
	return append(b, h.unique...)
}

func decodeDocument(b []byte) (h header, text []byte, err error) {
	if err := checkKind(b, kindDocument, headerSize1); err != nil {
		return h, nil, err
	}
	h = header{lsn: binary.BigEndian.Uint64(b[2:]), seq: uint16(b[10]), time: int64(binary.BigEndian.Uint64(b[11:]))}
	copy(h.etag[:], b[19:35])
	if h.seq == joinedMark && b[1] < 3 {
		h.seq = joinedSeq
	}
	if b[1] == 1 {
		return h, b[headerSize1:], nil
	}
	if err := checkKind(b, kindDocument, headerSize); err != nil {
		return h, nil, err
	}
	begin := headerSize
	if b[1] == 3 {
		begin++
	}
	end := begin + uniqueSize*int(b[headerSize-1])
	if err := checkKind(b, kindDocument, end); err != nil {
		return h, nil, err
	}
	if b[1] == 3 {
		h.seq |= uint16(b[headerSize]) << 8
	}
	h.ttl, h.unique = int32(binary.BigEndian.Uint32(b[headerSize1:])), b[begin:end:end]
	return h, b[end:], nil
}
