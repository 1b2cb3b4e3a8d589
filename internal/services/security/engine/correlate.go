package engine

import (
	"bytes"
	"context"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Correlate finds incidents. It is given the alerts of a subscription, newest first, those of the last weeks and no more than maxCorrelated, incidents among them, and
// returns those that have to be written: incidents that are new (with a name of its choice) or changed, and alerts whose Incident is another now. It is pure; what it
// is given it may change.
type Correlate func(recent []*alerts.Alert) []*alerts.Alert

// maxCorrelated bounds the alerts that correlation looks at.
const maxCorrelated = 2000

// correlate makes the incidents of a subscription be what its alerts say.
func (e *Engine) correlate(ctx context.Context, subscription string) error {
	if e.deps.Correlate == nil {
		return nil
	}
	var rows [][]byte
	return e.change(ctx, subscription, func(s store.Snapshot) error {
		rows = nil
		return s.Scan(alerts.Records(), func(_, v []byte) bool {
			rows = append(rows, bytes.Clone(v))
			return len(rows) < maxCorrelated
		})
	}, func(p *page) error {
		recent := make([]*alerts.Alert, len(rows))
		for i, b := range rows {
			a, err := alerts.Record.Decode(b)
			if err != nil {
				return err
			}
			recent[i] = &a
		}
		for _, a := range e.deps.Correlate(recent) {
			if err := p.alert(a); err != nil {
				return err
			}
		}
		return nil
	})
}
