package wire

import (
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// graphPlane is Microsoft Graph's: {"error":{"code","message","innerError":{...}}}.
type graphPlane struct{ base }

type graphError struct {
	Error graphBody `json:"error"`
}

type graphBody struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Inner   graphInner `json:"innerError"`
}

type graphInner struct {
	Date            string `json:"date"`
	RequestID       string `json:"request-id"`
	ClientRequestID string `json:"client-request-id"`
}

func (graphPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-cache")
	h["Request-Id"] = r.one(r.RequestID)
	h["Client-Request-Id"] = r.one(graphClientID(r))
	h["X-Ms-Correlation-Request-Id"] = r.one(r.CorrelationID)
}

// graphClientID is the client's id, or ours: Graph always answers one.
func graphClientID(r *Request) string {
	if r.ClientRequestID != "" {
		return r.ClientRequestID
	}
	return r.RequestID
}

func (graphPlane) failure(r *Request, f *fault.Error, now time.Time) any {
	return graphError{graphBody{f.Code, f.Message, graphInner{
		Date: now.UTC().Format("2006-01-02T15:04:05"), RequestID: r.RequestID, ClientRequestID: graphClientID(r),
	}}}
}

func (g graphPlane) problem(r *Request, p problem, detail string) *fault.Error {
	if p == noRoute {
		if path := strings.ToLower(r.HTTP.URL.Path); path == "/beta" || strings.HasPrefix(path, "/beta/") {
			return fault.New(fault.Invalid, "BadRequest", "The beta endpoint of Microsoft Graph is not served by this platform. Use /v1.0.")
		}
		return fault.New(fault.Invalid, "BadRequest", "Resource not found for the segment '%s'.", r.HTTP.URL.Path)
	}
	return g.base.problem(r, p, detail)
}

// splitKeys takes OData keys off the segments they stand on, so that applications(appId='x') is matched like applications/{id}, with the parentheses as the
// parameter's value.
func splitKeys(segs []string) []string {
	for i, seg := range segs {
		if at := strings.IndexByte(seg, '('); at > 0 && strings.HasSuffix(seg, ")") {
			out := append(make([]string, 0, len(segs)+1), segs[:i]...)
			out = append(out, seg[:at], seg[at:])
			return append(out, splitKeys(segs[i+1:])...)
		}
	}
	return segs
}
