package items

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Limits are how much may be stored, in bytes of documents' texts. 0: there is no limit.
type Limits struct {
	// Range is how much a range holds before it is to be split. Nothing is refused for it.
	Range uint64
	// Partition is how much a logical partition holds; more is refused.
	Partition uint64
}

// The service's limits (https://learn.microsoft.com/azure/cosmos-db/concepts-limits).
const (
	DefaultRangeLimit     = 50 << 30
	DefaultPartitionLimit = 20 << 30
)

// What each logical partition holds is counted in rows W|epk, of eight bytes. They cost every write a read and a row, so there are none in a range that
// is far from holding what a single partition may: such a range is not weighed. From half of it on Weigh counts what is there, in the order of the
// documents' keys and in steps; writes keep the counts of documents up to w|, the key that it has come to. So it is done before a partition can be full.
const (
	unweighed byte = iota
	weighing
	weighed
)

// smallPartition is a limit so small that ranges are weighed from their first document.
const smallPartition = 1 << 30

// Sizes of a step of the counting.
const (
	weighRows  = 500
	weighBytes = 4 << 20
)

var weighedKey = []byte("w|")

func weightKey(epk []byte) []byte {
	return append(append(make([]byte, 0, 2+len(epk)), 'W', '|'), epk...)
}

// isWeight tells whether the key is that of a count, which every write to its logical partition changes.
func isWeight(key []byte) bool { return len(key) > 2 && key[0] == 'W' && key[1] == '|' }

// atFirst is how a new range is weighed.
func (l Limits) atFirst() byte {
	if l.Partition != 0 && l.Partition <= smallPartition {
		return weighed
	}
	return unweighed
}

// resize notes that a document's text had size was, and has size now. A logical partition that grows beyond its limit: a 403 fault.
func (t *transaction) resize(epk []byte, number uint64, was, now int) error {
	t.record.bytes += uint64(now) - uint64(was)
	if t.record.weight == unweighed {
		return nil
	}
	if t.record.weight == weighing {
		upTo, err := t.tx.Get(weighedKey)
		if err != nil || bytes.Compare(docKey(epk, number), upTo) > 0 {
			return err // is counted later
		}
	}
	sum, err := addWeight(t.tx, epk, uint64(now)-uint64(was))
	if err == nil && t.partition != 0 && now > was && sum > t.partition && t.record.status == active {
		err = errPartitionFull(t.partition)
	}
	return err
}

func addWeight(tx store.Tx, epk []byte, more uint64) (sum uint64, err error) {
	key := weightKey(epk)
	b, err := tx.Get(key)
	if err != nil {
		return 0, err
	}
	if len(b) == 8 {
		sum = binary.BigEndian.Uint64(b)
	}
	if sum += more; sum == 0 {
		return 0, tx.Delete(key)
	}
	return sum, tx.Put(key, binary.BigEndian.AppendUint64(make([]byte, 0, 8), sum))
}

// errPartitionFull is what the service answers, with the sub-status that its clients know.
func errPartitionFull(limit uint64) *fault.Error {
	size := fmt.Sprintf("%d GB", limit>>30)
	if limit < smallPartition {
		size = fmt.Sprintf("%d bytes", limit)
	}
	f := fault.New(fault.Forbidden, "Forbidden", "Partition key reached maximum size of %s. Learn more: https://aka.ms/CosmosDB/sql/errors/full-pk", size)
	f.Substatus = 1014
	return f
}

// Weigh counts what each logical partition of the range holds, if the range holds so much that one might come to its limit, and that is not done yet. It
// may be stopped and started anew at any point.
func (s *Store) Weigh(ctx context.Context, r Range) error {
	if s.Limits.Partition == 0 {
		return nil
	}
	rec, err := s.rangeRecord(ctx, r)
	if err != nil || rec.weight == weighed || rec.weight == unweighed && rec.bytes <= s.Limits.Partition/2 {
		return err
	}
	for more := true; more; {
		err = s.amend(ctx, r, func(tx store.Tx, rec *rangeRecord) (err error) {
			more = false
			switch {
			case rec.status != active:
				return ErrNoRange
			case rec.weight == weighed:
				return nil
			}
			rec.weight = weighing
			if more, err = weighStep(tx); err == nil && !more {
				rec.weight = weighed
				err = tx.Delete(weighedKey)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// weighStep counts some documents, and tells whether there are more.
func weighStep(tx store.Tx) (more bool, err error) {
	from := store.Prefix([]byte("D|"))
	upTo, err := tx.Get(weighedKey)
	if err != nil {
		return false, err
	}
	if upTo != nil {
		from.Start = append(bytes.Clone(upTo), 0)
	}
	sums := map[string]uint64{}
	var last []byte
	var bad error
	n, size := 0, 0
	err = tx.Scan(from, func(key, value []byte) bool {
		if more = n == weighRows || size > weighBytes; more {
			return false
		}
		_, text, err := decodeDocument(value)
		if err != nil {
			bad = err
			return false
		}
		n, size, last = n+1, size+len(value), append(last[:0], key...)
		sums[string(key[2:len(key)-numberSize])] += uint64(len(text))
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil || last == nil {
		return false, err
	}
	for epk, sum := range sums {
		if _, err := addWeight(tx, []byte(epk), sum); err != nil {
			return false, err
		}
	}
	return more, tx.Put(weighedKey, last)
}

// rangeRecord reads the range's record.
func (s *Store) rangeRecord(ctx context.Context, r Range) (rec rangeRecord, err error) {
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		b, err := sn.Get(rangeKey)
		switch {
		case err != nil:
			return err
		case b == nil:
			return ErrNoRange
		}
		rec, err = decodeRange(b)
		return err
	})
	return rec, err
}

// Ends are the EPKs of the first and the last document, in their order; "" if there is none.
func (s *Store) Ends(ctx context.Context, r Range) (first, last string, err error) {
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		first, last = "", ""
		for _, end := range []struct {
			epk     *string
			reverse bool
		}{{&first, false}, {&last, true}} {
			within := store.Prefix([]byte("D|"))
			within.Reverse = end.reverse
			if err := sn.Scan(within, func(key, _ []byte) bool {
				*end.epk = strings.ToUpper(hex.EncodeToString(key[2 : len(key)-numberSize]))
				return false
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return first, last, err
}
