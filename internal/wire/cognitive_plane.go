package wire

import (
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// cognitivePlane is Cognitive Services' data planes. Newer APIs answer {"error":{"code","message","innererror"}}; Text Analytics 2.x and Computer Vision 2.x
// answer the same fields without the envelope, with innerError spelt so. What the gateway in front of them says (401, 403, 404, 429) has the envelope and its
// status as code everywhere. A fault's first detail is the inner error.
type cognitivePlane struct{ base }

type cognitiveError struct {
	Error cognitiveBody `json:"error"`
}

type cognitiveBody struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Target  string          `json:"target,omitempty"`
	Inner   *cognitiveInner `json:"innererror,omitempty"`
}

type cognitiveInner struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// flatError is that of the 2.x APIs.
type flatError struct {
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	Target    string          `json:"target,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Inner     *cognitiveInner `json:"innerError,omitempty"`
}

// FlatCognitive tells whether the API at a path answers its own errors without an envelope.
func FlatCognitive(path string) bool {
	return strings.HasPrefix(path, textV2) || strings.HasPrefix(path, visionV2)
}

const (
	textV2   = "/text/analytics/v2."
	visionV2 = "/vision/v2."
)

func (cognitivePlane) headers(h http.Header, r *Request) {
	h["Apim-Request-Id"] = r.one(r.RequestID)
	h["X-Content-Type-Options"] = r.one("nosniff")
	if r.HTTP.TLS != nil {
		h["Strict-Transport-Security"] = r.one("max-age=31536000; includeSubDomains; preload")
	}
	if r.ClientRequestID != "" {
		h["X-Ms-Client-Request-Id"] = r.one(r.ClientRequestID)
	}
}

func (cognitivePlane) failure(r *Request, f *fault.Error, _ time.Time) any {
	var inner *cognitiveInner
	if len(f.Details) > 0 {
		inner = &cognitiveInner{f.Details[0].Code, f.Details[0].Message}
	}
	path := strings.ToLower(r.HTTP.URL.Path)
	if !FlatCognitive(path) || digits(f.Code) {
		return cognitiveError{cognitiveBody{f.Code, f.Message, f.Target, inner}}
	}
	out := flatError{Code: f.Code, Message: f.Message, Target: f.Target, Inner: inner}
	if strings.HasPrefix(path, visionV2) {
		out.RequestID = r.RequestID
	}
	return out
}

func (p cognitivePlane) problem(r *Request, what problem, detail string) *fault.Error {
	switch what {
	case noRoute, wrongMethod:
		return fault.New(fault.NotFound, "404", "Resource not found")
	case bodyTooLarge:
		return fault.New(fault.TooLarge, "413", "Request Payload sent is too large to be processed. Limit request size to: %s", detail)
	}
	return p.base.problem(r, what, detail)
}
