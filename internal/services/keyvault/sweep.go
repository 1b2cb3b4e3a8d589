package keyvault

import (
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// due is one soft-deleted object whose time has come.
type due struct {
	at   int64
	kind byte
	mac  []byte
}

const sweepObjects = 200 // in one transaction

// Sweep purges every soft-deleted object whose scheduled purge date has passed, rotates keys and renews certificates that are due, and tells of those near
// their expiry. It runs by itself in the background; tests that move the clock call it.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.deps.Clock.Now().Unix()
	err := store.EachShard(ctx, s.deps.Store, shardOf(""), func(shard string) error {
		for _, work := range []func(context.Context, string, int64) error{s.sweepShard, s.setTimers, s.dueTimers, s.pruneEvents} {
			if err := work(ctx, shard, now); err != nil {
				return fmt.Errorf("sweep %s: %w", shard, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.sweepVaults(ctx)
}

func (s *Service) sweepShard(ctx context.Context, shard string, now int64) error {
	for {
		var found []due
		err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
			found = nil
			return sn.Scan(store.Range{Start: []byte{tagPurge, '|'}, End: timeKey(tagPurge, now+1, 0, nil)}, func(k, _ []byte) bool {
				if at, kind, mac, ok := parseTimeKey(k); ok {
					found = append(found, due{at, kind, clone(mac)})
				}
				return len(found) < sweepObjects
			})
		})
		if err != nil || len(found) == 0 {
			return err
		}
		_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
			for _, d := range found {
				// Recovered or purged meanwhile: the entry is gone, and a new deletion has one of its own.
				if there, err := exists(tx, timeKey(tagPurge, d.at, d.kind, d.mac)); err != nil {
					return err
				} else if !there {
					continue
				}
				if err := expunge(tx, d.kind, d.mac, d.at); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(found) < sweepObjects {
			return err
		}
	}
}
