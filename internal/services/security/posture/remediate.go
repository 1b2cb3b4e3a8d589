package posture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// doneStep is a call that a fix made, or would make.
type doneStep struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   any    `json:"body,omitempty"`
	Status int    `json:"status,omitempty"` // of the answer; absent from a dry run
}

// remediated is the answer of a fix: the assessment after it, and what was done.
type remediated struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Properties struct {
		Status status     `json:"status"`
		DryRun bool       `json:"dryRun,omitempty"`
		Steps  []doneStep `json:"steps"`
	} `json:"properties"`
}

// remediate puts right what an assessment found, by the calls that a person would make, as the caller.
func (s *Service) remediate(ctx context.Context, c *arm.Call) (any, error) {
	j, st, err := s.judge(ctx, c)
	if err != nil {
		return nil, err
	}
	if j == nil {
		return nil, bad("'%.60s' is not judged here: there is nothing to put right by it.", c.ID.Name())
	}
	var dry bool
	if err := c.Body.Decode("dryRun", &dry); err != nil {
		return nil, err
	}
	steps, err := assess.Fix(st, &j.Verdict, c.Body)
	if err != nil {
		return nil, err
	}
	out := &remediated{ID: c.ID.String(), Name: j.Check.Name, Type: assessmentTypeName}
	out.Properties.DryRun = dry
	for i, step := range steps {
		done := doneStep{Method: step.Method, Path: step.Path, Body: step.Body}
		if !dry {
			if done.Status, err = s.call(ctx, c.Request, step); err != nil {
				return nil, partly(err, i, len(steps))
			}
		}
		out.Properties.Steps = append(out.Properties.Steps, done)
	}
	if !dry {
		if j, _, err = s.judge(ctx, c); err != nil {
			return nil, err
		}
	}
	if j == nil { // the fix took away the resource, or what of it is judged
		out.Properties.Status = status{Code: assess.NotApplicable, Cause: "Removed", Description: "What the check is about is no more."}
		return out, nil
	}
	out.Properties.Status = j.properties(c.Version, false).Status
	return out, nil
}

// partly says in a fault how far a fix got.
func partly(err error, done, all int) error {
	f := *fault.As(err)
	if done > 0 {
		f.Message = fmt.Sprintf("%s (%d of %d steps of the fix were done before.)", f.Message, done, all)
	}
	return &f
}

const maxAnswer = 1 << 20

// call makes one call of a fix through the front door, as the caller of r. What is refused comes back as the same fault.
func (s *Service) call(ctx context.Context, r *wire.Request, step assess.Step) (int, error) {
	var content io.Reader = http.NoBody
	if step.Body != nil {
		b, err := json.Marshal(step.Body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, step.Method, r.URL(wire.HostARM, "")+step.Path, content)
	if err != nil {
		return 0, err
	}
	for _, h := range []string{"Authorization", "X-Ms-Authorization-Auxiliary"} {
		if v := r.HTTP.Header.Get(h); v != "" {
			q.Header.Set(h, v)
		}
	}
	q.Header.Set("X-Ms-Correlation-Request-Id", r.CorrelationID)
	if step.Body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	w, err := s.deps.FrontDoor.Do(q)
	if err != nil {
		return 0, fault.New(fault.BadGateway, "RemediationFailed", "%s %s could not be sent.", step.Method, step.Path).WithCause(err)
	}
	defer w.Body.Close()
	if w.StatusCode < 400 {
		return w.StatusCode, nil
	}
	b, _ := io.ReadAll(io.LimitReader(w.Body, maxAnswer))
	var e struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(b, &e) != nil || e.Error.Code == "" {
		e.Error.Code, e.Error.Message = "RemediationFailed", fmt.Sprintf("%s %s answered %d.", step.Method, step.Path, w.StatusCode)
	}
	return w.StatusCode, fault.New(kindOf(w.StatusCode), e.Error.Code, "%s", e.Error.Message)
}

// kindOf is the kind of fault that a status is shown for.
func kindOf(code int) fault.Kind {
	kinds := []fault.Kind{
		fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.MethodNotAllowed, fault.Conflict, fault.Precondition, fault.TooMany,
		fault.NotImplemented, fault.Unavailable, fault.Full,
	}
	if i := slices.IndexFunc(kinds, func(k fault.Kind) bool { return k.Status() == code }); i >= 0 {
		return kinds[i]
	}
	return fault.BadGateway
}
