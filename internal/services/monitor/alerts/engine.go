package alerts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	sliceCount = 8                      // rules are judged in so many parts, by their id
	settles    = time.Second            // after a minute is over, before it is judged
	between    = 150 * time.Millisecond // one slice and the next
	every      = between

	perCommit = 500 // transitions in one transaction
)

// engine judges the rules of all subscriptions. Its rounds are made by one goroutine.
type engine struct {
	s *Service

	mu   sync.Mutex
	subs map[string]*watched // by folded id

	compilations int // of rules, ever
}

// watched is a subscription's rules and what is known of them.
type watched struct {
	sub     string
	version int64                   // of rules; 0: not read yet
	stray   int                     // rules taken one by one, whose texts are their own
	changes int                     // that the shard still tells of
	rules   [sliceCount][]*compiled // by slice, in the order of their GUIDs
	log     []*activityRule
	// what its shard holds; nil: not read yet
	slices   map[int]int64
	states   map[string]*instance // by rule and instance
	fired    map[string]int       // of states, by rule
	cursor   time.Time            // of the activity log
	inBox    bool                 // there may be rows in the outbox
	skipping map[string]string    // rules that could not be judged, and why: said once
	bands    []*alerting.Bands    // by worker
	looked   int64                // minute the activity log was looked at
	sweep    sweep
}

func newEngine(s *Service) *engine { return &engine{s: s, subs: map[string]*watched{}} }

// run judges and delivers until ctx ends.
func (s *Service) run(ctx context.Context) error {
	var busy sync.WaitGroup
	defer busy.Wait()
	busy.Go(func() { _ = s.queue.Run(ctx) })
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last int64
	for {
		// Rounds are needed only while a slice of the minute is still to come, and when a minute begins.
		now := s.deps.Clock.Now()
		if m := now.UnixNano() / int64(every); m != last {
			last = m
			if err := s.engine.round(ctx, now); err != nil && ctx.Err() == nil {
				s.deps.Log.Error("alert rules could not be judged; it is tried again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round judges what is due at a time.
func (e *engine) round(ctx context.Context, now time.Time) error {
	if now.Sub(now.Truncate(time.Minute)) > settles+(sliceCount+20)*between && !e.behind(now) {
		return nil
	}
	subs, err := e.s.deps.Inventory.Subscriptions(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, sub := range subs {
		if err := e.subscription(ctx, fold(sub), now); err != nil {
			failures = append(failures, fmt.Errorf("subscription %s: %w", sub, err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(failures...)
}

// behind tells whether anything of an earlier minute was not judged yet.
func (e *engine) behind(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.subs) == 0 {
		return true // the first round
	}
	for _, w := range e.subs {
		if w.inBox || w.slices == nil {
			return true
		}
		for _, at := range w.slices {
			if at < minuteOf(now) {
				return true
			}
		}
	}
	return false
}

func (e *engine) subscription(ctx context.Context, sub string, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.subs[sub]
	if w == nil {
		w = &watched{sub: sub, skipping: map[string]string{}}
		e.subs[sub] = w
	}
	if err := e.load(ctx, w); err != nil {
		return err
	}
	for i := range sliceCount {
		target := minuteOf(now.Add(-settles - time.Duration(i)*between))
		if err := e.slice(ctx, w, i, target); err != nil {
			return err
		}
	}
	if err := e.activity(ctx, w, now); err != nil {
		return err
	}
	if err := e.expire(ctx, w, now); err != nil {
		return err
	}
	if w.inBox {
		if err := e.s.deps.Outbox.Drain(ctx, shardOf(sub)); err != nil {
			return fmt.Errorf("notifications wait: %w", err)
		}
		w.inBox = false
	}
	return nil
}

// load reads the rules if they changed, and the states if they were not read yet.
func (e *engine) load(ctx context.Context, w *watched) error {
	var version []byte
	err := e.s.deps.Store.View(ctx, subShard(w.sub), func(s store.Snapshot) (err error) {
		version, err = s.Get([]byte(keyVersion))
		return err
	})
	if err != nil {
		return err
	}
	if w.slices == nil {
		if err := e.loadStates(ctx, w); err != nil {
			return err
		}
	}
	if version == nil {
		return nil // there never was a rule
	}
	v, err := sliceCodec.Decode(version)
	if err != nil || v == w.version {
		return err
	}
	return e.follow(ctx, w, v)
}

func (e *engine) loadStates(ctx context.Context, w *watched) error {
	keys, marks, err := all(ctx, e.s.deps.Store, shardOf(w.sub), tagSlice, sliceCodec)
	if err != nil {
		return err
	}
	_, states, err := all(ctx, e.s.deps.Store, shardOf(w.sub), tagState, stateCodec)
	if err != nil {
		return err
	}
	cursor, err := get(ctx, e.s.deps.Store, shardOf(w.sub), []byte(keyLog), cursorCodec)
	if err != nil {
		return err
	}
	if cursor != nil {
		w.cursor = *cursor
	}
	w.slices, w.states, w.fired, w.inBox = map[int]int64{}, map[string]*instance{}, map[string]int{}, true
	for i, k := range keys {
		var n int
		if _, err := fmt.Sscan(k, &n); err == nil {
			w.slices[n] = marks[i]
		}
	}
	for i := range states {
		w.states[states[i].name()] = &states[i]
		w.fired[states[i].RuleGUID]++
	}
	return nil
}

func (i *instance) name() string { return i.RuleGUID + "|" + i.Key }

// slice judges the minutes of a slice that are due.
func (e *engine) slice(ctx context.Context, w *watched, slice int, target int64) error {
	last := w.slices[slice]
	if last == target {
		return nil
	}
	rules := w.rules[slice]
	if last == 0 && len(rules) == 0 {
		return nil
	}
	from, to, reset := alerting.Ticks(last, target)
	if reset {
		e.s.deps.Log.Warn("the clock went back; alert rules go on from now", "from", timeOf(last), "to", timeOf(target))
		for _, i := range w.states {
			i.State.Last = min(i.State.Last, target-1)
		}
	}
	if len(rules) > 0 && from <= to {
		if err := e.spreadOut(ctx, w, rules); err != nil {
			return err
		}
	}
	for m := from; m <= to; m++ {
		if err := e.minute(ctx, w, slice, rules, m); err != nil {
			return err
		}
	}
	return nil
}

func sliceOf(ruleGUID string) int { return int(alerting.Slot(ruleGUID, sliceCount)) } //nolint:gosec // below 8

// spreadOut finds the resources of rules whose scopes are groups or subscriptions.
func (e *engine) spreadOut(ctx context.Context, w *watched, rules []*compiled) error {
	var have []*arm.Resource
	for _, r := range rules {
		if len(r.scopes) == 0 {
			continue
		}
		if have == nil {
			var err error
			if have, err = e.s.deps.Inventory.Inventory(ctx, w.sub); err != nil {
				return err
			}
		}
		r.Resources = r.Resources[:0:0]
		for _, one := range have {
			if r.covers(one) {
				r.Resources = append(r.Resources, one.ID)
			}
		}
		r.Compile()
	}
	return nil
}

func (r *compiled) covers(one *arm.Resource) bool {
	if !strings.EqualFold(one.Type, r.targetType) || r.region != "" && !strings.EqualFold(plainRegion(r.region), plainRegion(one.Location)) {
		return false
	}
	for _, scope := range r.scopes {
		if strings.HasPrefix(fold(one.ID), scope+"/") {
			return true
		}
	}
	return false
}

func plainRegion(s string) string { return strings.ReplaceAll(s, " ", "") }

// judgement is what an evaluation changed of an instance.
type judgement struct {
	rule       *compiled // nil: the rule is no more
	gone       bool      // the resource is
	before     *instance // nil: it was not fired
	outcome    alerting.Outcome
	key        string
	state      alerting.State
	transition alerting.Transition
}

// minute judges the rules that are due at a minute and commits what changed.
func (e *engine) minute(ctx context.Context, w *watched, slice int, rules []*compiled, minute int64) error {
	changed := w.orphans(slice, minute)
	found, err := e.judge(ctx, w, rules, minute)
	if err != nil {
		return err
	}
	if found, err = e.bereft(ctx, w, slice, found, minute); err != nil {
		return err
	}
	changed = append(changed, found...)
	for {
		n := min(len(changed), perCommit)
		if err := e.commit(ctx, w, slice, changed[:n], minute, n == len(changed)); err != nil {
			return err
		}
		if changed = changed[n:]; len(changed) == 0 {
			break
		}
	}
	w.slices[slice] = minute
	return nil
}

// orphans are fired instances whose rule is gone, turned off, or looks at something else now.
func (w *watched) orphans(slice int, minute int64) (out []judgement) {
	for _, i := range w.states {
		if r := w.rule(slice, i.RuleGUID); sliceOf(i.RuleGUID) != slice || r != nil && r.state.Generation == i.Generation {
			continue
		}
		state := i.State
		state.Fired, state.Healthy, state.Since, state.Last = false, 0, minute, minute
		out = append(out, judgement{before: i, key: i.Key, state: state, transition: alerting.Resolve})
	}
	return out
}

// judge evaluates the rules that are due, on all processors.
func (e *engine) judge(ctx context.Context, w *watched, rules []*compiled, minute int64) ([]judgement, error) {
	workers := min(runtime.GOMAXPROCS(0), max(len(rules), 1))
	for len(w.bands) < workers {
		w.bands = append(w.bands, &alerting.Bands{})
	}
	parts := make([][]judgement, workers)
	skipped := make([]map[string]string, workers)
	failures := make([]error, workers)
	var all sync.WaitGroup
	for n := range workers {
		all.Go(func() {
			ev := alerting.Evaluator{Source: e.s.deps.Source, Bands: w.bands[n]}
			skipped[n] = map[string]string{}
			for j := n * len(rules) / workers; j < (n+1)*len(rules)/workers; j++ {
				r := rules[j]
				if !r.Due(minute) || minute <= r.state.Since {
					continue
				}
				outcomes, err := ev.Evaluate(ctx, &r.Rule, minute)
				if err != nil {
					if tooMany := (alerting.ErrTooMany{}); errors.As(err, &tooMany) {
						skipped[n][r.ID] = err.Error()
						continue
					}
					failures[n] = fmt.Errorf("rule %s at %s: %w", r.ID, timeOf(minute).Format(time.RFC3339), err)
					return
				}
				for k := range outcomes {
					if j, ok := w.step(r, &outcomes[k], minute); ok {
						parts[n] = append(parts[n], j)
					}
				}
			}
		})
	}
	all.Wait()
	var out []judgement
	for n := range workers {
		out = append(out, parts[n]...)
		for id, why := range skipped[n] {
			if w.skipping[id] != why {
				w.skipping[id] = why
				e.s.deps.Log.Error("alert rule is not judged", "rule", id, "why", why)
			}
		}
	}
	return out, errors.Join(failures...)
}

// step makes the state machine's step; ok is false if there is nothing to be stored. It only reads w.
func (w *watched) step(r *compiled, o *alerting.Outcome, minute int64) (j judgement, ok bool) {
	if o.Verdict != alerting.Unhealthy && (len(w.fired) == 0 || w.fired[r.resource.GUID] == 0) {
		return j, false // by far the most
	}
	key := o.Key()
	before := w.states[r.resource.GUID+"|"+key]
	var state alerting.State
	if before != nil {
		state = before.State
	}
	next, transition := state.Step(minute, o.Verdict, r.AutoMitigate)
	if transition == alerting.None && (before == nil || next.Healthy == state.Healthy) {
		return j, false
	}
	kept := *o
	kept.Measured = append([]alerting.Measured(nil), o.Measured...) // the evaluator's own until its next call
	return judgement{rule: r, before: before, outcome: kept, key: key, state: next, transition: transition}, true
}

// commit stores what changed, in one transaction; with the last part of a minute, that the minute was judged.
func (e *engine) commit(ctx context.Context, w *watched, slice int, changed []judgement, minute int64, last bool) error {
	if len(changed) == 0 && minute%checkpointEvery != 0 && w.slices[slice] != 0 && len(w.states) == 0 {
		return nil // nothing is fired: to judge some minutes again costs nothing and changes nothing
	}
	c := change{s: e.s, w: w, minute: minute}
	for i := range changed {
		if err := c.add(ctx, &changed[i]); err != nil {
			return err
		}
	}
	if last {
		mark, err := sliceCodec.Encode(minute)
		if err != nil {
			return err
		}
		c.rows = append(c.rows, write{sliceKey(slice), mark})
	}
	if err := c.commit(ctx); err != nil {
		return err
	}
	c.apply()
	return nil
}

// checkpointEvery is how often it is stored that minutes without a change were judged.
const checkpointEvery = 5
