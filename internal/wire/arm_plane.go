package wire

import (
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// armPlane is Azure Resource Manager's: {"error":{"code","message","target","details"}}.
type armPlane struct{ base }

type armError struct {
	Error armBody `json:"error"`
}

type armBody struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Target  string    `json:"target,omitempty"`
	Details []armBody `json:"details,omitempty"`
}

// The allowance Azure grants a subscription in an hour. Nothing is deducted: this platform does not throttle ARM.
const (
	armReads  = "12000"
	armWrites = "1200"
)

func (armPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-cache")
	h["Pragma"] = r.one("no-cache")
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
	h["X-Ms-Correlation-Request-Id"] = r.one(r.CorrelationID)
	h["X-Ms-Routing-Request-Id"] = r.one("BULKHEAD:" + r.Time.UTC().Format("20060102T150405Z") + ":" + r.RequestID)
	if r.ClientRequestID != "" && asked(r, "X-Ms-Return-Client-Request-Id") {
		h["X-Ms-Client-Request-Id"] = r.one(r.ClientRequestID)
	}
	switch r.HTTP.Method {
	case http.MethodGet, http.MethodHead:
		h["X-Ms-Ratelimit-Remaining-Subscription-Reads"] = r.one(armReads)
	case http.MethodDelete:
		h["X-Ms-Ratelimit-Remaining-Subscription-Deletes"] = r.one(armWrites)
	default:
		h["X-Ms-Ratelimit-Remaining-Subscription-Writes"] = r.one(armWrites)
	}
}

func (armPlane) failure(_ *Request, f *fault.Error, _ time.Time) any { return armError{armBodyOf(f)} }

func armBodyOf(f *fault.Error) armBody {
	b := armBody{Code: f.Code, Message: f.Message, Target: f.Target}
	for i := range f.Details {
		b.Details = append(b.Details, armBodyOf(&f.Details[i]))
	}
	return b
}

func (a armPlane) problem(r *Request, p problem, detail string) *fault.Error {
	switch p {
	case noRoute:
		return fault.New(fault.NotFound, "InvalidResourceType", "No resource type or operation is registered for %s %s.", r.HTTP.Method, r.HTTP.URL.Path)
	case oldVersion:
		if known := r.Route.Versions.Known; known != "" {
			return fault.New(fault.Invalid, "NoRegisteredProviderFound",
				"No registered resource provider found for API version '%s' for this operation. The supported api-versions are '%s'.", detail, known)
		}
	case badBody:
		return fault.New(fault.Invalid, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s'.", detail)
	case bodyTooLarge:
		return fault.New(fault.TooLarge, "RequestContentTooLarge", "The request content size exceeds the maximum size of %s bytes.", detail)
	}
	return a.base.problem(r, p, detail)
}
