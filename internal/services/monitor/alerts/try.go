package alerts

import (
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Tried is what a rule would have done in a span of time.
type Tried struct {
	Rule        string     `json:"rule"`
	From        time.Time  `json:"from"`
	To          time.Time  `json:"to"`
	Evaluations int        `json:"evaluations"` // minutes at which the rule was due
	NoData      int        `json:"noData"`      // of which so many found no data at all
	Changes     []TryEvent `json:"changes"`
	Lines       []TryLine  `json:"lines,omitempty"` // where they were asked for
}

// TryEvent is a transition that would have been.
type TryEvent struct {
	At        time.Time `json:"at"`
	Condition string    `json:"condition"`
	Resource  string    `json:"resource"`
	Why       string    `json:"why"` // with the values
}

const (
	maxTry     = 31 * 24 * 60 // minutes of one Try: 31 days
	maxTryWork = 1_000_000    // evaluations of a resource
)

// Try judges a stored rule over data that is stored, as the engine would have, and changes nothing. id is the ARM id of a metric alert or a classic rule, which may be turned off.
func (s *Service) Try(ctx context.Context, id string, from, to time.Time) (*Tried, error) {
	r, _, err := s.deps.Resources.Resource(ctx, id)
	if err != nil {
		return nil, err
	}
	if r == nil || !strings.EqualFold(r.Type, metricAlertName) && !strings.EqualFold(r.Type, classicName) {
		return nil, fault.New(fault.NotFound, "ResourceNotFound", "There is no metric alert '%.300s'.", id)
	}
	rule, err := s.compiledNow(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.try(ctx, rule, from, to, 0)
}

// try judges a rule at each minute of a time at which it is due. points is how many points a line has at the most; 0: no lines are drawn.
func (s *Service) try(ctx context.Context, rule *compiled, from, to time.Time, points int) (*Tried, error) {
	out := &Tried{Rule: rule.ID, From: from.UTC().Truncate(time.Minute), To: to.UTC().Truncate(time.Minute), Changes: []TryEvent{}}
	n := minuteOf(to) - minuteOf(from)
	if n < 0 || n > maxTry {
		return nil, bad("The time to try is from 0 minutes to 31 days long.")
	}
	if work := n / rule.Frequency * int64(len(rule.Resources)); work > maxTryWork {
		return nil, bad("%d evaluations of %d resources are too many to try: choose a shorter time.", n/rule.Frequency, len(rule.Resources))
	}
	states := map[string]alerting.State{}
	ev := alerting.Evaluator{Source: s.deps.Source, Bands: &alerting.Bands{}}
	lines := newTryLines(rule, n/rule.Frequency+1, points)
	for m := minuteOf(from); m <= minuteOf(to); m++ {
		if !rule.Due(m) {
			continue
		}
		found, err := ev.Evaluate(ctx, &rule.Rule, m)
		if err != nil {
			return nil, err
		}
		out.Evaluations++
		data := false
		for i := range found {
			o := &found[i]
			data = data || o.Verdict != alerting.Unknown
			next, transition := states[o.Key()].Step(m, o.Verdict, rule.AutoMitigate)
			states[o.Key()] = next
			if transition != alerting.None {
				out.Changes = append(out.Changes, TryEvent{timeOf(m), transition.String(), o.Resource, rule.explain(o)})
			}
			lines.add(&ev, o, m)
		}
		lines.next()
		if !data {
			out.NoData++
		}
	}
	out.Lines = lines.all
	return out, nil
}

// compiledNow is a rule of a call's own, with the resources that its scopes have now.
func (s *Service) compiledNow(ctx context.Context, r *arm.Resource) (*compiled, error) {
	on := *r
	on.Properties = enabled(r)
	rule, err := s.compile(&on)
	if err != nil {
		return nil, err
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	w := &watched{sub: fold(id.Subscription)}
	return rule, s.engine.spreadOut(ctx, w, []*compiled{rule})
}

// enabled is a rule's properties, turned on.
func enabled(r *arm.Resource) []byte {
	name := "enabled"
	if strings.EqualFold(r.Type, classicName) {
		name = "isEnabled"
	}
	b, err := mergedProperties(r.Properties, raw(map[string]bool{name: true}))
	if err != nil {
		return r.Properties
	}
	return b
}

// judgeNow evaluates a rule at the minute that is over.
func (s *Service) judgeNow(ctx context.Context, r *arm.Resource) ([]alerting.Outcome, int64, error) {
	now := minuteOf(s.deps.Clock.Now())
	rule, err := s.compiledNow(ctx, r)
	if err != nil {
		return nil, now, err
	}
	ev := alerting.Evaluator{Source: s.deps.Source, Bands: &alerting.Bands{}}
	out, err := ev.Evaluate(ctx, &rule.Rule, now)
	have := map[string]bool{}
	for i := range out {
		have[fold(out[i].Resource)] = true
	}
	for _, id := range rule.Resources { // those of which there is no data
		if err == nil && !have[fold(id)] {
			out = append(out, alerting.Outcome{Resource: id})
		}
	}
	return out, now, err
}
