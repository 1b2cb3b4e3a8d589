package alerts

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// keptChanges is how many changes of rules a shard tells of before the older ones are forgotten.
const keptChanges = 1000

// changedKey is the key that tells of a change by the transaction of that LSN. A transaction changes one rule.
func changedKey(lsn int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(keyChanged), uint64(lsn)) //nolint:gosec // LSNs are not negative
}

// follow makes the rules those of a version: it reads the ones that were changed since, or all if they were not read yet.
func (e *engine) follow(ctx context.Context, w *watched, version int64) error {
	guids, told, err := e.changed(ctx, w, version)
	if err != nil {
		return err
	}
	if !told {
		rules, log, err := e.s.loadRules(ctx, w.sub)
		if err != nil {
			return err
		}
		w.take(rules)
		w.log, w.version, w.stray = log, version, 0
		return e.forget(ctx, w, version)
	}
	for guid := range guids {
		id, err := get(ctx, e.s.deps.Store, subShard(w.sub), []byte(keyRule+guid), ruleCodec)
		if err != nil {
			return err
		}
		var rule *compiled
		var log *activityRule
		if id != nil {
			if rule, log, err = e.s.loadRule(ctx, *id); err != nil {
				return err
			}
		}
		w.put(guid, rule, log)
	}
	if w.version, w.changes = version, w.changes+len(guids); w.changes < keptChanges {
		return nil
	}
	return e.forget(ctx, w, version)
}

// changed gives the GUIDs of the rules that were changed after the version that is known; told is false if the shard doesn't tell of all.
func (e *engine) changed(ctx context.Context, w *watched, version int64) (guids map[string]bool, told bool, err error) {
	if w.version == 0 {
		return nil, false, nil
	}
	var floor []byte
	span := store.Range{Start: changedKey(w.version + 1), End: changedKey(version + 1)}
	err = e.s.deps.Store.View(ctx, subShard(w.sub), func(s store.Snapshot) (err error) {
		guids = map[string]bool{}
		if floor, err = s.Get([]byte(keyForgot)); err != nil {
			return err
		}
		floor = bytes.Clone(floor)
		return s.Scan(span, func(_, v []byte) bool { guids[string(v)] = true; return true })
	})
	if err != nil {
		return nil, false, err
	}
	var forgotten int64
	if floor != nil {
		if forgotten, err = sliceCodec.Decode(floor); err != nil {
			return nil, false, err
		}
	}
	return guids, forgotten <= w.version && len(guids) > 0, nil
}

// forget removes what the shard tells of changes up to a version.
func (e *engine) forget(ctx context.Context, w *watched, version int64) error {
	floor, err := sliceCodec.Encode(version)
	if err != nil {
		return err
	}
	start, end := []byte(keyChanged), changedKey(version+1)
	for {
		more := false
		_, err := e.s.deps.Store.Update(ctx, subShard(w.sub), func(tx store.Tx) error {
			var keys [][]byte
			more = false
			if err := tx.Scan(store.Range{Start: start, End: end}, func(k, _ []byte) bool {
				if len(keys) == keptChanges {
					more = true
					return false
				}
				keys = append(keys, bytes.Clone(k))
				return true
			}); err != nil || len(keys) == 0 {
				return err
			}
			for _, k := range keys {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			return tx.Put([]byte(keyForgot), floor)
		})
		if err != nil {
			return fmt.Errorf("forget changes of rules: %w", err)
		}
		if !more {
			w.changes = 0
			return nil
		}
	}
}

// put makes a rule, nil for none, the one of its GUID.
func (w *watched) put(guid string, rule *compiled, log *activityRule) {
	w.log = slices.DeleteFunc(w.log, func(a *activityRule) bool { return a.resource.GUID == guid })
	if log != nil {
		w.log = append(w.log, log)
		slices.SortFunc(w.log, func(a, b *activityRule) int { return strings.Compare(a.resource.GUID, b.resource.GUID) })
	}
	list := &w.rules[sliceOf(guid)]
	i, have := slices.BinarySearchFunc(*list, guid, func(r *compiled, guid string) int { return strings.Compare(r.resource.GUID, guid) })
	switch {
	case have && rule != nil:
		(*list)[i] = rule
	case have:
		*list = slices.Delete(*list, i, i+1)
	case rule != nil:
		*list = slices.Insert(*list, i, rule)
	}
	if rule == nil {
		return
	}
	// Once many have texts of their own, they are put together with all others.
	all := 0
	for _, list := range w.rules {
		all += len(list)
	}
	if w.stray++; w.stray > 1000 && w.stray > all/4 {
		w.take(slices.Concat(w.rules[:]...))
		w.stray = 0
	}
}

// loadRules reads the rules of a subscription that are turned on.
func (s *Service) loadRules(ctx context.Context, sub string) (rules []*compiled, log []*activityRule, err error) {
	_, ruleIDs, err := all(ctx, s.deps.Store, subShard(sub), keyRule, ruleCodec)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ruleIDs {
		rule, act, err := s.loadRule(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if act != nil {
			log = append(log, act)
		}
		if rule != nil {
			rules = append(rules, rule)
		}
	}
	return rules, log, nil
}

// loadRule reads a rule, which is one of the two kinds; none if it is gone or turned off.
func (s *Service) loadRule(ctx context.Context, id string) (*compiled, *activityRule, error) {
	r, _, err := s.deps.Resources.Resource(ctx, id)
	if err != nil || r == nil {
		return nil, nil, err
	}
	s.engine.compilations++
	if strings.EqualFold(r.Type, activityAlertName) {
		a, err := compileActivity(r)
		return nil, a, err
	}
	c, err := s.compile(r)
	if err != nil {
		return nil, nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return c, nil, nil
}

// compile makes a stored rule one that can be judged; nil if it is turned off.
func (s *Service) compile(r *arm.Resource) (*compiled, error) {
	if strings.EqualFold(r.Type, classicName) {
		return s.compileClassic(r)
	}
	return compileMetricAlert(r)
}
