package items

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// change is one row of a range's log: a document's last write, or, while someone follows the log, a deletion.
type change struct {
	lsn     uint64
	seq     uint16
	number  uint64
	epk     []byte
	deleted bool
}

// logHead is the size of the keys of log rows, which begin with "L|" or "T|", up to the place in the transaction. Those that came by a merge have a number behind it.
const logHead = 2 + 8

func parseChange(key, value []byte) (change, error) {
	seq, rest, ok := parseSeq(key[min(logHead, len(key)):])
	if behind := map[bool]int{true: numberSize}[seq == joinedSeq]; !ok || len(rest) != behind || len(value) < numberSize {
		return change{}, fmt.Errorf("items: log row %x is malformed", key)
	}
	return change{
		lsn: binary.BigEndian.Uint64(key[2:]), seq: seq, number: binary.BigEndian.Uint64(value), epk: bytes.Clone(value[numberSize:]), deleted: key[0] == 'T',
	}, nil
}

// afterLSN is the stretch of log rows with the tag whose LSN is above lsn.
func afterLSN(tag byte, lsn uint64) store.Range {
	r := store.Prefix([]byte{tag, '|'})
	r.Start = binary.BigEndian.AppendUint64([]byte{tag, '|'}, lsn+1)
	return r
}

// changes reads the log rows after an LSN: at least rows of them if there are as many, and whole transactions. through is the LSN up to which
// they are all there, which the snapshot's own is if nothing is left.
func changes(sn store.Snapshot, r *Range, tag byte, after uint64, rows int) (out []change, through uint64, err error) {
	through = uint64(r.lsn(sn.LSN()))
	var bad error
	err = sn.Scan(afterLSN(tag, after), func(key, value []byte) bool {
		var c change
		if c, bad = parseChange(key, value); bad != nil {
			return false
		}
		if len(out) >= rows && c.lsn != out[len(out)-1].lsn {
			through = out[len(out)-1].lsn
			return false
		}
		out = append(out, c)
		return true
	})
	if err == nil {
		err = bad
	}
	return out, through, err
}

// deleted notes a deletion where it counts: in the full-fidelity feed, and for who follows the log.
func (t *transaction) deleted(p *prepared, old *stored) error {
	if t.record.keep > t.time {
		key := logKey(uint64(t.lsn), t.seq, old.number)
		key[0] = 'T'
		if err := t.tx.Put(key, logValue(old.number, p.epk)); err != nil {
			return err
		}
	}
	return t.image(p, old, nil)
}
