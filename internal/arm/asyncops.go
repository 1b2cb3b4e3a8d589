package arm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Bounds of long operations.
const (
	syncWait     = 2 * time.Second // a request waits this long for what it began, and is then answered 202
	keepFinished = 24 * time.Hour
)

// The states of a long operation.
const (
	opRunning   = "InProgress"
	opSucceeded = "Succeeded"
	opFailed    = "Failed"
)

// operation is a stored long operation: what it does, for whom, and what became of it. It lives in the subscription's shard, so that a crash does not end it.
type operation struct {
	ID       string         `json:"id"` // GUID
	Target   string         `json:"target"`
	Method   string         `json:"method"`
	Name     string         `json:"operation"` // RBAC action
	Location string         `json:"location,omitempty"`
	Caller   operationOwner `json:"caller"`
	Role     string         `json:"role,omitempty"` // why the caller was allowed it
	Cause    string         `json:"correlationId"`
	Request  string         `json:"requestId"`
	ClientID string         `json:"clientRequestId,omitempty"`
	ClientIP string         `json:"clientIp,omitempty"`
	Status   string         `json:"status"`
	Code     string         `json:"code,omitempty"` // of the error
	Message  string         `json:"message,omitempty"`
	HTTP     int            `json:"http,omitempty"` // status of the result
	Started  time.Time      `json:"started"`
	Ended    time.Time      `json:"ended"`

	Move *moveOrder `json:"move,omitempty"` // of a move; else it deletes a group
}

// operationOwner is a caller as the work in the background needs it.
type operationOwner struct {
	Kind     string   `json:"kind"`
	TenantID string   `json:"tenantId"`
	ObjectID string   `json:"objectId"`
	AppID    string   `json:"appId,omitempty"`
	Name     string   `json:"name,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

func operationKey(id string) []byte { return []byte(tagOperation + strings.ToLower(id)) }

// background owns the goroutines of long operations: they end before Run does.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	running map[string]*outcome // by operation id
}

// errUnfinished is what an operation returns that can't go on now: it stays in progress and is tried again.
var errUnfinished = errors.New("arm: the operation is not finished")

// outcome is what a running operation will have come to once done is closed.
type outcome struct {
	done chan struct{}
	err  error
}

func newBackground() *background {
	b := &background{running: map[string]*outcome{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// start runs fn unless the operation runs already; either way it returns its outcome. nil after stop.
func (b *background) start(id string, fn func(ctx context.Context) error) *outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.running[id]; o != nil || b.closed {
		return o
	}
	o := &outcome{done: make(chan struct{})}
	b.running[id] = o
	b.wg.Go(func() {
		o.err = fn(b.ctx)
		b.mu.Lock()
		delete(b.running, id)
		b.mu.Unlock()
		close(o.done)
	})
	return o
}

// stop ends what runs, to be resumed at the next start, and waits for it.
func (b *background) stop() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.wg.Wait()
}

// newOperation is the record of the call as a long operation.
func (p *Pipeline) newOperation(c *Call, id string) operation {
	who := c.Principal
	op := operation{
		ID: id, Target: c.ID.String(), Method: c.HTTP.Method, Name: c.run.e.operation, Status: opRunning, Started: p.deps.Clock.Now(),
		Caller: operationOwner{string(who.Kind), who.TenantID, who.ObjectID, who.AppID, who.Name, who.Groups},
		Role:   c.Auth.By, Cause: c.CorrelationID, Request: c.RequestID, ClientID: c.ClientRequestID,
	}
	if c.Client.IsValid() {
		op.ClientIP = c.Client.String()
	}
	if c.Old != nil {
		op.Location = c.Old.Location
	}
	return op
}

// request is the request an operation began with, as far as the work needs it.
func (p *Pipeline) request(op *operation) *wire.Request {
	ip, _ := netip.ParseAddr(op.ClientIP)
	return &wire.Request{
		HTTP: &http.Request{Method: op.Method, Header: http.Header{}}, Route: &wire.Route{Host: wire.HostARM, Method: op.Method, Operation: op.Name},
		Host: wire.Host{Kind: wire.HostARM}, Hosts: p.deps.Hosts, Client: ip, Time: op.Started, RequestID: op.Request, CorrelationID: op.Cause, ClientRequestID: op.ClientID,
		Principal: &authn.Principal{
			Kind: authn.Kind(op.Caller.Kind), TenantID: op.Caller.TenantID, ObjectID: op.Caller.ObjectID, AppID: op.Caller.AppID, Name: op.Caller.Name, Groups: op.Caller.Groups,
		},
		Resource: op.Target,
	}
}

// perform runs an operation to its end and writes down what it came to. Ended by a stop it stays in progress, for the next start.
func (p *Pipeline) perform(ctx context.Context, shard string, op operation) error {
	if op.Move != nil {
		return p.performMove(ctx, shard, op)
	}
	return p.performDeletion(ctx, shard, op)
}

func (p *Pipeline) performDeletion(ctx context.Context, shard string, op operation) error {
	c, err := p.resumed(&op, shard)
	if err != nil {
		return err
	}
	gone, err := p.groupGone(ctx, shard, c.ID)
	if err == nil && !gone {
		err = c.run.check(ctx, c)
	}
	if err == nil && !gone {
		_, err = p.again(ctx, c, func() (any, error) { return p.deleteOnce(ctx, c) })
	}
	if ctx.Err() != nil && err != nil {
		return err
	}
	if err != nil {
		if failed := p.openGroup(ctx, c); failed != nil {
			p.deps.Log.Error("resource group stays closed", "group", c.ID.String(), "error", failed)
		}
	}
	p.end(&op, http.StatusOK, err)
	row, encodeErr := operationCodec.Encode(op)
	if encodeErr != nil {
		return encodeErr
	}
	_, putErr := p.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return tx.Put(operationKey(op.ID), row) })
	return errors.Join(err, putErr)
}

// end writes down what an operation came to: status is that of a success.
func (p *Pipeline) end(op *operation, status int, err error) {
	op.Ended, op.Status, op.HTTP = p.deps.Clock.Now(), opSucceeded, status
	if err != nil {
		f := fault.As(err)
		op.Status, op.Code, op.Message, op.HTTP = opFailed, f.Code, f.Message, f.Kind.Status()
	}
}

// groupGone tells whether the work was done before a crash: with the group the caller's role at it is gone, too.
func (p *Pipeline) groupGone(ctx context.Context, shard string, id ID) (gone bool, err error) {
	err = p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
		b, err := s.Get(resourceKey(id.Fold()))
		gone = b == nil
		return err
	})
	return gone, err
}

// resumed is the call an operation is, made anew.
func (p *Pipeline) resumed(op *operation, shard string) (*Call, error) {
	id, err := ParseID(op.Target)
	if err != nil {
		return nil, err
	}
	t := p.byName[strings.ToLower(typeGroup)]
	e := &endpoint{p: p, typ: t, method: op.Method, operation: op.Name}
	c := &Call{Request: p.request(op), Type: t, ID: id, Version: t.nearest(""), run: &run{p: p, e: e, shard: shard, home: shard, scope: id.Fold()}}
	return c, nil
}

// await begins an operation, which goes on whatever becomes of the request, and answers it: with the result, status for a success, if that is there soon, else with 202.
func (p *Pipeline) await(ctx context.Context, c *Call, op operation, status int) (any, error) {
	o := p.ops.start(op.ID, func(ctx context.Context) error { return p.perform(ctx, c.run.shard, op) })
	if o != nil {
		wait := time.NewTimer(p.syncWait)
		defer wait.Stop()
		select {
		case <-o.done:
			if o.err != nil && !errors.Is(o.err, errUnfinished) {
				return nil, o.err
			}
			if o.err == nil {
				c.Audited = true // by the operation itself
				return wire.Reply{Status: status}, nil
			}
		case <-wait.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return wire.Reply{Status: http.StatusAccepted, Header: p.pollHeaders(c.Request, &op)}, nil
}

// pollHeaders say where to ask what became of an operation, and when.
func (p *Pipeline) pollHeaders(r *wire.Request, op *operation) http.Header {
	id, _ := ParseID(op.Target)
	base := r.URL(wire.HostARM, "") + "/subscriptions/" + id.Subscription
	version := "?api-version=" + r.APIVersion
	if r.APIVersion == "" {
		version = "?api-version=2021-04-01"
	}
	location := op.Location
	if location == "" {
		location = "global"
	}
	return http.Header{
		"Location":             {base + "/operationresults/" + op.ID + version},
		"Azure-Asyncoperation": {base + "/providers/Microsoft.Resources/locations/" + location + "/operationStatuses/" + op.ID + version},
		"Retry-After":          {"1"},
		"Retry-After-Ms":       {"200"},
	}
}

const paramOperation = "operationId"

func (p *Pipeline) asyncRoutes() []wire.Route {
	const first = "2014-04-01"
	return []wire.Route{
		p.plain(http.MethodGet, subPath+"/operationresults/{"+paramOperation+"}", "Microsoft.Resources/subscriptions/operationresults/read", first, p.operationResult),
		p.plain(http.MethodGet, subPath+"/providers/Microsoft.Resources/locations/{location}/operationStatuses/{"+paramOperation+"}",
			"Microsoft.Resources/locations/operationStatuses/read", first, p.operationStatus),
	}
}

// findOperation reads an operation for who began it or may read the subscription.
func (p *Pipeline) findOperation(ctx context.Context, r *wire.Request) (*operation, error) {
	var scope ID
	if err := scope.setSubscription(r.Param(paramSub)); err != nil {
		return nil, err
	}
	r.Resource = scope.String()
	op, err := p.loadOperation(ctx, subShard(scope.Subscription), clip(r.Param(paramOperation)))
	if err != nil {
		return nil, err
	}
	if op != nil && op.Caller.ObjectID == r.Principal.ObjectID {
		r.AllowedBy = "who began the operation"
		return op, nil
	}
	if _, err := p.mayRead(ctx, r, r.Route.Operation); err != nil {
		return nil, err
	}
	if op == nil {
		return nil, fault.New(fault.NotFound, "OperationNotFound", "There is no operation '%s' in the subscription.", clip(r.Param(paramOperation)))
	}
	return op, nil
}

// operationResult answers 202 until the operation is done, then what it came to.
func (p *Pipeline) operationResult(ctx context.Context, r *wire.Request) (any, error) {
	op, err := p.findOperation(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case op.Status == opRunning:
		h := p.pollHeaders(r, op)
		h.Del("Azure-Asyncoperation")
		return wire.Reply{Status: http.StatusAccepted, Header: h}, nil
	case op.Status == opFailed:
		return wire.Reply{Status: op.HTTP, Body: map[string]any{"error": map[string]string{"code": op.Code, "message": op.Message}}}, nil
	}
	return wire.Reply{Status: op.HTTP}, nil
}

// shownOperationStatus is an operation as Azure-AsyncOperation shows it.
type shownOperationStatus struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Status    string            `json:"status"`
	StartTime string            `json:"startTime"`
	EndTime   string            `json:"endTime,omitempty"`
	Error     map[string]string `json:"error,omitempty"`
}

func (p *Pipeline) operationStatus(ctx context.Context, r *wire.Request) (any, error) {
	op, err := p.findOperation(ctx, r)
	if err != nil {
		return nil, err
	}
	out := shownOperationStatus{ID: strings.TrimRight(r.HTTP.URL.Path, "/"), Name: op.ID, Status: op.Status, StartTime: stamp(op.Started)}
	h := http.Header{}
	switch op.Status {
	case opRunning:
		h = http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"200"}}
	case opFailed:
		out.Error = map[string]string{"code": op.Code, "message": op.Message}
		fallthrough
	default:
		out.EndTime = stamp(op.Ended)
	}
	return wire.Reply{Status: http.StatusOK, Header: h, Body: out}, nil
}

// upkeepOperations goes on with operations a crash left, and forgets those long done.
func (p *Pipeline) upkeepOperations(ctx context.Context, shard string) error {
	var all []operation
	err := p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
		var err error
		all, err = scanAll(s, tagOperation, operationCodec)
		return err
	})
	if err != nil {
		return err
	}
	now := p.deps.Clock.Now()
	for _, op := range all {
		if op.Status == opRunning {
			p.ops.start(op.ID, func(ctx context.Context) error {
				err := p.perform(ctx, shard, op)
				if err != nil && ctx.Err() == nil {
					p.deps.Log.Error("resumed operation failed", "operation", op.Name, "target", op.Target, "error", err)
				}
				return err
			})
			continue
		}
		if now.Sub(op.Ended) < keepFinished {
			continue
		}
		if _, err := p.deps.Store.Update(ctx, shard, func(tx store.Tx) error { return tx.Delete(operationKey(op.ID)) }); err != nil {
			return err
		}
	}
	return nil
}

// groupMark is Resource.Private of a group on its way out.
type groupMark struct {
	Deleting  bool   `json:"deleting"`
	Operation string `json:"operation,omitempty"` // that deletes it
}

// mark reads a group's mark.
func (r *Resource) mark() groupMark {
	var m groupMark
	if len(r.Private) > 0 && json.Unmarshal(r.Private, &m) != nil {
		return groupMark{}
	}
	return m
}
