package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The kinds of outbox rows the engine handles. EffectKind is in machines' shards, the others are written by the API into the subscription's own, in the transaction
// that the activity log is told in.
const (
	EffectKind   = "security.alerts"
	StatusKind   = "security.status"
	SimulateKind = "security.simulate"
)

// StatusChange is the payload of StatusKind.
type StatusChange struct {
	Subscription string        `json:"subscription"`
	Name         string        `json:"name"`
	Status       alerts.Status `json:"status"`
}

// Simulation is the payload of SimulateKind: alerts to make, once.
type Simulation struct {
	Subscription string         `json:"subscription"`
	ID           string         `json:"id"` // GUID
	Alerts       []alerts.Alert `json:"alerts"`
}

// OutboxHandlers are the handlers of the rows.
func (e *Engine) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{
		EffectKind: func(ctx context.Context, _ string, payload []byte) error {
			f, err := effectCodec.Decode(payload)
			if err != nil {
				return err
			}
			return e.applyEffect(ctx, &f)
		},
		StatusKind: func(ctx context.Context, _ string, payload []byte) error {
			var c StatusChange
			if err := json.Unmarshal(payload, &c); err != nil {
				return err
			}
			return e.setStatus(ctx, c)
		},
		ReportKind: func(ctx context.Context, _ string, payload []byte) error { return e.reported(ctx, payload) },
		SimulateKind: func(ctx context.Context, _ string, payload []byte) error {
			var s Simulation
			if err := json.Unmarshal(payload, &s); err != nil {
				return err
			}
			return e.simulate(ctx, &s)
		},
	}
}

// shelf is what was read of a shard for alerts that are to be entered.
type shelf struct {
	rules  [][]byte
	latest [][]byte // by the place of the alert: the record that its Key names, or nil
}

func (x *shelf) read(s store.Snapshot, entered []alerts.Alert) error {
	x.rules, x.latest = nil, make([][]byte, len(entered))
	err := s.Scan(store.Prefix([]byte("R|")), func(_, v []byte) bool {
		x.rules = append(x.rules, bytes.Clone(v))
		return true
	})
	if err != nil {
		return err
	}
	for i := range entered {
		b, err := s.Get(latestKey(entered[i].Key))
		if err != nil {
			return err
		}
		name, ok := decodeName(b)
		if !ok {
			continue
		}
		record, err := s.Get(alerts.RecordKey(name))
		if err != nil {
			return err
		}
		x.latest[i] = bytes.Clone(record)
	}
	return nil
}

// enter adds alerts to those they repeat, or as new ones.
func (x *shelf) enter(e *Engine, p *page, entered []alerts.Alert) error {
	now := e.deps.Clock.Now()
	rules := make([]Rule, len(x.rules))
	for i, b := range x.rules {
		var err error
		if rules[i], err = ruleCodec.Decode(b); err != nil {
			return err
		}
	}
	for i := range entered {
		fresh := entered[i]
		if x.latest[i] != nil {
			have, err := alerts.Record.Decode(x.latest[i])
			if err != nil {
				return err
			}
			if have.Repeats(fresh.First) {
				addLosses(&fresh, &have)
				have.Merge(&fresh)
				have.Processed = now
				p.entered = append(p.entered, &have)
				if err := p.alert(&have); err != nil {
					return err
				}
				continue
			}
		}
		suppress(&fresh, rules, now)
		p.entered = append(p.entered, &fresh)
		if err := e.fresh(p, &fresh); err != nil {
			return err
		}
		p.put(latestKey(fresh.Key), encodeName(fresh.Name))
	}
	return nil
}

// applyEffect enters what a batch gave, once.
func (e *Engine) applyEffect(ctx context.Context, f *effect) error {
	var mark []byte
	var x shelf
	err := e.change(ctx, f.Subscription, func(s store.Snapshot) error {
		b, err := s.Get(appliedKey(f.GUID))
		if err != nil {
			return err
		}
		mark = bytes.Clone(b)
		return x.read(s, f.Alerts)
	}, func(p *page) error {
		if mark != nil {
			at, err := appliedCodec.Decode(mark)
			if err != nil {
				return err
			}
			if at.covers(f) {
				return nil
			}
		}
		row, err := appliedCodec.Encode(applied{f.Seq, f.Part})
		if err != nil {
			return err
		}
		p.put(appliedKey(f.GUID), row)
		return x.enter(e, p, f.Alerts)
	})
	if err != nil {
		return fmt.Errorf("alerts of batch %d: %w", f.Seq, err)
	}
	return nil
}

// setStatus makes what people decided so. An alert that is no more needs nothing.
func (e *Engine) setStatus(ctx context.Context, c StatusChange) error {
	var record []byte
	return e.change(ctx, c.Subscription, func(s store.Snapshot) error {
		b, err := s.Get(alerts.RecordKey(c.Name))
		record = bytes.Clone(b)
		return err
	}, func(p *page) error {
		if record == nil {
			return nil
		}
		a, err := alerts.Record.Decode(record)
		if err != nil || a.Status == c.Status {
			return err
		}
		a.Status, a.Suppressed = c.Status, ""
		return p.alert(&a)
	})
}

// simulate makes alerts of which nothing happened, once.
func (e *Engine) simulate(ctx context.Context, sim *Simulation) error {
	var done bool
	var x shelf
	key := []byte("T|" + sim.ID)
	return e.change(ctx, sim.Subscription, func(s store.Snapshot) error {
		b, err := s.Get(key)
		if err != nil {
			return err
		}
		done = b != nil
		return x.read(s, sim.Alerts)
	}, func(p *page) error {
		if done {
			return nil
		}
		p.put(key, []byte{'T', 1})
		return x.enter(e, p, sim.Alerts)
	})
}

// Simulated reports whether a simulation was done.
func (e *Engine) Simulated(ctx context.Context, subscription, id string) (done bool, err error) {
	err = e.deps.Store.View(ctx, alerts.Shard(subscription), func(s store.Snapshot) error {
		b, err := s.Get([]byte("T|" + id))
		done = b != nil
		return err
	})
	return done, err
}

// PutRule makes a suppression rule hold for alerts to come.
func (e *Engine) PutRule(ctx context.Context, subscription string, r Rule) error {
	b, err := ruleCodec.Encode(r)
	if err != nil {
		return err
	}
	return e.writeRule(ctx, subscription, r.Name, b)
}

// RemoveRule ends one.
func (e *Engine) RemoveRule(ctx context.Context, subscription, name string) error {
	return e.writeRule(ctx, subscription, name, nil)
}

func (e *Engine) writeRule(ctx context.Context, subscription, name string, record []byte) error {
	key := []byte("R|" + name)
	return e.change(ctx, subscription, func(store.Snapshot) error { return nil }, func(p *page) error {
		p.put(key, record)
		return nil
	})
}
