package alerts

import (
	"bytes"
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Alerts are kept so long, as on Azure; one that is fired until it is resolved.
const (
	kept       = 30 * 24 * time.Hour
	sweepEvery = time.Hour
	perSweep   = 100              // alerts, or tests, in one transaction
	perRound   = 5                // transactions in one round: rules are judged between them
	settling   = 10 * time.Minute // after a start, or a jump of the clock
	clockJump  = 2 * sweepEvery
)

// sweep is where the removal of old alerts of a subscription stands.
type sweep struct {
	seen  time.Time // the clock at the last look
	due   time.Time
	after []byte // within tagTime; nil: from the first
}

// expire removes alerts that are over and were fired more than 30 days ago, with their histories, and old test notifications: some in each round. After a start and after a jump of the clock it waits ten
// minutes: a clock that is set right meanwhile has cost nothing.
func (e *engine) expire(ctx context.Context, w *watched, now time.Time) error {
	s := &w.sweep
	if d := now.Sub(s.seen); d > clockJump || d < -clockJump {
		*s = sweep{due: now.Add(settling)}
	}
	s.seen = now
	if now.Before(s.due) {
		return nil
	}
	for range perRound {
		n, err := e.expireSome(ctx, w, now.Add(-kept))
		if err != nil {
			return err
		}
		if n == perSweep {
			continue
		}
		s.due, s.after = now.Add(sweepEvery), nil
		return e.expireTests(ctx, w, now.Add(-kept))
	}
	return nil
}

// expireSome looks at the next oldest alerts, and gives how many it looked at.
func (e *engine) expireSome(ctx context.Context, w *watched, until time.Time) (looked int, err error) {
	fired := make(map[string]bool, len(w.states))
	for _, i := range w.states {
		fired[i.Alert] = true
	}
	r := store.Prefix([]byte(tagTime))
	r.End = timeKey(until, "")
	if w.sweep.after != nil {
		r.Start = append(bytes.Clone(w.sweep.after), 0)
	}
	var keys [][]byte
	var ids []string
	err = e.s.deps.Store.View(ctx, shardOf(w.sub), func(snap store.Snapshot) error {
		keys, ids = nil, nil
		return snap.Scan(r, func(k, v []byte) bool {
			keys, ids = append(keys, bytes.Clone(k)), append(ids, string(v))
			return len(keys) < perSweep
		})
	})
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	_, err = e.s.deps.Store.Update(ctx, shardOf(w.sub), func(tx store.Tx) error {
		for i, id := range ids {
			if fired[id] {
				continue
			}
			history := store.Prefix([]byte(tagHistory + id + "|"))
			if err := tx.DeleteRange(history.Start, history.End); err != nil {
				return err
			}
			for _, key := range [][]byte{keys[i], alertKey(id)} {
				if err := tx.Delete(key); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	w.sweep.after = keys[len(keys)-1]
	return len(keys), nil
}

// expireTests removes test notifications.
func (e *engine) expireTests(ctx context.Context, w *watched, until time.Time) error {
	ids, tests, err := all(ctx, e.s.deps.Store, shardOf(w.sub), tagTest, testCodec)
	if err != nil {
		return err
	}
	var rows []write
	for i := range tests {
		if tests[i].Created.Before(until) && len(rows) < perSweep {
			rows = append(rows, write{key: []byte(tagTest + ids[i])})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err = e.s.deps.Store.Update(ctx, shardOf(w.sub), func(tx store.Tx) error { return commit(tx, rows) })
	return err
}
