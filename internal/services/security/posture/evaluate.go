package posture

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// judged is a verdict with since when it stands.
type judged struct {
	assess.Verdict
	standing
}

// guid names what belongs to some strings: the same ones give the same.
func guid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(parts, "|"))))
	var b [16]byte
	copy(b[:], sum[:])
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8: made of a hash of one's own
	return ids.Format(b)
}

// state reads what is judged.
func (s *Service) state(ctx context.Context, subscription string) (*assess.State, error) {
	st := &assess.State{Subscription: subscription, Now: s.deps.Clock.Now(), Limits: s.deps.Limits, Keys: map[string][]assess.Key{}}
	var err error
	if st.Resources, err = s.deps.Inventory.Inventory(ctx, subscription); err != nil {
		return nil, err
	}
	if st.Grants, err = s.deps.Inventory.Grants(ctx, subscription); err != nil {
		return nil, err
	}
	if s.deps.Keys != nil {
		for _, r := range st.Resources {
			if !strings.EqualFold(r.Type, "Microsoft.DocumentDB/databaseAccounts") {
				continue
			}
			if st.Keys[strings.ToLower(r.ID)], err = s.deps.Keys(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	if s.deps.Machines != nil {
		if st.Machines, err = s.deps.Machines(ctx, subscription); err != nil {
			return nil, err
		}
	}
	if s.deps.Usage != nil {
		if st.UsedSince, err = s.deps.Usage.Since(ctx); err != nil {
			return nil, err
		}
		st.Used, err = s.deps.Usage.Last(ctx, assess.Principals(st.Resources))
	}
	return st, err
}

// evaluate judges a subscription as it is now, and notes which verdicts are new.
func (s *Service) evaluate(ctx context.Context, subscription string) ([]judged, *assess.State, error) {
	st, err := s.state(ctx, subscription)
	if err != nil {
		return nil, nil, err
	}
	verdicts := assess.Evaluate(st)
	have, err := loadAll(ctx, s.deps.Store, postureShard(subscription), []byte(tagVerdict), verdictCodec)
	if err != nil {
		return nil, nil, err
	}
	out := make([]judged, 0, len(verdicts))
	var fresh []change
	for _, v := range verdicts {
		j := judged{v, standing{Code: v.Code, First: st.Now, Changed: st.Now}}
		key := verdictKey(v.Resource.ID, v.Check.Name)
		was, known := have[string(key[len(tagVerdict):])]
		delete(have, string(key[len(tagVerdict):]))
		if known {
			j.First, j.Fault = was.First, was.Fault
		}
		if known && was.Code == v.Code {
			j.standing = was
		} else {
			if v.Code == assess.Unhealthy {
				j.Fault = st.Now
			}
			fresh = append(fresh, change{key: key, now: &j})
		}
		out = append(out, j)
	}
	for gone := range have {
		fresh = append(fresh, change{key: []byte(tagVerdict + gone)})
	}
	if len(fresh) == 0 {
		return out, st, nil
	}
	err = s.note(ctx, subscription, st, fresh)
	if store.IsFull(err) {
		err = nil // it is judged all the same; since when, the next call notes
	}
	return out, st, err
}

// change is a verdict that is new, or one that is gone.
type change struct {
	key []byte
	now *judged // nil: gone
}

// note keeps changes, with the events for whom they concern.
func (s *Service) note(ctx context.Context, subscription string, st *assess.State, changes []change) error {
	shard := postureShard(subscription)
	rows := make([][]byte, len(changes))
	var events []Event
	heard := wants(st.Resources, SourceAssessments)
	for i, c := range changes {
		if c.now == nil {
			continue
		}
		var err error
		if rows[i], err = verdictCodec.Encode(c.now.standing); err != nil {
			return err
		}
		if heard && c.now.Verdict.Code != assess.NotApplicable {
			events = append(events, c.now.event(subscription))
		}
	}
	_, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		for i, c := range changes {
			if rows[i] == nil {
				if err := tx.Delete(c.key); err != nil {
					return err
				}
				continue
			}
			if err := tx.Put(c.key, rows[i]); err != nil {
				return err
			}
		}
		for _, e := range events {
			if err := Notify(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(events) == 0 {
		return err
	}
	return s.deps.Outbox.Drain(ctx, shard)
}

// event tells automations of a verdict.
func (j *judged) event(subscription string) Event {
	id := assessmentID(j.Resource.ID, j.Check.Name)
	return Event{
		ID: guid(id, string(j.Verdict.Code), j.Changed.Format(time.RFC3339Nano)), Source: SourceAssessments, Subscription: subscription, Resource: j.Resource.ID, Time: j.Changed,
		Body: raw(map[string]any{
			"id": id, "name": j.Check.Name, "type": assessmentTypeName, "properties": j.properties(newestAssessment, true),
		}),
	}
}

const watchEvery = 5 * time.Minute

// watch judges every subscription, so that what changes is noticed when nobody asks.
func (s *Service) watch(ctx context.Context) {
	subs, err := s.deps.Inventory.Subscriptions(ctx)
	for _, sub := range subs {
		if _, _, e := s.evaluate(ctx, sub); e != nil {
			err = e
		}
	}
	if err != nil && ctx.Err() == nil {
		s.deps.Log.Warn("security posture not judged", "error", err)
	}
}

// below keeps what is at or below a scope.
func below(all []judged, scope string) []judged {
	out := all[:0:0]
	for _, j := range all {
		if within(j.Resource.ID, scope) {
			out = append(out, j)
		}
	}
	return out
}

// scopeOf is what an extension call is about.
func scopeOf(c *arm.Call) string {
	if c.ID.Extension {
		return c.ID.Scope
	}
	if c.ID.ResourceGroup != "" {
		return "/subscriptions/" + c.ID.Subscription + "/resourceGroups/" + c.ID.ResourceGroup
	}
	return "/subscriptions/" + c.ID.Subscription
}
