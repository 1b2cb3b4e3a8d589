package wire

import (
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// setIDs gives r its ids: ours, the story's, the client's.
func setIDs(r *Request) {
	h := r.HTTP.Header
	r.RequestID = ids.New()
	r.CorrelationID = correlation(h)
	if r.CorrelationID == "" {
		r.CorrelationID = r.RequestID
	}
	for _, name := range [...]string{"X-Ms-Client-Request-Id", "Client-Request-Id"} {
		if v := first(h, name); v != "" && len(v) <= 256 {
			r.ClientRequestID = v
			break
		}
	}
}

// correlation is the id of the story a request belongs to, as its client tells it: the first of these headers that has the form of a
// GUID (or, for W3C's traceparent, of a trace id, which is written as one). "" if there is none.
func correlation(h http.Header) string {
	for _, name := range [...]string{"X-Ms-Correlation-Request-Id", "Traceparent", "X-Ms-Client-Request-Id", "Client-Request-Id", "X-Ms-Activity-Id"} {
		v := first(h, name)
		if v == "" {
			continue
		}
		if name == "Traceparent" {
			v = traceID(v)
		}
		if ids.IsGUID(v) {
			return strings.ToLower(v)
		}
	}
	return ""
}

// traceID writes the trace id of a traceparent (00-<32 hex>-<16 hex>-<2 hex>) as a GUID; "" if malformed or all zero.
func traceID(v string) string {
	if len(v) < 55 || v[2] != '-' || v[35] != '-' {
		return ""
	}
	t := v[3:35]
	if strings.Trim(t, "0") == "" {
		return ""
	}
	return t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:]
}

// first is h.Get for a name in canonical form.
func first(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}
