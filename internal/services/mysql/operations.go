package mysql

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Bounds of operations.
const (
	creationTime  = 15 * time.Minute // a server that is not there after so long counts as failed, though it is still tried
	changeTime    = 2 * time.Minute  // so does a change that a server has not taken up
	keepOperation = 24 * time.Hour
)

// operation is one with its id.
type operation struct {
	operationRecord
	id string
}

// begin makes the call an operation of the server's: its row will be part of the change, and the answer says where to ask what became of it.
func (s *Service) begin(c *arm.Call, ch *change, server *arm.Resource, kind opKind) {
	c.Prepared = ch
	ch.op = &operation{operationRecord{Server: server.ID, GUID: server.GUID, Kind: kind, Started: s.deps.Clock.Now()}, ids.New()}
	base := c.URL(wire.HostARM, "") + "/subscriptions/" + c.ID.Subscription + "/providers/" + namespace + "/locations/" + regionOf(server.Location)
	c.SetHeader("Azure-Asyncoperation", base+"/azureAsyncOperation/"+ch.op.id+"?api-version="+c.APIVersion)
	c.SetHeader("Location", base+"/operationResults/"+ch.op.id+"?api-version="+c.APIVersion)
	c.SetHeader("Retry-After", "1")
	c.SetHeader("Retry-After-Ms", "200")
}

// outcome settles what became of an operation by how its server is; false: nothing yet.
func (o *operationRecord) outcome(st status, now time.Time) bool {
	limit := changeTime
	if o.Kind == opCreation {
		limit = creationTime
	}
	switch {
	case o.Kind == opGate && st.Wanted >= max(o.LSN, 1), st.Applied >= max(o.LSN, 1):
	case st.Failed:
		o.Code, o.Message = "ServerNotStarted", st.Problem
	case now.Sub(o.Started) >= limit:
		o.Code, o.Message = "ServerNotResponding", "The server has not followed within "+limit.String()+". What was asked for is kept, and comes into force once it does."
		if st.Problem != "" {
			o.Message += " " + st.Problem
		}
	default:
		return false
	}
	o.Ended = now
	return true
}

// operation finds one and settles it if it can be: what was told once stays so.
func (s *Service) operation(ctx context.Context, c *arm.Call) (*operation, error) {
	id := c.Param("operationId")
	none := fault.New(fault.NotFound, "OperationNotFound", "There is no operation '%s' in the subscription.", clip(id))
	if !ids.IsGUID(id) {
		return nil, none
	}
	shard, err := shardOf(c.ID.String())
	if err != nil {
		return nil, err
	}
	op, was, err := s.readOperation(ctx, shard, id)
	if err != nil {
		return nil, err
	}
	if op == nil {
		return nil, none
	}
	if !op.Ended.IsZero() {
		return op, nil
	}
	r, _, err := s.deps.Resources.Resource(ctx, op.Server)
	if err != nil {
		return nil, err
	}
	if r == nil || op.GUID != "" && op.GUID != r.GUID {
		return nil, none
	}
	if !op.outcome(s.host.status(r.GUID), s.deps.Clock.Now()) {
		return op, nil
	}
	row, err := operationCodec.Encode(op.operationRecord)
	if err != nil {
		return nil, err
	}
	other := false
	if _, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		now, err := tx.Get(operationKey(id))
		if other = err == nil && !bytes.Equal(now, was); err != nil || other {
			return err
		}
		return tx.Put(operationKey(id), row)
	}); err != nil || !other {
		return op, err
	}
	op, _, err = s.readOperation(ctx, shard, id) // somebody else has settled it
	if err == nil && op == nil {
		err = none
	}
	return op, err
}

// readOperation gives an operation and its row, nil if there is none.
func (s *Service) readOperation(ctx context.Context, shard, id string) (op *operation, b []byte, err error) {
	if err = s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		b, err = sn.Get(operationKey(id))
		return err
	}); err != nil || b == nil {
		return nil, nil, err
	}
	b = bytes.Clone(b)
	rec, err := operationCodec.Decode(b)
	return &operation{rec, id}, b, err
}

// shownOperation is an operation as Azure-AsyncOperation shows it.
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

// pollSoon are the headers of an answer that is not the last.
func pollSoon() http.Header { return http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"200"}} }

func (s *Service) operationStatus(ctx context.Context, c *arm.Call) (any, error) {
	op, err := s.operation(ctx, c)
	if err != nil {
		return nil, err
	}
	out := &shownOperation{Name: op.id, Status: "InProgress", StartTime: op.Started.UTC().Format("2006-01-02T15:04:05.000Z")}
	h := http.Header{}
	switch {
	case op.Ended.IsZero():
		h = pollSoon()
	case op.Code != "":
		out.Status, out.Error = "Failed", &operationError{op.Code, op.Message}
	default:
		out.Status = "Succeeded"
	}
	return wire.Reply{Status: http.StatusOK, Header: h, Body: out}, nil
}

// operationResult answers 202 until the operation is done.
func (s *Service) operationResult(ctx context.Context, c *arm.Call) (any, error) {
	op, err := s.operation(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case op.Ended.IsZero():
		return wire.Reply{Status: http.StatusAccepted, Header: pollSoon()}, nil
	case op.Code != "":
		return nil, fault.New(fault.Conflict, op.Code, "%s", op.Message)
	}
	return wire.Reply{Status: http.StatusOK}, nil
}

// settle carries out the end of a wish: the row is replaced, or removed if after is nil, unless somebody has changed it. refusal is why the server would not; "": it did.
func (s *Service) settle(ctx context.Context, serverID string, a asked, after []byte, refusal string) error {
	shard, err := shardOf(serverID)
	if err != nil {
		return err
	}
	var was, ended []byte
	if refusal != "" && a.operation != "" {
		op, b, err := s.readOperation(ctx, shard, a.operation)
		if err != nil {
			return err
		}
		if op != nil && op.Ended.IsZero() {
			op.Ended, op.Code, op.Message = s.deps.Clock.Now(), "ServerRefused", refusal
			if ended, err = operationCodec.Encode(op.operationRecord); err != nil {
				return err
			}
			was = b
		}
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		now, err := tx.Get(a.key)
		if err != nil || !bytes.Equal(now, a.value) {
			return err
		}
		if ended != nil {
			if now, err = tx.Get(operationKey(a.operation)); err != nil {
				return err
			}
			if bytes.Equal(now, was) {
				if err := tx.Put(operationKey(a.operation), ended); err != nil {
					return err
				}
			}
		}
		if after == nil {
			return tx.Delete(a.key)
		}
		return tx.Put(a.key, after)
	})
	return err
}

// forgetOperations removes those that nobody will ask for any more.
func (s *Service) forgetOperations(ctx context.Context) error {
	return store.EachShard(ctx, s.deps.Store, "sub/", func(shard string) error { return s.forgetOperationsOf(ctx, shard) })
}

func (s *Service) forgetOperationsOf(ctx context.Context, shard string) error {
	rows := map[string][]byte{}
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		clear(rows)
		return sn.Scan(store.Prefix([]byte(opPrefix)), func(k, v []byte) bool { rows[string(k)] = bytes.Clone(v); return true })
	})
	if err != nil {
		return err
	}
	now, old := s.deps.Clock.Now(), [][]byte{}
	for k, v := range rows {
		if op, err := operationCodec.Decode(v); err == nil && now.Sub(op.Started) > keepOperation {
			old = append(old, []byte(k))
		}
	}
	for len(old) > 0 {
		n := min(len(old), 1000)
		if _, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
			for _, k := range old[:n] {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		old = old[n:]
	}
	return nil
}
