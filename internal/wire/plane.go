package wire

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// plane is what differs on the wire from one host kind to another: response headers, error bodies, and the words of the errors that the mux itself
// answers. One file each; base is the plain form they start from.
type plane interface {
	// headers sets what every answer carries. It runs before the handler, so that a handler's own headers win.
	headers(h http.Header, r *Request)
	// problem words one of the mux's own errors. detail is the value at fault.
	problem(r *Request, p problem, detail string) *fault.Error
	// failure gives the body of an error answer: a value for JSON, or bytes.
	failure(r *Request, f *fault.Error, now time.Time) any
	// contentType is that of JSON answers.
	contentType() string
}

// problem is an error that the mux finds before any service is asked.
type problem uint8

const (
	noRoute problem = iota
	wrongMethod
	badPath
	missingVersion
	badVersion
	oldVersion
	bodyTooLarge
	bodyEncoding
	badBody
)

// planeOf gives the plane of a host kind.
func planeOf(k HostKind) plane {
	switch k {
	case HostARM:
		return armPlane{}
	case HostVault:
		return vaultPlane{}
	case HostCosmos:
		return cosmosPlane{}
	case HostLogin:
		return loginPlane{}
	case HostGraph:
		return graphPlane{}
	case HostMachine:
		return machinePlane{}
	case HostSite, HostSCM, HostPortal:
		return sitePlane{}
	case HostTAXII:
		return taxiiPlane{}
	case HostImages:
		return imagesPlane{}
	case HostCognitive:
		return cognitivePlane{}
	}
	return base{}
}

const jsonType = "application/json; charset=utf-8"

// base answers {"error":{"code","message"}}.
type base struct{}

type plainError struct {
	Error plainBody `json:"error"`
}

type plainBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
}

func (base) contentType() string { return jsonType }

func (base) headers(h http.Header, r *Request) {
	h["X-Ms-Request-Id"] = r.one(r.RequestID)
	h["X-Ms-Correlation-Request-Id"] = r.one(r.CorrelationID)
	h["X-Content-Type-Options"] = r.one("nosniff")
}

func (base) failure(_ *Request, f *fault.Error, _ time.Time) any {
	return plainError{plainBody{f.Code, f.Message, f.Target}}
}

func (base) problem(r *Request, p problem, detail string) *fault.Error {
	switch p {
	case noRoute:
		return fault.New(fault.NotFound, "NotFound", "No operation is served at %s %s.", r.HTTP.Method, r.HTTP.URL.Path)
	case wrongMethod:
		return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "The method %s is not allowed at %s; allowed: %s.", r.HTTP.Method, r.HTTP.URL.Path, detail)
	case badPath:
		return fault.New(fault.Invalid, "BadRequest", "The request URL has a malformed percent escape in its %s.", detail)
	case missingVersion:
		return fault.New(fault.Invalid, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case badVersion:
		return fault.New(fault.Invalid, "InvalidApiVersionParameter", "The api-version '%s' is invalid. It has the form YYYY-MM-DD, with an optional label such as -preview.", detail)
	case oldVersion:
		return fault.New(fault.Invalid, "InvalidApiVersionParameter", "The api-version '%s' is invalid. The supported versions are '%s' and later.", detail, r.Route.Versions.First)
	case bodyTooLarge:
		return fault.New(fault.TooLarge, "RequestEntityTooLarge", "The request body is larger than the limit of %s bytes.", detail)
	case bodyEncoding:
		return fault.New(fault.UnsupportedMedia, "UnsupportedMediaType", "The content encoding '%s' is not supported; send the body unencoded.", detail)
	default:
		return fault.New(fault.Invalid, "BadRequest", "The request body is not acceptable: %s.", detail)
	}
}

// secure sets the headers of planes that are reached over TLS only.
func secure(h http.Header, r *Request, cache string) {
	h["Strict-Transport-Security"] = r.one("max-age=31536000; includeSubDomains")
	h["X-Content-Type-Options"] = r.one("nosniff")
	h["Cache-Control"] = r.one(cache)
}

// retryAfter sets the headers that say when to try again.
func retryAfter(h http.Header, d time.Duration) {
	h["Retry-After"] = []string{strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)}
	h["Retry-After-Ms"] = []string{strconv.FormatInt(d.Milliseconds(), 10)}
}

func asked(r *Request, header string) bool {
	return strings.EqualFold(r.HTTP.Header.Get(header), "true")
}
