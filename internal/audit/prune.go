package audit

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	retention  = 90 * 24 * time.Hour
	pruneEvery = 6 * time.Hour
	pruneStep  = 1000 // keys removed in one transaction
	guidLen    = 36
)

// prune removes records older than the retention, in steps.
func (l *Log) prune(ctx context.Context) error {
	limit := uint64(l.clock.Now().Add(-retention).UnixNano())
	for n := range shards {
		var from []byte
		for more := true; more; {
			var old [][]byte
			var err error
			if old, from, err = l.oldKeys(ctx, shardName(n), from, limit); err != nil {
				return err
			}
			more = from != nil
			if len(old) == 0 {
				continue
			}
			_, err = l.st.Update(ctx, shardName(n), func(tx store.Tx) error {
				for _, k := range old {
					if err := tx.Delete(k); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// oldKeys returns up to pruneStep keys from start on whose time is before limit, and where to go on (nil at the end).
func (l *Log) oldKeys(ctx context.Context, shard string, start []byte, limit uint64) (old [][]byte, next []byte, err error) {
	const scanned = 10 * pruneStep
	err = l.st.View(ctx, shard, func(s store.Snapshot) error {
		old, next = nil, nil
		count := 0
		return s.Scan(store.Range{Start: start}, func(k, _ []byte) bool {
			if count == scanned || len(old) == pruneStep {
				next = append([]byte(nil), k...)
				return false
			}
			count++
			if len(k) >= 2+guidLen+8 && binary.BigEndian.Uint64(k[2+guidLen:]) < limit {
				old = append(old, append([]byte(nil), k...))
			}
			return true
		})
	})
	return old, next, err
}
