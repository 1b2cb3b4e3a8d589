package arm

import (
	"bytes"
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// LogEvent is a record of the activity log, for those who watch it.
type LogEvent struct {
	ID           string
	Time         time.Time
	Operation    string
	ResourceID   string
	ResourceType string
	Group        string
	Caller       string         // object id
	Shown        map[string]any // as the activity log shows it
}

// maxFeed bounds one answer of ActivityLog.
const maxFeed = 5000

// ActivityLog lists the records of a subscription's activity log from a time on, oldest first, at most 5,000 of them. A record's time is that of its request, which may have been committed a
// little later than one with a later time.
func (p *Pipeline) ActivityLog(ctx context.Context, subscription string, from time.Time) ([]LogEvent, error) {
	var rows [][]byte
	r := store.Prefix([]byte(tagLog))
	r.Start = logKey(from)
	err := p.deps.Store.View(ctx, subShard(subscription), func(s store.Snapshot) error {
		rows = nil
		return s.Scan(r, func(_, v []byte) bool {
			rows = append(rows, bytes.Clone(v))
			return len(rows) < maxFeed
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]LogEvent, 0, len(rows))
	for _, row := range rows {
		e, err := eventCodec.Decode(row)
		if err != nil {
			return nil, err
		}
		out = append(out, LogEvent{e.ID, e.Time, e.Operation, e.ResourceID, e.ResourceType, e.Group, e.Caller, e.shown(subscription)})
	}
	return out, nil
}
