package posture

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const taskTypeName = namespace + "/locations/tasks"

// taskListType lists the tasks of a subscription, wherever they are.
func (s *Service) taskListType() arm.Type {
	return arm.Type{
		Name: namespace + "/tasks", Scope: arm.InSubscription, Untracked: true, Versions: []string{"2015-06-01-preview"},
		Get: s.getTask, List: s.listTasks,
	}
}

// taskType has what is to be done: a task for each fault that an assessment found. It is Active while the fault is there and Resolved when it is gone; in between a user
// may start, dismiss, resolve or close it, which holds until the assessment's outcome changes.
func (s *Service) taskType() arm.Type {
	t := arm.Type{
		Name: taskTypeName, Scope: arm.InEither, Untracked: true, Versions: []string{"2015-06-01-preview"},
		Get: s.getTask, List: s.listTasks,
	}
	for verb, state := range map[string]string{"Activate": "Active", "Dismiss": "Dismissed", "Start": "InProgress", "Resolve": "Resolved", "Close": "Closed"} {
		t.Actions = append(t.Actions, arm.Action{Verb: verb, Writes: true, Operation: taskTypeName + "/" + strings.ToLower(verb) + "/action", Handler: func(ctx context.Context, c *arm.Call) (any, error) {
			row, err := taskCodec.Encode(taskState{state, s.deps.Clock.Now()})
			if err != nil {
				return nil, err
			}
			key := ownKey(tagTask, c.ID.Name())
			return wire.Reply{Status: http.StatusNoContent}, c.Commit(ctx, func(tx store.Tx) error { return tx.Put(key, row) })
		}})
	}
	return t
}

func (s *Service) getTask(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	all, err := s.tasks(ctx, c)
	for _, x := range all {
		r, err := x.make()
		if err != nil || strings.EqualFold(r.Name, c.ID.Name()) {
			return r, err
		}
	}
	return nil, err
}

func (s *Service) listTasks(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	all, err := s.tasks(ctx, c)
	if err != nil {
		return nil, err
	}
	return paged(c, all)
}

// tasks are those of the call's scope.
func (s *Service) tasks(ctx context.Context, c *arm.Call) ([]item, error) {
	if len(c.ID.Types) > 1 && !strings.EqualFold(c.ID.Names[0], HomeRegion) {
		return nil, nil
	}
	only, err := taskFilter(c.Query("$filter"))
	if err != nil {
		return nil, err
	}
	all, _, err := s.evaluate(ctx, c.ID.Subscription)
	if err != nil {
		return nil, err
	}
	users, err := loadAll(ctx, s.deps.Store, subShard(c.ID.Subscription), ownKey(tagTask, ""), taskCodec)
	if err != nil {
		return nil, err
	}
	var out []item
	for _, j := range below(all, scopeOf(c)) {
		if j.Fault.IsZero() {
			continue
		}
		name := guid("task", j.Resource.ID, j.Check.Name)
		state, changed := "Resolved", j.Changed
		if j.Verdict.Code == assess.Unhealthy {
			state = "Active"
		}
		if u, ok := users[name]; ok && !u.Changed.Before(j.Changed) {
			state, changed = u.State, u.Changed
		}
		if only == "" || strings.EqualFold(only, state) {
			out = append(out, item{j.Resource.ID + "/" + name, func() (*arm.Resource, error) { return j.task(c, name, state, changed), nil }})
		}
	}
	return out, nil
}

// taskFilter reads "Properties/State eq 'Active'".
func taskFilter(text string) (state string, err error) {
	if text == "" {
		return "", nil
	}
	f := strings.Fields(text)
	if len(f) != 3 || !strings.EqualFold(f[0], "Properties/State") && !strings.EqualFold(f[0], "state") || !strings.EqualFold(f[1], "eq") {
		return "", bad("Invalid $filter '%.100s': Properties/State eq '...' is supported.", text)
	}
	return strings.Trim(f[2], "'"), nil
}

func (j *judged) task(c *arm.Call, name, state string, changed time.Time) *arm.Resource {
	base := "/subscriptions/" + c.ID.Subscription
	parameters := map[string]any{
		"name": j.Check.DisplayName, "assessmentKey": j.Check.Name, "severity": j.Check.Severity, "resourceId": j.Resource.ID, "resourceName": j.Resource.Name,
		"resourceType": j.Resource.Type, "uniqueKey": j.Resource.ID + "/" + j.Check.Name, "description": j.Description, "remediation": j.Check.Remedy,
	}
	if id, err := arm.ParseID(j.Resource.ID); err == nil && id.ResourceGroup != "" {
		base += "/resourceGroups/" + id.ResourceGroup
		parameters["resourceGroup"] = id.ResourceGroup
	}
	return &arm.Resource{ID: base + "/providers/" + namespace + "/locations/" + HomeRegion + "/tasks/" + name, Name: name, Type: taskTypeName, Properties: raw(map[string]any{
		"state": state, "subState": "NA", "creationTimeUtc": j.Fault.UTC(), "lastStateChangeTimeUtc": changed.UTC(), "securityTaskParameters": parameters,
	})}
}
