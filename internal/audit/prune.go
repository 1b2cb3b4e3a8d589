package audit

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	retentionDays = 90
	pruneEvery    = 6 * time.Hour
)

// prune removes the records of days that are past the retention.
func (l *Log) prune(ctx context.Context) error {
	last := dayOf(l.clock.Now()) - retentionDays
	end := time.Unix(int64(last)*24*60*60, 0)
	blocks := binary.BigEndian.AppendUint64([]byte("B|"), uint64(end.UnixNano()))
	index, vaults := binary.BigEndian.AppendUint32([]byte("I|"), last), binary.BigEndian.AppendUint32([]byte(vaultTag), last)
	for n := range shards {
		_, err := l.st.Update(ctx, shardName(n), func(tx store.Tx) error {
			for _, r := range []store.Range{{Start: []byte("B|"), End: blocks}, {Start: []byte("I|"), End: index}, {Start: []byte(vaultTag), End: vaults}} {
				some := false
				if err := tx.Scan(r, func(_, _ []byte) bool { some = true; return false }); err != nil {
					return err
				}
				if !some {
					continue
				}
				if err := tx.DeleteRange(r.Start, r.End); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
