package wire

import (
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// imagesPlane is a registry of container images: errors are those of the OCI distribution specification.
type imagesPlane struct{ base }

type imagesError struct {
	Errors [1]imagesProblem `json:"errors"`
}

type imagesProblem struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Detail  struct{} `json:"detail"`
}

func (imagesPlane) headers(h http.Header, r *Request) {
	secure(h, r, "no-cache")
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
	h["Docker-Distribution-Api-Version"] = r.one("registry/2.0")
}

func (imagesPlane) failure(_ *Request, f *fault.Error, _ time.Time) any {
	return imagesError{[1]imagesProblem{{Code: f.Code, Message: f.Message}}}
}

func (imagesPlane) problem(r *Request, p problem, detail string) *fault.Error {
	switch p {
	case noRoute:
		if m := r.HTTP.Method; m != http.MethodGet && m != http.MethodHead { // an upload begins where nothing is to be read
			f := fault.New(fault.MethodNotAllowed, "UNSUPPORTED", "the registry is for reading: nothing can be done by %s", m)
			f.Header = http.Header{"Allow": {"GET, HEAD"}}
			return f
		}
		return fault.New(fault.NotFound, "NAME_UNKNOWN", "nothing is served at %s", r.HTTP.URL.Path)
	case wrongMethod:
		return fault.New(fault.MethodNotAllowed, "UNSUPPORTED", "the registry is for reading: %s is not among %s", r.HTTP.Method, detail)
	}
	f := base{}.problem(r, p, detail)
	f.Code = "UNSUPPORTED"
	return f
}
