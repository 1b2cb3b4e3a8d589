package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// statusClientGone is what the log says of a request whose client hung up; nobody reads the answer.
const statusClientGone = 499

// answer encodes the handler's value or error, records the request, then writes.
func (c *call) answer(value any, err error) {
	buf, _ := c.mux.buffers.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	defer c.mux.recycle(buf)
	e := &c.ev
	*e = Event{} // a panic while answering leads here again
	h := c.w.Header()
	body, encErr := []byte(nil), error(nil)
	if err == nil {
		e.Status, body, encErr = c.encode(h, value, buf)
		if encErr != nil {
			err = fmt.Errorf("encode answer: %w", encErr)
		}
	}
	if err != nil {
		buf.Reset()
		e.Err, e.Fault = err, classify(err)
		e.Status = e.Fault.Kind.Status()
		if c.req.HTTP.Context().Err() != nil && errors.Is(err, context.Canceled) {
			e.Status = statusClientGone
		}
		body = c.encodeFault(h, e.Fault, buf)
	}
	withBody := e.Status >= 200 && e.Status != http.StatusNoContent && e.Status != http.StatusNotModified
	if withBody {
		h["Content-Length"] = c.req.one(strconv.Itoa(len(body)))
	} else {
		body = nil
		delete(h, "Content-Type")
	}
	if c.req.HTTP.Method == http.MethodHead {
		body = nil
	}
	e.Bytes = int64(len(body))
	c.recordThenWrite(e, body)
}

// recordThenWrite keeps the order that makes a refusal's record certain: first the record, then the answer.
func (c *call) recordThenWrite(e *Event, body []byte) {
	c.fill(e)
	c.record(e)
	c.w.WriteHeader(e.Status)
	if len(body) > 0 {
		_, _ = c.w.Write(body) // a client that hung up is no error of ours
	}
	c.done(e, false)
}

// encode gives status and body of a handler's value. Encoded bytes live in buf.
func (c *call) encode(h http.Header, value any, buf *bytes.Buffer) (int, []byte, error) {
	status := http.StatusOK
	switch v := value.(type) {
	case nil:
		return http.StatusNoContent, nil, nil
	case *Reply:
		if v == nil {
			return http.StatusNoContent, nil, nil
		}
		status, value = applyReply(h, v)
	case Reply:
		status, value = applyReply(h, &v)
	}
	switch v := value.(type) {
	case nil:
		return status, nil, nil
	case []byte:
		if h.Get("Content-Type") == "" {
			h["Content-Type"] = c.req.one("application/octet-stream")
		}
		return status, v, nil
	}
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = c.req.one(c.req.plane.contentType())
	}
	if raw, ok := value.(json.RawMessage); ok && raw != nil {
		return status, raw, nil
	}
	err := encodeJSON(buf, value)
	return status, buf.Bytes(), err
}

func applyReply(h http.Header, v *Reply) (int, any) {
	for k, vals := range v.Header {
		h[http.CanonicalHeaderKey(k)] = vals
	}
	switch {
	case v.Status != 0:
		return v.Status, v.Body
	case v.Body == nil:
		return http.StatusNoContent, nil
	}
	return http.StatusOK, v.Body
}

// encodeFault gives the body of an error answer in the plane's form, and sets its headers.
func (c *call) encodeFault(h http.Header, f *fault.Error, buf *bytes.Buffer) []byte {
	r := &c.req
	switch r.Host.Kind {
	case HostARM:
		h["X-Ms-Failure-Cause"] = c.req.one("gateway")
		h["X-Ms-Error-Code"] = c.req.one(headerSafe(f.Code))
	case HostCosmos:
		cosmosFailureHeaders(h, f)
	}
	if f.RetryAfter > 0 {
		retryAfter(h, f.RetryAfter)
	}
	for k, vals := range f.Header {
		h[http.CanonicalHeaderKey(k)] = vals
	}
	v := r.plane.failure(r, f, r.Time)
	if page, ok := v.([]byte); ok {
		h["Content-Type"] = c.req.one("text/html; charset=utf-8")
		return page
	}
	h["Content-Type"] = c.req.one(r.plane.contentType())
	if err := encodeJSON(buf, v); err != nil { // strings and numbers only
		return []byte("{}")
	}
	return buf.Bytes()
}

// headerSafe keeps a code that came from data from breaking a header line.
func headerSafe(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return "Unknown"
		}
	}
	return s
}

// classify gives the fault an error is answered as.
func classify(err error) *fault.Error {
	switch {
	case store.IsFull(err):
		return fault.New(fault.Full, "InsufficientStorage", "There is no room left to store the change. Nothing was written.").WithCause(err)
	case isFault(err):
		return fault.As(err)
	case errors.Is(err, store.ErrLimit):
		return fault.New(fault.TooLarge, "RequestEntityTooLarge", "The change is larger than the store accepts in one piece.").WithCause(err)
	case errors.Is(err, store.ErrClosed):
		return fault.New(fault.Unavailable, "ServiceUnavailable", "The service is shutting down. Try again later.").WithCause(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "ServiceUnavailable", "The request could not be finished in time. Try again.").WithCause(err)
	}
	return fault.As(err)
}

func isFault(err error) bool {
	var f *fault.Error
	return errors.As(err, &f)
}

// encodeJSON writes v without HTML escaping and without a final newline.
func encodeJSON(buf *bytes.Buffer, v any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1)
	return nil
}

// recycle keeps a buffer for the next answer; one that grew large is left to the collector.
func (m *Mux) recycle(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		b.Reset()
		m.buffers.Put(b)
	}
}

// misdirected answers a request for a host this platform does not serve.
func (m *Mux) misdirected(w http.ResponseWriter, hr *http.Request, host Host) {
	c := &call{mux: m, w: writer{ResponseWriter: w}}
	c.begin(hr, host)
	var buf bytes.Buffer
	f := fault.New(fault.NotFound, "UnknownHost", "No service answers to the host name '%s' here.", host.Text)
	body := c.encodeFault(c.w.Header(), f, &buf)
	c.recordThenWrite(&Event{Status: http.StatusMisdirectedRequest, Bytes: int64(len(body)), Err: f, Fault: f}, body)
}

// writer remembers what was written.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
	// correlation is added to an answer that has no such header of its own when it begins.
	correlation string
}

func (w *writer) begin(status int) {
	w.status = status
	if h := w.Header(); w.correlation != "" && len(h["X-Ms-Correlation-Request-Id"]) == 0 {
		h["X-Ms-Correlation-Request-Id"] = []string{w.correlation}
	}
}

// WriteHeader implements http.ResponseWriter. Informational statuses pass through.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher.
func (w *writer) Flush() {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, for upgraded connections.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach hijacking and deadlines.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
