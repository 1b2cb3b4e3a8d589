package pebble

import (
	"encoding/binary"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Layout on disk. Every key begins with 8 bytes, big endian: 0 for the engine's own records, else a shard's id. Ids are
// never reused, so a dropped shard's leftovers can never show up in another one.
//
//	0 'A'         next free block of shard ids
//	0 'F'         format version of this layout
//	0 'L' <id>    LSN of the shard
//	0 'N' <name>  id of the shard
//	<id> <key>    value
const (
	idLen      = 8
	formatNow  = 1
	idBlock    = 64 // ids reserved by one synced write
	metaAlloc  = 'A'
	metaFormat = 'F'
	metaLSN    = 'L'
	metaName   = 'N'
)

func metaKey(kind byte, rest string) []byte {
	k := make([]byte, idLen, idLen+1+len(rest))
	k = append(k, kind)
	return append(k, rest...)
}

func lsnKey(id uint64) []byte {
	k := make([]byte, idLen, idLen+1+8)
	return binary.BigEndian.AppendUint64(append(k, metaLSN), id)
}

func appendKey(buf []byte, id uint64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(buf, id), key...)
}

// bounds are the engine's keys for [start, end) in the shard; a nil end is the shard's own.
func bounds(id uint64, start, end []byte) (lo, hi []byte) {
	lo = appendKey(make([]byte, 0, idLen+len(start)), id, start)
	if end == nil {
		return lo, appendKey(nil, id+1, nil)
	}
	return lo, appendKey(make([]byte, 0, idLen+len(end)), id, end)
}

func decodeUint(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("store: a number of %d bytes instead of 8", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

func encodeUint(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func checkShard(name string) error {
	if name == "" || len(name) > store.MaxShard {
		return fmt.Errorf("%w: a shard name has 1 to %d bytes, got %d", store.ErrLimit, store.MaxShard, len(name))
	}
	return nil
}
