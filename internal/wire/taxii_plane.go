package wire

import (
	"net/http"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// TAXIIType is the media type of TAXII 2.1.
const TAXIIType = "application/taxii+json;version=2.1"

// taxiiPlane is threat intelligence by TAXII 2.1: errors are its error messages (section 3.6.1 of the specification).
type taxiiPlane struct{ base }

type taxiiError struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	ErrorID     string `json:"error_id,omitempty"`
	ErrorCode   string `json:"error_code,omitempty"`
	HTTPStatus  string `json:"http_status,omitempty"`
}

func (taxiiPlane) contentType() string { return TAXIIType }

func (taxiiPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-cache")
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
}

func (taxiiPlane) failure(r *Request, f *fault.Error, _ time.Time) any {
	return taxiiError{Title: f.Code, Description: f.Message, ErrorID: r.RequestID, ErrorCode: f.Code, HTTPStatus: strconv.Itoa(f.Kind.Status())}
}
