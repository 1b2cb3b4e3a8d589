package alerts

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
)

// bereft looks for resources that were deleted: what is fired of them is resolved, and what is left of their data fires nothing any more. It gives what an evaluation
// found without what it found of them.
func (e *engine) bereft(ctx context.Context, w *watched, slice int, found []judgement, minute int64) (out []judgement, err error) {
	there := map[string]bool{} // by folded id
	exists := func(id string) (bool, error) {
		id = fold(id)
		if ok, known := there[id]; known {
			return ok, nil
		}
		r, _, err := e.s.deps.Resources.Resource(ctx, id)
		there[id] = r != nil
		return r != nil, err
	}
	gone := map[string]bool{} // instances
	for name, i := range w.states {
		r := w.rule(slice, i.RuleGUID)
		if r == nil || i.Generation != r.state.Generation || minute <= i.State.Last {
			continue
		}
		ok, err := exists(dimensionsOf(i.Key)["microsoft.resourceId"])
		if err != nil {
			return nil, err
		}
		if ok {
			continue
		}
		gone[name] = true
		state := i.State
		state.Fired, state.Healthy, state.Since, state.Last = false, 0, minute, minute
		out = append(out, judgement{rule: r, gone: true, before: i, key: i.Key, state: state, transition: alerting.Resolve})
	}
	for i := range found {
		j := &found[i]
		if j.before != nil && gone[j.before.name()] {
			continue
		}
		if j.transition == alerting.Fire {
			ok, err := exists(j.outcome.Resource)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		out = append(out, *j)
	}
	return out, nil
}
