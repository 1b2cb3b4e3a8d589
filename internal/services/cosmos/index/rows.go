package index

import (
	"bytes"
	"encoding/binary"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Suffix names a document in index rows.
func Suffix(epk []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, len(epk)+8), epk...), number)
}

// Replace turns a document's rows from one set into another; nil stands for none. It writes only the difference and returns how many rows that was.
func Replace(tx store.Tx, suffix []byte, old, now *Rows) (int, error) {
	if old == nil {
		old = &Rows{}
	}
	if now == nil {
		now = &Rows{}
	}
	var room [320]byte
	n, i, j := 0, 0, 0
	for i < old.Len() || j < now.Len() {
		c := 1
		switch {
		case j == now.Len():
			c = -1
		case i < old.Len():
			c = bytes.Compare(old.head(i), now.head(j))
		}
		var err error
		switch {
		case c == 0:
			i, j = i+1, j+1
			continue
		case c < 0:
			err = tx.Delete(append(append(room[:0], old.head(i)...), suffix...))
			i++
		default:
			err = tx.Put(append(append(room[:0], now.head(j)...), suffix...), nil)
			j++
		}
		if n++; err != nil {
			return n, err
		}
	}
	if now.dict == nil || bytes.Equal(old.shape, now.shape) {
		return n, nil
	}
	key := append(append(room[:0], "h|"...), now.shape...)
	if b, err := tx.Get(key); b != nil || err != nil {
		return n, err
	}
	return n + 1, tx.Put(key, now.dict)
}

// Difference is how many rows Replace would write.
func Difference(old, now *Rows) (n int) {
	i, j := 0, 0
	for i < old.Len() && j < now.Len() {
		switch c := bytes.Compare(old.head(i), now.head(j)); {
		case c == 0:
			i, j = i+1, j+1
			continue
		case c < 0:
			i++
		default:
			j++
		}
		n++
	}
	return n + old.Len() - i + now.Len() - j
}

// IsUnindexed tells whether the document has the mark of those that are not indexed.
func IsUnindexed(sn store.Snapshot, suffix []byte) (bool, error) {
	b, err := sn.Get(append(append([]byte("s|"), unindexed...), suffix...))
	return b != nil, err
}

// Rows gives a document's rows: those of its text, or the mark alone where the document is not indexed.
func (p *Policy) Rows(text []byte, ts int64, skip bool) (*Rows, error) {
	if skip && p != nil && !p.None {
		return Unindexed(), nil
	}
	return p.Extract(text, ts)
}
