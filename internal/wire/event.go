package wire

import (
	"context"
	"log/slog"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Event is one finished request, for the request log, the audit record and telemetry. It is valid during the call that gets it.
type Event struct {
	Time     time.Time
	Duration time.Duration
	Status   int
	Bytes    int64        // of the response's body
	Err      error        // what was answered as an error, with its cause
	Fault    *fault.Error // Err as the caller saw it
	Request  *Request     // Route is nil when no route matched
}

// Auditor keeps the records of who did what. The mux tells it about each request that reached a route, except for successful calls of Quiet routes and
// requests whose record was committed with their own write (Request.Audited).
//
// Record is called before the answer is written; of a refusal (401, 403) it must not return before the record is durable. An error is logged; the answer
// stays what it is.
type Auditor interface {
	Record(ctx context.Context, e *Event) error
}

// userAgentLog is how much of a client's description of itself goes into the log.
const userAgentLog = 256

// logEvent writes the one line of a request. The query is left out: it may hold secrets (codes, signatures).
func (m *Mux) logEvent(ctx context.Context, e *Event) {
	level := slog.LevelInfo
	switch {
	case e.Status >= 500 && e.Err == nil && e.Request.Route != nil && e.Request.Route.Quiet:
		level = slog.LevelDebug // a probe is told what its own side has said
	case e.Status >= 500:
		level = slog.LevelError
	case e.Status == 401 || e.Status == 403 || e.Status == 429:
		level = slog.LevelWarn
	}
	if !m.log.Enabled(ctx, level) {
		return
	}
	r := e.Request
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs,
		slog.String("method", r.HTTP.Method), slog.String("service", string(r.Host.Kind)), slog.String("host", r.Host.Text),
		slog.String("path", r.HTTP.URL.Path), slog.Int("status", e.Status), slog.Duration("duration", e.Duration), slog.Int64("bytes", e.Bytes),
		slog.String("request_id", r.RequestID), slog.String("correlation_id", r.CorrelationID), slog.String("client", r.Client.String()))
	if r.Route != nil {
		attrs = append(attrs, slog.String("operation", r.Route.Operation))
	}
	if p := r.Principal; p != nil {
		attrs = append(attrs, slog.String("tenant_id", p.TenantID), slog.String("object_id", p.ObjectID), slog.String("app_id", p.AppID))
	}
	if ua := r.HTTP.UserAgent(); ua != "" {
		attrs = append(attrs, slog.String("user_agent", ua[:min(len(ua), userAgentLog)]))
	}
	if r.Process != "" {
		attrs = append(attrs, slog.String("process", r.Process))
	}
	if e.Fault != nil {
		attrs = append(attrs, slog.String("code", e.Fault.Code), slog.String("message", e.Fault.Message))
		if e.Fault.Cause != nil {
			attrs = append(attrs, slog.String("cause", e.Fault.Cause.Error()))
		}
	}
	m.log.LogAttrs(ctx, level, "request", attrs...)
}
