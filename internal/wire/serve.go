package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// call is one request on its way through the stages.
type call struct {
	mux *Mux
	w   writer
	ctx context.Context
	req Request
	ev  Event // of the usual end
}

// serve takes one request through its stages and answers it.
func (m *Mux) serve(w http.ResponseWriter, hr *http.Request, host Host) {
	c := &call{mux: m, w: writer{ResponseWriter: w}}
	c.begin(hr, host)
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v)
		}
	}()
	value, err := c.stages()
	if c.req.Route != nil && c.req.Route.Raw != nil && (err == nil || c.w.status != 0) {
		c.finishRaw(err)
		return
	}
	c.answer(value, err)
}

func (c *call) begin(hr *http.Request, host Host) {
	r := &c.req
	r.HTTP, r.Host, r.Hosts = hr, host, c.mux.hosts
	r.Time = c.mux.clock.Now()
	r.plane = planeOf(host.Kind)
	r.Process = ProcessFrom(hr.Context())
	if ap, err := netip.ParseAddrPort(hr.RemoteAddr); err == nil {
		r.Client = ap.Addr().Unmap()
	}
	setIDs(r)
	c.ctx = hr.Context()
	c.w.correlation = r.CorrelationID
	r.answer = c.w.Header()
	r.plane.headers(r.answer, r)
}

// stages runs the checks in their fixed order, then the handler. Nothing of the body is read before the caller is known and allowed.
func (c *call) stages() (any, error) {
	r := &c.req
	if r.HTTP.Method == http.MethodOptions && r.HTTP.Header.Get("Origin") != "" && r.HTTP.Header.Get("Access-Control-Request-Method") != "" {
		if h := c.mux.preflight[r.Host.Kind]; h != nil {
			return h(c.ctx, r)
		}
	}
	if f := c.route(); f != nil {
		return nil, f
	}
	route := r.Route
	if route.Network != nil {
		if err := route.Network(c.ctx, r); err != nil {
			return nil, err
		}
	}
	if f := checkVersion(r.plane, r); f != nil {
		return nil, f
	}
	if err := route.Auth.Check(c.ctx, r); err != nil {
		return nil, err
	}
	if route.Authorize != nil {
		if err := route.Authorize(c.ctx, r); err != nil {
			return nil, err
		}
	}
	if route.BodyLimit > 0 {
		if f := readBody(r, route.BodyLimit); f != nil {
			return nil, f
		}
	}
	if route.Raw != nil {
		return nil, route.Raw(&c.w, r)
	}
	return route.Handler(c.ctx, r)
}

// route finds the route and decodes the parameters.
func (c *call) route() *fault.Error {
	r := &c.req
	var room [24]string
	segs := splitPath(r.HTTP.URL.EscapedPath(), room[:0])
	if r.Host.Kind == HostGraph {
		segs = splitKeys(segs)
	}
	t := c.mux.trees[r.Host.Kind]
	if t == nil {
		return r.plane.problem(r, noRoute, "")
	}
	e := t.find(r.HTTP.Method, segs)
	if e == nil {
		allowed := t.allowed(segs)
		if len(allowed) == 0 {
			return r.plane.problem(r, noRoute, "")
		}
		list := strings.Join(allowed, ", ")
		f := r.plane.problem(r, wrongMethod, list)
		f.Header = http.Header{"Allow": {list}}
		return f
	}
	var ok bool
	if r.params, ok = e.params(segs, r.paramRoom[:0]); !ok {
		return r.plane.problem(r, badPath, "path")
	}
	if r.query, ok = parseQuery(r.HTTP.URL.RawQuery, r.queryRoom[:0]); !ok && e.route.Raw == nil {
		return r.plane.problem(r, badPath, "query")
	}
	r.Route = e.route
	return nil
}

// readBody reads the whole body, at most limit bytes.
func readBody(r *Request, limit int64) *fault.Error {
	hr := r.HTTP
	if hr.Body == nil || hr.Body == http.NoBody || hr.ContentLength == 0 {
		return nil
	}
	if enc := hr.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") && !slices.Contains(r.Route.Encodings, strings.ToLower(enc)) {
		return r.plane.problem(r, bodyEncoding, enc)
	}
	if hr.ContentLength > limit {
		return r.plane.problem(r, bodyTooLarge, strconv.FormatInt(limit, 10))
	}
	// Trust a declared length only so far: room for it is made as the bytes arrive.
	buf := make([]byte, 0, min(max(hr.ContentLength+1, 512), 64<<10))
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := hr.Body.Read(buf[len(buf):min(cap(buf), int(limit)+1)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return r.plane.problem(r, bodyTooLarge, strconv.FormatInt(limit, 10))
		case errors.Is(err, io.EOF):
			r.Body = buf
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fault.New(fault.Timeout, "RequestTimeout", "The request body did not arrive in time.").WithCause(err)
		case err != nil:
			return r.plane.problem(r, badBody, "it ended early").WithCause(err)
		}
	}
}

// panicked answers 500 if nothing was written yet. A handler that aborts on purpose (a broken reverse proxy stream) is let through.
func (c *call) panicked(v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
		c.done(&Event{Status: c.w.status, Bytes: c.w.bytes, Err: http.ErrAbortHandler}, false)
		panic(v)
	}
	err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	f := fault.As(err)
	if c.w.status != 0 {
		c.done(&Event{Status: c.w.status, Bytes: c.w.bytes, Err: err, Fault: f}, true)
		panic(http.ErrAbortHandler) // the answer is incomplete; the client must see that
	}
	c.answer(nil, f)
}

// finishRaw closes the books of a Raw handler that wrote its own answer.
func (c *call) finishRaw(err error) {
	if c.w.status == 0 {
		c.w.WriteHeader(http.StatusOK)
	}
	e := &Event{Status: c.w.status, Bytes: c.w.bytes, Err: err}
	if err != nil {
		e.Fault = fault.As(err)
	}
	c.done(e, true)
}

// done records, counts and logs a finished request.
func (c *call) done(e *Event, audit bool) {
	c.fill(e)
	if audit {
		c.record(e)
	}
	if c.mux.event != nil {
		c.mux.event(e)
	}
	c.mux.logEvent(c.ctx, e)
}

// fill sets what every event has.
func (c *call) fill(e *Event) {
	e.Time, e.Request = c.req.Time, &c.req
	e.Duration = max(c.mux.clock.Now().Sub(e.Time), 0)
}

func (c *call) record(e *Event) {
	r := &c.req
	if c.mux.audit == nil || r.Route == nil || r.Audited || r.Route.Quiet && e.Status < 400 {
		return
	}
	// The record must outlive a client that hangs up; only a refusal's is waited for, and not for ever.
	ctx := context.WithoutCancel(c.ctx)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
	}
	if err := c.mux.audit.Record(ctx, e); err != nil {
		c.mux.log.Error("audit record not stored", "request_id", r.RequestID, "operation", r.Route.Operation, "status", e.Status, "error", err)
	}
}
