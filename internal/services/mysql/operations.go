package mysql

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// shownOperation is a creation as Azure-AsyncOperation shows it.
type shownOperation struct {
	Name      string          `json:"name"`
	Status    string          `json:"status"`
	StartTime string          `json:"startTime"`
	Error     *operationError `json:"error,omitempty"`
}

type operationError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// operation finds a creation: it is as the server is, so a crash doesn't end it.
func (s *Service) operation(ctx context.Context, c *arm.Call) (*shownOperation, error) {
	id := c.Param("operationId")
	none := fault.New(fault.NotFound, "OperationNotFound", "There is no operation '%s' in the subscription.", clip(id))
	if !ids.IsGUID(id) {
		return nil, none
	}
	shard, err := shardOf(c.ID.String())
	if err != nil {
		return nil, err
	}
	var at string
	err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		at = ""
		b, err := sn.Get(operationKey(id))
		if err == nil && b != nil {
			at, err = operationCodec.Decode(b)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if at == "" {
		return nil, none
	}
	r, _, err := s.deps.Resources.Resource(ctx, at)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, none
	}
	out := &shownOperation{Name: id, Status: "InProgress", StartTime: r.Created.UTC().Format("2006-01-02T15:04:05.000Z")}
	switch st := s.host.status(r.GUID); {
	case st.Ready:
		out.Status = "Succeeded"
	case st.Failed:
		out.Status, out.Error = "Failed", &operationError{"ServerNotStarted", st.Problem}
	}
	return out, nil
}

func (s *Service) operationStatus(ctx context.Context, c *arm.Call) (any, error) {
	op, err := s.operation(ctx, c)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	if op.Status == "InProgress" {
		h = http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"200"}}
	}
	return wire.Reply{Status: http.StatusOK, Header: h, Body: op}, nil
}

// operationResult answers 202 until the server is there.
func (s *Service) operationResult(ctx context.Context, c *arm.Call) (any, error) {
	op, err := s.operation(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case op.Status == "InProgress":
		return wire.Reply{Status: http.StatusAccepted, Header: http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"200"}}}, nil
	case op.Error != nil:
		return nil, fault.New(fault.Conflict, op.Error.Code, "%s", op.Error.Message)
	}
	return wire.Reply{Status: http.StatusOK}, nil
}
