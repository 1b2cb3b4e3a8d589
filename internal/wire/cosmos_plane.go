package wire

import (
	"html"
	"net/http"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// cosmosPlane is Cosmos DB's gateway: {"code","message"}, with the activity id inside the message and the sub-status in a header.
type cosmosPlane struct{ base }

type cosmosError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Info    string `json:"additionalErrorInfo,omitempty"`
}

func (cosmosPlane) contentType() string { return "application/json" }

func (cosmosPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-store, no-cache")
	h["Pragma"] = r.one("no-cache")
	h["X-Ms-Activity-Id"] = r.one(activityID(r))
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
	h["X-Ms-Correlation-Request-Id"] = r.one(r.CorrelationID)
}

// activityID is the client's own, so that both sides' logs meet, or the request id.
func activityID(r *Request) string {
	if id := r.HTTP.Header.Get("X-Ms-Activity-Id"); ids.IsGUID(id) {
		return id
	}
	return r.RequestID
}

// CodeInvalidURL is the code of requests that the web server in front of the gateway refuses. It answers with a page, where clients look in vain for a code.
const CodeInvalidURL = "InvalidURL"

func (cosmosPlane) failure(r *Request, f *fault.Error, _ time.Time) any {
	if f.Code == CodeInvalidURL {
		return []byte("<!DOCTYPE html>\n<html><head><title>Bad Request</title></head><body><h2>Bad Request - Invalid URL</h2><p>" +
			html.EscapeString(f.Message) + "</p></body></html>\n")
	}
	return cosmosError{f.Code, f.Message + "\r\nActivityId: " + activityID(r) + ", Bulkhead", f.Inner}
}

func (c cosmosPlane) problem(r *Request, p problem, detail string) *fault.Error {
	switch p {
	case badPath, missingVersion, badBody, bodyEncoding:
		f := c.base.problem(r, p, detail)
		f.Code = "BadRequest"
		return f
	case badVersion, oldVersion:
		return fault.New(fault.Invalid, "BadRequest", "The request header %s has the invalid value '%s'.", r.Route.Versions.Header, detail)
	}
	return c.base.problem(r, p, detail)
}

// cosmosFailureHeaders adds what the SDKs' retry logic reads from an error answer.
func cosmosFailureHeaders(h http.Header, f *fault.Error) {
	if f.Substatus != 0 {
		h["X-Ms-Substatus"] = []string{strconv.Itoa(f.Substatus)}
	}
	if f.RetryAfter > 0 {
		h["X-Ms-Retry-After-Ms"] = []string{strconv.FormatInt(f.RetryAfter.Milliseconds(), 10)}
	}
}
