package engine

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	// Retention is how long an alert is kept after it was last added to, as in Azure.
	Retention   = 90 * 24 * time.Hour
	upkeepEvery = time.Hour
	perStep     = 200 // alerts looked at, and removed, at once
)

// Run removes old alerts now and then, and tells of incidents that grew, until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	tick, tell := time.NewTicker(upkeepEvery), time.NewTicker(updateEvery)
	defer tick.Stop()
	defer tell.Stop()
	work, what := e.Upkeep, "old alerts not removed"
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			e.deps.Log.Error(what, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			work, what = e.Upkeep, "old alerts not removed"
		case <-tell.C:
			work, what = e.TellUpdates, "incidents that grew not told of"
		}
	}
}

// Upkeep removes the alerts of all subscriptions that are older than Retention.
func (e *Engine) Upkeep(ctx context.Context) error {
	shards, err := e.deps.Store.Shards(ctx, alerts.Shard(""), "", 0)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if err := e.expire(ctx, strings.TrimPrefix(shard, alerts.Shard(""))); err != nil {
			return err
		}
	}
	return nil
}

// expire looks at a subscription's alerts from the oldest on.
func (e *Engine) expire(ctx context.Context, subscription string) error {
	limit := e.deps.Clock.Now().Add(-Retention)
	for end := alerts.Records().End; ; {
		var records [][]byte
		var latest map[string][]byte
		removed := 0
		err := e.change(ctx, subscription, func(s store.Snapshot) error {
			records, latest = nil, map[string][]byte{}
			err := s.Scan(store.Range{Start: alerts.Records().Start, End: end, Reverse: true}, func(_, v []byte) bool {
				records = append(records, bytes.Clone(v))
				return len(records) < perStep
			})
			if err != nil {
				return err
			}
			return s.Scan(store.Prefix([]byte("K|")), func(k, v []byte) bool {
				latest[string(k)] = bytes.Clone(v)
				return true
			})
		}, func(p *page) error {
			removed = 0
			for _, b := range records {
				a, err := alerts.Record.Decode(b)
				if err != nil {
					return err
				}
				if a.Last.After(limit) {
					continue
				}
				removed++
				p.remove(a.Name)
				key := latestKey(a.Key)
				if name, _ := decodeName(latest[string(key)]); name == a.Name {
					p.put(key, nil)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		// What was seen for long is named after its beginning: behind ones that stay, older ones may come that go. One step without any is the end.
		if len(records) < perStep || removed == 0 {
			return nil
		}
		last, err := alerts.Record.Decode(records[len(records)-1])
		if err != nil {
			return err
		}
		end = alerts.RecordKey(last.Name)
	}
}
