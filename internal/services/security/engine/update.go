package engine

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// UpdateAfter is how long after an incident has grown people are told of it: what comes meanwhile is told with it. So an intrusion that goes on for hours is told of now and then.
const UpdateAfter = 15 * time.Minute

const updateEvery = time.Minute // how often it is looked for incidents of which it is time to tell

// Why is what became of an incident.
type Why string

// The reasons to tell.
const (
	Began    Why = "" // also of an alert
	Reopened Why = "reopened"
	Grown    Why = "grown"
)

// Notice is why people are told of an alert or incident.
type Notice struct {
	ID   string // stable: who is told twice sees by it that it is the same
	Why  Why
	Time time.Time
}

// grown is an incident that people are to be told of.
type grown struct {
	Due time.Time `json:"due"`
}

var grownCodec = store.Codec[grown]{Kind: 'U', Version: 1}

func updateKey(incident string) []byte { return []byte("U|" + incident) }

// notify leaves the telling of an alert that asks for attention to the transaction that writes a page.
func (e *Engine) notify(p *page, a *alerts.Alert, n Notice) error {
	if e.deps.Notify == nil || !a.Status.Open() {
		return nil
	}
	tell, err := e.deps.Notify(a, n)
	if err != nil {
		return fmt.Errorf("tell of alert %s: %w", a.Name, err)
	}
	if tell != nil {
		p.tell = append(p.tell, tell)
	}
	return nil
}

// standing is what an incident was before a change.
type standing struct {
	status  alerts.Status
	members int
}

// changed tells what a change of an incident is worth: one that is open again at once, one that grew later.
func (e *Engine) changed(p *page, was standing, a *alerts.Alert, pending bool) error {
	switch {
	case e.deps.Notify == nil || !a.Status.Open():
	case !was.status.Open():
		if pending {
			p.put(updateKey(a.Name), nil)
		}
		return e.notify(p, a, Notice{fmt.Sprintf("%s|%s|%d", a.Name, Reopened, len(a.Members)), Reopened, e.deps.Clock.Now()})
	case len(a.Members) > was.members && !pending:
		row, err := grownCodec.Encode(grown{e.deps.Clock.Now().Add(UpdateAfter)})
		if err != nil {
			return err
		}
		p.put(updateKey(a.Name), row)
	}
	return nil
}

// updates are the incidents of a snapshot that people are to be told of, with their rows.
func updates(s store.Snapshot) (rows map[string][]byte, err error) {
	rows = map[string][]byte{}
	prefix := updateKey("")
	err = s.Scan(store.Prefix(prefix), func(k, v []byte) bool {
		rows[string(k[len(prefix):])] = bytes.Clone(v)
		return true
	})
	return rows, err
}

// TellUpdates tells of the incidents that grew, of which it is time. Run does it each minute.
func (e *Engine) TellUpdates(ctx context.Context) error {
	shards, err := e.deps.Store.Shards(ctx, alerts.Shard(""), "", 0)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		var rows map[string][]byte
		if err := e.deps.Store.View(ctx, shard, func(s store.Snapshot) (err error) { rows, err = updates(s); return err }); err != nil {
			return err
		}
		for name, row := range rows {
			due, err := grownCodec.Decode(row)
			if err != nil {
				return err
			}
			if due.Due.After(e.deps.Clock.Now()) {
				continue
			}
			if err := e.tellUpdate(ctx, strings.TrimPrefix(shard, alerts.Shard("")), name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) tellUpdate(ctx context.Context, subscription, name string) error {
	var row, record []byte
	return e.change(ctx, subscription, func(s store.Snapshot) error {
		b, err := s.Get(updateKey(name))
		if err != nil {
			return err
		}
		row = bytes.Clone(b)
		if b, err = s.Get(alerts.RecordKey(name)); err != nil {
			return err
		}
		record = bytes.Clone(b)
		return nil
	}, func(p *page) error {
		if row == nil {
			return nil // another process told it
		}
		p.put(updateKey(name), nil)
		if record == nil {
			return nil
		}
		a, err := alerts.Record.Decode(record)
		if err != nil {
			return err
		}
		return e.notify(p, &a, Notice{fmt.Sprintf("%s|%s|%d", a.Name, Grown, len(a.Members)), Grown, e.deps.Clock.Now()})
	})
}
